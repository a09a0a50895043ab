"""The MLP of a layer, gated and plain, with the activations in use."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Activation
from pofx.models.pretrained.inference.linear import Linear


def activate(x: Tensor, activation: Activation) -> Tensor:
    """Compute f(x) for each number of x, in float32.

    With f in bfloat16 its result is rounded once more, and log p of SmolLM2 was off by 0.007 nats a token on average, always
    in one direction. With f in float32 the error is 0.0006 nats, at a cost of 2 % of the time.
    """
    x = x.float()
    if activation == "silu":
        return F.silu(x)
    if activation == "gelu_quick":
        return x * torch.sigmoid(1.702 * x)
    if activation == "relu":
        return F.relu(x)
    if activation == "relu_squared":
        return F.relu(x).square_()
    return F.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


def gated_activation(gate_up: Tensor, activation: Activation, limit: float | None = None) -> Tensor:
    """Compute f(gate) · up, `[N, h]`, float32, from gate and up side by side, `[N, 2h]`.

    With a limit c the result is f(min(gate, c)) · (1 + up clipped to [−c, c]).
    """
    gate, up = gate_up.chunk(2, -1)
    if limit is None:
        return activate(gate, activation).mul_(up)
    return activate(gate.clamp(max=limit), activation).mul_(up.clamp(-limit, limit) + 1.0)


@dataclass(frozen=True, eq=False)
class Mlp:
    """An MLP: down(f(gate x) · up x), or the form with a limit of `gated_activation`, or down(f(up x)).

    Attributes:
        up: The matrices of gate and up, gate above up; the matrix of up alone where there is no gate.
        down: The matrix after the activation.
        activation: The function f.
        gated: Whether there is a gate.
        limit: The limit of gate and up; None for no limit.
    """

    up: Linear
    down: Linear
    activation: Activation
    gated: bool
    limit: float | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the MLP of the states `x[n, d]`, as `[n, d]`, float32."""
        inner = self.up.raw(x)
        return self.down(
            gated_activation(inner, self.activation, self.limit)
            if self.gated
            else activate(inner, self.activation)
        )
