"""The optimiser: Muon for the hidden matrices, AdamW for everything else."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import math
from dataclasses import dataclass

from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import torch
from torch import Tensor

from pofx.models.transformer_net import Net

HIDDEN = (".qkv", ".out", ".gate_up", ".down")
ROUNDS = ((3.4445, -4.7750, 2.0315),) * 4  # of Newton–Schulz: five gained nothing, three lost 0.02 nats


@dataclass(frozen=True)
class Rates:
    """Learning rates at the top of the schedule, and the momenta."""

    muon: float = 0.03
    adam: float = 0.01
    momentum: float = 0.95  # from 0.85, over the first 100 steps: 1.851 nats where 0.95 throughout gave 1.865
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8


def orthogonal(g: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """U Vᵀ of each matrix of `g[b, m, n]`, m ≤ n, by Newton–Schulz: singular values end in 0.7 … 1.2."""
    x: Tensor = g / (torch.linalg.vector_norm(g, dim=(1, 2), keepdim=True) + 1e-7)
    x = x.to(dtype)
    for a, b, c in ROUNDS:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


class Optimiser:
    """Muon: W −= η √max(1, out/in) · U Vᵀ of the momentum. Adam, without decay: vectors, embedding, head.

    All matrices of one shape are orthogonalised as one batch: q, k, v and out as squares; gate, up and down
    as wide matrices.
    """

    def __init__(self, net: Net, rates: Rates = Rates(), dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        self.rates = rates
        named = dict(net.named_parameters())
        self.width = net.shape.width
        self.hidden = {n: p for n, p in named.items() if n.endswith(HIDDEN)}
        self.rest = {n: p for n, p in named.items() if n not in self.hidden}
        self.momenta = {n: torch.zeros_like(p) for n, p in self.hidden.items()}
        self.first = {n: torch.zeros_like(p) for n, p in self.rest.items()}
        self.second = {n: torch.zeros_like(p) for n, p in self.rest.items()}
        self.steps = torch.zeros(())

    def tensors(self) -> dict[str, Tensor]:
        """All that a later step depends on, by name."""
        out = {f"muon.{n}": t for n, t in self.momenta.items()}
        out |= {f"first.{n}": t for n, t in self.first.items()}
        out |= {f"second.{n}": t for n, t in self.second.items()}
        return out | {"steps": self.steps}

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """One step along the gradients, both rates times `scale`."""
        self.steps += 1
        self._adam(scale)
        self._muon(scale)

    def _muon(self, scale: float) -> None:
        mu = self.rates.momentum - 0.1 * max(0.0, 1 - float(self.steps) / 100)
        squares: list[tuple[Tensor, Tensor]] = []
        wides: list[tuple[Tensor, Tensor]] = []
        for name, p in self.hidden.items():
            assert p.grad is not None  # noqa: S101  (ours: step follows the gradients)
            m = self.momenta[name].lerp_(p.grad, 1 - mu)
            g = p.grad.lerp(m, mu)  # Nesterov
            d = self.width
            if name.endswith((".qkv", ".out")):
                squares += zip(torch.split(p, d), torch.split(g, d))
            elif name.endswith(".gate_up"):
                wides += zip((a.mT for a in p.chunk(2)), (a.mT for a in g.chunk(2)))
            else:
                wides.append((p, g))
        for group in (squares, wides):
            updates = orthogonal(torch.stack([g for _, g in group]), self.dtype)
            for (w, _), u in zip(group, updates):
                # √max(1, out/in), as Muon is tuned: more for gate and up, which lie here transposed.
                tall = math.sqrt(w.shape[1] / w.shape[0]) if w.stride(0) < w.stride(1) else 1.0
                w.add_(u, alpha=-self.rates.muon * scale * max(1.0, tall))

    def _adam(self, scale: float) -> None:
        params: list[Tensor] = list(self.rest.values())
        grads = [p.grad for p in params if p.grad is not None]
        beta1, beta2 = self.rates.betas
        torch._fused_adamw_(
            params,
            grads,
            list(self.first.values()),
            list(self.second.values()),
            [],
            [self.steps] * len(params),
            lr=self.rates.adam * scale,
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=self.rates.epsilon,
            amsgrad=False,
            maximize=False,
        )
