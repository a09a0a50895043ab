"""Regular expressions in the syntax of RE2, which matches in time linear in the text, where they mean the same there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from typing import Any

from pofx.algorithms.character_sets import SINGLE, Item, characters
from pofx.algorithms.regular import TYPES, parsed, scoped


class _Other(Exception):
    """It has no form in RE2, or another meaning there."""


def for_re2(pattern: re.Pattern[str]) -> str | None:
    """The pattern with each class spelled out, so that case and Unicode are those of `re`; None where it has no such form.

    It has none with anchors, look-around, back-references, atomic groups and possessive quantifiers; where it may match
    nothing, since `re` then tries the same place again; and where a repeated part may, which RE2 counts otherwise.
    """
    tree = parsed(pattern.pattern, "pattern", pattern.flags)
    if tree.getwidth()[0] == 0:
        return None
    try:
        return _sequence(tree, tree.state.flags)
    except (_Other, RecursionError):
        return None


def _sequence(items: Sequence[Item], flags: int) -> str:
    return "".join(_item(item, flags) for item in items)


def _item(item: Item, flags: int) -> str:
    op, argument = item
    if op in SINGLE:
        return _class(characters(item, flags))
    if op is ops.SUBPATTERN:
        _, added, deleted, inner = argument
        # `re` looks for the \W of (?a:\W) by the flags outside the group, and then matches it by those within.
        if added & TYPES:
            raise _Other
        return f"(?:{_sequence(inner, scoped(flags, added, deleted))})"
    if op is ops.BRANCH:
        return f"(?:{'|'.join(_sequence(branch, flags) for branch in argument[1])})"
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, inner = argument
        if inner.getwidth()[0] == 0:
            raise _Other
        upto = "" if most is ops.MAXREPEAT else str(most)
        lazy = "?" if op is ops.MIN_REPEAT else ""
        return f"(?:{_sequence(inner, flags)}){{{least},{upto}}}{lazy}"
    raise _Other


def _class(bounds: Sequence[int]) -> str:
    if not bounds:
        raise _Other
    ranges: Any = zip(bounds[::2], bounds[1::2])
    return "[" + "".join(f"\\x{{{lo:x}}}-\\x{{{hi - 1:x}}}" for lo, hi in ranges) + "]"
