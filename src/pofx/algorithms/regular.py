"""Regular expressions as automata over bytes; the automata over characters are those of the library `interegular`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pofx.algorithms.automaton import Dfa, TooLarge, over_characters, trimmed
from pofx.errors import BadValue, require

LAST = 0x10FFFF
# What the library cannot read, or reads otherwise than `re` does: (?!ab)[ab]* refused "a".
_LOOK = re.compile(r"\(\?(=|!|<=|<!)")
# `interegular` compares states one by one: 1,000 take 0.15 s, 4,000 take 2 s.
LONGEST, REPEATS = 2_000, 1_000
# States of one automaton on the way, and states times what each is made of in all: up to 4 s. (a|b)*a(a|b){20} has a
# million states; ((((a?){9}){9}){9}){9} few, each of thousands.
STATES, WORK = 5_000, 500_000
_LOCK = threading.Lock()


def regular(pattern: str) -> Dfa:
    r"""The strings that the whole of `pattern` matches, in UTF-8, as `re.fullmatch` has it; \d, \w and \s are of ASCII.

    `BadValue` for what is no regular expression, and for ^, $, \b, look-around and back-references, which this has no
    automaton for; `MissingExtra` without the library.
    """
    library = require("interegular", "condition", "a regular expression as a condition")
    _check(pattern)
    try:
        with _bounded(library.fsm):
            machine = library.parse_pattern(pattern).to_fsm()
    except TooLarge:
        raise BadValue(
            f"matches: expected a pattern of fewer states, found more than {STATES:,}, or large ones, on the way to one for "
            f"{pattern!r}; shorten its repeats"
        ) from None
    except (library.Unsupported, library.InvalidSyntax, RecursionError, OverflowError) as e:
        raise BadValue(
            f"matches: expected a regular expression without ^, $, \\b, \\u and back-references (the whole text is "
            f"matched as it is), found {pattern!r}{f': {e}' if str(e) else ''}"
        ) from None
    try:
        return _over_bytes(machine, library.fsm.anything_else)
    except TooLarge:
        raise BadValue(
            f"matches: expected a pattern of fewer states, found {len(machine.states):,} for {pattern!r}; shorten "
            "its repeats"
        ) from None


@contextmanager
def _bounded(fsm: Any) -> Iterator[None]:
    """The library's one loop over states, which knows no bound, with one: `TooLarge` beyond it."""
    endless, work = fsm.crawl, 0

    def crawl(alphabet: Any, initial: Any, final: Any, follow: Any) -> Any:
        states = 0

        def counted(state: Any) -> Any:  # once a state, which is a set or mapping of states of others
            nonlocal states, work
            states, work = states + 1, work + len(state)
            if states > STATES or work > WORK:
                raise TooLarge
            return final(state)

        return endless(alphabet, initial, counted, follow)

    with _LOCK:
        fsm.crawl = crawl
        try:
            yield
        finally:
            fsm.crawl = endless


def _check(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as e:
        raise BadValue(f"matches: expected a regular expression, found {pattern!r}: {e}") from None
    if len(pattern) > LONGEST:
        raise BadValue(
            f"matches: expected a pattern of at most {LONGEST:,} characters, found {len(pattern):,}; split it: "
            "Matches(a) & Matches(b)"
        )
    counts = [int(n) for n in re.findall(r"\d+", " ".join(re.findall(r"\{[\d,]*\}", pattern)))]
    if max(counts, default=0) > REPEATS:
        raise BadValue(
            f"matches: expected repeats of at most {REPEATS:,}, found {max(counts):,}; see Length for lengths"
        )
    # An even number of backslashes before a parenthesis leaves it what it is.
    for found in _LOOK.finditer(pattern):
        before = pattern[: found.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            raise BadValue(
                f"matches: expected a regular expression without look-around, found {found[0]!r} in {pattern!r}; join "
                "conditions instead: Matches(a) & Matches(b)"
            )


def _over_bytes(machine: Any, other: Any) -> Dfa:
    """The library's automaton, whose symbols are characters, and all others as one."""
    keys = machine.alphabet.by_transition
    # With (?i) some symbols are two characters ("SS"), which no single one is.
    named = sorted(
        (ord(c), key) for key, symbols in keys.items() for c in symbols if c is not other and len(c) == 1
    )
    rest = next((key for key, symbols in keys.items() if other in symbols), None)
    order = sorted(machine.states)
    place = {q: k for k, q in enumerate(order)}
    moves = []
    for q in order:
        row = machine.map.get(q, {})
        ranges: list[tuple[int, int, int]] = []
        at = 0
        for code, key in [*named, (LAST + 1, None)]:
            if at < code and rest in row:
                _add(ranges, at, code - 1, place[row[rest]])
            if key is not None and key in row:
                _add(ranges, code, code, place[row[key]])
            at = code + 1
        moves.append(ranges)
    dfa = over_characters(moves, [q in machine.finals for q in order], place[machine.initial])
    return trimmed(dfa.next, dfa.accept, dfa.start)


def _add(ranges: list[tuple[int, int, int]], lo: int, hi: int, to: int) -> None:
    if ranges and ranges[-1][1] == lo - 1 and ranges[-1][2] == to:
        ranges[-1] = (ranges[-1][0], hi, to)
    else:
        ranges.append((lo, hi, to))
