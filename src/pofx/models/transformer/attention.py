"""Attention over packed pieces: causal within a piece, blind to other pieces, without padded tokens."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pofx.errors import require

require("torch", "torch", "a transformer")

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pofx.models.transformer.ops import inverse_rms, rms_norm

THETA = 10_000.0
# Up to this length whole score matrices fit the cache, and beat the blockwise kernel (2.2 ms to 3.1 at 64 tokens).
SHORT = 128


def rotary_table(positions: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Compute the cosines and sines of RoPE for positions, `[…, dim]` each.

    The two halves of a head are rotated against one another, as Hugging Face does: x·cos + swap_halves(x)·sin, where the
    sine of the first half is negative.
    """
    speed = 1.0 / THETA ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions[..., None].float() * speed
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def swap_halves(x: Tensor) -> Tensor:
    """Exchange the halves of the last axis."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([b, a], dim=-1)


def turn_heads(x: Tensor, gain: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Normalise heads `x[…, D]`, and rotate them by their positions (RoPE)."""
    y = rms_norm(x, gain)
    return y * cos + swap_halves(y) * sin


class PackedLayout:
    """The layout of the pieces of a packed batch, for attention.

    Pieces of equal length are a plain causal batch. Pieces of unequal length are sorted into groups of similar length. Each
    group is laid out with blanks after its shorter pieces, for attention alone. No query sees a blank, since attention is
    causal, and the outputs of blanks are dropped. (A mask over the packed row, without blanks, took 17 ms a layer and step
    where this takes 8.)

    Args:
        lengths: The length of each piece.
        dim: The dimensions of a head.
    """

    def __init__(self, lengths: Sequence[int], dim: int) -> None:
        self.cos, self.sin = rotary_table(torch.arange(max(lengths)), dim)  # [T, D]
        self.groups: list[tuple[int, Tensor | None]] = [
            (lengths[0], None)
        ]  # length, tokens in order; None: all
        self.back: Tensor | None = None
        if min(lengths) == max(lengths):
            return
        sizes = np.asarray(lengths, dtype=np.int64)
        begins = np.cumsum(sizes) - sizes
        self.groups, back, laid = [], np.empty(int(sizes.sum()), dtype=np.int64), 0
        for pieces in _alike(sizes):
            longest = int(sizes[pieces].max())
            place = np.arange(longest)
            real = place < sizes[pieces][:, None]  # [pieces, T]
            tokens = np.where(
                real, begins[pieces][:, None] + place, 0
            )  # a blank repeats some token: none sees it
            back[tokens[real]] = laid + np.flatnonzero(real)
            self.groups.append((longest, torch.from_numpy(tokens.ravel())))
            laid += tokens.size
        self.back = torch.from_numpy(back)

    def attend(self, qkv: Tensor, gain_q: Tensor, gain_k: Tensor) -> Tensor:
        """Compute softmax(q kᵀ / √D) v within each piece, with RoPE: `[N, 3, H, D]` to `[N, H·D]`."""
        parts = []
        for length, tokens in self.groups:
            own = qkv if tokens is None else qkv.index_select(0, tokens)
            parts.append(self._equal(own, gain_q, gain_k, self.cos[:length], self.sin[:length]))
        return parts[0] if self.back is None else torch.cat(parts).index_select(0, self.back)

    def _equal(self, qkv: Tensor, gain_q: Tensor, gain_k: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Compute the same for pieces of one length."""
        if len(cos) <= SHORT:
            out: Tensor = ShortAttention.apply(qkv, gain_q, gain_k, cos, sin)  # type: ignore[no-untyped-call]
            return out
        n, _, heads, dim = qkv.shape
        q, k, v = (a.view(-1, len(cos), heads, dim).transpose(1, 2) for a in qkv.float().unbind(1))
        q, k = (turn_heads(a, g, cos, sin) for a, g in ((q, gain_q), (k, gain_k)))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return out.transpose(1, 2).reshape(n, heads * dim)


def _alike(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Group pieces, longest first, so that none is shorter than half the longest; up to 32 tokens all are one group."""
    order = np.argsort(-sizes, kind="stable")
    groups, start = [], 0
    while start < len(order):
        longest = int(sizes[order[start]])
        least = longest // 2 if longest > 32 else 1
        stop = start + int(np.searchsorted(-sizes[order[start:]], -least, side="right"))
        groups.append(order[start:stop])
        start = stop
    return groups


class ShortAttention(torch.autograd.Function):
    """Attention for equal pieces of at most `SHORT` tokens, forward and backward in few passes over memory.

    Queries, keys and values lie as `[3, B, H, T, D]`, so that one table `[T, D]` rotates all heads in long vector loops.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, gain_q: Tensor, gain_k: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Compute `[N, H·D]`, float32, from `qkv[N, 3, H, D]`, `cos[T, D]` and `sin[T, D]`."""
        n, _, heads, dim = qkv.shape
        t = len(cos)
        x = torch.empty(3, n // t, heads, t, dim)
        x.copy_(qkv.view(-1, t, 3, heads, dim).permute(2, 0, 3, 1, 4))
        r = inverse_rms(x[:2])
        unit = x[:2].mul_(r)
        scale = torch.tensor([dim**-0.5, 1.0]).view(2, 1, 1)  # 1/√D goes with the queries
        cos, sin = cos * scale, sin * scale  # [2, T, D]
        gain = torch.stack([gain_q, gain_k])[:, None]  # [2, 1, D]
        turn, cross = cos * gain, sin * swap_halves(gain)
        y = swap_halves(unit).mul_(cross[:, None, None]).addcmul_(unit, turn[:, None, None])
        q, k, v = (a.view(-1, t, dim) for a in (*y, x[2]))
        scores = torch.bmm(q, k.mT).add_(torch.full((t, t), -torch.inf).triu_(1))
        p = torch.softmax(scores, dim=-1)
        ctx.save_for_backward(unit, r, gain, cos, sin, q, k, v, p)
        ctx.dtype = qkv.dtype
        return torch.bmm(p, v).view(-1, heads, t, dim).transpose(1, 2).reshape(n, heads * dim)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of qkv and of the two gains."""
        unit, r, gain, cos, sin, q, k, v, p = ctx.saved_tensors
        _, b, heads, t, dim = unit.shape
        g = torch.empty(b, heads, t, dim)
        g = g.copy_(grads[0].view(b, t, heads, dim).transpose(1, 2)).view(-1, t, dim)
        dx = torch.empty(3, b, heads, t, dim)
        flat = dx.view(3, -1, t, dim)
        torch.bmm(p.mT, g, out=flat[2])
        ds = torch._softmax_backward_data(torch.bmm(g, v.mT), p, -1, torch.float32)
        torch.bmm(ds, k, out=flat[0])
        torch.bmm(ds.mT, q, out=flat[1])
        dy = dx[:2]
        d_unit = swap_halves(dy * sin[:, None, None]).addcmul_(dy, cos[:, None, None])
        d_gain = (d_unit * unit).sum((1, 2, 3))
        d_unit.mul_(gain[:, None, None])
        inner = (d_unit * unit).sum(-1, keepdim=True).div_(-dim)
        torch.mul(d_unit.addcmul_(unit, inner), r, out=dy)
        out = torch.empty(b, t, 3, heads, dim, dtype=ctx.dtype)
        out.copy_(dx.permute(1, 3, 0, 2, 4))
        return out.view(b * t, 3, heads, dim), d_gain[0], d_gain[1], None, None
