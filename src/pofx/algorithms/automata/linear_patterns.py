"""Python regular expressions translated to RE2, which matches in linear time, where both give the same matches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from typing import Any

from pofx.algorithms.automata.character_sets import SINGLE, Item, characters
from pofx.algorithms.automata.regular_expressions import TYPES, parsed, scoped


class _Other(Exception):
    """A part of a pattern has no form in RE2, or another meaning there."""


def for_re2(pattern: re.Pattern[str]) -> str | None:
    """Return the pattern for RE2, with each class spelled out as `re` reads case and Unicode; None without such a form.

    Patterns with anchors, look-around, back-references, atomic groups or possessive quantifiers have no form. Where the
    pattern may match the empty string, the form stands for its other matches. RE2 counts a repeated part that may be empty
    in another way. Such a part is written as its matches that are not empty, if `re` tries the empty match last: (a*)* is
    (?:a+)*.
    """
    tree = parsed(pattern.pattern, "pattern", pattern.flags)
    try:
        flags = tree.state.flags
        return (_sequence(tree, flags) if tree.getwidth()[0] else _something(tree, flags)) or None
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
        # `re` searches for the \W of (?a:\W) by the flags outside the group, and then matches \W by the flags inside.
        if added & TYPES:
            raise _Other
        return f"(?:{_sequence(inner, scoped(flags, added, deleted))})"
    if op is ops.BRANCH:
        return f"(?:{'|'.join(_sequence(branch, flags) for branch in argument[1])})"
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, inner = argument
        if inner.getwidth()[0] == 0:
            if op is ops.MIN_REPEAT:
                raise _Other
            found = _something(inner, flags)
            return f"(?:{found}){{0,{'' if most is ops.MAXREPEAT else most}}}" if found and most else ""
        upto = "" if most is ops.MAXREPEAT else str(most)
        lazy = "?" if op is ops.MIN_REPEAT else ""
        return f"(?:{_sequence(inner, flags)}){{{least},{upto}}}{lazy}"
    raise _Other


def _something(items: Sequence[Item], flags: int) -> str:
    """Return the form of the matches that are not empty, of items that each may be empty; "" where there is no such match.

    The matches are distinguished by the first item that is not empty: with A' for such matches of A, AB is A'B or B'. `re`
    must try the empty match of each item last.
    """
    ways = []
    for k, item in enumerate(items):
        if first := _something_of(item, flags):
            ways.append(first + _sequence(items[k + 1 :], flags))
    return f"(?:{'|'.join(ways)})" if ways else ""


def _something_of(item: Item, flags: int) -> str:
    op, argument = item
    if op is ops.SUBPATTERN:
        _, added, deleted, inner = argument
        if added & TYPES:
            raise _Other
        return _something(inner, scoped(flags, added, deleted))
    if op is ops.BRANCH:
        branches = argument[1]
        if any(b.getwidth()[0] == 0 for b in branches[:-1]):
            raise _Other
        ways = [_sequence(b, flags) for b in branches[:-1]]
        last = _something(branches[-1], flags)
        return f"(?:{'|'.join([*ways, *([last] if last else [])])})"
    if op is ops.MAX_REPEAT:
        _, most, inner = argument
        if most == 0:
            return ""
        part = _something(inner, flags) if inner.getwidth()[0] == 0 else _sequence(inner, flags)
        return f"(?:{part}){{1,{'' if most is ops.MAXREPEAT else most}}}" if part else ""
    raise _Other


def _class(bounds: Sequence[int]) -> str:
    if not bounds:
        raise _Other
    ranges: Any = zip(bounds[::2], bounds[1::2])
    return "[" + "".join(f"\\x{{{lo:x}}}-\\x{{{hi - 1:x}}}" for lo, hi in ranges) + "]"
