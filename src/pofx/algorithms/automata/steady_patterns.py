"""Regular expressions that `re` itself matches in time linear in the text, since `re` never backtracks far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]

from pofx.algorithms.automata.character_sets import SINGLE, Item
from pofx.algorithms.automata.regular_expressions import parsed

# The most ways in which a part may match at one place; `re` may try all of them.
WAYS = 1000
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)


class _Unsteady(Exception):
    """A part that can match in many ways stands before a part that can fail."""


def is_steady(pattern: re.Pattern[str]) -> bool:
    r"""Return whether `re` matches the pattern in linear time: after a long part, the rest of the pattern cannot fail.

    A part is long if its repeats have no bound. No part that can fail may stand after a long part. So `\w+(?:-\w+)*` is
    steady, and `(a|a)*b` is not.
    """
    try:
        _sequence(parsed(pattern.pattern, "pattern", pattern.flags))
    except (_Unsteady, RecursionError):
        return False
    return True


def _sequence(items: Sequence[Item]) -> tuple[int, bool]:
    """Return the number of ways in which the items may match at one place, and whether an item is long."""
    ways, long = 1, False
    for item in items:
        if long and not (item[0] in _REPEATS and item[1][0] == 0):
            raise _Unsteady
        now, long_too = _item(item)
        ways, long = ways * now, long or long_too
        if ways > WAYS:
            raise _Unsteady
    return ways, long


def _item(item: Item) -> tuple[int, bool]:
    op, argument = item
    if op in SINGLE or op is ops.AT:
        return 1, False
    if op is ops.SUBPATTERN:
        return _sequence(argument[3])
    if op is ops.ATOMIC_GROUP:
        return _sequence(argument)
    if op is ops.BRANCH:
        found = [_sequence(branch) for branch in argument[1]]
        return sum(ways for ways, _ in found), any(long for _, long in found)
    if op in (ops.ASSERT, ops.ASSERT_NOT):
        ways, long = _sequence(argument[1])
        if long:  # `re` would read a long condition again at each place
            raise _Unsteady
        return ways, False
    if op in _REPEATS:
        least, most, inner = argument
        ways, long = _sequence(inner)
        if (long and least > 1) or least > WAYS or (ways > 1 and ways**least > WAYS):
            raise _Unsteady
        if long or most > least + 32:
            return ways**least, True
        return (most - least + 1) * ways**most, False
    raise _Unsteady
