"""Beams over token histories: their bounds hold the exact sum, and they do not die."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byte_toys import SHORT_TEXTS, leave_unread, toy
from pofx.queries.next_unit.next import next_token
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.bytewise.reserve import UNREAD
from pofx.transforms.given import given as behind
from pofx.transforms.windowed import windowed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("beam", "lazy"), [(1, False), (2, False), (3, False), (1, True), (3, True)])
def test_bounds_hold(beam: int, seed: int, lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if lazy:
        leave_unread(monkeypatch)
    exact, lm = bytewise(toy(seed=seed)), bytewise(toy(seed=seed), beam)
    assert lm.interval
    wide = 0
    for a, b in zip(score(exact, SHORT_TEXTS), score(lm, SHORT_TEXTS)):
        assert b.terms.kind == "interval"
        for value, mine, (lo, hi) in (
            (a.total, b.total, b.interval),
            (a.prefix_total, b.prefix_total, b.prefix_interval),
        ):
            assert lo <= value + 1e-12
            assert value <= hi + 1e-12
            assert lo <= mine <= hi
            wide += hi - lo > 1e-6
        assert a.interval == (a.total, a.total)
        assert b.without_end().prefix_interval == b.prefix_interval
    assert wide > 8


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(
    x=st.text("abé", max_size=5),
    y=st.text("abé", max_size=4),
    beam=st.integers(1, 6),
    seed=st.integers(0, 10),
)
def test_bounds_hold_behind_a_prefix(x: str, y: str, beam: int, seed: int) -> None:
    exact, lm = bytewise(toy(seed=seed)), bytewise(toy(seed=seed), beam)
    joint = log_prob(exact, x + y) - prefix_log_prob(exact, x)
    a, b = score(exact, [y], x)[0], score(lm, [y], x)[0]
    assert a.total == pytest.approx(joint, abs=1e-9)
    lo, hi = b.interval
    assert lo <= joint + 1e-12 <= hi + 2e-12
    assert lo <= b.total <= hi


def test_a_wide_beam_is_exact() -> None:
    exact, lm = bytewise(toy()), bytewise(toy(), 1000)
    for a, b in zip(score(exact, SHORT_TEXTS), score(lm, SHORT_TEXTS)):
        assert b.total == a.total
        assert b.interval == pytest.approx((a.total, a.total), abs=1e-12)
    narrow = [s.interval for s in score(bytewise(toy(), 2), ["abab"])]
    wider = [s.interval for s in score(bytewise(toy(), 4), ["abab"])]
    assert narrow[0][1] - narrow[0][0] > wider[0][1] - wider[0][0] > 0


def test_a_beam_of_one_makes_nothing_impossible() -> None:
    """Behind the heaviest hypothesis "ab…" no "x" comes; after the closed one it does."""
    tokens = (b"a", b"b", b"x", b"abb", b"abbb", None)
    lm = toy(tokens, 5, memory=1)
    weights = np.log([0.01, 0.01, 0.01, 0.6, 0.27, 0.1])
    lm.row = lambda history: weights
    assert prefix_log_prob(bytewise(lm, 1), "abx") > -math.inf
    # The law had no more than a uniform share for "ab" in two tokens, which it kept unread beside "abb…".
    trace = bytewise(lm, 1).forward([[*b"abx"]])
    kept, spare = 0.87, 0.01**2
    assert trace.logp[0][2] == pytest.approx(np.log(UNREAD * spare / (kept + spare) / 257))
    # It is read now: the bounds reach from the law's value to the exact one, of what is left.
    assert trace.low is not None
    assert trace.high is not None
    assert trace.low[0].sum() == pytest.approx(trace.logp[0].sum())
    assert trace.high[0].sum() == pytest.approx(prefix_log_prob(bytewise(lm), "abx"))


def test_bounds_pass_through_windows_and_prefixes() -> None:
    exact, lm = bytewise(toy()), bytewise(toy(), 1)
    for wrap in (lambda m: windowed(m, 4, 2), lambda m: behind(m, "ab")):
        a, b = score(wrap(exact), ["ababab"])[0], score(wrap(lm), ["ababab"])[0]
        lo, hi = b.interval
        assert lo <= a.total <= hi
        assert lo < b.total < hi
    assert next_token(behind(lm, "ab"), "a").terms.kind == "interval"


def test_a_long_text_is_read_in_bounded_memory() -> None:
    lm = bytewise(toy(memory=1), 2)
    state = lm.start(1)
    for _ in range(3):
        state = lm.extend(state, [list(b"abab" * 50)])
        # Two histories, each open and closed, by two tokens at most.
        assert len(state.carry.row) <= 6
        assert state.carry.histories.n <= 6
