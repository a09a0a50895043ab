"""Operations of the network with hand-written gradients, for less memory traffic and products in bfloat16."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from typing import Any

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
from torch import Tensor

EPS = 1e-6


def rms_norm(x: Tensor, gain: Tensor) -> Tensor:
    """Compute x / √(mean x² + ε) · gain over the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * gain


def inverse_rms(x: Tensor) -> Tensor:
    """Compute 1 / √(mean x² + ε) over the last axis, which is kept with length 1."""
    r = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    out: Tensor = r.square_().div_(x.shape[-1]).add_(EPS).rsqrt_()
    return out


def _norm_backward(dy: Tensor, unit: Tensor, r: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the gradients of x and of the gain from `dy`, which is overwritten; `unit` = x·r."""
    d_gain = (dy * unit).sum(tuple(range(dy.ndim - gain.ndim)))
    d_unit = dy.mul_(gain)
    inner = (d_unit * unit).mean(-1, keepdim=True)
    return d_unit.addcmul_(unit, inner, value=-1).mul_(r), d_gain


def norm_linear(x: Tensor, gain: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Compute W · norm(x): `[N, d]` to `[N, o]`, in the dtype of the product."""
    out: Tensor = _NormLinear.apply(x, gain, weight, dtype)  # type: ignore[no-untyped-call]
    return out


def add_linear(x: Tensor, y: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Compute x + W · y: `[N, d]` and `[N, i]` to `[N, d]`, float32, with the product in `dtype`."""
    out: Tensor = _AddLinear.apply(x, y, weight, dtype)  # type: ignore[no-untyped-call]
    return out


def swiglu(gate_up: Tensor) -> Tensor:
    """Compute silu(gate) · up: `[N, 2h]` to `[N, h]`."""
    out: Tensor = _Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return out


class _NormLinear(torch.autograd.Function):
    """The operation W · norm(x), with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute the product, and keep the normalised rows in its dtype and in float32."""
        r = inverse_rms(x)
        unit = x * r
        y, w = (unit * gain).to(dtype), weight.to(dtype)
        ctx.save_for_backward(unit, r, gain, y, w)
        return y @ w.T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of x, gain and weight."""
        unit, r, gain, y, w = ctx.saved_tensors
        g = grads[0]
        dx, d_gain = _norm_backward((g @ w).float(), unit, r, gain)
        return dx, d_gain, (g.T @ y).float(), None


class _AddLinear(torch.autograd.Function):
    """The operation x + W · y, with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute the sum in float32, whatever the dtype of the product."""
        y, w = y.to(dtype), weight.to(dtype)
        ctx.save_for_backward(y, w)
        return (y @ w.T).float().add_(x) if dtype != torch.float32 else torch.addmm(x, y, w.T)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of x, y and weight."""
        y, w = ctx.saved_tensors
        g = grads[0].to(y.dtype)
        return grads[0], g @ w, (g.T @ y).float(), None


class _Gated(torch.autograd.Function):
    """The operation silu(gate) · up, with its gradient."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        """Compute the product, and keep the input only, since silu is cheaper to repeat than to store."""
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor]:
        """Compute the gradients of gate and up, in one matrix."""
        (gate_up,) = ctx.saved_tensors
        g = grads[0]
        gate, up = gate_up.chunk(2, dim=-1)
        out = torch.empty_like(gate_up)
        d_gate, d_up = out.chunk(2, dim=-1)
        torch.mul(torch.nn.functional.silu(gate), g, out=d_up)
        torch.ops.aten.silu_backward.grad_input(g * up, gate, grad_input=d_gate)
        return (out,)
