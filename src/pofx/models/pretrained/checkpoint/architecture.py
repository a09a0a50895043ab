"""What a config.json says of a decoder, as numbers; None where our own decoder does not cover it."""

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
    """Rotary positions. theta: of the slowest turn; kind: how the speeds are scaled for long contexts."""

    theta: float
    kind: Literal["default", "linear", "llama3"] = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192


@dataclass(frozen=True)
class Layer:
    """What differs between layers: how far back a query sees, and how positions turn (None: not at all)."""

    window: int | None
    rope: Rope | None


@dataclass(frozen=True)
class Architecture:
    """A decoder of RMS norms, rotary positions, grouped queries and a gated MLP.

    rows: V of the output distribution. scale: of q·k. cap, final_cap: c of c·tanh(z/c) on attention scores and on logits.
    plus_one: gains are stored less 1 (Gemma). qk_norm: queries and keys are normalised a head (Qwen 3, Gemma 3).
    post_norm: what attention and the MLP yield is normalised before it is added (Gemma 2, 3). embed: factor of
    embeddings. tied: the head is the embedding.
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
    """Read a config.json; None where the family, or anything it asks for, is not one our decoder knows.

    Wrong numbers are worse than slow ones: what is not recognised goes to the library's own forward.
    """
    family = config.get("model_type")
    if family not in FAMILIES or config.get("quantization_config"):
        return None
    gemma = family.startswith("gemma")
    act = config.get("hidden_activation") if gemma else None
    activation = _ACTIVATIONS.get(str(act or config.get("hidden_act") or "silu"))
    if gemma and act is None:
        activation = "gelu_tanh"  # what the library makes of Gemma's old configs, which say "gelu"
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
        # The library reads this field of Gemma 3 too, and makes no use of it.
        cap=_number(config.get("attn_logit_softcapping")) if family == "gemma2" else None,
        final_cap=_number(config.get("final_logit_softcapping"))
        if family in ("gemma2", "gemma3_text")
        else None,
    )


def _number(x: Any) -> float | None:
    return None if x is None else float(x)


def _layers(config: Mapping[str, Any], family: str, n: int) -> tuple[Layer, ...] | None:
    """Window and rotary positions of each layer; both the older and the newer way to write them."""
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
            per_kind = {}  # the older way: one scaling, of the full layers
        rope = _rope(per_kind or {}, base, config)
        if rope is None:
            return None
        window = int(sliding) if kind == "sliding_attention" and sliding else None
        out.append(Layer(window, rope if turns[i] else None))
    return tuple(out)


def _turning(config: Mapping[str, Any], n: int) -> list[bool] | None:
    """Return which layers of SmolLM3 turn positions: as listed, else all but every fourth."""
    listed = config.get("no_rope_layers")
    if listed is None:
        every = int(config.get("no_rope_layer_interval") or 4)
        return [bool((i + 1) % every) for i in range(n)]
    return [bool(x) for x in listed[:n]] if isinstance(listed, list) and len(listed) >= n else None


def _kinds(config: Mapping[str, Any], family: str, n: int) -> list[str]:
    """Return which layers see all, for configs that do not list them."""
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
