"""Log-probabilities from hidden states, computed one block of the vocabulary at a time."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.lm.trace import Ints, Want
from pofx.models.pretrained.inference.accumulators import (
    Entropy,
    FaintMasses,
    LogSumExp,
    Masses,
    OfExponentials,
    OfLogits,
    Pairs,
    Ranks,
    Targets,
    Top,
)
from pofx.models.pretrained.inference.decoder import MatrixRows
from pofx.models.pretrained.inference.linear import Linear

# Columns of a block, and rows of a call: 512 × 4,096 logits are 8 MB and stay in the cache. Product, exponentials and sums
# of 49,152 columns then run at 96 GFLOP/s, and one product and one logsumexp over all columns at 31 GFLOP/s.
BLOCK = 4096
ROWS = 512
# The log mass below which sums of float32 have lost digits.
FAINT = -70.0


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """The numbers of m distributions: `logp[p]` of the p requested (row, token) pairs, and the fields of `Want` a row."""

    logp: Tensor
    entropy: Tensor | None = None
    rank: Tensor | None = None
    top_ids: Tensor | None = None
    top_logp: Tensor | None = None
    end: Tensor | None = None
    masses: Tensor | None = None

    def of_pairs(self, row: Ints) -> dict[str, NDArray[Any]]:
        """Return each wanted field by its name, with one entry for each of the p pairs, whose rows are `row[p]`."""
        out = {"logp": self.logp.numpy()} | ({} if self.rank is None else {"rank": self.rank.numpy()})
        for name in ("entropy", "top_ids", "top_logp", "end", "masses"):
            found: Tensor | None = getattr(self, name)
            if found is not None:
                out[name] = found.numpy()[row]
        return out


class Head:
    """The output layer: log softmax(cap(scale · (W h + b))) over all V rows of `W[V, d]`, a block of rows at a time.

    Maxima, exponentials and the sum of a block are in float32, sums of blocks in float64. In bfloat16 the logit of a wanted
    token is computed once more in float32, since bfloat16 has steps of 0.06 between 8 and 16.

    Args:
        weight: `[V, d]`, W.
        bias: `[V]`, b; None for no bias.
        cap: The c of c·tanh(z/c); None for no cap.
        scale: The factor of the logits.
        dtype: The dtype of the products.
        rows: A source of single rows of W, which then need not be kept; None for W itself.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        cap: float | None = None,
        scale: float = 1.0,
        dtype: torch.dtype = torch.float32,
        rows: MatrixRows | None = None,
    ) -> None:
        self.size, self.width = weight.shape
        self.cap, self.scale, self.dtype = cap, scale, dtype
        self.rows: MatrixRows = weight if rows is None else rows
        self.bias = bias
        self.blocks = [
            Linear(weight[lo : lo + BLOCK], None if bias is None else bias[lo : lo + BLOCK], dtype)
            for lo in range(0, self.size, BLOCK)
        ]

    @property
    def positive(self) -> bool:
        """Whether no token ever has probability 0, as in every softmax whose bias has no −∞."""
        return self.bias is None or self.cap is not None or not bool(torch.isneginf(self.bias).any())

    def _shape(self, z: Tensor) -> Tensor:
        if self.scale != 1.0:
            z = z.mul_(self.scale)
        if self.cap is not None:
            z = z.div_(self.cap).tanh_().mul_(self.cap)
        return z

    def logits_at(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Return the logit of one token a row, `[m]`, from `hidden[m, d]` and `ids[m]`, in float32 whatever the dtype."""
        z = (hidden * self.rows[ids].to(hidden.dtype)).sum(-1)
        if self.bias is not None:
            z = z + self.bias[ids]
        return self._shape(z)

    @torch.inference_mode()
    def log_softmax(self, hidden: Tensor) -> Tensor:
        """Return the whole distribution, `[n, d]` to `[n, V]` nats."""
        out = torch.empty(len(hidden), self.size)
        for lo in range(0, len(hidden), ROWS):
            h, z = hidden[lo : lo + ROWS], out[lo : lo + ROWS]
            for k, block in enumerate(self.blocks):
                z[:, k * BLOCK : (k + 1) * BLOCK] = self._shape(block(h))
            z -= torch.logsumexp(z, 1, keepdim=True)
        return out

    @torch.inference_mode()
    def read(self, hidden: Tensor, row: Ints, ids: Ints, want: Want, end: int | None) -> HeadOutput:
        """Read log p of the ids `ids[p]` at rows `row[p]` of `hidden[m, d]`, and the fields of `want`; m ≤ `ROWS`."""
        m = len(hidden)
        pairs, normaliser = Pairs(row, ids), LogSumExp(m)
        targets = Targets(pairs)
        exact = self.dtype == torch.bfloat16
        direct = self.logits_at(hidden[pairs.row], pairs.ids) if exact or want.rank else None
        ranks = Ranks(pairs, direct) if want.rank and direct is not None else None
        entropy = Entropy(normaliser) if want.entropy else None
        top = Top(m, want.top) if want.top else None
        ends = None if end is None or not want.end else Targets(Pairs(np.arange(m), np.full(m, end)))
        sets = None if want.masses is None else torch.from_numpy(want.masses)
        masses = None if sets is None else Masses(normaliser, sets)
        of_logits: list[OfLogits] = [a for a in (targets, ranks, top, ends) if a is not None]
        of_exponentials: list[OfExponentials] = [a for a in (entropy, masses) if a is not None]
        for k, product in enumerate(self.blocks):
            logits = self._shape(product(hidden))
            for a in of_logits:
                a.add(logits, k * BLOCK)
            block = normaliser.add(logits, k * BLOCK, keep=entropy is not None)
            for b in of_exponentials:
                b.add(block)
            del logits, block  # the next block takes this memory, which is in the cache
        lse = normaliser.result()
        target = pairs.as_given(direct) if exact and direct is not None else targets.result()
        likeliest = None if top is None else top.result()
        return HeadOutput(
            target.double() - lse[torch.from_numpy(row)],
            None if entropy is None else entropy.result(),
            None if ranks is None else ranks.result(),
            None if likeliest is None else likeliest[0],
            None if likeliest is None else likeliest[1].double() - lse[:, None],
            None if ends is None else ends.result().double() - lse,
            None if masses is None or sets is None else self._with_faint(hidden, lse, sets, masses.result()),
        )

    def _with_faint(self, hidden: Tensor, lse: Tensor, sets: Tensor, masses: Tensor) -> Tensor:
        """Return log masses `[m, k]`; masses below the range of float32 come from a second pass over the vocabulary."""
        faint = ~(masses > FAINT) & sets.any(1)
        rows, some = torch.nonzero(faint.any(1))[:, 0], torch.nonzero(faint.any(0))[:, 0]
        if not len(rows):
            return masses
        again = FaintMasses(len(rows), sets[some])
        for k, product in enumerate(self.blocks):
            again.add(self._shape(product(hidden[rows])), k * BLOCK)
        at = rows[:, None], some[None, :]
        masses[at] = torch.where(faint[at], again.result() - lse[rows, None], masses[at])
        return masses


class LogitsHead(Head):
    """A head for a body whose hidden states are logits already, as of a library's model that has no separate head.

    Args:
        logits: `[V]`, the logits of any text. A logit of −∞ comes from a bias, and is −∞ after every text.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(torch.empty(0, 0))
        size = len(logits)
        self.size = self.width = size
        self.shut = bool(torch.isneginf(logits).any())
        self.blocks = [_Columns(lo, min(lo + BLOCK, size)) for lo in range(0, size, BLOCK)]

    @property
    def positive(self) -> bool:
        """Whether no token ever has probability 0."""
        return not self.shut

    def logits_at(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Do as `Head` says."""
        return hidden.gather(1, ids[:, None])[:, 0]


class _Columns(Linear):
    """Some columns of the input, in place of a product."""

    def __init__(self, lo: int, hi: int) -> None:
        self.lo, self.hi = lo, hi

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, self.lo : self.hi].clone()
