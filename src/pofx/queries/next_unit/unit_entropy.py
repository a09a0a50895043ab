"""The entropy of a law of which only a part is known: bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pofx.queries.next_unit.unit_search import UnitSearch

# How many characters of UTF-8 begin with a lead byte, and itself as a stray byte.
_MOST = {2: 64 + 1, 3: 4096 + 1, 4: 262144 + 1}
# Masses below this are what rounding left of nothing.
_NONE = 1e-12


def entropy_bounds(h: float, dropped: float, n: int) -> tuple[float, float]:
    """Bounds of the entropy of a law over n outcomes that differs from one of entropy h by a mass of at most `dropped`.

    |H(p) − H(q)| ≤ ε log(n − 1) + h(ε) for a total variation of ε ≤ 1 − 1/n (Fannes and Audenaert). Nats.
    """
    most = math.log(n)
    if dropped <= 0:
        return h, h
    if dropped >= 1 - 1 / n:
        return 0.0, most
    off = dropped * math.log(n - 1) + _plogp(dropped) + _plogp(1 - dropped)
    return max(h - off, 0.0), min(h + off, most)


def entropy_of_words(found: UnitSearch) -> tuple[float, float, float]:
    """(what is certain, the same, infinity): words are without number, and so has their entropy no bound above.

    Strings whose continuations are not read count as one outcome each, with the unit that they may yet belong to; a
    coarser law has the smaller entropy.
    """
    cells = [f.p + max(f.open, 0.0) for f in found.units.values()]
    cells += list(_open(found))
    low = entropy_bounds(math.fsum(map(_plogp, cells)), found.off, max(len(cells), 2))[0]
    return low, low, math.inf


def entropy_of_characters(found: UnitSearch) -> tuple[float, float, float]:
    """(the mean of the bounds, or the value where they agree; the bounds): by lead byte, and given that, of the rest."""
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
    # What was dropped may go on with any byte, or EOS.
    n = 1 + sum(_outcomes(bytes([b])) for b in range(256))
    low, high = entropy_bounds(low, found.off, n)[0], entropy_bounds(high, found.off, n)[1]
    return (low if low == high else (low + high) / 2), low, high


def _outcomes(lead: bytes) -> int:
    if not lead or lead[0] < 0xC2:
        return 1
    return _MOST[2 if lead[0] < 0xE0 else 3 if lead[0] < 0xF0 else 4]


def _open(found: UnitSearch) -> Iterator[float]:
    """Masses of strings whose continuations are not read, but for those that may yet be a boundary behind a unit."""
    for node in found.nodes:
        table = found.cut.table(node.at)
        for which, (byte, m) in enumerate(zip(node.bytes.tolist(), node.mass.tolist())):
            unit = found.cut.pending(int(table[byte]), node.read + bytes([byte]))
            if unit is None and (node.number, which) not in found.taken:
                yield m


def _plogp(p: float) -> float:
    return -p * math.log(p) if p > 0 else 0.0
