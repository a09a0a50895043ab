"""GPT-2 and the decoders of its time: GPT-Neo, GPT-NeoX (Pythia), OPT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Norm, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, divided
from pofx.models.pretrained.checkpoint.families.rotary import read_rope

_GPT2 = Stored(
    base="transformer.",
    layer="h.{}.",
    embed="wte",
    positions="wpe",
    norm="ln_f",
    qkv=("attn.c_attn",),
    out="attn.c_proj",
    up=("mlp.c_fc",),
    down="mlp.c_proj",
    norm_in="ln_1",
    norm_mid="ln_2",
    transposed=True,
)
_GPT_NEO = replace(
    _GPT2,
    qkv=("attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj"),
    out="attn.attention.out_proj",
    transposed=False,
)
_GPT_NEOX = Stored(
    base="gpt_neox.",
    embed="embed_in",
    norm="final_layer_norm",
    head="embed_out",
    qkv=("attention.query_key_value",),
    out="attention.dense",
    up=("mlp.dense_h_to_4h",),
    down="mlp.dense_4h_to_h",
    by_head=True,
)
_OPT = Stored(
    base="model.decoder.",
    positions="embed_positions",
    skipped=2,
    norm="final_layer_norm",
    out="self_attn.out_proj",
    up=("fc1",),
    down="fc2",
    norm_in="self_attn_layer_norm",
    norm_mid="final_layer_norm",
)


def read_gpt2(f: Fields) -> Architecture:
    """Read a config of GPT-2."""
    width, heads, n = f.whole("n_embd", 768), f.whole("n_head", 12), f.whole("n_layer", 12)
    dim = divided(width, heads)
    f.optional("n_inner")
    f.given("n_ctx")  # the library reads n_positions alone
    scale = dim**-0.5 if f.truth("scale_attn_weights", True) else 1.0
    falling = f.truth("scale_attn_by_inverse_layer_idx", False)
    return Architecture(
        stored=_GPT2,
        rows=f.whole("vocab_size", 50257),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=dim,
        layers=tuple(Layer(scale=scale / (i + 1) if falling else None) for i in range(n)),
        context=f.whole("n_positions", 1024),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=scale,
        activation=f.activation("activation_function", "gelu_new"),
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
    )


def read_gpt_neo(f: Fields) -> Architecture:
    """Read a config of GPT-Neo, in which q·k has the factor 1, and the local layers have a window."""
    width, heads, n = f.whole("hidden_size", 2048), f.whole("num_heads", 16), f.whole("num_layers", 24)
    f.optional("intermediate_size")
    f.given("attention_layers")  # the library makes this list of attention_types
    window = f.whole("window_size", 256)
    types: Any = f.given("attention_types") or [[["global", "local"], 12]]
    kinds: list[str] = []
    try:
        for names, times in types:
            if type(times) is not int or times * len(names) > n:
                raise NotCovered("attention_types")
            kinds += list(names) * times
    except (TypeError, ValueError):
        raise NotCovered("attention_types") from None
    if len(kinds) != n or any(kind not in ("global", "local") for kind in kinds):
        raise NotCovered("attention_types")
    return Architecture(
        stored=_GPT_NEO,
        rows=f.whole("vocab_size", 50257),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=divided(width, heads),
        layers=tuple(Layer(window if kind == "local" else None) for kind in kinds),
        context=f.whole("max_position_embeddings", 2048),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=1.0,
        activation=f.activation("activation_function", "gelu_new"),
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
    )


def read_gpt_neox(f: Fields) -> Architecture:
    """Read a config of GPT-NeoX, the family of Pythia."""
    width, heads = f.whole("hidden_size"), f.whole("num_attention_heads")
    dim = divided(width, heads)
    f.optional("intermediate_size")
    f.truth("attention_bias", True)
    theta, part = f.number("rotary_emb_base", 10_000.0), f.number("rotary_pct", 0.25)
    rope = read_rope(f, dim, theta, part)
    return Architecture(
        stored=_GPT_NEOX,
        rows=f.whole("vocab_size"),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=dim,
        layers=(Layer(rope=rope),) * f.whole("num_hidden_layers"),
        context=f.whole("max_position_embeddings", 2048),
        norm=Norm("layer", f.number("layer_norm_eps", 1e-5)),
        scale=dim**-0.5,
        activation=f.activation("hidden_act", "gelu"),
        tied=f.truth("tie_word_embeddings", False),
        gated=False,
        parallel=f.truth("use_parallel_residual", True),
    )


def read_opt(f: Fields) -> Architecture:
    """Read a config of OPT; in OPT-350m the norms follow the residual sums, and embeddings are narrower than states."""
    width, heads = f.whole("hidden_size", 768), f.whole("num_attention_heads", 12)
    narrow = f.whole("word_embed_proj_dim", width)
    before = f.truth("do_layer_norm_before", True)
    last = not f.truth("_remove_final_layer_norm", False)
    f.optional("ffn_dim")
    f.truth("enable_bias", True)
    stored = _OPT if before and last else replace(_OPT, norm=None)
    if not before:
        stored = replace(
            stored,
            norm_in=None,
            norm_mid=None,
            norm_after_attention=_OPT.norm_in,
            norm_after_mlp=_OPT.norm_mid,
        )
    if narrow != width:
        stored = replace(stored, project_in="project_in", project_out="project_out")
    return Architecture(
        stored=stored,
        rows=f.whole("vocab_size", 50272),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=divided(width, heads),
        layers=(Layer(),) * f.whole("num_hidden_layers", 12),
        context=f.whole("max_position_embeddings", 2048),
        norm=Norm("layer", 1e-5, weighted=f.truth("layer_norm_elementwise_affine", True)),
        scale=divided(width, heads) ** -0.5,
        activation=f.activation("activation_function", "relu"),
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
        embed_width=None if narrow == width else narrow,
    )
