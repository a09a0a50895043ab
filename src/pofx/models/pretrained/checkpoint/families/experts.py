"""The decoders with mixtures of experts: Mixtral, Qwen 2 and 3 MoE, OLMoE, Granite MoE, gpt-oss, Llama 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Architecture, Experts, Layer, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered
from pofx.models.pretrained.checkpoint.families.llama import (
    FULL,
    QK_NORMED,
    SLIDING,
    head_size,
    layer_kinds,
    llama_like,
)
from pofx.models.pretrained.checkpoint.families.rotary import read_rope, rope_of

MIXTRAL = {
    "num_key_value_heads": 8,
    "max_position_embeddings": 131_072,
    "num_experts_per_tok": 2,
}
QWEN2_MOE = {
    "num_key_value_heads": 16,
    "max_position_embeddings": 32_768,
    "num_experts_per_tok": 4,
}
QWEN3_MOE = {**QWEN2_MOE, "num_key_value_heads": 4, "num_experts_per_tok": 8}
OLMOE = {"max_position_embeddings": 4096, "num_experts_per_tok": 8}
GRANITE_MOE = {"num_experts_per_tok": 2}
GPT_OSS = {
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": 131_072,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
}
_GPT_OSS_ROPE = {
    "rope_type": "yarn",
    "factor": 32.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
_MIXTRAL = Stored(
    router="block_sparse_moe.gate",
    expert="block_sparse_moe.experts.{}.",
    expert_up=("w1", "w3"),
    expert_down="w2",
)
_QWEN2 = Stored(shared_gate="mlp.shared_expert_gate")
_GRANITE = Stored(
    router="block_sparse_moe.router.layer",
    all_up="block_sparse_moe.input_linear.weight",
    all_down="block_sparse_moe.output_linear.weight",
)
LLAMA4 = {
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131_072,
    "num_experts_per_tok": 1,
    "num_local_experts": 16,
    "attention_chunk_size": 8192,
}
_LLAMA4 = Stored(
    up=("feed_forward.gate_proj", "feed_forward.up_proj"),
    down="feed_forward.down_proj",
    router="feed_forward.router",
    all_up="feed_forward.experts.gate_up_proj",
    all_down="feed_forward.experts.down_proj",
    all_transposed=True,
    shared="feed_forward.shared_expert.",
    interleaved=True,
)
_GPT_OSS = Stored(
    router="mlp.router",
    all_up="mlp.experts.gate_up_proj",
    all_down="mlp.experts.down_proj",
    all_transposed=True,
    all_in_turn=True,
    sinks="self_attn.sinks",
)


def read_mixtral(f: Fields) -> Architecture:
    """Read a config of Mixtral."""
    experts = replace(_experts(f), renormalised=True)
    layer = Layer(f.optional("sliding_window"), rope=read_rope(f, head_size(f), 1_000_000.0), experts=experts)
    return llama_like(f, stored=_MIXTRAL, layers=(layer,) * f.whole("num_hidden_layers"), eps=1e-5)


def read_qwen2_moe(f: Fields) -> Architecture:
    """Read a config of Qwen 2 MoE, whose shared expert has a gate."""
    f.truth("qkv_bias", True)
    f.optional("shared_expert_intermediate_size")
    return llama_like(f, stored=_QWEN2, layers=_sparse_layers(f, shared=True))


def read_qwen3_moe(f: Fields) -> Architecture:
    """Read a config of Qwen 3 MoE."""
    f.truth("attention_bias", False)
    return llama_like(f, stored=QK_NORMED, layers=_sparse_layers(f), qk_norm="heads")


def read_olmoe(f: Fields) -> Architecture:
    """Read a config of OLMoE; the clipping of queries, keys and values (`clip_qkv`) is not covered."""
    f.truth("attention_bias", False)
    f.only("clip_qkv")
    experts = replace(_experts(f), renormalised=f.truth("norm_topk_prob", False))
    layer = Layer(rope=read_rope(f, head_size(f)), experts=experts)
    layers = (layer,) * f.whole("num_hidden_layers")
    return llama_like(f, stored=QK_NORMED, layers=layers, eps=1e-5, qk_norm="whole")


def read_granite_moe(f: Fields) -> Architecture:
    """Read a config of Granite MoE."""
    f.truth("attention_bias", False)
    experts = replace(_experts(f), scores="softmax of chosen")
    layer = Layer(rope=read_rope(f, head_size(f)), experts=experts)
    return llama_like(
        f,
        stored=_GRANITE,
        layers=(layer,) * f.whole("num_hidden_layers"),
        scale=f.number("attention_multiplier", 1.0),
        embed=f.number("embedding_multiplier", 1.0),
        residual=f.number("residual_multiplier", 1.0),
        logit_scale=1.0 / f.number("logits_scaling", 1.0),
    )


def read_gpt_oss(f: Fields) -> Architecture:
    """Read a config of gpt-oss, whose heads have sinks, and whose experts have limits and biases."""
    new, old, window = f.given("rope_parameters"), f.given("rope_scaling"), f.optional("sliding_window")
    given = old or (_GPT_OSS_ROPE if new is None else new)
    if not isinstance(given, Mapping):
        raise NotCovered("rope_parameters")
    rope = rope_of(given, f, head_size(f), f.number("rope_theta", 150_000.0))
    f.truth("attention_bias", True)
    f.only("swiglu_alpha", 1.702)  # f(x) = x·σ(1.702·x)
    for unread in ("hidden_act", "experts_per_token", "initial_context_length"):
        f.given(unread)
    experts = replace(_experts(f), scores="softmax of chosen")
    kinds = layer_kinds(f, [FULL if i % 2 else SLIDING for i in range(f.whole("num_hidden_layers"))])
    return llama_like(
        f,
        stored=_GPT_OSS,
        layers=tuple(
            Layer(window if kind == SLIDING else None, rope=rope, experts=experts) for kind in kinds
        ),
        eps=1e-5,
        hidden_act=None,
        activation="gelu_quick",
        gate_limit=f.number("swiglu_limit", 7.0),
    )


def read_llama4(f: Fields) -> Architecture:
    """Read a config of the text model of Llama 4, whose layers with rotary positions see chunks of a text."""
    n, every, chunk = (
        f.whole("num_hidden_layers"),
        f.whole("no_rope_layer_interval", 4),
        f.optional("attention_chunk_size"),
    )
    listed = _listed(f, "no_rope_layers", int) or [(i + 1) % every for i in range(n)]
    turning = [bool(x) for x in listed]
    kinds = _listed(f, "layer_types", str) or ["chunked_attention" if x else FULL for x in turning]
    step = f.whole("interleave_moe_layer_step", 1)
    sparse = _listed(f, "moe_layers", int)
    sparse = list(range(step - 1, n, step)) if sparse is None else sparse
    if len(turning) != n or len(kinds) != n or any(k not in (FULL, "chunked_attention") for k in kinds):
        raise NotCovered("layer_types")
    growth = (f.number("attn_scale", 0.1), f.whole("floor_scale", 8192))
    grows, normed = f.truth("attn_temperature_tuning", True), f.truth("use_qk_norm", True)
    experts = replace(_experts(f), scores="sigmoid", shared=True, of_input=True)
    rope = read_rope(f, head_size(f), 500_000.0)
    if rope.amplitude != 1.0 and normed:
        raise NotCovered("rope_parameters")  # the library normalises after the rotation
    f.optional("intermediate_size_mlp")
    f.truth("attention_bias", False)
    layers = tuple(
        Layer(
            chunk=chunk if kind == "chunked_attention" else None,
            growth=None if turns or not grows else growth,
            rope=rope if turns else None,
            experts=experts if i in sparse else None,
        )
        for i, (turns, kind) in enumerate(zip(turning, kinds, strict=True))
    )
    return llama_like(f, stored=_LLAMA4, layers=layers, eps=1e-5, qk_norm="turning" if normed else None)


def _listed(f: Fields, name: str, kind: type) -> list[Any] | None:
    found = f.given(name)
    if found is not None and not (
        isinstance(found, list | tuple) and all(isinstance(x, kind) for x in found)
    ):
        raise NotCovered(name)
    return None if found is None else list(found)


def _experts(f: Fields) -> Experts:
    """Return the number of experts, which has one of two names in a config, and the number of experts that read a token."""
    counts = {f.optional("num_experts"), f.optional("num_local_experts")} - {None}
    chosen = f.whole("num_experts_per_tok")
    f.optional("moe_intermediate_size")
    count = counts.pop() if len(counts) == 1 else None
    if count is None or chosen > count:
        raise NotCovered("num_experts")
    return Experts(count, chosen)


def _sparse_layers(f: Fields, shared: bool = False) -> tuple[Layer, ...]:
    """Return the layers of Qwen: some layers have experts, some an MLP, and no layer has a window."""
    n, step, dense = (
        f.whole("num_hidden_layers"),
        f.whole("decoder_sparse_step", 1),
        f.given("mlp_only_layers"),
    )
    f.only("use_sliding_window", False)
    f.given("sliding_window")  # not used without `use_sliding_window`
    f.given("max_window_layers")
    dense = [] if dense is None else dense
    if not isinstance(dense, list | tuple) or any(type(i) is not int for i in dense):
        raise NotCovered("mlp_only_layers")
    if layer_kinds(f, [FULL] * n) != [FULL] * n:
        raise NotCovered("layer_types")
    experts = replace(_experts(f), renormalised=f.truth("norm_topk_prob", False), shared=shared)
    rope = read_rope(f, head_size(f))
    return tuple(
        Layer(rope=rope, experts=None if i in dense or (i + 1) % step else experts) for i in range(n)
    )
