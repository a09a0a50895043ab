"""Attention over packed pieces: causal within a piece, blind across pieces, and without padded tokens."""
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
SHORT = (
    128  # up to here whole score matrices fit the cache, and beat the blockwise kernel (2.2 ms to 3.1 at 64)
)


def rotary_table(positions: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """cos and sin of the angles by which positions turn the halves of a head: `[…, dim]` each.

    The halves are turned against one another, as Hugging Face does: x·cos + swap(x)·sin, where the sine of
    the first half is negative.
    """
    speed = 1.0 / THETA ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions[..., None].float() * speed
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def swap_halves(x: Tensor) -> Tensor:
    """The halves of the last axis exchanged."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([b, a], dim=-1)


def turn_heads(x: Tensor, gain: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads `x[…, D]` normalised and turned by their positions."""
    y = rms_norm(x, gain)
    return y * cos + swap_halves(y) * sin


class PackedLayout:
    """Where the pieces of a packed batch lie.

    Pieces of equal length are a plain causal batch. Ragged ones are sorted into groups of like length, and each
    group is laid out with blanks behind its shorter pieces, for attention alone: a query never looks ahead, so
    none sees a blank, and what the blanks see is dropped. No other layer meets one. (A mask over the packed
    row, which needs no blanks, took 17 ms a layer and step where this takes 8.)
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
        """softmax(q kᵀ / √D) v within each piece, of turned heads: `[N, 3, H, D]` to `[N, H·D]`."""
        parts = []
        for length, tokens in self.groups:
            own = qkv if tokens is None else qkv.index_select(0, tokens)
            parts.append(self._equal(own, gain_q, gain_k, self.cos[:length], self.sin[:length]))
        return parts[0] if self.back is None else torch.cat(parts).index_select(0, self.back)

    def _equal(self, qkv: Tensor, gain_q: Tensor, gain_k: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The same for pieces of one length."""
        if len(cos) <= SHORT:
            out: Tensor = ShortAttention.apply(qkv, gain_q, gain_k, cos, sin)  # type: ignore[no-untyped-call]
            return out
        n, _, heads, dim = qkv.shape
        q, k, v = (a.view(-1, len(cos), heads, dim).transpose(1, 2) for a in qkv.float().unbind(1))
        q, k = (turn_heads(a, g, cos, sin) for a, g in ((q, gain_q), (k, gain_k)))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return out.transpose(1, 2).reshape(n, heads * dim)


def _alike(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Pieces in groups, longest first, none in a group shorter than half of its longest; up to 32 tokens, all together."""
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
    """The same for equal pieces of at most `SHORT` tokens, forward and backward in as few passes as may be.

    Everything lies as `[3, B, H, T, D]`, so that one table `[T, D]` turns all heads in long vector loops.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, gain_q: Tensor, gain_k: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """`qkv[N, 3, H, D]`, `cos[T, D]`, `sin[T, D]` to `[N, H·D]`, float32."""
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
        """Of qkv and of the two gains."""
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
