"""The longest text that a model of the library reads in one piece, by one distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pofx.errors import BadValue

CONTEXT = 2048  # tokens, for a config that names no context
# The names of the context in the families.
_NAMES = ("max_position_embeddings", "max_seq_len", "seq_length", "max_target_positions")
# Recurrent models, whose state reads any number of tokens, and models of local attention.
_UNBOUNDED = frozenset(["mamba", "mamba2", "falcon_mamba", "recurrent_gemma", "xlstm"])


def context_length(model: Any) -> int | None:
    """Return the tokens of the longest text that the model reads in one piece, by one distribution; None for any length.

    The result is the least of three numbers: the context in the config; the positions without those kept for padding
    (RoBERTa and similar models count from `padding_idx + 1`); and the length up to which the rotary frequencies do not
    depend on the length of the text (`fixed_rotation_length`).
    """
    config = model.config.get_text_config(decoder=True)
    named = next(
        (n for n in (getattr(config, name, None) for name in _NAMES) if type(n) is int and n > 1), None
    )
    if named is None and config.model_type not in _UNBOUNDED:
        named = CONTEXT
    bounds = [named, fixed_rotation_length(config)]
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and type(padding) is int:
            bounds.append(int(module.num_embeddings) - padding - 1)
    return min((b for b in bounds if b is not None), default=None)


def fixed_rotation_length(config: Any) -> int | None:
    """Return up to how many tokens the rotary frequencies of a config are equal for every text; None for any number.

    `longrope` takes its long factors for all positions of a text that exceeds the original length. `dynamic` lowers the
    frequencies with the length of the text. Beyond these bounds the distribution of a token depends on later tokens, and
    texts have no joint distribution.
    """
    bounds = []
    for rope in _rotary(config):
        kind = rope.get("rope_type", rope.get("type"))
        if kind == "longrope" and rope.get("short_factor") != rope.get("long_factor"):
            bounds.append(
                rope.get("original_max_position_embeddings")
                or getattr(config, "original_max_position_embeddings", None)
                or getattr(config, "max_position_embeddings", None)
            )
        if kind == "dynamic" and rope.get("factor") != 1.0:
            bounds.append(getattr(config, "max_position_embeddings", None))
    return min((b for b in bounds if type(b) is int), default=None)


def use_long_factors(config: Any, where: str) -> None:
    """Take the long factors of `longrope` for texts of all lengths; raise `BadValue` for a config without long factors."""
    config = config.get_text_config(decoder=True)
    found = [r for r in _rotary(config) if r.get("rope_type", r.get("type")) == "longrope"]
    if not found:
        raise BadValue(
            f"expected 'short' for {where}, whose rotary positions have no long factors, got 'long'",
            "leave the option out",
            argument="rope",
        )
    for rope in found:
        rope["short_factor"] = rope["long_factor"]


def has_long_factors(config: Mapping[str, Any]) -> bool:
    """Return whether a config.json asks for `longrope`, which older files call "su"."""
    given = [config.get(name) for name in ("rope_parameters", "rope_scaling")]
    ropes = [r for g in given if isinstance(g, Mapping) for r in (g, *g.values()) if isinstance(r, Mapping)]
    return any(r.get("rope_type", r.get("type")) in ("longrope", "su") for r in ropes)


def _rotary(config: Any) -> list[Any]:
    """Return the rotary parameters of a config: one mapping, or one for each kind of layer."""
    given = getattr(config, "rope_parameters", None)
    if not isinstance(given, Mapping):
        return []
    nested = [v for v in given.values() if isinstance(v, Mapping)]
    return nested or [given]
