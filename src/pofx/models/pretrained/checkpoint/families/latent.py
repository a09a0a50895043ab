"""The decoders with multi-head latent attention: DeepSeek V2 and V3, with Moonlight and others of this form."""

from __future__ import annotations

import math
from dataclasses import replace

from pofx.models.pretrained.checkpoint.architecture import Architecture, Experts, Latent, Layer, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, positive
from pofx.models.pretrained.checkpoint.families.llama import llama_like
from pofx.models.pretrained.checkpoint.families.rotary import given_rope, rope_of

_SIZES = {
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
}
DEEPSEEK_V2 = {**_SIZES, "n_routed_experts": 64, "n_shared_experts": 2}
DEEPSEEK_V3 = {
    **_SIZES,
    "num_key_value_heads": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "n_group": 8,
    "topk_group": 4,
    "first_k_dense_replace": 3,
    "max_position_embeddings": 4096,
}
_QUERIES, _LATENT_QUERIES = ("self_attn.q_proj",), ("self_attn.q_a_proj", "self_attn.q_b_proj")
_KEYS = ("self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj")


def read_deepseek_v2(f: Fields) -> Architecture:
    """Read a config of DeepSeek V2, whose experts are weighed by a softmax."""
    f.truth("norm_topk_prob", False)  # the library does not use the value
    f.truth("mlp_bias", False)
    f.only("scoring_func", "softmax")
    f.only("topk_method", "greedy", "group_limited_greedy")
    grouped = f.given("topk_method") == "group_limited_greedy"
    experts = Experts(
        f.whole("n_routed_experts"),
        f.whole("num_experts_per_tok"),
        shared=True,
        factor=f.number("routed_scaling_factor", 1.0),
    )
    groups, chosen = f.optional("n_group"), f.optional("topk_group")
    if grouped:
        experts = _grouped(experts, groups, chosen)
    return _latent(f, Stored(shared="mlp.shared_experts.", interleaved=True), experts)


def read_deepseek_v3(f: Fields) -> Architecture:
    """Read a config of DeepSeek V3 or R1, whose experts are weighed by a sigmoid, and chosen with a bias."""
    f.only("scoring_func", "sigmoid")
    f.only("topk_method", "noaux_tc")
    f.given("num_nextn_predict_layers")  # layers for drafts, which a forward pass does not read
    experts = Experts(
        f.whole("n_routed_experts"),
        f.whole("num_experts_per_tok"),
        scores="sigmoid",
        renormalised=f.truth("norm_topk_prob", True),
        shared=True,
        factor=f.number("routed_scaling_factor", 2.5),
    )
    experts = _grouped(experts, f.optional("n_group"), f.optional("topk_group"))
    stored = Stored(
        shared="mlp.shared_experts.",
        choice_bias="mlp.gate.e_score_correction_bias",
        interleaved=f.truth("rope_interleave", True),
    )
    return _latent(f, stored, experts)


def _grouped(experts: Experts, groups: int | None, chosen: int | None) -> Experts:
    """Return experts in groups, of which the best groups alone are read."""
    if groups is None or chosen is None or experts.count % groups or chosen > groups:
        raise NotCovered("n_group")
    size = experts.count // groups
    if experts.chosen > chosen * size or size < (2 if experts.scores == "sigmoid" else 1):
        raise NotCovered("topk_group")
    return replace(experts, groups=groups, chosen_groups=chosen)


def _latent(f: Fields, stored: Stored, experts: Experts) -> Architecture:
    heads, n = f.whole("num_attention_heads"), f.whole("num_hidden_layers")
    still, turning = f.whole("qk_nope_head_dim"), f.whole("qk_rope_head_dim")
    head_dim, value, dense = (
        still + turning,
        f.whole("v_head_dim"),
        f.whole("first_k_dense_replace", 0, least=0),
    )
    asked, kept = f.optional("q_lora_rank"), f.whole("kv_lora_rank")
    if (
        f.optional("num_key_value_heads") not in (None, heads)
        or value > head_dim
        or experts.chosen > experts.count
    ):
        raise NotCovered("num_key_value_heads")
    for unread in ("head_dim", "qk_head_dim"):  # made of the other sizes
        f.given(unread)
    for name in ("n_shared_experts", "moe_intermediate_size"):
        f.optional(name)
    f.only("moe_layer_freq", 1)
    f.truth("attention_bias", False)
    given = given_rope(f)
    rope = rope_of(given, f, turning, f.number("rope_theta", 10_000.0))
    if rope.dim is not None:
        raise NotCovered("partial_rotary_factor")
    rope = replace(rope, dim=turning)
    scale, spread = head_dim**-0.5, given.get("mscale_all_dim")
    if rope.kind != "default" and spread and rope.factor > 1:
        scale *= (0.1 * positive(spread, "mscale_all_dim") * math.log(rope.factor) + 1.0) ** 2
    stored = replace(
        stored,
        qkv=(_QUERIES if asked is None else _LATENT_QUERIES) + _KEYS,
        norm_q=None if asked is None else "self_attn.q_a_layernorm",
        norm_k="self_attn.kv_a_layernorm",
    )
    layers = tuple(Layer(rope=rope, experts=experts if i >= dense else None) for i in range(n))
    found = llama_like(f, stored=stored, layers=layers, scale=scale, latent=Latent(kept, turning, value))
    return replace(found, head_dim=head_dim, kv_heads=heads)
