"""Queries, keys and values of multi-head latent attention, where keys and values are made of one small state (DeepSeek)."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.pretrained.inference.linear import Linear
from pofx.models.pretrained.inference.norms import StateNorm


@dataclass(frozen=True, eq=False)
class LatentProjection:
    """The projection of one layer, with the latents c and the part t of a key that turns, which all heads share.

        q = W_q N(W_a x), or W_q x;  [c, t] = W_c x;  k = [t, W_k N(c)];  v = W_v N(c)

    Attributes:
        down: The matrix W_a to the latent of queries; None for queries of x itself.
        norm_q: The norm of the latent of queries; None without this latent.
        queries: W_q, the numbers that turn first in each head.
        latent: W_c, the rows of c above those of t.
        norm_k: The norm of c.
        expand: W_k of all heads above W_v of all heads.
        heads: The number H of heads.
        head_dim: The size D of a query and of a key. Values are filled up with zeros to this size.
        turning: How many numbers of a head turn.
    """

    down: Linear | None
    norm_q: StateNorm | None
    queries: Linear
    latent: Linear
    norm_k: StateNorm
    expand: Linear
    heads: int
    head_dim: int
    turning: int

    def __call__(self, x: Tensor) -> Tensor:
        """Compute q, k and v side by side, `[n, 3·H·D]`, float32, from the states `x[n, d]`."""
        n, still = len(x), self.head_dim - self.turning
        asked = x if self.down is None else self.down(x)
        if self.norm_q is not None:
            asked = self.norm_q(asked)
        kept = self.latent(x)
        made = self.expand(self.norm_k(kept[:, : -self.turning].contiguous()))
        turns = kept[:, None, -self.turning :].expand(n, self.heads, self.turning)
        k = torch.cat([turns, made[:, : self.heads * still].view(n, self.heads, still)], -1)
        v = made[:, self.heads * still :].view(n, self.heads, -1)
        v = F.pad(v, (0, self.head_dim - v.shape[-1]))
        return torch.cat([self.queries(asked), k.flatten(1), v.flatten(1)], 1)
