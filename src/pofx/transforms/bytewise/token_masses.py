"""The masses that a next-token distribution gives to the tokens that spell the next bytes of a known text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.algorithms.byte_ranges import ByteRanges
from pofx.algorithms.logspace import Floats
from pofx.lm.log_checks import check_logs
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.sorted_tokens import SortedVocabulary


@dataclass(frozen=True)
class TokenMasses:
    """The masses of one next-token distribution at one place of a text.

    Attributes:
        spelling: log(1 − p(control tokens)), nats.
        end: log p(EOS), nats.
        open: Entry d − 1 is the log mass of the longer tokens that begin with the d next bytes of the text, nats.
        closed: Entry d − 1 has (id, log p) of each token that is exactly the d next bytes, nats.
    """

    spelling: float
    end: float
    open: tuple[float, ...]
    closed: tuple[tuple[tuple[int, float], ...], ...]


class Spellings:
    """The ranges of the sorted vocabulary that begin with the next 1, 2, … bytes, for each place of a text.

    Args:
        ranges: The sorted vocabulary.
        data: The bytes of the text, `[n]`.
    """

    def __init__(self, ranges: ByteRanges, data: Ints) -> None:
        n = len(data)
        at, lo, hi = np.arange(n), np.zeros(n, dtype=np.int64), np.full(n, ranges.size)
        self._ranges = ranges
        self._by_place: list[list[tuple[int, int, int]]] = [[] for _ in range(n)]
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
                self._by_place[k].append((a, a + c, b))

    def of(self, place: int) -> list[tuple[int, int, int]]:
        """Return the ranges at a place of the text.

        Returns:
            Entry d − 1 is (lo, mid, hi): tokens [lo, mid) are the next d bytes, tokens [mid, hi) are longer and begin with
            these bytes.
        """
        return self._by_place[place] if place < len(self._by_place) else []

    def token(self, at: int) -> int:
        """Return the id of the token at one place of the sorted vocabulary."""
        return int(self._ranges.ids[at])


def token_masses(
    tokens: SortedVocabulary, logp: Floats, wanted: Sequence[tuple[int, Spellings, int]]
) -> list[TokenMasses]:
    """Return the masses of next-token distributions, each at one place of a text.

    Args:
        tokens: The vocabulary, sorted.
        logp: Next-token distributions, `[m, V]`, nats.
        wanted: For each result the row of `logp`, the text and the place in the text.

    Raises:
        NoLaw: A number among `logp` is no log-probability.
    """
    check_logs(logp)
    rows = np.unique([r for r, _, _ in wanted])
    spelling = dict(zip(rows.tolist(), tokens.spelling(logp, rows).tolist()))
    ranges = [spellings.of(place) for _, spellings, place in wanted]
    row = np.array([r for (r, _, _), mine in zip(wanted, ranges) for _ in mine], dtype=np.int64)
    bounds = np.array([b for mine in ranges for b in mine], dtype=np.int64).reshape(-1, 3)
    mass = tokens.ranges.mass(logp, row, bounds[:, 1], bounds[:, 2]).tolist()
    out, at = [], 0
    for (r, _, _), mine in zip(wanted, ranges):
        closed = []
        for lo, mid, _ in mine:
            ids = tokens.ranges.ids[lo:mid]
            closed.append(tuple(zip(ids.tolist(), logp[r, ids].astype(np.float64).tolist())))
        end = float(logp[r, tokens.end]) if tokens.end is not None else -np.inf
        out.append(TokenMasses(spelling[r], end, tuple(mass[at : at + len(mine)]), tuple(closed)))
        at += len(mine)
    return out
