"""The network of the transformer family: a plain Qwen3 decoder over packed batches."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pofx.models.transformer.attention import PackedLayout, turn_heads
from pofx.models.transformer.ops import add_linear, norm_linear, rms_norm, swiglu


@dataclass(frozen=True)
class Shape:
    """The sizes of a network.

    Attributes:
        rows: The rows of the embedding: V outcomes, and one more where there is an x0.
        width: The size of a hidden state.
        layers: How many blocks.
        heads: How many attention heads a block has.
        hidden: The inner width of SwiGLU.
        context: The longest window, in tokens.
        tie: Whether the embedding is the output matrix, too.
    """

    rows: int
    width: int
    layers: int
    heads: int
    hidden: int
    context: int
    tie: bool = False

    @property
    def head_dim(self) -> int:
        """The dimensions of one head."""
        return self.width // self.heads


class Block(nn.Module):
    """One block: x + attention(norm x), then x + SwiGLU(norm x); q, k, v share one matrix, and so do gate and up."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, h = shape.width, shape.hidden
        self.heads, self.dim = shape.heads, shape.head_dim
        self.qkv = nn.Parameter(torch.empty(3 * d, d))
        self.out = nn.Parameter(torch.zeros(d, d))
        self.gate_up = nn.Parameter(torch.empty(2 * h, d))
        self.down = nn.Parameter(torch.zeros(d, h))
        self.norm_in = nn.Parameter(torch.ones(d))
        self.norm_mid = nn.Parameter(torch.ones(d))
        self.norm_q = nn.Parameter(torch.ones(self.dim))
        self.norm_k = nn.Parameter(torch.ones(self.dim))

    def heads_of(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Compute queries, keys and values of `x[N, d]` before RoPE: `[N, 3, H, D]`."""
        return norm_linear(x, self.norm_in, self.qkv, dtype).view(-1, 3, self.heads, self.dim)

    def turned_heads_of(
        self, x: Tensor, cos: Tensor, sin: Tensor, r: int, m: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute queries, keys and values of `x[r·m, d]`, queries and keys after RoPE: `[r, m, H, D]` each."""
        q, k, v = self.heads_of(x).view(r, m, 3, self.heads, self.dim).unbind(2)
        return turn_heads(q, self.norm_q, cos, sin), turn_heads(k, self.norm_k, cos, sin), v

    def finish(self, x: Tensor, attended: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Compute the rest of the block after attention: `[N, d]` and `[N, H·D]` to `[N, d]`."""
        x = add_linear(x, attended, self.out, dtype)
        return add_linear(x, swiglu(norm_linear(x, self.norm_mid, self.gate_up, dtype)), self.down, dtype)


class Net(nn.Module):
    """The network from token ids to final hidden states; callers apply the head to the rows that they need."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Parameter(torch.empty(shape.rows, shape.width))
        self.blocks = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
        self.norm = nn.Parameter(torch.ones(shape.width))
        self.lm_head = None if shape.tie else nn.Parameter(torch.zeros(shape.rows, shape.width))

    @property
    def head(self) -> Tensor:
        """The output matrix `[rows, d]`."""
        return self.embed if self.lm_head is None else self.lm_head

    def layers(self) -> Iterator[Block]:
        """Yield the blocks, first to last."""
        for block in self.blocks:
            assert isinstance(block, Block)  # noqa: S101  (ours: the list was built so)
            yield block

    def forward(
        self, ids: Tensor, layout: PackedLayout, asked: Tensor, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Compute the final hidden states of some inputs of a packed batch.

        Args:
            ids: `[N]`, the inputs.
            layout: The layout of the pieces.
            asked: `[M]`, the inputs whose final hidden states are needed.
            dtype: The dtype of the matrix products; everything else is float32.

        Returns:
            The final hidden states, `[M, d]`.
        """
        x = F.embedding(ids, self.embed)
        for i, block in enumerate(self.layers()):
            attended = layout.attend(block.heads_of(x, dtype), block.norm_q, block.norm_k)
            # Re-read tokens need no state after the last attention.
            if i == self.shape.layers - 1 and len(asked) < len(x):
                x, attended = x[asked], attended[asked]
            x = block.finish(x, attended, dtype)
        return rms_norm(x, self.norm)
