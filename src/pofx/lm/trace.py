"""What one teacher-forced pass reports: the log-probability of each token, and more only on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, entropy, logsumexp
from pofx.lm.log_checks import check_all_logs, check_logs
from pofx.values import check_whole_number

Ints = NDArray[np.int64]
Path = Sequence[int] | NDArray[Any]
MOST_TOP = 1_000_000  # more likeliest tokens than any vocabulary has


@dataclass(frozen=True)
class Want:
    """What a pass should report beside log p of each token. All of it is off by default, since it costs.

    entropy: −Σ p log p of the law at each position, nats.
    rank: 1 + the number of tokens strictly likelier than the one that came.
    top: the k likeliest tokens of each position with their log-probabilities.
    end: log p(EOS) at each position.
    masses: `[k, V]` of bool: log of the mass of each of k sets of tokens, at each position.
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
        """Whether anything asked for needs the whole law of a position."""
        return self.entropy or self.rank or self.top > 0 or self.end or self.masses is not None

    @property
    def key(self) -> tuple[object, ...]:
        """All that is wanted, the sets of tokens included, to be told from another by (`read_once`)."""
        return self.entropy, self.rank, self.top, self.end, self.masses


@dataclass(frozen=True, eq=False)
class Trace:
    """Per path, per position: `logp[i] = log p(x_i | x_<i)` in nats, and what `Want` asked for.

    Every field is a tuple over paths. With `skip = s`, arrays begin at position s: shape `[len(path) − s]`.

    low, high: of an LM that sums over some of many terms (`LM.interval`). Terms like those of `logp`: for every i
    Σ_{j≤i} low[j] ≤ log P(x_s … x_i | x_<s) ≤ Σ_{j≤i} high[j], of the value it stands for. leak: of an LM that
    renormalises them away, the mass on tokens that spell nothing, at each position.
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

    def __post_init__(self) -> None:
        """`NoLaw` where any of these is no number, whoever made them."""
        check_all_logs(self.logp, "log p of tokens")
        for name in _NUMBERS:
            found = getattr(self, name)
            if found is not None:
                check_all_logs(found, f"values of {name}")


_NUMBERS = ("entropy", "top_logp", "end", "masses", "low", "high", "leak")
# exp of a lower logarithm has lost digits in float64, or all of them.
FAINT = -690.0


_FILLED = ("logp", "entropy", "rank", "top_ids", "top_logp", "end", "masses")


class TraceBuilder:
    """Collects positions in any order and hands out the `Trace`. Local to one call of `forward`."""

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
        """Where the positions of a path begin in the flat arrays."""
        return int(self._offsets[path])

    def put_laws(self, at: Ints, logp: Floats, ids: Ints, which: Ints | None = None) -> None:
        """Read what is wanted off whole next-token distributions, and put it at flat positions `at[p]`.

        Args:
            at: `[p]`, flat positions.
            logp: `[m, V]` nats, the distributions.
            ids: `[p]`, the token that came at each position.
            which: `[p]`, the row of `logp` that holds at each position; row i at position i without.
        """
        check_logs(logp)
        each = np.arange(len(ids)) if which is None else which
        self.put(at, _off_whole_laws(logp, each, ids, self._want, self._end))

    def values_at(self, places: Ints) -> dict[str, NDArray[Any]]:
        """What is known of flat positions, by field."""
        filled = {name: getattr(self, name) for name in _FILLED}
        return {name: a[places] for name, a in filled.items() if len(a)}

    def put(self, places: Ints, found: Mapping[str, NDArray[Any]]) -> None:
        """Values of fields at flat positions: what `at` gave of these, or what was read there.

        Of the likeliest tokens there may be fewer than are wanted, where the vocabulary has no more.
        """
        for name, values in found.items():
            into = getattr(self, name)
            if values.ndim > 1:
                into = into[:, : values.shape[1]]
            into[places] = values

    def build(self) -> Trace:
        """The finished trace, cut into paths."""
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


def _off_whole_laws(
    logp: Floats, each: Ints, ids: Ints, want: Want, end: int | None
) -> dict[str, NDArray[Any]]:
    """What `Want` names of p (distribution, token) pairs, by field of `Trace`: rows `each[p]` of `logp[m, V]`."""
    own = logp[each, ids]
    out: dict[str, NDArray[Any]] = {"logp": own.astype(np.float64)}
    if want.entropy:
        out["entropy"] = entropy(logp)[each]
    if want.rank:
        out["rank"] = 1 + np.sum(logp[each] > own[:, None], axis=1)
    if want.top:
        best = np.argsort(-logp, axis=1, kind="stable")[:, : want.top]
        out["top_ids"] = best[each]
        out["top_logp"] = np.take_along_axis(logp, best, axis=1)[each]
    if want.end and end is not None:
        out["end"] = logp[each, end]
    if want.masses is not None:
        out["masses"] = log_masses(logp, want.masses)[each]
    return out


def log_masses(logp: Floats, sets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """log Σ_{v in a set} p(v) of rows `logp[m, V]` and sets `[k, V]`, `[m, k]` nats, however small a mass is."""
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = np.log(np.exp(logp.astype(np.float64)) @ sets.T)
    for k in np.flatnonzero((out < FAINT).any(axis=0) & sets.any(axis=1)):
        out[:, k] = logsumexp(logp[:, sets[k]])
    return out
