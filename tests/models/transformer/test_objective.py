"""The training objective: minus log p of the batch, its gradients by hand, and batches cut in parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pofx.models.transformer.objective import loss_and_gradients, split_batch  # noqa: E402
from pofx.models.transformer.windows import Pieces  # noqa: E402
from tiny_transformers import CHARS, LENGTHS, TINY, ragged, scrambled  # noqa: E402


def test_training_loss_is_minus_the_score() -> None:
    lm, texts = scrambled(), [np.append(p, CHARS.end) for p in ragged()]
    score = sum(float(x.sum()) for x in lm.forward(texts).logp)
    pieces = Pieces([np.append(CHARS.size, t) for t in texts], 8, lm.overlap)
    net = lm.net.requires_grad_(True)
    loss = sum(
        loss_and_gradients(net, CHARS.size, pieces.pack(g))
        for g in pieces.groups(np.random.default_rng(0).permutation(len(pieces)), 40)
    )
    assert loss == pytest.approx(-score, rel=1e-6)
    assert pieces.targets == sum(len(t) for t in texts)


@pytest.mark.parametrize("lengths", [LENGTHS, (9,) * 8])
def test_micro_batches_do_not_matter(lengths: tuple[int, ...]) -> None:
    net = scrambled().net.requires_grad_(True)
    pieces = Pieces([np.append(CHARS.size, p) for p in ragged(CHARS, lengths)], 8, 2)
    batch = pieces.pack(np.arange(len(pieces)))
    whole = loss_and_gradients(net, CHARS.size, batch)
    grads = [p.grad.clone() for p in net.parameters()]
    for k in (2, 5):
        assert sum(len(b.targets) for b in split_batch(batch, k)) == len(batch.targets)
        assert loss_and_gradients(net, CHARS.size, batch, micro_batches=k) == pytest.approx(whole, rel=1e-6)
        for p, g in zip(net.parameters(), grads):
            torch.testing.assert_close(p.grad, g, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lengths", [(20, 3, 7, 6), (9, 9)])
def test_gradients_by_hand(lengths: tuple[int, ...]) -> None:
    net = scrambled(replace(TINY, layers=1)).net.requires_grad_(True)
    pieces = Pieces([np.append(CHARS.size, p) for p in ragged(CHARS, lengths)], 8, 2)
    batch = pieces.pack(np.arange(len(pieces)))
    loss_and_gradients(net, CHARS.size, batch)
    draw = torch.Generator().manual_seed(4)
    for name, p in net.named_parameters():
        way = torch.randn(p.shape, generator=draw)
        assert p.grad is not None
        slope = float((p.grad * way).sum())
        kept, ends, step = p.detach().clone(), [], 2e-3
        for sign in (1, -1):
            p.data = kept + sign * step * way
            with torch.no_grad():
                ends.append(-sum_of_logp(net, batch) / len(batch.targets))
        p.data = kept
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=4e-3, rel=2e-2), name


def sum_of_logp(net: torch.nn.Module, batch: object) -> float:
    from pofx.models.transformer.objective import batch_nats

    return -float(batch_nats(net, CHARS.size, batch))  # type: ignore[arg-type]
