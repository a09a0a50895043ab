"""Attention over packed pieces: causal within a piece, blind across pieces, and without padded tokens."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.transformer_ops import inverse_rms, norm

THETA = 10_000.0
SHORT = (
    128  # up to here whole score matrices fit the cache, and beat the blockwise kernel (2.2 ms to 3.1 at 64)
)


def rotary(positions: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """cos and sin of the angles by which positions turn the halves of a head: `[…, dim]` each.

    The halves are turned against one another, as Hugging Face does: x·cos + swap(x)·sin, where the sine of
    the first half is negative.
    """
    speed = 1.0 / THETA ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions[..., None].float() * speed
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def swap(x: Tensor) -> Tensor:
    """The halves of the last axis exchanged."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([b, a], dim=-1)


def turned(x: Tensor, gain: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads `x[…, D]` normalised and turned by their positions."""
    y = norm(x, gain)
    return y * cos + swap(y) * sin


class Layout:
    """Where the pieces of a packed batch lie.

    Pieces of equal length are a plain causal batch. Ragged ones are laid out in rows of the longest length: a
    piece then straddles two rows at most, so the queries of row r look at the keys of rows r−1 and r, through
    a mask that is true within a piece and not ahead.
    """

    def __init__(self, lengths: Sequence[int], dim: int) -> None:
        self.n, self.row = sum(lengths), max(lengths)
        self.equal = min(lengths) == self.row
        if self.equal:
            self.cos, self.sin = rotary(torch.arange(self.row), dim)  # [T, D]
            return
        sizes = torch.tensor(lengths)
        piece = torch.repeat_interleave(torch.arange(len(lengths)), sizes)
        positions = torch.arange(self.n) - (torch.cumsum(sizes, 0) - sizes)[piece]
        self.cos, self.sin = (a[:, None] for a in rotary(positions, dim))  # [N, 1, D]
        c, rows = self.row, -(-self.n // self.row)
        self.pad = rows * c - self.n
        own = F.pad(piece, (c, self.pad), value=-1)  # a row of nothing before the first
        at = torch.arange(rows)[:, None] * c + torch.arange(2 * c)  # [rows, 2c]
        keys, queries = own[at], own[at[:, c:]]
        ahead = torch.ones(c, 2 * c, dtype=torch.bool).triu(c + 1)
        self.mask = ((queries[:, :, None] == keys[:, None, :]) & ~ahead)[:, None]  # [rows, 1, c, 2c]

    def attend(self, qkv: Tensor, gain_q: Tensor, gain_k: Tensor) -> Tensor:
        """softmax(q kᵀ / √D) v within each piece, of turned heads: `[N, 3, H, D]` to `[N, H·D]`."""
        if self.equal and self.row <= SHORT:
            out: Tensor = ShortAttention.apply(qkv, gain_q, gain_k, self.cos, self.sin)  # type: ignore[no-untyped-call]
            return out
        n, _, heads, dim = qkv.shape
        q, k, v = qkv.float().unbind(1)
        if self.equal:
            q, k, v = (a.view(-1, self.row, heads, dim).transpose(1, 2) for a in (q, k, v))
            q, k = (turned(a, g, self.cos, self.sin) for a, g in ((q, gain_q), (k, gain_k)))
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            q, k = (turned(a, g, self.cos, self.sin) for a, g in ((q, gain_q), (k, gain_k)))
            q = F.pad(q, (0, 0, 0, 0, 0, self.pad)).view(-1, self.row, heads, dim).transpose(1, 2)
            k, v = self._two_rows(k), self._two_rows(v)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        return out.transpose(1, 2).reshape(-1, heads * dim)[:n]

    def _two_rows(self, a: Tensor) -> Tensor:
        heads, dim = a.shape[1:]
        rows = F.pad(a, (0, 0, 0, 0, self.row, self.pad)).view(-1, self.row, heads, dim)
        return torch.cat([rows[:-1], rows[1:]], dim=1).transpose(1, 2)  # [rows, H, 2c, D]


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
        turn, cross = cos * gain, sin * swap(gain)
        y = swap(unit).mul_(cross[:, None, None]).addcmul_(unit, turn[:, None, None])
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
        d_unit = swap(dy * sin[:, None, None]).addcmul_(dy, cos[:, None, None])
        d_gain = (d_unit * unit).sum((1, 2, 3))
        d_unit.mul_(gain[:, None, None])
        inner = (d_unit * unit).sum(-1, keepdim=True).div_(-dim)
        torch.mul(d_unit.addcmul_(unit, inner), r, out=dy)
        out = torch.empty(b, t, 3, heads, dim, dtype=ctx.dtype)
        out.copy_(dx.permute(1, 3, 0, 2, 4))
        return out.view(b * t, 3, heads, dim), d_gain[0], d_gain[1], None, None
