"""A sorted vocabulary, whose tokens with a common beginning are a range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.algorithms.byte_ranges import BLOCK, ByteRanges, expand_ranges, logsumexp_runs

STRINGS = st.lists(
    st.one_of(st.none(), st.binary(max_size=4), st.sampled_from([b"a", b"ab", b"abc"])), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(strings=STRINGS, prefix=st.binary(max_size=3) | st.sampled_from([b"a", b"ab", b"abc"]))
def test_a_prefix_is_a_range(strings: list[bytes | None], prefix: bytes) -> None:
    ranges = ByteRanges(strings)
    lo, hi = np.array([0]), np.array([ranges.size])
    for depth, byte in enumerate(prefix):
        lo, hi = ranges.narrow(lo, hi, np.array([depth]), np.array([byte]))
    expected = {i for i, b in enumerate(strings) if b and b.startswith(prefix)}
    assert set(ranges.ids[lo[0] : hi[0]].tolist()) == expected
    same = {i for i, b in enumerate(strings) if b == prefix and b}
    k = int(ranges.count_closed(lo, hi, np.array([len(prefix)]))[0])
    assert set(ranges.ids[lo[0] : lo[0] + k].tolist()) == same
    logp = np.log(np.random.default_rng(1).random((2, len(strings))))
    mass = ranges.mass(logp, np.array([1]), lo, hi)[0]
    assert math.exp(mass) == pytest.approx(sum(math.exp(logp[1, i]) for i in expected))
    by_byte = np.exp(ranges.next_bytes(logp, np.array([1]), lo + k, hi, np.array([len(prefix)]))[0])
    for b in range(256):
        longer = [i for i, s in enumerate(strings) if s and s.startswith(prefix + bytes([b]))]
        assert by_byte[b] == pytest.approx(sum(math.exp(logp[1, i]) for i in longer))


def test_blocks_are_no_part_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ranges = ByteRanges([bytes(rng.integers(97, 100, size=rng.integers(1, 4))) for _ in range(50)])
    logp = rng.normal(size=(5, 50))
    lo = rng.integers(0, 50, size=20)
    hi = np.minimum(lo + rng.integers(0, 20, size=20), 50)
    row, depth = rng.integers(0, 5, size=20), np.zeros(20, dtype=np.int64)
    full = np.zeros(20, dtype=np.int64), np.full(20, 50)
    whole = ranges.mass(logp, row, lo, hi), ranges.next_bytes(logp, row, *full, depth)
    assert BLOCK > 50
    monkeypatch.setattr("pofx.algorithms.byte_ranges.BLOCK", 7)
    for a, b in zip(whole, (ranges.mass(logp, row, lo, hi), ranges.next_bytes(logp, row, *full, depth))):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_long_ranges_give_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    ranges = ByteRanges([bytes(rng.integers(97, 100, size=rng.integers(1, 4))) for _ in range(50)])
    logp = rng.normal(size=(5, 50)).astype(np.float32)
    lo = rng.integers(0, 50, size=20)
    hi = np.clip(lo + rng.integers(-3, 20, size=20), 0, 50)  # some are empty
    row, depth = rng.integers(0, 5, size=20), np.zeros(20, dtype=np.int64)
    found = []
    for long in (0, 1000):
        monkeypatch.setattr("pofx.algorithms.byte_ranges.LONG", long)
        found.append((ranges.mass(logp, row, lo, hi), ranges.next_bytes(logp, row, lo, hi, depth)))
    assert np.isfinite(found[0][0]).any()
    for one_by_one, together in zip(*found):
        np.testing.assert_array_equal(one_by_one, together)


def test_runs() -> None:
    which, at = expand_ranges(np.array([3, 5, 5, 0]), np.array([5, 5, 4, 1]))
    assert which.tolist() == [0, 0, 3]
    assert at.tolist() == [3, 4, 0]
    out = logsumexp_runs(np.array([0.0, 0.0, -np.inf, -np.inf]), np.array([0, 2, 2]))
    assert out.tolist() == [-np.inf, math.log(2), -np.inf]


def test_tiny_ranges_do_not_cancel() -> None:
    ranges = ByteRanges([b"a", b"b", b"c"])
    mass = ranges.mass(np.log([[0.5, 1e-40, 0.5]]), np.array([0]), np.array([1]), np.array([2]))
    assert mass[0] == pytest.approx(math.log(1e-40))


@settings(max_examples=60, deadline=None)
@given(strings=STRINGS, text=st.binary(max_size=6) | st.text("abc", max_size=6).map(str.encode))
def test_reach(strings: list[bytes | None], text: bytes) -> None:
    found = ByteRanges(strings).reach(text).tolist()
    for i, reach in enumerate(found):
        most = max(
            (d for d in range(len(text) - i + 1) for b in strings if b and b.startswith(text[i : i + d])),
            default=0,
        )
        assert reach == most


# No control tokens: tokens drawn after a cover are those of the strings.
