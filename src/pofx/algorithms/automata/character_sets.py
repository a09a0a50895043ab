"""The characters that one item of a regular expression matches, as Python's `re` itself matches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The number of code points, surrogates included: a `str` of Python can hold surrogates, though UTF-8 cannot.
POINTS = 0x110000
IGNORECASE, ASCII, DOTALL = (
    _constants.SRE_FLAG_IGNORECASE,
    _constants.SRE_FLAG_ASCII,
    _constants.SRE_FLAG_DOTALL,
)
MEANT = IGNORECASE | ASCII | _constants.SRE_FLAG_UNICODE | DOTALL

# The code points at which the runs of a set begin and end, in turn: [a-c] is (97, 100).
Set = tuple[int, ...]
Inside = NDArray[np.bool_]

# One item of the tree that `re` parses: its operation, and the argument of the operation.
Item = tuple[Any, Any]
SINGLE = frozenset((_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN))


def characters(item: Item, flags: int) -> Set:
    r"""Return the characters that a literal, a class or a dot matches under the flags; case is folded as `re` folds it.

    Right: `characters((LITERAL, 107), IGNORECASE)`, which holds k, K and the Kelvin sign. Wrong: a group.
    """
    op, argument = item
    return _characters(op, tuple(argument) if op is _constants.IN else argument, flags & MEANT)


@lru_cache(maxsize=4096)
def _characters(op: Any, argument: Any, flags: int) -> Set:
    inside = _plain(op, argument, flags)
    if flags & IGNORECASE:
        # The flag matters only for characters that some mapping of case changes.
        points, text = _cased()
        inside[points] = _matched([(op, list(argument) if op is _constants.IN else argument)], flags, text)
    return tuple(np.flatnonzero(np.diff(inside, prepend=False, append=False)).tolist())


def _plain(op: Any, argument: Any, flags: int) -> Inside:
    """Return the membership of every code point in the set of an item, where case matters."""
    inside = np.zeros(POINTS, dtype=np.bool_)
    if op is _constants.ANY:
        inside[:] = True
        inside[10] = bool(flags & DOTALL)
    elif op is _constants.LITERAL:
        inside[argument] = True
    elif op is _constants.NOT_LITERAL:
        inside[:] = True
        inside[argument] = False
    else:
        for kind, value in argument:
            if kind is _constants.LITERAL:
                inside[value] = True
            elif kind is _constants.RANGE:
                inside[value[0] : value[1] + 1] = True
            elif kind is _constants.CATEGORY:
                inside |= _category(value, flags & ~(IGNORECASE | DOTALL))
        if argument[0][0] is _constants.NEGATE:
            inside = ~inside
    return inside


@cache
def _category(category: Any, flags: int) -> Inside:
    text = "".join(map(chr, range(POINTS)))
    return _matched([(_constants.IN, [(_constants.CATEGORY, category)])], flags, text)


@cache
def _cased() -> tuple[NDArray[np.int64], str]:
    """Return the characters that lower, upper, title or folded case changes, and the characters that result."""
    changed: set[str] = set()
    for lo in range(0, POINTS, 64):
        some = "".join(map(chr, range(lo, lo + 64)))
        if some.lower() != some or some.upper() != some or some.casefold() != some:
            for c in some:
                forms = {c, c.lower(), c.upper(), c.title(), c.casefold()}
                changed |= {form for form in forms if len(form) == 1 and len(forms) > 1}
    text = "".join(sorted(changed))
    return np.array([ord(c) for c in text]), text


def _matched(items: Sequence[Item], flags: int, text: str) -> Inside:
    """Return whether `re` matches each character of a text with the item, by the compiler of `re`."""
    state = _parser.State()
    one = _parser.SubPattern(state, list(items))
    runs = _parser.SubPattern(state, [(_constants.MAX_REPEAT, (1, _constants.MAXREPEAT, one))])
    inside = np.zeros(len(text), dtype=np.bool_)
    for found in _compiler.compile(runs, flags).finditer(text):
        inside[found.start() : found.end()] = True
    return inside
