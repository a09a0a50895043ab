"""The record of one teacher-forced pass: the log-probability of each token, and more on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, entropy, likeliest, logsumexp
from pofx.interactive.shown import Shown
from pofx.lm.log_checks import check_all_logs, check_logs
from pofx.values import check_whole_number

Ints = NDArray[np.int64]
Path = Sequence[int] | NDArray[Any]
MOST_TOP = 1_000_000  # beyond the size of any vocabulary


@dataclass(frozen=True)
class Want:
    """A request for numbers that a pass reports beside log p of each token; all are off by default, since each costs time.

    Attributes:
        entropy: Report the entropy −Σ_v p(v) log p(v) of the next-token distribution at each position, nats.
        rank: Report the rank of the token at each position: 1 + the number of tokens that are strictly likelier.
        top: Report the `top` likeliest tokens at each position, with their log-probabilities; 0 for none.
        end: Report log p(EOS) at each position, nats.
        masses: `[k, V]` of bool, k sets of tokens: report the log of the mass of each set at each position; None for none.

    Right: `lm.forward(paths, Want(entropy=True, top=5))`. Wrong: `Want(top=True)`, since `top` is a number.
    """

    entropy: bool = False
    rank: bool = False
    top: int = 0
    end: bool = False
    masses: NDArray[np.bool_] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", check_whole_number("top", self.top, 0, MOST_TOP))

    @property
    def rows(self) -> bool:
        """Whether the request needs the whole next-token distribution of a position."""
        return self.entropy or self.rank or self.top > 0 or self.end or self.masses is not None

    @property
    def key(self) -> tuple[object, ...]:
        """All fields as a tuple, the sets of tokens included; two requests differ where their keys differ."""
        return self.entropy, self.rank, self.top, self.end, self.masses


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Shown):
    """The record of a pass over many paths: log p(x_i | x_<i) of each position, and the numbers that a `Want` requests.

    A field is a tuple with one array a path, or None where the `Want` does not request the field. The array of a path x of
    length t begins at the first position s that is scored, so the array has t − s rows.

    Attributes:
        logp: `[t − s]`, log p(x_i | x_<i), nats.
        entropy: `[t − s]`, the entropy of the next-token distribution, nats.
        rank: `[t − s]`, 1 + the number of tokens that are strictly likelier than x_i.
        top_ids: `[t − s, top]`, the likeliest tokens, the likeliest one first.
        top_logp: `[t − s, top]`, their log-probabilities, nats.
        end: `[t − s]`, log p(EOS | x_<i), nats.
        masses: `[t − s, k]`, the log of the mass of each set of tokens, nats.
        low: `[t − s]`, for an LM with `interval`, terms of a lower bound, nats:
            Σ_{j≤i} low[j] ≤ log P(x_s … x_i | x_<s) for every i.
        high: `[t − s]`, likewise terms of an upper bound.
        leak: `[t − s]`, for an LM with `leaks`, the mass of tokens that spell nothing, before it is renormalised away.

    Right: `trace.logp[0].sum()`, log p of the first path. Wrong: `trace.entropy[0]` without
    `Want(entropy=True)`, since the field is None then.
    """

    logp: tuple[NDArray[np.float64], ...]
    entropy: tuple[NDArray[np.float64], ...] | None = None
    rank: tuple[Ints, ...] | None = None
    top_ids: tuple[Ints, ...] | None = None
    top_logp: tuple[NDArray[np.float64], ...] | None = None
    end: tuple[NDArray[np.float64], ...] | None = None
    masses: tuple[NDArray[np.float64], ...] | None = None
    low: tuple[NDArray[np.float64], ...] | None = None
    high: tuple[NDArray[np.float64], ...] | None = None
    leak: tuple[NDArray[np.float64], ...] | None = None

    def of_paths(self, lo: int, hi: int) -> Trace:
        """Return the record of the paths `lo` to `hi` − 1 alone."""
        whole = {f.name: getattr(self, f.name) for f in fields(self)}
        values: dict[str, Any] = {name: None if of is None else of[lo:hi] for name, of in whole.items()}
        return Trace(**values)

    def __post_init__(self) -> None:
        """Raise `NoLaw` where a number of any field is nan or +∞."""
        check_all_logs(self.logp, "log p of tokens")
        for name in _NUMBERS:
            found = getattr(self, name)
            if found is not None:
                check_all_logs(found, f"values of {name}")


_NUMBERS = ("entropy", "top_logp", "end", "masses", "low", "high", "leak")
# In float64 exp of a lower logarithm loses digits, or all of them.
FAINT = -690.0


_FILLED = ("logp", "entropy", "rank", "top_ids", "top_logp", "end", "masses")


class TraceBuilder:
    """Collects values position by position, in any order, and builds the `Trace`. Local to one call of `forward`."""

    def __init__(self, lengths: Sequence[int], want: Want, end: int | None) -> None:
        self._offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
        n = int(self._offsets[-1])
        self._want, self._end = want, end
        self.logp = np.full(n, np.nan)
        self.entropy = np.full(n if want.entropy else 0, np.nan)
        self.rank = np.zeros(n if want.rank else 0, dtype=np.int64)
        self.top_ids = np.zeros((n if want.top else 0, want.top), dtype=np.int64)
        self.top_logp = np.full((n if want.top else 0, want.top), -np.inf)
        self.end = np.full(n if want.end else 0, -np.inf)
        self.masses = np.full((0, 0) if want.masses is None else (n, len(want.masses)), -np.inf)

    def offset(self, path: int) -> int:
        """Return the flat position of the first position of a path."""
        return int(self._offsets[path])

    def put_distributions(self, at: Ints, logp: Floats, ids: Ints, which: Ints | None = None) -> None:
        """Compute the requested values from whole next-token distributions, and store them at flat positions.

        Args:
            at: `[p]`, the flat positions.
            logp: `[m, V]` nats, the distributions.
            ids: `[p]`, the token at each position.
            which: `[p]`, the row of `logp` for each position; by default row i for position i.
        """
        check_logs(logp)
        each = np.arange(len(ids)) if which is None else which
        self.put(at, _requested_values(logp, each, ids, self._want, self._end))

    def values_at(self, places: Ints) -> dict[str, NDArray[Any]]:
        """Return the stored values at flat positions, by field."""
        filled = {name: getattr(self, name) for name in _FILLED}
        return {name: a[places] for name, a in filled.items() if len(a)}

    def put(self, places: Ints, found: Mapping[str, NDArray[Any]]) -> None:
        """Store values at flat positions, by field, as `values_at` returns them.

        The likeliest tokens may be fewer than requested, where the vocabulary is smaller.
        """
        for name, values in found.items():
            into = getattr(self, name)
            if values.ndim > 1:
                into = into[:, : values.shape[1]]
            into[places] = values

    def build(self) -> Trace:
        """Return the finished trace, cut into paths."""
        cuts = list(pairwise(self._offsets.tolist()))

        def split(a: NDArray[Any], asked: bool) -> tuple[NDArray[Any], ...] | None:
            return tuple(a[lo:hi] for lo, hi in cuts) if asked else None

        want = self._want
        return Trace(
            tuple(self.logp[lo:hi] for lo, hi in cuts),
            split(self.entropy, want.entropy),
            split(self.rank, want.rank),
            split(self.top_ids, want.top > 0),
            split(self.top_logp, want.top > 0),
            split(self.end, want.end),
            split(self.masses, want.masses is not None),
        )


def _requested_values(
    logp: Floats, each: Ints, ids: Ints, want: Want, end: int | None
) -> dict[str, NDArray[Any]]:
    """Return the requested values of p pairs of a distribution `logp[each[p]]` and a token `ids[p]`, by field of `Trace`."""
    own = logp[each, ids]
    out: dict[str, NDArray[Any]] = {"logp": own.astype(np.float64)}
    if want.entropy:
        out["entropy"] = entropy(logp)[each]
    if want.rank:
        out["rank"] = 1 + np.sum(logp[each] > own[:, None], axis=1)
    if want.top:
        best = likeliest(logp, want.top)
        out["top_ids"] = best[each]
        out["top_logp"] = np.take_along_axis(logp, best, axis=1)[each]
    if want.end and end is not None:
        out["end"] = logp[each, end]
    if want.masses is not None:
        out["masses"] = log_masses(logp, want.masses)[each]
    return out


def log_masses(logp: Floats, sets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log of the mass of k sets `[k, V]` in m distributions `logp[m, V]`; `[m, k]` nats, also for tiny masses."""
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = np.log(np.exp(logp.astype(np.float64)) @ sets.T)
    for k in np.flatnonzero((out < FAINT).any(axis=0) & sets.any(axis=1)):
        out[:, k] = logsumexp(logp[:, sets[k]])
    return out
