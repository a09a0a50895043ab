"""The next token, byte, character and word, against sums over all token sequences."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

import pofx
from byte_toys import Brute, Pieces, Toy, leave_unread, toy
from first_units import units_of
from pofx.cli.main import pofx as command
from pofx.errors import BadValue, Impossible, NoBOS
from pofx.lm.model import LM
from pofx.queries.next_unit import unit_search
from pofx.queries.next_unit.next import Next, next_token
from pofx.queries.segmentation.unit_automata import (
    CharacterAutomaton,
    TextUnit,
    UnitAutomaton,
    WordAutomaton,
)
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.given import given as behind
from pofx.transforms.mixture import mixture
from pofx.vocab.vocabulary import ByteVocab, CharVocab
from toy import ToyLM

# Overlapping tokens, twins, halves of characters, a no-break space (C2 A0) and a wide one (E2 80 83) in pieces, and
# stray bytes after their beginnings.
PIECES = (
    b"a",
    b"b",
    b" ",
    b"ab",
    b"ab",
    b" a",
    b"b ",
    b"\xc3",
    b"\xa9",
    b"\xc2",
    b"\xa0",
    b"\xe2\x80",
    b"\x83",
    None,
    None,
)
EOS = 13


class Sums(Brute):
    """The law of the first unit, by enumeration of all texts of the toy model; texts that are cut off are left over."""

    def units(self, automaton_of: type[UnitAutomaton], given: bytes) -> tuple[Counter[TextUnit], float]:
        found: Counter[TextUnit] = Counter()
        for text, p in self.strings.items():
            if text.startswith(given):
                found[units_of(automaton_of, given, text)] += p / self.prefixes[given]
        return found, 1 - sum(found.values())


class Ends(Toy):
    """Ends after three tokens at the latest, so that all its texts can be enumerated."""

    def row(self, history):
        row = super().row(history)
        known = [h for h in history if h >= 0]
        if len(known) < self.far:
            return row
        over = np.full(self.vocab.size, -np.inf)
        over[self.vocab.end] = 0.0
        return over

    far = 3


LM_ = Ends(Pieces(PIECES, EOS), memory=3)
SUMS = Sums(LM_, 3)


@pytest.fixture(autouse=True)
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_search, "OPEN", 0.0)
    monkeypatch.setattr("pofx.queries.next_unit.next.BEAM", None)


GIVEN = [
    "",
    "a",
    "b",
    "ab",
    " ",
    "a ",
    b"\xc3",
    b"a\xc2",
    b"a\xe2\x80",
    b"\xe2\x80",
    "a\u00a0",
    "aé",
    b"\xe2",
]


@pytest.mark.parametrize("unit", ["byte", "character", "word"])
@pytest.mark.parametrize("given", GIVEN)
def test_it_is_the_sum_over_all_texts(unit: str, given: str | bytes) -> None:
    data = given.encode() if isinstance(given, str) else given
    found = next_token(LM_, given, 3000, unit=unit, calls=1000)
    assert math.fsum([math.exp(a.logp) for a in found.top] + [math.exp(found.rest)]) == pytest.approx(1)
    if unit == "byte":
        expected = {bytes([b]): SUMS.prefix(data + bytes([b])) / SUMS.prefix(data) for b in range(256)}
        expected[None] = SUMS.string(data) / SUMS.prefix(data)
        assert found.n_rest == 0
        mine = {a.bytes: math.exp(a.logp) for a in found.top}
        assert mine == pytest.approx(expected, abs=1e-9)
    else:
        law, left = SUMS.units(CharacterAutomaton if unit == "character" else WordAutomaton, data)
        assert left == pytest.approx(0, abs=1e-12)
        mine = {a.bytes if a.bytes is not None else b"": a for a in found.top}
        assert len(mine) == len(found.top) == len({u.spelled for u in law})
        for u, p in law.items():
            assert math.exp(mine[u.spelled].logp) == pytest.approx(p, abs=1e-9), u
            assert ("EOS" in mine[u.spelled].shown) == u.end
        assert math.exp(found.rest) < 1e-12
        h = -math.fsum(p * math.log(p) for p in law.values() if p > 0)
        assert found.entropy_low == pytest.approx(h, abs=1e-9)
        assert found.entropy_high == (math.inf if unit == "word" else pytest.approx(h, abs=1e-9))
    assert found.terms.kind in ("exact", "interval")


@pytest.mark.parametrize("unit", ["byte", "character", "word"])
@pytest.mark.parametrize(
    ("beam", "lazy"),
    [
        (1, False),
        pytest.param(2, False, marks=pytest.mark.thorough),
        (1, True),
        pytest.param(2, True, marks=pytest.mark.thorough),
    ],
)
def test_bounds_hold(unit: str, beam: int, lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if lazy:  # most that is closed stays unread, and all of it is spread over all bytes
        leave_unread(monkeypatch)
        monkeypatch.setattr("pofx.transforms.bytewise.reserve.UNREAD", 1.0)
    wide = 0
    for given in GIVEN:
        data = given.encode() if isinstance(given, str) else given
        found = next_token(bytewise(LM_, beam), given, 6, unit=unit, calls=3)
        if unit == "byte":
            law = {bytes([b]): SUMS.prefix(data + bytes([b])) / SUMS.prefix(data) for b in range(256)}
            law[b""] = SUMS.string(data) / SUMS.prefix(data)
        else:
            units = SUMS.units(CharacterAutomaton if unit == "character" else WordAutomaton, data)[0]
            law = {u.spelled: p for u, p in units.items()}
        for a in found.top:
            assert a.low <= a.logp <= a.high <= 1e-12
            p = law.pop(a.bytes or b"", 0.0)
            assert math.exp(a.low) - 1e-9 <= p <= math.exp(a.high) + 1e-9, (given, a, p)
            wide += a.high - a.low > 1e-3
        rest = sum(law.values())
        assert math.exp(found.rest_low) - 1e-9 <= rest <= math.exp(found.rest_high) + 1e-9
        assert found.rest_low <= found.rest <= found.rest_high
        assert math.fsum([math.exp(a.logp) for a in found.top] + [math.exp(found.rest)]) == pytest.approx(1)
        every = next_token(LM_, given, 3000, unit=unit, calls=1000)
        assert found.entropy_low - 1e-9 <= every.entropy_low
        assert every.entropy_high <= found.entropy_high + 1e-9 or unit == "word"
    assert wide > (5 if beam == 1 or unit == "word" else -1)


def test_a_search_that_is_cut_short_says_what_it_may_have_missed() -> None:
    every = next_token(LM_, "", 3000, unit="word", calls=1000)
    exact = {a.bytes: a.logp for a in every.top}
    last = math.inf
    for calls in range(6):
        found = next_token(LM_, "", 4, unit="word", calls=calls)
        assert found.calls <= calls
        others = [p for spelled, p in exact.items() if spelled not in {a.bytes for a in found.top}]
        assert max(others) <= found.others_below + 1e-9
        assert found.others_below <= last + 1e-9
        last = found.others_below
        for a in found.top:
            assert a.low - 1e-9 <= exact[a.bytes] <= a.high + 1e-9
    best = [a.bytes for a in every.top[:4]]
    assert [a.bytes for a in next_token(LM_, "", 4, unit="word", calls=50).top] == best


def test_little_memory_loses_no_mass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_search, "MOST", 100)
    every = {a.bytes: a.logp for a in next_token(LM_, "", 3000, unit="word", calls=0).top}
    found = next_token(LM_, "", 4, unit="word")
    assert math.fsum([math.exp(a.logp) for a in found.top] + [math.exp(found.rest)]) == pytest.approx(1)
    law, _ = SUMS.units(WordAutomaton, b"")
    others = [p for u, p in law.items() if u.spelled not in {a.bytes or b"" for a in found.top}]
    assert max(others) <= math.exp(found.others_below) + 1e-9
    assert len(found.top) >= len(every) or found.top


@pytest.mark.parametrize(
    "lm",
    [
        ToyLM(ByteVocab(), seed=1, memory=1),
        ToyLM(CharVocab("ab é"), memory=2),
        behind(toy(), "a"),
        behind(bytewise(toy(), 3), "a"),
        mixture([bytewise(toy(seed=1), 2), bytewise(toy(seed=2), 2)]),
    ],
    ids=["bytes", "characters", "given", "given bytes", "a mixture without bounds"],
)
def test_of_every_kind_of_model(lm: LM) -> None:
    for unit in ("token", "byte", "character", "word"):
        found = next_token(lm, "ab", 5, unit=unit, calls=4)
        assert found.unit == unit
        total = math.fsum([math.exp(a.logp) for a in found.top] + [math.exp(found.rest)])
        assert total == pytest.approx(1)
        assert all(a.low <= a.logp <= a.high for a in found.top)
        assert found.entropy_low <= found.entropy <= found.entropy_high
        assert list(found.top) == sorted(found.top, key=lambda a: -a.logp)


def test_what_is_refused() -> None:
    lm = toy()
    for unit in ("byte", "character", "word"):
        with pytest.raises(NoBOS):
            next_token(toy(begin=False), "", unit=unit)
        with pytest.raises(Impossible, match="P = 0"):
            next_token(lm, "bcb", unit=unit)
        assert isinstance(next_token(toy(begin=False), "ab", unit=unit), Next)
    for wrong in ({"unit": "words"}, {"calls": -1}, {"k": 0}, {"k": 2.5}):
        with pytest.raises(BadValue, match="expected"):
            next_token(lm, "a", **wrong)


def test_from_the_command_line(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["the interest", "interesting", "interests the", "the interested"] * 4
    pofx.save(pofx.fit(lines, pofx.NgramSpec(order=4, vocab="bpe:280")), "m")

    def run(*arguments: str) -> str:
        ran = CliRunner().invoke(command, ["next", "--given", *arguments, "-m", "m"])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    shown = run("the interes", "-k", "3")
    assert "next word" in shown
    assert "ting" in shown
    assert "entropy ≥" in shown
    for unit in ("token", "byte", "character", "word"):
        (record,) = map(json.loads, run("the interes", "--unit", unit, "--json", "-k", "3").splitlines())
        assert record["unit"] == unit
        total = math.fsum([a["p"] for a in record["top"]] + [record["rest"]["p"]])
        assert total == pytest.approx(1)
        for a in record["top"]:
            assert a["p_low"] <= a["p"] <= a["p_high"]
    assert "next token" in run("the interes", "--unit", "token")
    short = CliRunner().invoke(command, ["next", "--given", "the", "--calls", "-1", "-m", "m"])
    assert short.exit_code != 0
