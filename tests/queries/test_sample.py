"""Draws: the same for a seed, and scored as drawn."""

from __future__ import annotations

import pytest

import pofx
from small_models import BYTES, NO_END


def test_draw_i_is_the_same_for_any_n() -> None:
    long = pofx.sample(BYTES, 300, max_tokens=12, seed=5)
    for n in (0, 1, 7, 256, 257):
        short = pofx.sample(BYTES, n, max_tokens=12, seed=5)
        assert [d.bytes for d in short] == [d.bytes for d in long[:n]]
        assert all((a.logp == b.logp).all() for a, b in zip(short, long))
    assert [d.bytes for d in pofx.sample(BYTES, 7, max_tokens=12, seed=6)] != [d.bytes for d in long[:7]]
    # The streams of two batches differ, or draw 256 would repeat draw 0.
    assert [d.bytes for d in long[256:]] != [d.bytes for d in long[:44]]


def test_without_a_seed_draws_differ() -> None:
    a, b = (pofx.sample(BYTES, 20, max_tokens=20) for _ in range(2))
    assert [d.bytes for d in a] != [d.bytes for d in b]


def test_a_draw_is_scored_as_drawn() -> None:
    for given in ("", "the "):
        for d in pofx.sample(BYTES, 30, given, max_tokens=15, seed=2):
            assert len(d.tokens) + d.ended == len(d.logp)
            scored = pofx.score(BYTES, [d.bytes], given)[0]
            assert d.total == pytest.approx(scored.total if d.ended else scored.prefix_total, abs=1e-9)
            assert d.terms.end == d.ended
            assert d.terms.given_bytes == len(given)
            assert d.text == d.bytes.decode("utf-8", "replace")


def test_a_cut_draw_says_so() -> None:
    cut = pofx.sample(NO_END, 5, max_tokens=4, seed=0)
    assert all(not d.ended and len(d.tokens) == len(d.logp) == 4 for d in cut)
    one = pofx.sample(BYTES, 200, max_tokens=1, seed=0)
    assert {len(d.logp) for d in one} == {1}
    assert {d.ended for d in one} == {True, False}
    assert all(d.bytes == b"" for d in one if d.ended)


def test_stray_bytes_are_shown_and_kept() -> None:
    lm = pofx.fit([b"\xff"] * 5, pofx.NgramSpec(order=2, smoothing="mle"))
    draw = pofx.sample(lm, 1, seed=0)[0]
    assert (draw.bytes, draw.text, draw.ended) == (b"\xff", "�", True)


def test_warped_draws_are_scored_under_the_warp() -> None:
    lm = pofx.warp(BYTES, temperature=0.7, top_k=5, top_p=0.9)
    for d in pofx.sample(lm, 20, max_tokens=10, seed=3):
        scored = pofx.score(lm, [d.bytes])[0]
        assert d.total == pytest.approx(scored.total if d.ended else scored.prefix_total, abs=1e-9)
    greedy = pofx.warp(BYTES, top_k=1)
    assert {d.bytes for d in pofx.sample(greedy, 5, max_tokens=10)} == {
        pofx.sample(greedy, 1, max_tokens=10)[0].bytes
    }
    assert pofx.sample(greedy, 1, max_tokens=10)[0].total == 0
