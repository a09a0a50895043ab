"""Rotary positions: the frequencies of each scaling, the tables of a pass, and the rotation of heads."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import math

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Rope


def rotation_speeds(rope: Rope, dim: int) -> Tensor:
    """Return the frequency of each pair of a head, `[dim / 2]`, radians a token, float32.

    The order of the operations is that of the library `transformers`.

    Args:
        rope: The base and the scaling.
        dim: How many numbers of a head turn.
    """
    exponent = torch.arange(0, dim, 2, dtype=torch.int64).float() / dim
    if rope.kind == "longrope":
        return 1.0 / (torch.tensor(rope.factors) * rope.theta**exponent)
    out = 1.0 / rope.theta**exponent
    if rope.kind == "linear":
        return out / rope.factor
    if rope.kind == "llama3":
        length = 2 * torch.pi / out
        slow, fast = rope.original / rope.low, rope.original / rope.high
        smooth = (rope.original / length - rope.low) / (rope.high - rope.low)
        between = (1 - smooth) * out / rope.factor + smooth * out
        scaled = torch.where(length > slow, out / rope.factor, out)
        return torch.where((length >= fast) & (length <= slow), between, scaled)
    if rope.kind == "yarn":
        low, high = (_dimension(rope, dim, rotations) for rotations in (rope.high, rope.low))
        if rope.whole:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dim - 1)
        ramp = (torch.arange(dim // 2).float() - low) / ((high - low) or 0.001)
        divided = ramp.clamp(0, 1)
        return out / rope.factor * divided + out * (1 - divided)
    return out


def _dimension(rope: Rope, dim: int, rotations: float) -> float:
    """Return the number i of the pair that turns `rotations` times within the original context.

    The number is real: θ^(−2i / dim) · original / 2π = rotations.
    """
    return dim * math.log(rope.original / (rotations * 2 * math.pi)) / (2 * math.log(rope.theta))


def rotation_table(rope: Rope, dim: int, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tables by which `rotate` turns heads: x·cos + swap(x)·sin, where swap exchanges the halves of x.

    Args:
        rope: The rotary positions.
        dim: The size of a head.
        positions: The position of each token, `[N]`.

    Returns:
        cos and sin of the r turning numbers of a head, both `[N, 1, r]`, float32, times the amplitude. The first half of
        sin has the sign −.
    """
    angle = positions.float()[:, None] * rotation_speeds(rope, rope.dim or dim)
    cos, sin = angle.cos() * rope.amplitude, angle.sin() * rope.amplitude
    return torch.cat([cos, cos], -1)[:, None], torch.cat([-sin, sin], -1)[:, None]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the heads `x[N, H, D]` by the tables `[N, 1, r]`; the numbers of a head after the first r stay as they are."""
    turning = cos.shape[-1]
    if turning == x.shape[-1]:
        a, b = x.chunk(2, -1)
        return torch.cat([b, a], -1).mul_(sin).addcmul_(x, cos)
    a, b = x[..., :turning].chunk(2, -1)
    turned = torch.cat([b, a], -1).mul_(sin).addcmul_(x[..., :turning], cos)
    return torch.cat([turned, x[..., turning:]], -1)
