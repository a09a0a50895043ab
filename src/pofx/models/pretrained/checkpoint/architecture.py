"""The numbers of a decoder that a config.json states; None where pofx's own decoder does not cover the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Activation = Literal["silu", "gelu", "gelu_tanh"]
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3")
_ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}


@dataclass(frozen=True)
class Rope:
    """Rotary positions.

    Attributes:
        theta: The base of the frequencies θ^(−2i/d).
        kind: The way in which the frequencies are scaled for long contexts.
        factor: The factor of the scaling.
        low: Wavelengths above `original / low` are scaled by `factor` ("llama3").
        high: Wavelengths below `original / high` are not scaled ("llama3").
        original: The context in tokens before the scaling ("llama3").
    """

    theta: float
    kind: Literal["default", "linear", "llama3"] = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192


@dataclass(frozen=True)
class Layer:
    """The properties that differ between layers.

    Attributes:
        window: How many keys a query sees, its own included; None for all earlier keys.
        rope: The rotary positions; None for a layer without positions.
    """

    window: int | None
    rope: Rope | None


@dataclass(frozen=True)
class Architecture:
    """A decoder of RMS norms, rotary positions, grouped queries and a gated MLP.

    Attributes:
        rows: The number V of outcomes.
        width: The size of a hidden state.
        hidden: The size of the gated layer of the MLP.
        heads: The query heads of a layer.
        kv_heads: The key heads of a layer.
        head_dim: The size of a head.
        layers: The layers, first to last.
        context: The longest text, tokens.
        eps: The ε of the RMS norms.
        scale: The factor of q·k.
        activation: The function of the gate.
        tied: Whether the head is the embedding.
        plus_one: Whether gains are stored less 1 (Gemma).
        qk_norm: Whether queries and keys are normalised in each head (Qwen 3, Gemma 3).
        post_norm: Whether the outputs of attention and MLP are normalised before they are added (Gemma 2, 3).
        embed: The factor of embeddings.
        cap: The c of c·tanh(z/c) on attention scores; None for no cap.
        final_cap: The c of c·tanh(z/c) on logits; None for no cap.
    """

    rows: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: tuple[Layer, ...]
    context: int
    eps: float
    scale: float
    activation: Activation
    tied: bool
    plus_one: bool = False
    qk_norm: bool = False
    post_norm: bool = False
    embed: float = 1.0
    cap: float | None = None
    final_cap: float | None = None


def architecture(config: Mapping[str, Any]) -> Architecture | None:
    """Read a config.json; return None for a family or a feature that pofx's own decoder lacks.

    Wrong numbers are worse than slow numbers, so the library computes every model that is not recognised.
    """
    family = config.get("model_type")
    if family not in FAMILIES or config.get("quantization_config"):
        return None
    gemma = family.startswith("gemma")
    act = config.get("hidden_activation") if gemma else None
    activation = _ACTIVATIONS.get(str(act or config.get("hidden_act") or "silu"))
    if gemma and act is None:
        activation = "gelu_tanh"  # the library reads "gelu" in Gemma's old configs as this activation
    heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
    n = int(config["num_hidden_layers"])
    layers = _layers(config, str(family), n)
    odd = ("attn_temperature_tuning", "use_bidirectional_attention", "mlp_bias")
    if activation is None or layers is None or any(config.get(name) for name in odd):
        return None
    head_dim = int(config.get("head_dim") or width // heads)
    old = family in ("gemma", "gemma2", "gemma3_text")
    scalar = config.get("query_pre_attn_scalar") if family in ("gemma2", "gemma3_text") else None
    tied = config.get("tie_word_embeddings")
    return Architecture(
        rows=int(config["vocab_size"]),
        width=width,
        hidden=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=head_dim,
        layers=layers,
        context=int(config.get("max_position_embeddings") or 2048),
        eps=float(config.get("rms_norm_eps", 1e-6)),
        scale=float(scalar if scalar is not None else head_dim) ** -0.5,
        activation=activation,
        tied=old if tied is None else bool(tied),
        plus_one=gemma,
        qk_norm=family in ("qwen3", "gemma3_text"),
        post_norm=family in ("gemma2", "gemma3_text"),
        embed=math.sqrt(width) if gemma else 1.0,
        # The library reads this field of Gemma 3, too, and does not use the value.
        cap=_number(config.get("attn_logit_softcapping")) if family == "gemma2" else None,
        final_cap=_number(config.get("final_logit_softcapping"))
        if family in ("gemma2", "gemma3_text")
        else None,
    )


def _number(x: Any) -> float | None:
    return None if x is None else float(x)


def _layers(config: Mapping[str, Any], family: str, n: int) -> tuple[Layer, ...] | None:
    """Return the window and the rotary positions of each layer, from the older or the newer form of a config."""
    sliding = config.get("sliding_window")
    kinds = config.get("layer_types")
    if kinds is None:
        kinds = _kinds(config, family, n)
    if not isinstance(kinds, list | tuple) or len(kinds) != n:
        return None
    if any(k not in ("full_attention", "sliding_attention") for k in kinds):
        return None
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(given, Mapping):
        return None
    theta = float(config.get("rope_theta") or 10_000.0)
    local = float(config.get("rope_local_base_freq") or 10_000.0)
    turns = _turning(config, n) if family == "smollm3" else [True] * n
    if turns is None:
        return None
    out = []
    for i, kind in enumerate(kinds):
        base = local if family == "gemma3_text" and kind == "sliding_attention" else theta
        per_kind = given.get(kind) if "full_attention" in given else given
        if family == "gemma3_text" and per_kind is given and kind == "sliding_attention":
            per_kind = {}  # the older form has one scaling, which belongs to the layers without a window
        rope = _rope(per_kind or {}, base, config)
        if rope is None:
            return None
        window = int(sliding) if kind == "sliding_attention" and sliding else None
        out.append(Layer(window, rope if turns[i] else None))
    return tuple(out)


def _turning(config: Mapping[str, Any], n: int) -> list[bool] | None:
    """Return which layers of SmolLM3 have rotary positions: the listed layers, else all but every fourth."""
    listed = config.get("no_rope_layers")
    if listed is None:
        every = int(config.get("no_rope_layer_interval") or 4)
        return [bool((i + 1) % every) for i in range(n)]
    return [bool(x) for x in listed[:n]] if isinstance(listed, list) and len(listed) >= n else None


def _kinds(config: Mapping[str, Any], family: str, n: int) -> list[str]:
    """Return the kind of attention of each layer, for configs that do not list the kinds."""
    if family == "gemma2":
        return ["sliding_attention" if (i + 1) % 2 else "full_attention" for i in range(n)]
    if family == "gemma3_text":
        every = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6)
        return ["sliding_attention" if (i + 1) % every else "full_attention" for i in range(n)]
    if family == "mistral" and config.get("sliding_window"):
        return ["sliding_attention"] * n
    if family == "smollm3" and config.get("use_sliding_window") and config.get("sliding_window"):
        turns = _turning(config, n) or []
        return ["full_attention" if turned else "sliding_attention" for turned in turns]
    if family in ("qwen2", "qwen3") and config.get("use_sliding_window") and config.get("sliding_window"):
        first = int(config.get("max_window_layers") or 0)
        return ["sliding_attention" if i >= first else "full_attention" for i in range(n)]
    return ["full_attention"] * n


def _rope(given: Mapping[str, Any], base: float, config: Mapping[str, Any]) -> Rope | None:
    theta = float(given.get("rope_theta") or base)
    kind = given.get("rope_type", given.get("type", "default"))
    if float(given.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0) != 1.0:
        return None
    if kind == "default":
        return Rope(theta)
    if kind == "linear":
        return Rope(theta, "linear", float(given["factor"]))
    if kind == "llama3":
        return Rope(
            theta,
            "llama3",
            float(given["factor"]),
            float(given["low_freq_factor"]),
            float(given["high_freq_factor"]),
            int(given["original_max_position_embeddings"]),
        )
    return None
