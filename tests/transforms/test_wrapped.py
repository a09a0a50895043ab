"""Every transform of every transform of a toy: the laws that a wrapper of a wrapper can break."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from byte_toys import END, TOKENS, toy
from laws import (
    asking_changes_nothing,
    bounds_hold,
    branches_are_extend,
    rows_sum_to_one,
    states_are_values,
    threads_do_not_matter,
)
from pofx.lm.model import LM
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.deterministic import deterministic
from pofx.transforms.geometric import geometric
from pofx.transforms.given import given
from pofx.transforms.interpolate import interpolate
from pofx.transforms.mixture import mixture
from pofx.transforms.warp import warp
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.transforms.with_end import with_end

OPEN = tuple(b for i, b in enumerate(TOKENS) if i != END)

# Toys of tokens that overlap, with control tokens: an LM of bytes has a leak, and with a beam bounds.
FAMILIES: dict[str, Callable[[int], LM]] = {
    "toy": lambda seed: toy(seed=seed),
    "no x0": lambda seed: toy(seed=seed, begin=False),
    "no EOS": lambda seed: toy(OPEN, None, seed=seed),
}

# Each makes a transform of two models that differ in their seed only; `beam` is None for the exact one.
Transform = Callable[[Callable[[int], LM], int | None], LM]
TRANSFORMS: dict[str, Transform] = {
    "given": lambda lm, beam: given(lm(0), "ab"),
    "begun": lambda lm, beam: with_begin(lm(0), "b"),
    "ended": lambda lm, beam: with_end(lm(0), "b"),
    "warp": lambda lm, beam: warp(lm(0), temperature=0.7),
    "top-k": lambda lm, beam: warp(lm(0), top_k=12),
    "mixture": lambda lm, beam: mixture([lm(0), lm(1)], [0.3, 0.7]),
    "interpolate": lambda lm, beam: interpolate([lm(0), lm(1)], [0.3, 0.7]),
    "windowed": lambda lm, beam: windowed(lm(0), 4, 2),
    "geometric": lambda lm, beam: geometric(lm(0), 0.2),
    "deterministic": lambda lm, beam: deterministic(lm(0)),
    "bytes": lambda lm, beam: bytewise(lm(0), beam),
}


def _possible(begin: bool, end: bool, name: str) -> bool:
    """Whether a transform takes a model with or without x0 and EOS."""
    if name in ("ended", "geometric"):
        return not end
    return begin != (name == "begun") if name in ("begun", "bytes") else True


def _cases() -> list[tuple[str, str, str]]:
    out = []
    for family in FAMILIES:
        begin, end = family != "no x0", family != "no EOS"
        for first in TRANSFORMS:
            if _possible(begin, end, first):
                begins, ends = begin or first in ("given", "begun"), end or first in ("ended", "geometric")
                out += [(family, first, second) for second in TRANSFORMS if _possible(begins, ends, second)]
    return out


def _twice(family: str, first: str, second: str, beam: int | None) -> LM:
    def inner(seed: int) -> LM:
        return TRANSFORMS[first](lambda k: FAMILIES[family](2 * k + seed), beam)

    return TRANSFORMS[second](inner, beam)


def _each_pair_once() -> list[tuple[str, str, str]]:
    """Every pair of transforms, in the first family that it takes."""
    once = {(first, second): (family, first, second) for family, first, second in reversed(_cases())}
    return list(once.values())


def _hold_together(family: str, first: str, second: str, every: bool) -> None:
    exact = _twice(family, first, second, None)
    beams = (None, 1) if "bytes" in (first, second) else (None,)
    for beam in beams:
        lm = exact if beam is None else _twice(family, first, second, beam)
        assert lm.interval == (beam is not None)
        bounds_hold(lm, exact)
        if beam == beams[-1] or every:  # with a beam there is all that without one could change, and bounds
            asking_changes_nothing(lm)
        if beam is None or every:
            branches_are_extend(lm)
            states_are_values(lm)
            if lm.vocab.size < 20:
                rows_sum_to_one(lm)
        if every or "bytes" not in (first, second):
            threads_do_not_matter(lm)


@pytest.mark.parametrize(("family", "first", "second"), _each_pair_once())
def test_a_transform_of_a_transform(family: str, first: str, second: str) -> None:
    _hold_together(family, first, second, every=False)


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "first", "second"), _cases())
def test_every_law_in_every_family(family: str, first: str, second: str) -> None:
    _hold_together(family, first, second, every=True)
