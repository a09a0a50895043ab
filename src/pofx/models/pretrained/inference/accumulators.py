"""Numbers of a softmax over the vocabulary, each accumulated over blocks of logits.

`Targets`, `Ranks` and `Top` add the logits. `LogSumExp` adds the logits last, since it turns them into the exponentials that
`Entropy` and `Masses` add. The method `result` of each class returns its number of the distribution. Tensors are made on
torch's default device.
"""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from torch import Tensor

from pofx.lm.trace import Ints

# The least finite logit, which stands for −∞ where a product with 0 must be 0.
LEAST = torch.finfo(torch.float32).min
PAIRS = 256  # pairs whose rows of logits are compared at a time


@dataclass(frozen=True, eq=False)
class Exponentials:
    """exp(logit − peak) of m rows and consecutive token ids; peak is the largest logit of the row so far.

    Attributes:
        first: The id of the first column.
        weights: `[m, b]`, the exponentials.
        fade: `[m]`, float64: exp(peak before this block − peak), the factor of sums over earlier blocks.
        logits: `[m, b]`, or None where the exponentials have taken their memory.
    """

    first: int
    weights: Tensor
    fade: Tensor
    logits: Tensor | None


class OfLogits(Protocol):
    """An accumulator of logits, which adds the blocks of a vocabulary, each once, in any order."""

    def add(self, logits: Tensor, first: int) -> None:
        """Add `logits[m, b]` of the ids from `first` on, without changing them."""


class OfExponentials(Protocol):
    """An accumulator of the exponentials that `LogSumExp` makes of the blocks, in the same order."""

    def add(self, block: Exponentials) -> None:
        """Add one block."""


class LogSumExp:
    """The number log Σ_v exp z_v of m rows. Sums inside a block are float32, sums of blocks float64.

    A row with a logit of nan or +∞ has the result nan, and a row of −∞ alone the result −∞.
    """

    def __init__(self, m: int) -> None:
        self.peak = torch.full((m,), -torch.inf)
        self.total = torch.zeros(m, dtype=torch.float64)

    def add(self, logits: Tensor, first: int, keep: bool = False) -> Exponentials:
        """Add `logits[m, b]` of the ids from `first` on, and return their exponentials.

        Args:
            logits: `[m, b]`.
            first: The id of the first column.
            keep: Whether the logits stay as they are. Otherwise the exponentials take their memory, which is faster.
        """
        peak = torch.maximum(self.peak, logits.amax(1)).clamp_(
            min=LEAST
        )  # a block of −∞ alone has no finite logit
        fade = (self.peak - peak).exp().double()
        weights = (logits - peak[:, None] if keep else logits.sub_(peak[:, None])).exp_()
        self.total = self.total * fade + weights.sum(1).double()
        self.peak = peak
        return Exponentials(first, weights, fade, logits if keep else None)

    def result(self) -> Tensor:
        """Return `[m]` nats, float64."""
        return self.peak.double() + self.total.log()


class Entropy:
    """The entropy −Σ_v p_v log p_v of m rows, nats: log Σ exp z − Σ z exp z / Σ exp z."""

    def __init__(self, normaliser: LogSumExp) -> None:
        self._normaliser = normaliser
        self._weighted = torch.zeros_like(normaliser.total)

    def add(self, block: Exponentials) -> None:
        """Add a block with its logits; a token of probability 0 adds 0, though its logit is −∞."""
        assert block.logits is not None  # noqa: S101  (ours: `LogSumExp.add` keeps the logits for the entropy)
        products = block.logits.clamp(min=LEAST).mul_(block.weights)
        self._weighted = self._weighted * block.fade + products.sum(1).double()

    def result(self) -> Tensor:
        """Return `[m]` nats, float64."""
        return self._normaliser.result() - self._weighted / self._normaliser.total


class Masses:
    """The log masses log Σ_{v in a set} p_v of m rows and k sets of tokens.

    Args:
        normaliser: The sum that scales the blocks.
        sets: `[k, V]` of bool.
    """

    def __init__(self, normaliser: LogSumExp, sets: Tensor) -> None:
        self._normaliser = normaliser
        self._members = sets.float()
        self._sums = torch.zeros(len(normaliser.total), len(sets), dtype=torch.float64)

    def add(self, block: Exponentials) -> None:
        """Do as `OfExponentials` says."""
        inside = self._members[:, block.first : block.first + block.weights.shape[1]]
        self._sums = self._sums * block.fade[:, None] + (block.weights @ inside.T).double()

    def result(self) -> Tensor:
        """Return `[m, k]` nats, float64. Below about −70 float32 has lost some or all digits (`FaintMasses`)."""
        return self._sums.log() - self._normaliser.total.log()[:, None]


class FaintMasses:
    """The sums log Σ_{v in a set} exp z_v of m rows and k sets, each in units of its own largest term, so never 0."""

    def __init__(self, m: int, sets: Tensor) -> None:
        self._sets = sets
        self._sums = torch.full((m, len(sets)), -torch.inf, dtype=torch.float64)

    def add(self, logits: Tensor, first: int) -> None:
        """Do as `OfLogits` says."""
        z = logits.double()
        for k, members in enumerate(self._sets[:, first : first + z.shape[1]]):
            inside = z[:, members]
            if inside.shape[1]:
                self._sums[:, k] = torch.logaddexp(self._sums[:, k], torch.logsumexp(inside, 1))

    def result(self) -> Tensor:
        """Return `[m, k]` nats, float64; the normaliser is not subtracted."""
        return self._sums


class Pairs:
    """The requested tokens of rows, with ids in rising order, so that the ids of a block lie together.

    Attributes:
        row: `[p]`, the row of each pair.
        ids: `[p]`, the token of each pair, rising.
    """

    def __init__(self, row: Ints, ids: Ints) -> None:
        order = np.argsort(ids, kind="stable")
        self._sorted = ids[order]
        self._order = torch.from_numpy(order)
        self.row, self.ids = torch.from_numpy(row[order]), torch.from_numpy(self._sorted)

    def within(self, logits: Tensor, first: int) -> tuple[slice, Tensor]:
        """Return the pairs whose token is in a block `[m, b]` of the ids from `first` on, and their logits."""
        lo, hi = np.searchsorted(self._sorted, [first, first + logits.shape[1]])
        some = slice(int(lo), int(hi))
        return some, logits[self.row[some], self.ids[some] - first]

    def as_given(self, values: Tensor) -> Tensor:
        """Return one value for each pair, in the order in which the pairs were given."""
        out = torch.empty_like(values)
        out[self._order] = values
        return out


class Targets:
    """The logit z_v of one token v for each pair."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._logits = torch.full((len(pairs.ids),), torch.nan)  # nan until the block of the token has come

    def add(self, logits: Tensor, first: int) -> None:
        """Do as `OfLogits` says."""
        some, found = self._pairs.within(logits, first)
        self._logits[some] = found

    def result(self) -> Tensor:
        """Return `[p]`, float32, in the order in which the pairs were given."""
        return self._pairs.as_given(self._logits)


class Ranks:
    """The rank of each pair's token: 1 + the number of tokens with a larger logit.

    Args:
        pairs: The pairs.
        logits: `[p]`, one logit for each pair, in the order of `pairs.ids`. The result of `Targets` has another order, that
            of the caller. In the token's own block the logit of the block counts instead, since rounding could rank the
            token above itself.
    """

    def __init__(self, pairs: Pairs, logits: Tensor) -> None:
        self._pairs, self._logits = pairs, logits
        self._ranks = torch.ones(len(pairs.ids), dtype=torch.int64)

    def add(self, logits: Tensor, first: int) -> None:
        """Do as `OfLogits` says."""
        some, found = self._pairs.within(logits, first)
        own = self._logits.clone()
        own[some] = found
        for lo in range(0, len(own), PAIRS):
            now = slice(lo, lo + PAIRS)
            self._ranks[now] += (logits[self._pairs.row[now]] > own[now, None]).sum(1)

    def result(self) -> Tensor:
        """Return `[p]`, int64, in the order in which the pairs were given."""
        return self._pairs.as_given(self._ranks)


class Top:
    """The k largest logits of m rows with their ids, the largest first; fewer if the vocabulary is smaller."""

    def __init__(self, m: int, k: int) -> None:
        self._k = k
        self._logits, self._ids = torch.empty(m, 0), torch.empty(m, 0, dtype=torch.int64)

    def add(self, logits: Tensor, first: int) -> None:
        """Do as `OfLogits` says."""
        best, place = torch.topk(logits, min(self._k, logits.shape[1]), dim=1)
        ids = place + first
        if self._ids.shape[1]:
            best, ids = torch.cat([self._logits, best], 1), torch.cat([self._ids, ids], 1)
            best, place = torch.topk(best, min(self._k, best.shape[1]), dim=1)
            ids = ids.gather(1, place)
        self._logits, self._ids = best, ids

    def result(self) -> tuple[Tensor, Tensor]:
        """Return ids and logits, both `[m, k]`."""
        return self._ids, self._logits
