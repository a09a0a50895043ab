"""The normalisation of states: RMS norms and layer norms, with and without gains and biases."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Norm


def rms_norm(x: Tensor, gain: Tensor | None, eps: float) -> Tensor:
    """Compute the RMS norm over the last axis: x / √(mean x² + ε) · gain."""
    r: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    r = r.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return x * r if gain is None else (x * r).mul_(gain)


def layer_norm(x: Tensor, gain: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Compute the layer norm over the last axis: (x − mean x) / √(var x + ε) · gain + bias.

    Args:
        x: The states, `[…, d]`, or the heads, `[…, H, D]`.
        gain: `[d]`, or `[H, D]` with a gain of its own for each head; None for no gain.
        bias: `[d]`; None for no bias. A gain for each head has no bias, and the argument is then not read.
        eps: The ε.
    """
    size = x.shape[-1:]
    if gain is None or gain.ndim == 1:
        return F.layer_norm(x, size, gain, bias, eps)
    return F.layer_norm(x, size, None, None, eps).mul_(gain)


@dataclass(frozen=True, eq=False)
class StateNorm:
    """A norm with its weights.

    Attributes:
        norm: The kind and the ε.
        gain: `[d]`, or `[H, D]` with a gain of its own for each head; None for no gain.
        bias: `[d]`; None for no bias.
    """

    norm: Norm
    gain: Tensor | None
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise the last axis of `x[…, d]`, and return the same shape."""
        if self.norm.kind == "rms":
            return rms_norm(x, self.gain, self.norm.eps)
        return layer_norm(x, self.gain, self.bias, self.norm.eps)
