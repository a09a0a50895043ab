"""The network's four operations with their gradients by hand: half the memory traffic, GEMMs in bfloat16 at will."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from typing import Any

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
from torch import Tensor

EPS = 1e-6


def norm(x: Tensor, gain: Tensor) -> Tensor:
    """x / √(mean x² + ε) · gain, over the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * gain


def _inverse_rms(x: Tensor) -> Tensor:
    """1 / √(mean x² + ε), over the last axis, which stays."""
    r = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return r.square_().div_(x.shape[-1]).add_(EPS).rsqrt_()


def _norm_backward(dy: Tensor, unit: Tensor, r: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the gain, from that of `norm(x, gain)`; `unit` = x·r. Writes over `dy`."""
    d_gain = (dy * unit).sum(tuple(range(dy.ndim - gain.ndim)))
    d_unit = dy.mul_(gain)
    inner = (d_unit * unit).mean(-1, keepdim=True)
    return d_unit.addcmul_(unit, inner, value=-1).mul_(r), d_gain


class NormLinear(torch.autograd.Function):
    """W · norm(x): `[N, d]` to `[N, o]`, in the dtype of the GEMM."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The normalised rows are kept, in the dtype of the GEMM and in float32."""
        r = _inverse_rms(x)
        unit = x * r
        y, w = (unit * gain).to(dtype), weight.to(dtype)
        ctx.save_for_backward(unit, r, gain, y, w)
        return y @ w.T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Of x, gain and weight."""
        unit, r, gain, y, w = ctx.saved_tensors
        g = grads[0]
        dx, d_gain = _norm_backward((g @ w).float(), unit, r, gain)
        return dx, d_gain, (g.T @ y).float(), None


class AddLinear(torch.autograd.Function):
    """x + W · y: `[N, d]` and `[N, i]` to `[N, d]`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The sum is float32, whatever the GEMM."""
        y, w = y.to(dtype), weight.to(dtype)
        ctx.save_for_backward(y, w)
        return (y @ w.T).float().add_(x) if dtype != torch.float32 else torch.addmm(x, y, w.T)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Of x, y and weight."""
        y, w = ctx.saved_tensors
        g = grads[0].to(y.dtype)
        return grads[0], g @ w, (g.T @ y).float(), None


class Gated(torch.autograd.Function):
    """silu(gate) · up of `[N, 2h]` to `[N, h]`."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        """Only the input is kept; silu is cheaper to repeat than to store."""
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor]:
        """Of gate and up, in one matrix."""
        (gate_up,) = ctx.saved_tensors
        g = grads[0]
        gate, up = gate_up.chunk(2, dim=-1)
        out = torch.empty_like(gate_up)
        d_gate, d_up = out.chunk(2, dim=-1)
        torch.mul(torch.nn.functional.silu(gate), g, out=d_up)
        torch.ops.aten.silu_backward.grad_input(g * up, gate, grad_input=d_gate)
        return (out,)


class TurnedHeads(torch.autograd.Function):
    """Queries and keys normalised a head and turned by position: `[N, 3, H, D]` to q, k, v, `[N, H, D]` each."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, gain_q: Tensor, gain_k: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """cos, sin: `[N, D/2]`."""
        qk = qkv[:, :2].float()
        gain = torch.stack([gain_q, gain_k])[:, None]  # [2, 1, D]
        cos, sin = cos[:, None, None], sin[:, None, None]
        r = _inverse_rms(qk)
        unit = qk * r
        y = turned(unit * gain, cos, sin)
        ctx.save_for_backward(unit, r, gain, cos, sin)
        ctx.dtype = qkv.dtype
        return y[:, 0], y[:, 1], qkv[:, 2].float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Of qkv and of the two gains."""
        unit, r, gain, cos, sin = ctx.saved_tensors
        dq, dk, dv = grads
        dy = turned(torch.stack([dq, dk], dim=1), cos, sin, back=True)
        n, _, heads, dim = unit.shape
        d_gain = (dy * unit).sum((0, 2))
        d_unit = dy.mul_(gain)
        inner = (d_unit * unit).mean(-1, keepdim=True)
        out = torch.empty(n, 3, heads, dim, dtype=ctx.dtype)
        out[:, :2] = d_unit.addcmul_(unit, inner, value=-1).mul_(r)
        out[:, 2] = dv
        return out, d_gain[0], d_gain[1], None, None


def turned(x: Tensor, cos: Tensor, sin: Tensor, back: bool = False) -> Tensor:
    """The halves of the last axis turned against one another (the convention of Hugging Face), or back."""
    a, b = x.chunk(2, dim=-1)
    out = torch.empty_like(x)
    p, q = out.chunk(2, dim=-1)
    sign = 1.0 if back else -1.0
    torch.mul(a, cos, out=p).addcmul_(b, sin, value=sign)
    torch.mul(b, cos, out=q).addcmul_(a, sin, value=-sign)
    return out
