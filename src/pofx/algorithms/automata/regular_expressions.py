"""Regular expressions as automata over bytes, made of the tree that Python's `re` parses."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from pofx.algorithms.automata.automaton import MOST, Dfa, TooLarge
from pofx.algorithms.automata.character_sets import ASCII, SINGLE, Item, Set, characters
from pofx.algorithms.automata.nfa import (
    LAST_LINE_END,
    NEWLINE,
    NODES,
    NOTHING,
    STATES,
    Nfa,
    Side,
    deterministic,
)
from pofx.errors import Advice, BadValue

TYPES = re.ASCII | re.LOCALE | re.UNICODE
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
# The most characters of a pattern: `re` takes a second to parse ten times as many, and most characters are a state each.
LONGEST = 100_000
# The names of parts of a pattern for which pofx makes no automaton.
_NAMES = {
    ops.ASSERT: "look-around",
    ops.ASSERT_NOT: "look-around",
    ops.GROUPREF: "a back-reference",
    ops.GROUPREF_EXISTS: "a conditional group",
    ops.ATOMIC_GROUP: "an atomic group of several ways to match",
    ops.POSSESSIVE_REPEAT: "a possessive quantifier after more than one character",
}


def regular(pattern: str) -> Dfa:
    r"""Return the strings that the whole of `pattern` matches, in UTF-8, as `re.fullmatch` does.

    `re` itself parses the pattern and finds the characters of each class. So \d, \w, \s, (?i) and the flags mean the same
    here. The pattern may contain ^, $, \A, \Z, \b and \B, and atomic groups and possessive quantifiers of single
    characters.

    Raises:
        BadValue: `pattern` is no regular expression; or has look-around, a back-reference, a conditional group, or another
            atomic or possessive part; or needs too many states.
    """
    tree = parse_language(pattern)
    walk = _Walk(pattern)
    try:
        accept = walk.sequence(tree, 0, tree.state.flags)
        return deterministic(walk.nfa, accept)
    except RecursionError:
        raise BadValue(
            f"expected a pattern of fewer groups within groups, got {_shown(pattern)}",
            "write the pattern with fewer nested groups",
            argument="matches",
        ) from None
    except TooLarge:
        raise BadValue(
            f"expected a pattern of at most {NODES:,} states ({STATES:,} when made deterministic, "
            f"{MOST:,} over bytes), got a pattern of more: {_shown(pattern)}",
            f"shorten the repeats{_ascii(tree)}",
            argument="matches",
        ) from None


def parse_language(pattern: str) -> Any:
    """Return the tree of a pattern of at most `LONGEST` characters, for an automaton; `BadValue` as `parsed` raises it."""
    if isinstance(pattern, str) and len(pattern) > LONGEST:
        raise BadValue(
            f"expected a pattern of at most {LONGEST:,} characters, got a pattern of {len(pattern):,}",
            "shorten the pattern",
            argument="matches",
        )
    return parsed(pattern, "matches")


def scoped(flags: int, added: int, deleted: int) -> int:
    """Return the flags within a group that adds some flags and removes others."""
    kept = flags & ~TYPES if added & TYPES else flags
    return int((kept | added) & ~deleted)


def parsed(pattern: str, argument: str, flags: int = 0) -> Any:
    """Return the tree that `re` parses; `BadValue` for an invalid pattern, or one whose meaning `re` says will change."""
    if not isinstance(pattern, str):
        raise BadValue(
            f"expected a pattern of type str, got {pattern!r}", "decode the pattern first", argument=argument
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _parser.parse(pattern, flags)
    except FutureWarning as e:
        raise BadValue(
            f"expected classes without '[', '--', '&&', '~~' or '||' in them, got "
            f"{_shown(pattern)} ({_line(e)})",
            "write a backslash before these characters, and [a-z] or \\w for a class of POSIX",
            argument=argument,
        ) from None
    except (re.error, RecursionError, OverflowError) as e:
        raise BadValue(
            f"expected a regular expression, got {_shown(pattern)}: {_line(e)}",
            "correct the pattern",
            argument=argument,
        ) from None


def _ascii(tree: Any) -> str:
    return "" if tree.state.flags & ASCII else ", or begin with (?a), for \\w, \\d and \\s of ASCII"


def _line(e: Exception) -> str:
    """Return the message of `re` in one line; the message may quote a line end of the pattern."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(e))


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= 60 else f"{pattern[:60]!r}… ({len(pattern):,} characters)"


class _Walk:
    """Builds an automaton from the tree: each part of the tree goes from one state to another, under its flags."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.nfa = pattern, Nfa()

    def sequence(self, items: Sequence[Item], at: int, flags: int) -> int:
        """Return the state after the items, read one after the other from `at`."""
        for item in items:
            at = self.item(item, at, flags)
        return at

    def item(self, item: Item, at: int, flags: int) -> int:
        """Return the state after one item."""
        op, argument = item
        if op in SINGLE:
            return self._read(at, characters(item, flags))
        if op is ops.SUBPATTERN:
            _, added, deleted, inner = argument
            return self.sequence(inner, at, scoped(flags, added, deleted))
        if op is ops.BRANCH:
            end = self.nfa.state()
            for branch in argument[1]:
                self.nfa.jump(self.sequence(branch, at, flags), end)
            return end
        if op in _REPEATS:
            least, most, inner = argument
            if op is ops.POSSESSIVE_REPEAT:
                return self._possessive(item, at, flags)
            return self._repeated(least, most, inner, at, flags)
        if op is ops.ATOMIC_GROUP:
            return self._atomic(item, at, flags)
        if op is ops.AT:
            return self._place(argument, at, flags)
        if op is ops.FAILURE or (op is ops.ASSERT_NOT and not len(argument[1])):
            return self.nfa.state()  # no transition leads to the new state
        if op is ops.ASSERT and not len(argument[1]):
            return at
        raise self._refused(op)

    def _refused(self, op: Any) -> BadValue:
        name = _NAMES.get(op, str(op).lower())
        apart = Advice(
            "write each condition by itself", "Matches(a) & Matches(b)", "--contains beside --matches"
        )
        then = apart if name == "look-around" else f"write the pattern without {name}"
        return BadValue(
            f"expected a regular expression without {name}, got {_shown(self.pattern)}",
            then,
            argument="matches",
        )

    def _read(self, at: int, by: Set) -> int:
        to = self.nfa.state()
        self.nfa.move(at, by, to)
        return to

    def _repeated(self, least: int, most: int, inner: Sequence[Item], at: int, flags: int) -> int:
        if not most:  # a part that is repeated 0 times must be readable, too
            self.sequence(inner, self.nfa.state(), flags)
        for _ in range(least):
            at = self.sequence(inner, at, flags)
        end = self.nfa.state()
        if most is ops.MAXREPEAT:
            loop = self.nfa.state()
            self.nfa.jump(at, loop)
            self.nfa.jump(self.sequence(inner, loop, flags), loop)
            self.nfa.jump(loop, end)
            return end
        for _ in range(most - least):
            self.nfa.jump(at, end)
            at = self.sequence(inner, at, flags)
        self.nfa.jump(at, end)
        return end

    def _possessive(self, item: Item, at: int, flags: int) -> int:
        """Add the longest run of repeats: after fewer than `most` repeats, no further repeat may follow."""
        op, (least, most, inner) = item
        if len(inner) != 1 or inner[0][0] not in SINGLE:
            raise self._refused(op)
        by = characters(inner[0], flags)
        other = Side(by, outside=True, edge=True)
        end = self.nfa.state()
        for _ in range(least):
            at = self._read(at, by)
        if most is ops.MAXREPEAT:
            loop = self.nfa.state()
            self.nfa.jump(at, loop)
            self.nfa.move(loop, by, loop)
            self.nfa.jump(loop, end, after=other)
            return end
        for _ in range(most - least):
            self.nfa.jump(at, end, after=other)
            at = self._read(at, by)
        self.nfa.jump(at, end)
        return end

    def _atomic(self, item: Item, at: int, flags: int) -> int:
        """Add an atomic group of single characters and a greedy repeat of one: such a group matches in one way only."""
        op, inner = item
        *before, last = inner if len(inner) else [(ops.ASSERT, (1, []))]
        single = all(kind in SINGLE for kind, _ in before)
        if not single or last[0] not in (*SINGLE, ops.ASSERT, ops.MAX_REPEAT, ops.POSSESSIVE_REPEAT):
            raise self._refused(op)
        at = self.sequence(before, at, flags)
        if last[0] is not ops.MAX_REPEAT:
            return self.item(last, at, flags)
        if len(last[1][2]) != 1 or last[1][2][0][0] not in SINGLE:
            raise self._refused(op)
        return self._possessive((op, last[1]), at, flags)

    def _place(self, which: Any, at: int, flags: int) -> int:
        end = self.nfa.state()
        many = flags & re.MULTILINE
        line = Side(NEWLINE, edge=True)
        if which in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
            self.nfa.jump(at, end, before=line if many and which is ops.AT_BEGINNING else NOTHING)
        elif which is ops.AT_END_STRING or (which is ops.AT_END and many):
            self.nfa.jump(at, end, after=line if which is ops.AT_END else NOTHING)
        elif which is ops.AT_END:  # also before a line end that is the last character
            self.nfa.jump(at, end, after=NOTHING)
            self.nfa.jump(at, end, after=Side(NEWLINE, edge=False), mode=LAST_LINE_END)
        else:
            self._edge_of_word(which is ops.AT_BOUNDARY, at, end, flags)
        return end

    def _edge_of_word(self, boundary: bool, at: int, end: int, flags: int) -> None:
        letters = characters((ops.IN, [(ops.CATEGORY, ops.CATEGORY_WORD)]), flags & (ASCII | re.UNICODE))
        word, none = Side(letters, edge=False), Side(letters, outside=True)
        if boundary:
            self.nfa.jump(at, end, before=word, after=none)
            self.nfa.jump(at, end, before=none, after=word)
            return
        self.nfa.jump(at, end, before=word, after=word)
        other = Side(letters, outside=True, edge=False)
        self.nfa.jump(at, end, before=other, after=none)
        self.nfa.jump(at, end, before=none, after=other)
        if re.fullmatch(r"\B", ""):  # Python 3.14 and later
            self.nfa.jump(at, end, before=NOTHING, after=NOTHING)
