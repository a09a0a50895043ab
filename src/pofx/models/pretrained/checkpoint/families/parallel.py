"""The families with decoders whose attention and MLP read the same state: GPT-J, Falcon, Phi, StableLM, Cohere 1 and 2."""

from __future__ import annotations

from dataclasses import replace

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Norm, Rope, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, alibi_slopes, divided
from pofx.models.pretrained.checkpoint.families.llama import (
    FULL,
    QK_NORMED,
    SLIDING,
    head_size,
    layer_kinds,
    llama_like,
)
from pofx.models.pretrained.checkpoint.families.rotary import read_rope

STABLELM = {"num_key_value_heads": 32, "max_position_embeddings": 4096}
COHERE = {"max_position_embeddings": 8192}
COHERE2 = {**COHERE, "sliding_window": 4096}
_GPTJ = Stored(
    base="transformer.",
    layer="h.{}.",
    embed="wte",
    norm="ln_f",
    qkv=("attn.q_proj", "attn.k_proj", "attn.v_proj"),
    out="attn.out_proj",
    up=("mlp.fc_in",),
    down="mlp.fc_out",
    norm_in="ln_1",
    norm_mid=None,
    interleaved=True,
)
_FALCON = Stored(
    base="transformer.",
    layer="h.{}.",
    embed="word_embeddings",
    norm="ln_f",
    qkv=("self_attention.query_key_value",),
    out="self_attention.dense",
    up=("mlp.dense_h_to_4h",),
    down="mlp.dense_4h_to_h",
    by_head=True,
)
_PHI = Stored(norm="final_layernorm", out="self_attn.dense", up=("mlp.fc1",), down="mlp.fc2", norm_mid=None)
_COHERE = Stored(norm_mid=None, interleaved=True)


def read_gptj(f: Fields) -> Architecture:
    """Read a config of GPT-J."""
    width, heads = f.whole("n_embd", 4096), f.whole("n_head", 16)
    dim, turning = divided(width, heads), f.whole("rotary_dim", 64)
    if turning % 2 or turning > dim:
        raise NotCovered("rotary_dim")
    f.optional("n_inner")
    f.only("rotary", True)
    f.only("scale_attn_weights", True)
    rope = Rope(10_000.0, dim=None if turning == dim else turning)
    return Architecture(
        stored=_GPTJ,
        rows=f.whole("vocab_size", 50400),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=dim,
        layers=(Layer(rope=rope),) * f.whole("n_layer", 28),
        context=f.whole("n_positions", 2048),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=dim**-0.5,
        activation=f.activation("activation_function", "gelu_new"),
        tied=f.truth("tie_word_embeddings", False),
        gated=False,
        parallel=True,
    )


def read_falcon(f: Fields) -> Architecture:
    """Read a config of Falcon, with rotary positions or with ALiBi, whose biases the library rounds to bfloat16."""
    width, heads = f.whole("hidden_size", 4544), f.whole("num_attention_heads", 71)
    dim = divided(width, heads)
    new, parallel = f.truth("new_decoder_architecture", False), f.truth("parallel_attn", True)
    one_key, norms = f.truth("multi_query", True), f.optional("num_ln_in_parallel_attn")
    given = f.whole("num_kv_heads", heads)
    alibi, rope = f.truth("alibi", False), read_rope(f, dim)
    f.only("apply_residual_connection_post_layernorm", False)
    f.truth("bias", False)
    f.optional("ffn_hidden_size")
    kv_heads = given if new else 1 if one_key else heads
    if heads % kv_heads or (new and not parallel) or (not new and norms not in (None, 1)):
        raise NotCovered("new_decoder_architecture")
    stored = _FALCON
    if new and (norms or 2) == 2:
        stored = replace(_FALCON, norm_in="ln_attn", norm_mid="ln_mlp")
    elif parallel:
        stored = replace(_FALCON, norm_mid=None)
    return Architecture(
        stored=stored,
        rows=f.whole("vocab_size", 65024),
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=dim,
        layers=(Layer(rope=None if alibi else rope),) * f.whole("num_hidden_layers", 32),
        context=f.whole("max_position_embeddings", 2048),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=dim**-0.5,
        activation=f.activation("activation", "gelu"),
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
        parallel=parallel,
        slopes=alibi_slopes(heads) if alibi else None,
        rounded_slopes=alibi,
    )


def read_phi(f: Fields) -> Architecture:
    """Read a config of Phi 1, 1.5 or 2."""
    normed = f.truth("qk_layernorm", False)
    stored = replace(_PHI, norm_q="self_attn.q_layernorm", norm_k="self_attn.k_layernorm") if normed else _PHI
    return llama_like(
        f,
        stored=stored,
        norm=Norm("layer", f.number("layer_norm_eps", 1e-5)),
        part=0.5,
        hidden_act="gelu_new",
        gated=False,
        parallel=True,
        qk_norm="heads" if normed else None,
    )


def read_stablelm(f: Fields) -> Architecture:
    """Read a config of StableLM; norms of queries and keys (`qk_layernorm`) are not covered."""
    f.only("qk_layernorm", False)
    f.truth("use_qkv_bias", False)
    parallel = f.truth("use_parallel_residual", False)
    return llama_like(
        f,
        stored=Stored(norm_mid=None) if parallel else Stored(),
        norm=Norm("layer", f.number("layer_norm_eps", 1e-5)),
        part=0.25,
        parallel=parallel,
    )


def read_cohere(f: Fields) -> Architecture:
    """Read a config of Cohere's Command R."""
    f.truth("attention_bias", False)
    normed = f.truth("use_qk_norm", False)
    return llama_like(
        f,
        stored=replace(_COHERE, norm_q=QK_NORMED.norm_q, norm_k=QK_NORMED.norm_k) if normed else _COHERE,
        norm=Norm("layer", f.number("layer_norm_eps", 1e-5)),
        theta=500_000.0,
        tied=True,
        parallel=True,
        logit_scale=f.number("logit_scale", 0.0625),
        qk_norm="heads" if normed else None,
    )


def read_cohere2(f: Fields) -> Architecture:
    """Read a config of Cohere's Command R7B or Command A, in which only layers with a window have rotary positions."""
    n, every = f.whole("num_hidden_layers"), f.whole("sliding_window_pattern", 4)
    window = f.optional("sliding_window")
    f.truth("attention_bias", False)
    f.only("use_qk_norm", False)
    for name in ("use_gated_activation", "use_parallel_block", "use_embedding_sharing"):
        f.only(name, True)
    f.only("rotary_pct", 1.0)
    f.only("position_embedding_type", "rope_gptj")
    f.only("order_of_interleaved_layers", "local_attn_first")
    f.only("layer_switch", every)
    f.given("use_parallel_embedding")  # how weights were spread over machines
    rope = read_rope(f, head_size(f))
    kinds = layer_kinds(f, [SLIDING if (i + 1) % every else FULL for i in range(n)])
    turning = Layer(window, rope=rope) if window else Layer()
    return llama_like(
        f,
        stored=_COHERE,
        layers=tuple(turning if kind == SLIDING else Layer() for kind in kinds),
        norm=Norm("layer", f.number("layer_norm_eps", 1e-5)),
        tied=True,
        parallel=True,
        logit_scale=f.number("logit_scale", 0.0625),
    )
