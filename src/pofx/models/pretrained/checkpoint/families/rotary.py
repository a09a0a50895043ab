"""The rotary positions of a layer, as a config states them in the older or the newer form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Rope
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, positive

LONGROPE = ("longrope", "su")  # older files have the second name
_KNOWN = frozenset(
    [
        "rope_type",
        "type",
        "rope_theta",
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
        "partial_rotary_factor",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate",
        "short_factor",
        "long_factor",
    ]
)


def given_rope(f: Fields) -> Mapping[str, Any]:
    """Return the rotary parameters of a config: one table for all layers, or a table for each kind of layer, by its name."""
    new, old = f.given("rope_parameters"), f.given("rope_scaling")
    found = new or old or {}
    if not isinstance(found, Mapping):
        raise NotCovered("rope_parameters")
    return found


def read_rope(f: Fields, head_dim: int, theta: float = 10_000.0, part: float = 1.0) -> Rope:
    """Return the rotary positions of a config in which all layers have the same.

    Args:
        f: The fields.
        head_dim: The size of a head.
        theta: The base where the config has no base.
        part: The share of a head that turns where the config has no share.

    Raises:
        NotCovered: The scaling or a parameter is unknown, or a value has another type or range.
    """
    theta, part = f.number("rope_theta", theta), f.number("partial_rotary_factor", part)
    return rope_of(given_rope(f), f, head_dim, theta, part)


def rope_of(given: Mapping[str, Any], f: Fields, head_dim: int, theta: float, part: float = 1.0) -> Rope:
    """Return the rotary positions of one table of parameters.

    Args:
        given: The table.
        f: The fields, for the context of the model.
        head_dim: The size of a head.
        theta: The base where the table has no base.
        part: The share of a head that turns where the table has no share.

    Raises:
        NotCovered: The scaling or a parameter is unknown, a value has another type or range, or the share of a head gives
            no even number of dimensions.
    """
    if any(name not in _KNOWN and value is not None for name, value in given.items()):
        raise NotCovered("rope_parameters")

    def number(name: str, default: float | None = None) -> float:
        return positive(default if given.get(name) is None else given[name], name)

    theta = number("rope_theta", theta)
    dim = int(head_dim * number("partial_rotary_factor", part))
    if dim < 2 or dim % 2 or dim > head_dim:
        raise NotCovered("partial_rotary_factor")
    turned = None if dim == head_dim else dim
    kind = given.get("rope_type", given.get("type", "default"))
    if kind == "default":
        return Rope(theta, dim=turned)
    if kind == "linear":
        return Rope(theta, "linear", number("factor"), dim=turned)
    context = f.optional("max_position_embeddings")
    original = given.get("original_max_position_embeddings") or context
    if type(original) is not int or original < 1:
        raise NotCovered("original_max_position_embeddings")
    if kind == "llama3":
        low, high = number("low_freq_factor"), number("high_freq_factor")
        return Rope(theta, "llama3", number("factor"), low, high, original, turned)
    if kind == "yarn":
        truncate = given.get("truncate", True)
        if not isinstance(truncate, bool):
            raise NotCovered("truncate")
        factor = number("factor")
        fast, slow = number("beta_fast", 32.0), number("beta_slow", 1.0)
        return Rope(theta, "yarn", factor, slow, fast, original, turned, _amplitude(given, factor), truncate)
    if kind in LONGROPE:
        original = f.optional("original_max_position_embeddings") or original
        stretched = number("factor", (context or original) / original)
        amplitude = (
            math.sqrt(1 + math.log(stretched) / math.log(original)) if stretched > 1 < original else 1.0
        )
        return Rope(
            theta,
            "longrope",
            original=original,
            dim=turned,
            amplitude=number("attention_factor", amplitude),
            factors=_factors(given, "short_factor", dim // 2),
            longest=None if given["short_factor"] == given.get("long_factor") else original,
        )
    raise NotCovered("rope_type")


def with_long_factors(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config whose `longrope` has the long factors for texts of all lengths."""
    out = dict(config)
    for name in ("rope_parameters", "rope_scaling"):
        rope = out.get(name)
        if isinstance(rope, Mapping) and "long_factor" in rope:
            out[name] = {**rope, "short_factor": rope["long_factor"]}
    return out


def _factors(given: Mapping[str, Any], name: str, count: int) -> tuple[float, ...]:
    found = given.get(name)
    if not isinstance(found, list | tuple) or len(found) != count:
        raise NotCovered(name)
    return tuple(positive(x, name) for x in found)


def _amplitude(given: Mapping[str, Any], factor: float) -> float:
    """Return the factor of cos and sin of YaRN.

    If the table has `attention_factor`, this is the factor. Otherwise let a(m) be 0.1·m·ln(factor) + 1, and 1 for a `factor`
    of at most 1. With `mscale` and `mscale_all_dim` the result is a(mscale) / a(mscale_all_dim), and without them a(1).
    """
    if given.get("attention_factor") is not None:
        return positive(given["attention_factor"], "attention_factor")

    def temperature(m: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * m * math.log(factor) + 1.0

    above, below = given.get("mscale"), given.get("mscale_all_dim")
    if above and below:
        return temperature(positive(above, "mscale")) / temperature(positive(below, "mscale_all_dim"))
    return temperature(1.0)
