"""Hidden states to log-probabilities in one visit, a block of the vocabulary at a time."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from torch import Tensor

from pofx.models.pretrained.decoder import Rows
from pofx.models.pretrained.linear import Linear
from pofx.trace import Ints, Want

# Columns of a block and rows of a visit: 512 × 4,096 logits are 8 MB and stay in the cache. Product, exponentials and
# sums of 49,152 columns then run at 96 GFLOP/s; one product and one logsumexp over all columns at 31.
BLOCK = 4096
ROWS = 512
# The least logit that a product with 0 leaves at 0; and the log mass below which sums of float32 have lost digits.
LEAST = torch.finfo(torch.float32).min
FAINT = -70.0


@dataclass(frozen=True, eq=False)
class Read:
    """What was read off m laws: `logp[p]` of the p (row, token) pairs asked for, and per row what `Want` names."""

    logp: Tensor
    entropy: Tensor | None = None
    rank: Tensor | None = None
    top_ids: Tensor | None = None
    top_logp: Tensor | None = None
    end: Tensor | None = None
    masses: Tensor | None = None


class Head:
    """log softmax(cap(scale · (W h + b))) over all V rows of `W[V, d]`, never all of it at once.

    cap: c · tanh(z / c), or None. rows: where single rows of W are to be had, if not in W itself, which then need not be
    kept. Products in `dtype`; maxima, exponentials and sums of a block in float32, sums of
    blocks in float64. In bfloat16 the logit of a token asked for is taken once more in float32, so that it is not
    rounded to the 0.06 that bfloat16 has between 8 and 16.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        cap: float | None = None,
        scale: float = 1.0,
        dtype: torch.dtype = torch.float32,
        rows: Rows | None = None,
    ) -> None:
        self.size, self.width = weight.shape
        self.cap, self.scale, self.dtype = cap, scale, dtype
        self.rows: Rows = weight if rows is None else rows
        self.bias = bias
        self.blocks = [
            Linear(weight[lo : lo + BLOCK], None if bias is None else bias[lo : lo + BLOCK], dtype)
            for lo in range(0, self.size, BLOCK)
        ]

    @property
    def positive(self) -> bool:
        """Whether no token ever has probability 0. A softmax gives all something, but where a bias is −∞."""
        return self.bias is None or self.cap is not None or not bool(torch.isneginf(self.bias).any())

    def _shape(self, z: Tensor) -> Tensor:
        if self.scale != 1.0:
            z = z.mul_(self.scale)
        if self.cap is not None:
            z = z.div_(self.cap).tanh_().mul_(self.cap)
        return z

    def logits_at(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """The logit of one token a row, `[m, d]` and `[m]` to `[m]`, in float32 whatever the dtype."""
        z = (hidden * self.rows[ids].to(hidden.dtype)).sum(-1)
        if self.bias is not None:
            z = z + self.bias[ids]
        return self._shape(z)

    @torch.inference_mode()
    def law(self, hidden: Tensor) -> Tensor:
        """The whole law, `[n, d]` to `[n, V]` nats."""
        out = torch.empty(len(hidden), self.size)
        for lo in range(0, len(hidden), ROWS):
            h, z = hidden[lo : lo + ROWS], out[lo : lo + ROWS]
            for k, block in enumerate(self.blocks):
                z[:, k * BLOCK : (k + 1) * BLOCK] = self._shape(block(h))
            z -= torch.logsumexp(z, 1, keepdim=True)
        return out

    @torch.inference_mode()
    def read(self, hidden: Tensor, row: Ints, ids: Ints, want: Want, end: int | None) -> Read:
        """log p of `ids[p]` at rows `row[p]` of `hidden[m, d]`, and what is wanted of each row; m ≤ `ROWS`."""
        m = len(hidden)
        by_id = np.argsort(ids, kind="stable")
        sorted_ids = ids[by_id]
        row_t, ids_t = torch.from_numpy(row[by_id]), torch.from_numpy(sorted_ids)
        target = torch.empty(len(ids))
        exact = self.dtype == torch.bfloat16
        need = exact or want.rank
        direct = self.logits_at(hidden[row_t], ids_t) if need else None
        top = torch.full((m,), -torch.inf)
        total = torch.zeros(m, dtype=torch.float64)
        weighted = torch.zeros(m, dtype=torch.float64) if want.entropy else None
        rank = torch.ones(len(ids), dtype=torch.int64) if want.rank else None
        best: tuple[Tensor, Tensor] | None = None
        end_logit = torch.full((m,), -torch.inf)
        members = None if want.masses is None else torch.from_numpy(want.masses).float()
        masses = None if members is None else torch.zeros(m, len(members), dtype=torch.float64)
        for k, block in enumerate(self.blocks):
            lo = k * BLOCK
            z = self._shape(block(hidden))
            hi = lo + z.shape[1]
            a, b = np.searchsorted(sorted_ids, [lo, hi])
            if b > a:
                target[a:b] = z[row_t[a:b], ids_t[a:b] - lo]
            if rank is not None and direct is not None:
                # By the same product as the others where it is among them, or it could outrank itself.
                mine = direct.clone()
                mine[a:b] = target[a:b]
                rank += _above(z, row_t, mine)
            if want.top:
                best = _best(best, z, lo, want.top)
            if end is not None and lo <= end < hi:
                end_logit = z[:, end - lo].clone()
            high = torch.maximum(top, z.amax(1)).clamp_(min=LEAST)  # a block of −∞ alone has no finite one
            fade = (top - high).exp().double()
            e = z.sub_(high[:, None]) if weighted is None else z - high[:, None]
            e = e.exp_()
            if weighted is not None:
                weighted = weighted * fade + (e * z.clamp_(min=LEAST)).sum(1).double()  # 0 · −∞ is 0 here
            if masses is not None and members is not None:
                masses = masses * fade[:, None] + (e @ members[:, lo:hi].T).double()
            total = total * fade + e.sum(1).double()
            top = high
        lse = top.double() + total.log()
        if exact and direct is not None:
            target = direct
        if masses is not None and members is not None:
            masses = masses.log() - total.log()[:, None]
            self._faint(hidden, lse, members > 0, masses)
        logp = torch.empty(len(ids), dtype=torch.float64)
        logp[torch.from_numpy(by_id)] = target.double() - lse[row_t]
        ranks = None
        if rank is not None:
            ranks = torch.empty_like(rank)
            ranks[torch.from_numpy(by_id)] = rank
        return Read(
            logp,
            None if weighted is None else lse - weighted / total,
            ranks,
            None if best is None else best[1],
            None if best is None else best[0].double() - lse[:, None],
            end_logit.double() - lse if want.end and end is not None else None,
            masses,
        )

    def _faint(self, hidden: Tensor, lse: Tensor, sets: Tensor, masses: Tensor) -> None:
        """Log masses `[m, k]` whose exponentials left the range of float32: each anew, in units of its own largest."""
        faint = ~(masses > FAINT) & sets.any(1)
        rows, some = torch.nonzero(faint.any(1))[:, 0], torch.nonzero(faint.any(0))[:, 0]
        if not len(rows):
            return
        anew = torch.full((len(rows), len(some)), -torch.inf, dtype=torch.float64)
        for k, block in enumerate(self.blocks):
            z = self._shape(block(hidden[rows])).double()
            for j, i in enumerate(some):
                inside = z[:, sets[i, k * BLOCK : k * BLOCK + z.shape[1]]]
                if inside.shape[1]:
                    anew[:, j] = torch.logaddexp(anew[:, j], torch.logsumexp(inside, 1))
        anew -= lse[rows, None]
        at = rows[:, None], some[None, :]
        masses[at] = torch.where(faint[at], anew, masses[at])


class LogitsHead(Head):
    """For a body whose hidden states are logits already: the library's own, where its head is not to be had apart.

    logits: `[V]`, of any text. A logit of −∞ there is that of a bias, and so −∞ behind every text.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(torch.empty(0, 0))
        size = len(logits)
        self.size = self.width = size
        self.shut = bool(torch.isneginf(logits).any())
        self.blocks = [_Columns(lo, min(lo + BLOCK, size)) for lo in range(0, size, BLOCK)]

    @property
    def positive(self) -> bool:
        """As `Head` says."""
        return not self.shut

    def logits_at(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """As `Head` says."""
        return hidden.gather(1, ids[:, None])[:, 0]


class _Columns(Linear):
    """Columns of what is given, in place of a product."""

    def __init__(self, lo: int, hi: int) -> None:
        self.lo, self.hi = lo, hi

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, self.lo : self.hi].clone()


def _above(z: Tensor, row: Tensor, mine: Tensor) -> Tensor:
    """How many logits of each pair's row are above its own, 256 pairs at a time."""
    parts = [(z[row[lo : lo + 256]] > mine[lo : lo + 256, None]).sum(1) for lo in range(0, len(row), 256)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


def _best(so_far: tuple[Tensor, Tensor] | None, z: Tensor, lo: int, k: int) -> tuple[Tensor, Tensor]:
    """The k largest logits of what was seen and of a block, with their ids."""
    value, index = torch.topk(z, min(k, z.shape[1]), dim=1)
    index = index + lo
    if so_far is not None:
        value, index = torch.cat([so_far[0], value], 1), torch.cat([so_far[1], index], 1)
        value, pick = torch.topk(value, min(k, value.shape[1]), dim=1)
        index = index.gather(1, pick)
    return value, index
