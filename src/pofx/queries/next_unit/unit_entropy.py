"""Bounds of the entropy of a distribution that is known in part."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pofx.queries.next_unit.unit_search import UnitSearch

# The number of characters of 2, 3 and 4 bytes that begin with the same lead byte, plus 1 for this byte as a stray byte.
_MOST = {2: 64 + 1, 3: 4096 + 1, 4: 262144 + 1}
# Masses below this are rounding errors of 0.
_NONE = 1e-12


def entropy_bounds(h: float, dropped: float, n: int) -> tuple[float, float]:
    """Bound the entropy of a distribution near a distribution of known entropy.

        |H(p) − H(q)| ≤ ε log(n − 1) + h(ε) for a total variation of ε ≤ 1 − 1/n (Fannes and Audenaert)

    Args:
        h: The known entropy, nats.
        dropped: The largest total variation between the two distributions.
        n: The number of outcomes.

    Returns:
        A lower and an upper bound, nats.
    """
    most = math.log(n)
    if dropped <= 0:
        return h, h
    if dropped >= 1 - 1 / n:
        return 0.0, most
    off = dropped * math.log(n - 1) + _plogp(dropped) + _plogp(1 - dropped)
    return max(h - off, 0.0), min(h + off, most)


def entropy_of_words(found: UnitSearch) -> tuple[float, float, float]:
    """Bound the entropy of a distribution of words from below.

    A string whose continuations are not read counts as one outcome, or as part of a unit to which the string may belong.
    This makes the distribution coarser, and its entropy smaller. The number of words has no bound, so the entropy of words
    has no upper bound.

    Args:
        found: The search for words.

    Returns:
        (lower bound, lower bound, inf), nats: the value to report, then its bounds.
    """
    cells = [f.p + max(f.open, 0.0) for f in found.units.values()]
    cells += list(_open(found))
    low = entropy_bounds(math.fsum(map(_plogp, cells)), found.off, max(len(cells), 2))[0]
    return low, low, math.inf


def entropy_of_characters(found: UnitSearch) -> tuple[float, float, float]:
    """Bound the entropy of a distribution of characters, by lead byte and by the other bytes given the lead byte.

    Args:
        found: The search for characters.

    Returns:
        (middle of the bounds, lower bound, upper bound), nats.
    """
    groups: dict[bytes, list[float]] = {}
    for unit, f in found.units.items():
        groups.setdefault(b"" if unit.end else unit.spelled[:1], []).append(f.p)
    left: dict[bytes, float] = {}
    for node in found.nodes:
        for which, (byte, m) in enumerate(zip(node.bytes.tolist(), node.mass.tolist())):
            if (node.number, which) not in found.taken:
                lead = (node.read + bytes([byte]))[:1]
                left[lead] = left.get(lead, 0.0) + m
    low = high = 0.0
    for lead in {**groups, **left}:
        known, rest = groups.get(lead, []), left.get(lead, 0.0)
        p = math.fsum(known) + rest
        if rest <= _NONE:
            value = math.fsum(map(_plogp, known))
            low, high = low + value, high + value
        else:
            low += _plogp(p)
            high += _plogp(p) + p * math.log(_outcomes(lead))
    # Any byte, or EOS, may follow the dropped hypotheses.
    n = 1 + sum(_outcomes(bytes([b])) for b in range(256))
    low, high = entropy_bounds(low, found.off, n)[0], entropy_bounds(high, found.off, n)[1]
    return (low if low == high else (low + high) / 2), low, high


def _outcomes(lead: bytes) -> int:
    if not lead or lead[0] < 0xC2:
        return 1
    return _MOST[2 if lead[0] < 0xE0 else 3 if lead[0] < 0xF0 else 4]


def _open(found: UnitSearch) -> Iterator[float]:
    """Yield the masses of strings whose continuations are not read, except strings that may be a boundary after a unit."""
    for node in found.nodes:
        table = found.automaton.table(node.at)
        for which, (byte, m) in enumerate(zip(node.bytes.tolist(), node.mass.tolist())):
            unit = found.automaton.pending(int(table[byte]), node.read + bytes([byte]))
            if unit is None and (node.number, which) not in found.taken:
                yield m


def _plogp(p: float) -> float:
    return -p * math.log(p) if p > 0 else 0.0
