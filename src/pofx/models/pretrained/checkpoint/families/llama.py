"""Llama and the decoders that differ from it by a few numbers: Mistral, Qwen 2 and 3, Gemma 1 to 3, SmolLM3."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Norm, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, activation
from pofx.models.pretrained.checkpoint.families.rotary import given_rope, read_rope, rope_of

FULL, SLIDING = "full_attention", "sliding_attention"
# The library's defaults of fields that a config does not have. A field that is null has no value, and no default.
MISTRAL = {"num_key_value_heads": 8, "sliding_window": 4096, "max_position_embeddings": 131_072}
QWEN2 = {"num_key_value_heads": 32, "sliding_window": 4096, "max_position_embeddings": 32_768}
QWEN3 = {**QWEN2, "head_dim": 128}
GEMMA = {"num_key_value_heads": 16, "head_dim": 256, "max_position_embeddings": 8192}
GEMMA2 = {
    **GEMMA,
    "num_key_value_heads": 4,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
}
GEMMA3 = {
    "num_key_value_heads": 4,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "max_position_embeddings": 131_072,
    "rope_theta": 1_000_000.0,
}
SMOLLM3 = {
    "num_key_value_heads": 4,
    "max_position_embeddings": 32_768,
    "rope_theta": 2_000_000.0,
    "max_window_layers": 28,
    "tie_word_embeddings": True,
}
_PLAIN = Stored()
QK_NORMED = replace(_PLAIN, norm_q="self_attn.q_norm", norm_k="self_attn.k_norm")
_SANDWICH = Stored(
    norm_attended="post_attention_layernorm",
    norm_mid="pre_feedforward_layernorm",
    norm_mlp="post_feedforward_layernorm",
)


def llama_like(
    f: Fields,
    *,
    stored: Stored = _PLAIN,
    layers: tuple[Layer, ...] | None = None,
    norm: Norm | None = None,
    theta: float = 10_000.0,
    part: float = 1.0,
    tied: bool = False,
    hidden_act: str | None = "silu",
    kv_heads: int | None = None,
    eps: float = 1e-6,
    **others: Any,
) -> Architecture:
    """Return a decoder from the fields of Llama, whose names most later families took over.

    Args:
        f: The fields.
        stored: The names of the tensors.
        layers: The layers; None for equal layers that see every earlier key.
        norm: The norms; None for RMS norms with the ε of `rms_norm_eps`.
        theta: The base of the rotary frequencies where the config has no base.
        part: The share of a head that turns where the config has no share.
        tied: Whether the matrix of the output is the embedding where the config does not say so.
        hidden_act: The activation where the config names no activation; None if `others` has the activation.
        kv_heads: The number of key heads where the config has no number; None for one key head for each query head.
        eps: The ε where the config has no ε.
        **others: Other fields of `Architecture`, by name.

    Raises:
        NotCovered: A necessary field is missing, or a value has another type or range.
    """
    heads, width = f.whole("num_attention_heads"), f.whole("hidden_size")
    head_dim = head_size(f)
    if layers is None:
        layers = (Layer(rope=read_rope(f, head_dim, theta, part)),) * f.whole("num_hidden_layers")
    f.optional("intermediate_size")
    known: dict[str, Any] = {"scale": head_dim**-0.5} | others
    if hidden_act is not None:
        known["activation"] = f.activation("hidden_act", hidden_act)
    return Architecture(
        stored=stored,
        rows=f.whole("vocab_size"),
        width=width,
        heads=heads,
        kv_heads=f.whole("num_key_value_heads", kv_heads or heads),
        head_dim=head_dim,
        layers=layers,
        context=f.whole("max_position_embeddings", 2048),
        norm=norm or Norm("rms", f.number("rms_norm_eps", eps)),
        tied=f.truth("tie_word_embeddings", tied),
        **known,
    )


def head_size(f: Fields) -> int:
    """Return the size of a head: `head_dim`, or else `hidden_size` divided by the number of query heads, rounded down."""
    return f.optional("head_dim") or f.whole("hidden_size") // f.whole("num_attention_heads")


def read_llama(f: Fields) -> Architecture:
    """Read a config of Llama."""
    f.truth("mlp_bias", False)  # biases are taken where the checkpoint has them
    f.truth("attention_bias", False)
    return llama_like(f)


def read_mistral(f: Fields) -> Architecture:
    """Read a config of Mistral."""
    window = f.optional("sliding_window", least=0)
    return llama_like(f, layers=_layers(f, [SLIDING if window else FULL] * f.whole("num_hidden_layers")))


def read_qwen2(f: Fields, **others: Any) -> Architecture:
    """Read a config of Qwen 2."""
    n = f.whole("num_hidden_layers")
    first = f.whole("max_window_layers", 28, least=0)
    f.truth("attention_bias", False)
    slides = f.truth("use_sliding_window", False) and bool(f.optional("sliding_window", least=0))
    return llama_like(
        f, layers=_layers(f, [SLIDING if slides and i >= first else FULL for i in range(n)]), **others
    )


def read_qwen3(f: Fields) -> Architecture:
    """Read a config of Qwen 3."""
    return read_qwen2(f, stored=QK_NORMED, qk_norm="heads")


def read_smollm3(f: Fields) -> Architecture:
    """Read a config of SmolLM3, in which only some layers have rotary positions.

    The layers with rotary positions are those with a 1 in `no_rope_layers`. Without this list, they are all layers but every
    fourth (`no_rope_layer_interval`).
    """
    n = f.whole("num_hidden_layers")
    every, listed = f.whole("no_rope_layer_interval", 4), f.given("no_rope_layers")
    if not isinstance(listed, list | tuple | None):
        raise NotCovered("no_rope_layers")
    turning = [bool((i + 1) % every) for i in range(n)] if listed is None else [bool(x) for x in listed]
    if len(turning) != n:
        raise NotCovered("no_rope_layers")
    f.only("mlp_bias", False)
    f.truth("attention_bias", False)
    slides = f.truth("use_sliding_window", False) and bool(f.optional("sliding_window", least=0))
    f.optional("max_window_layers", least=0)
    layers = _layers(f, [FULL if turns or not slides else SLIDING for turns in turning])
    layers = tuple(y if turns else replace(y, rope=None) for y, turns in zip(layers, turning))
    return llama_like(f, layers=layers)


def read_gemma(f: Fields) -> Architecture:
    """Read a config of Gemma 1."""
    f.given("hidden_activation")  # a field of Gemma 2
    named = f.given("hidden_act") or "gelu_pytorch_tanh"
    return _gemma(
        f,
        layers=_layers(f, [FULL] * f.whole("num_hidden_layers")),
        # The library, too, reads "gelu" in Gemma's old configs as this activation.
        activation="gelu_tanh" if named == "gelu" else activation(named, "hidden_act"),
    )


def read_gemma2(f: Fields) -> Architecture:
    """Read a config of Gemma 2."""
    kinds = [SLIDING if (i + 1) % 2 else FULL for i in range(f.whole("num_hidden_layers"))]
    return _gemma(
        f,
        stored=_SANDWICH,
        layers=_layers(f, kinds),
        scale=f.number("query_pre_attn_scalar", head_size(f)) ** -0.5,
        cap=f.optional_number("attn_logit_softcapping"),
        final_cap=f.optional_number("final_logit_softcapping"),
        activation=f.activation("hidden_activation", "gelu_pytorch_tanh"),
    )


def read_gemma3(f: Fields) -> Architecture:
    """Read a config of Gemma 3, whose layers with a window have another base of the rotary frequencies."""
    n = f.whole("num_hidden_layers")
    patterns = [f.optional("sliding_window_pattern"), f.optional("_sliding_window_pattern")]
    every = patterns[0] or patterns[1] or 6
    local = f.number("rope_local_base_freq", 10_000.0)
    layers = _layers(f, [SLIDING if (i + 1) % every else FULL for i in range(n)], local)
    f.given(
        "attn_logit_softcapping"
    )  # the library reads this field of Gemma 3, too, and does not use the value
    return _gemma(
        f,
        stored=replace(_SANDWICH, norm_q=QK_NORMED.norm_q, norm_k=QK_NORMED.norm_k),
        layers=layers,
        scale=f.number("query_pre_attn_scalar", head_size(f)) ** -0.5,
        final_cap=f.optional_number("final_logit_softcapping"),
        activation=f.activation("hidden_activation", "gelu_pytorch_tanh"),
        qk_norm="heads",
    )


def _gemma(f: Fields, **others: Any) -> Architecture:
    f.given("hidden_act")  # a field of Gemma 1
    f.truth("attention_bias", False)
    return llama_like(
        f,
        norm=Norm("rms", f.number("rms_norm_eps", 1e-6), plus_one=True),
        tied=True,
        hidden_act=None,
        embed=math.sqrt(f.whole("hidden_size")),
        **others,
    )


def layer_kinds(f: Fields, kinds: list[str]) -> list[str]:
    """Return the kind of attention of each layer: the list `layer_types` of the config, or else `kinds`."""
    listed = f.given("layer_types")
    kinds = kinds if listed is None else listed
    if not isinstance(kinds, list | tuple) or len(kinds) != f.whole("num_hidden_layers"):
        raise NotCovered("layer_types")
    if any(k not in (FULL, SLIDING) for k in kinds):
        raise NotCovered("layer_types")
    return list(kinds)


def _layers(f: Fields, kinds: list[str], local: float | None = None) -> tuple[Layer, ...]:
    """Return the window and the rotary positions of each layer, from the older or the newer form of a config.

    Args:
        f: The fields.
        kinds: The kind of attention of each layer where the config has no list of kinds.
        local: The base of the rotary frequencies of layers with a window; None for the base of all layers.
    """
    sliding, given = f.optional("sliding_window", least=0), given_rope(f)
    theta, head_dim = f.number("rope_theta", 10_000.0), head_size(f)
    part = f.number("partial_rotary_factor", 1.0)
    out = []
    for kind in layer_kinds(f, kinds):
        base = local if local is not None and kind == SLIDING else theta
        per_kind = given.get(kind) if FULL in given else given
        if local is not None and per_kind is given and kind == SLIDING:
            per_kind = {}  # the older form has one scaling, which belongs to the layers without a window
        if not isinstance(per_kind or {}, Mapping):
            raise NotCovered("rope_parameters")
        rope = rope_of(per_kind or {}, f, head_dim, base, part)
        out.append(Layer((sliding or None) if kind == SLIDING else None, rope=rope))
    return tuple(out)
