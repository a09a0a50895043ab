"""The training objective, −Σ log p(targets) / number of targets, and its gradient."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from typing import Any

from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import numpy as np
import torch
from torch import Tensor

from pofx.models.transformer.attention import PackedLayout
from pofx.models.transformer.net import Net
from pofx.models.transformer.windows import Batch

CHUNK_BYTES = 1 << 26  # of logits held at a time


def fast_dtype() -> torch.dtype:
    """Return the dtype of matrix products: bfloat16 where the processor has it (twice as fast), else float32."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    native = any(getattr(torch.cpu, name, bool)() for name in names)
    return torch.bfloat16 if native else torch.float32


class SummedNats(torch.autograd.Function):
    """The sum −Σ log softmax(h Wᵀ)[target], by chunks of rows, so that logits never exist as a whole."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """Compute the sum, nats, from `hidden[M, d]`, `head[V, d]` and `targets[M]`, and the gradients on the way."""
        rows = max(1, CHUNK_BYTES // (4 * len(head)))
        d_hidden, d_head = torch.empty_like(hidden), torch.zeros_like(head)
        total = torch.zeros((), dtype=torch.float64)
        for lo in range(0, len(hidden), rows):
            h, t = hidden[lo : lo + rows], targets[lo : lo + rows, None]
            z = h @ head.T
            log_sum = torch.logsumexp(z, dim=1, keepdim=True)
            total += (log_sum - z.gather(1, t)).sum(dtype=torch.float64)
            p = z.sub_(log_sum).exp_()
            p.scatter_add_(1, t, torch.full_like(log_sum, -1.0))
            torch.mm(p, head, out=d_hidden[lo : lo + rows])
            d_head.addmm_(p.T, h)
        ctx.save_for_backward(d_hidden, d_head)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        """Multiply the stored gradients by the incoming gradient."""
        d_hidden, d_head = ctx.saved_tensors
        scale = float(grads[0])
        return d_hidden.mul_(scale), d_head.mul_(scale), None


def batch_nats(net: Net, outcomes: int, batch: Batch, dtype: torch.dtype = torch.float32) -> Tensor:
    """Compute −Σ log p of the targets of a batch, nats, as a tensor to differentiate."""
    layout, asked = PackedLayout(batch.lengths, net.shape.head_dim), torch.from_numpy(batch.asked)
    hidden = net(torch.from_numpy(batch.inputs), layout, asked, dtype)
    out: Tensor = SummedNats.apply(hidden, net.head[:outcomes], torch.from_numpy(batch.targets))  # type: ignore[no-untyped-call]
    return out


def loss_and_gradients(
    net: Net,
    outcomes: int,
    batch: Batch,
    micro_batches: int = 1,
    dtype: torch.dtype = torch.float32,
    targets: int | None = None,
) -> float:
    """Compute −Σ log p(targets), nats, and leave the gradient of that sum divided once by the number of targets.

    Args:
        net: The network, whose gradients are overwritten.
        outcomes: The number V of outcomes.
        batch: The batch.
        micro_batches: In how many parts the batch is read, to save memory. Sums are accumulated, so loss and gradient do not
            depend on the number of parts, but for rounding (1e-6).
        dtype: The dtype of the matrix products.
        targets: The number of targets to divide by, where the batch is a part of a step; that of the batch by default.
    """
    targets = targets or len(batch.targets)
    for p in net.parameters():
        p.grad = None
    total = 0.0
    for part in split_batch(batch, micro_batches):
        loss = batch_nats(net, outcomes, part, dtype)
        (loss / targets).backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


def split_batch(batch: Batch, parts: int) -> list[Batch]:
    """Split a batch into parts of about equally many pieces."""
    if parts == 1:
        return [batch]
    ends = np.cumsum(batch.lengths)
    out = []
    for some in np.array_split(np.arange(len(batch.lengths)), parts):
        if not len(some):
            continue
        lo, hi = int(ends[some[0]]) - batch.lengths[some[0]], int(ends[some[-1]])
        mine = slice(*np.searchsorted(batch.asked, [lo, hi]))
        out.append(
            Batch(
                batch.inputs[lo:hi],
                tuple(batch.lengths[i] for i in some),
                batch.asked[mine] - lo,
                batch.targets[mine],
            )
        )
    return out
