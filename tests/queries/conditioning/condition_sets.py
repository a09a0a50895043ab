"""Sets of strings to condition on, each with its definition, and models that forget."""

from __future__ import annotations

import re
from collections.abc import Callable

import pofx
from enumerated import Forgetful, Pieces
from pofx import Contains, Length, Matches
from pofx.lm.model import LM
from pofx.queries.conditioning.conditioned import Conditioned
from pofx.queries.conditioning.conditions import Condition

MOST = 6
SETS: dict[str, tuple[Condition, Callable[[bytes], bool]]] = {
    "contains": (Contains("ab"), lambda w: b"ab" in w),
    "matches": (Matches("a[bc]*c"), lambda w: re.fullmatch(rb"a[bc]*c", w) is not None),
    "length": (Length(4), lambda w: len(w) == 4),
    "both": (Contains(b"aa") & Length(4, "bytes"), lambda w: b"aa" in w and len(w) == 4),
    "three": (
        Contains("a") & Contains("bb") & Matches(".*c"),
        lambda w: b"a" in w and b"bb" in w and w.endswith(b"c"),
    ),
}
TEXTS = ["the cat sat", "the dog sat", "a cat", "a dog ran", "cats ran"]
SMALL = pofx.NgramSpec(order=3)
MIXED = Pieces(b"a", b"b", b"c", b"ab", b"ca", b"bcb")


class ByWindows(Forgetful):
    """The same law, whose histories are told apart by their last tokens alone."""

    def __init__(self, lm: LM) -> None:
        super().__init__(lm)
        self.memory = lm.memory


def law(found: Conditioned) -> dict[bytes, float]:
    return {o.bytes: o.p for o in found.outcomes}
