"""What a law says of the text that follows: the masses of the tokens that begin it, of each that it closes, of EOS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.algorithms.byte_ranges import ByteRanges
from pofx.algorithms.logspace import Floats
from pofx.lm.log_checks import check_logs
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.sorted_tokens import Tokens


@dataclass(frozen=True)
class Reading:
    """Of one law, at one place of a text; logs, nats.

    spelling: log(1 − p(control tokens)). end: log p(EOS). open: at [d], the mass of the tokens that go on behind the d
    next bytes of the text. closed: at [d], (id, log p) of the tokens that are these d bytes. Both begin with d = 1.
    """

    spelling: float
    end: float
    open: tuple[float, ...]
    closed: tuple[tuple[tuple[int, float], ...], ...]


class Spellings:
    """The tokens that begin at each place of a text, by how many of its bytes they share: ranges of the vocabulary."""

    def __init__(self, ranges: ByteRanges, data: Ints) -> None:
        n = len(data)
        at, lo, hi = np.arange(n), np.zeros(n, dtype=np.int64), np.full(n, ranges.size)
        self._ranges = ranges
        self._found: list[list[tuple[int, int, int]]] = [[] for _ in range(n)]
        depth = 0
        while True:
            inside = np.flatnonzero(at + depth < n)
            at, lo, hi = at[inside], lo[inside], hi[inside]
            lo, hi = ranges.narrow(lo, hi, np.full(len(at), depth), data[at + depth])
            going = np.flatnonzero(lo < hi)
            if not len(going):
                return
            at, lo, hi = at[going], lo[going], hi[going]
            depth += 1
            closed = ranges.count_closed(lo, hi, np.full(len(at), depth))
            for k, a, b, c in zip(at.tolist(), lo.tolist(), hi.tolist(), closed.tolist()):
                self._found[k].append((a, a + c, b))

    def of(self, place: int) -> list[tuple[int, int, int]]:
        """At [d − 1]: tokens that are the next d bytes, and those that go on behind them: places [lo, mid) and [mid, hi)."""
        return self._found[place] if place < len(self._found) else []

    def token(self, at: int) -> int:
        """The id at a place of the sorted vocabulary."""
        return int(self._ranges.ids[at])


def readings(tokens: Tokens, logp: Floats, wanted: Sequence[tuple[int, Spellings, int]]) -> list[Reading]:
    """Rows of laws `[m, V]`, each read at a place of a text: (row, text, place). `NoLaw` where one is no number."""
    check_logs(logp)
    rows = np.unique([r for r, _, _ in wanted])
    spelling = dict(zip(rows.tolist(), tokens.spelling(logp, rows).tolist()))
    found = [spellings.of(place) for _, spellings, place in wanted]
    row = np.array([r for (r, _, _), f in zip(wanted, found) for _ in f], dtype=np.int64)
    bounds = np.array([b for f in found for b in f], dtype=np.int64).reshape(-1, 3)
    mass = tokens.ranges.mass(logp, row, bounds[:, 1], bounds[:, 2]).tolist()
    out, at = [], 0
    for (r, _, _), f in zip(wanted, found):
        closed = []
        for lo, mid, _ in f:
            ids = tokens.ranges.ids[lo:mid]
            closed.append(tuple(zip(ids.tolist(), logp[r, ids].astype(np.float64).tolist())))
        end = float(logp[r, tokens.end]) if tokens.end is not None else -np.inf
        out.append(Reading(spelling[r], end, tuple(mass[at : at + len(f)]), tuple(closed)))
        at += len(f)
    return out
