"""Automata of characters and words: byte by byte they cut what strings say."""

from __future__ import annotations

import numpy as np
import pytest

from first_units import units_of
from pofx.queries.segmentation.unit_automata import (
    DONE,
    CharacterAutomaton,
    UnitAutomaton,
    WordAutomaton,
)


@pytest.mark.parametrize("automaton_of", [CharacterAutomaton, WordAutomaton])
def test_automata_read_as_strings_do(automaton_of: type[UnitAutomaton]) -> None:
    rng = np.random.default_rng(0)
    letters = [
        b"a",
        b" ",
        b"\n",
        "é".encode(),
        "\u00a0".encode(),
        "\u2003".encode(),
        "—".encode(),
        "🤦".encode(),
    ]
    letters += [
        b"\xc2",
        b"\xe2",
        b"\xe2\x80",
        b"\x80",
        b"\xa9",
        b"\xf0\x9f",
        b"\xff",
        b"\xed\xa0",
        b"\xe3\x80\x80",
    ]
    for _ in range(800):
        parts = [letters[i] for i in rng.integers(len(letters), size=rng.integers(0, 6))]
        whole = b"".join(parts)
        given = whole[: rng.integers(0, len(whole) + 1)]
        automaton, read = automaton_of(given), b""
        at, found = automaton.first, None
        for byte in whole[len(given) :]:
            now = int(automaton.table(at)[byte])
            if now == DONE:
                found = automaton.unit(at, read, byte)
                break
            read, at = read + bytes([byte]), now
        assert (found or automaton.unit_at_end(at, read)) == units_of(automaton_of, given, whole), (
            given,
            whole,
        )
