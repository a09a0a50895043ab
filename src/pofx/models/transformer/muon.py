"""The optimiser of a fit: Muon for the hidden matrices, Adam for all other weights."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import math
from dataclasses import dataclass

from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import torch
from torch import Tensor

from pofx.models.transformer.net import Net
from pofx.models.transformer.workers.group import ALONE, Group

HIDDEN = (".qkv", ".out", ".gate_up", ".down")
# Newton–Schulz with the coefficients of Polar Express (Amsel et al. 2025). Its first three rounds gave 1.858 nats at equal
# steps, and four of Muon's usual rounds gave 1.869 nats and took a third more time.
ROUNDS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)


@dataclass(frozen=True)
class Rates:
    """Learning rates at the top of the schedule, and the momenta.

    Attributes:
        muon: The learning rate of the hidden matrices.
        adam: The learning rate of all other weights.
        momentum: The momentum of Muon after its warm-up.
        betas: The momenta of Adam.
        epsilon: The ε of Adam.
    """

    muon: float = 0.03
    adam: float = 0.01
    momentum: float = 0.95  # it rises from 0.85 over 100 steps: 1.851 nats; 0.95 throughout gave 1.865
    betas: tuple[float, float] = (0.8, 0.95)
    epsilon: float = 1e-8


def orthogonalise(g: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Map each matrix U S Vᵀ of `g[b, m, n]`, m ≥ n, to about U Vᵀ, whose singular values are near 1."""
    x: Tensor = g / (torch.linalg.vector_norm(g, dim=(1, 2), keepdim=True) + 1e-7)
    x = x.to(dtype)
    for a, b, c in ROUNDS:
        gram = x.mT @ x
        x = torch.baddbmm(x, x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), beta=a)
    return x.float()


class Optimiser:
    """The optimiser of one fit.

    Muon moves each hidden matrix: W −= η √max(1, out/in) · U Vᵀ of the momentum. Adam, without weight decay, moves the
    vectors, the embedding and the head. All matrices of one shape are orthogonalised as one batch: q, k, v and out as
    squares; gate, up and the transpose of down as tall matrices.
    """

    # `torch.optim.Muon` of torch 2.13 always computes its rounds in bfloat16, one matrix at a time. With the default spec on
    # docs/proverbs.txt and 20 s of CPU time without native bfloat16, three runs each: 3.27 to 3.33 held-out bits a byte
    # after 113 to 128 steps of ours, 3.58 to 3.61 after 18 or 19 steps of torch's.

    def __init__(
        self,
        net: Net,
        rates: Rates = Rates(),
        dtype: torch.dtype = torch.float32,
        workers: Group = ALONE,
    ) -> None:
        self.dtype, self.workers = dtype, workers
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
        """Return the state on which later steps depend, by name."""
        out = {f"muon.{n}": t for n, t in self.momenta.items()}
        out |= {f"first.{n}": t for n, t in self.first.items()}
        out |= {f"second.{n}": t for n, t in self.second.items()}
        return out | {"steps": self.steps}

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Take one step along the gradients, with both learning rates times `scale`.

        Raises:
            LostWorker: Another worker ended; nothing has changed.
        """
        mu = self.rates.momentum - 0.1 * max(0.0, 1 - float(self.steps + 1) / 100)
        momenta, grads = {}, {}
        for name, p in self.hidden.items():
            assert p.grad is not None  # noqa: S101  (ours: step follows the gradients)
            momenta[name] = self.momenta[name].lerp(p.grad, 1 - mu)
            grads[name] = p.grad.lerp(momenta[name], mu)  # Nesterov
        moves = self._moves(grads)
        self.steps += 1
        self._adam(scale)
        for name, m in momenta.items():
            self.momenta[name].copy_(m)
        for w, u, more in moves:
            w.add_(u, alpha=-self.rates.muon * scale * more)

    def _moves(self, grads: dict[str, Tensor]) -> list[tuple[Tensor, Tensor, float]]:
        """Compute each hidden matrix, its direction and the factor of its rate."""
        groups: dict[bool, list[tuple[Tensor, Tensor, float]]] = {False: [], True: []}
        for name, p in self.hidden.items():
            g = grads[name]
            if name.endswith((".qkv", ".out")):
                d = self.width
                groups[False] += ((w, h, 1.0) for w, h in zip(torch.split(p, d), torch.split(g, d)))
            elif name.endswith(".gate_up"):
                up = math.sqrt(max(1.0, p.shape[0] / 2 / p.shape[1]))
                groups[True] += ((w, h, up) for w, h in zip(p.chunk(2), g.chunk(2)))
            else:
                groups[True].append((p.mT, g.mT, 1.0))
        return [
            (w, u, more)
            for group in groups.values()
            for (w, _, more), u in zip(group, self._updates(torch.stack([g for _, g, _ in group])))
        ]

    def _updates(self, g: Tensor) -> Tensor:
        """Orthogonalise each matrix of `g[b, m, n]`; each worker does its share, and all get the same bits."""
        rank, size = self.workers.rank, self.workers.size
        if size == 1:
            return orthogonalise(g, self.dtype)
        whole = torch.zeros_like(g)
        if rank < len(g):
            whole[rank::size] = orthogonalise(g[rank::size], self.dtype)
        return self.workers.add(whole)

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
