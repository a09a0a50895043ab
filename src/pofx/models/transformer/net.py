"""The network of the transformer family: a plain Qwen3 decoder, packed, and on one page."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pofx.models.transformer.attention import PackedLayout
from pofx.models.transformer.ops import add_linear, norm_linear, rms_norm, swiglu


@dataclass(frozen=True)
class Shape:
    """The sizes of a network. rows: of the embedding, V outcomes and one more where there is an x0."""

    rows: int
    width: int
    layers: int
    heads: int
    hidden: int
    context: int
    tie: bool = False

    @property
    def head_dim(self) -> int:
        """Dimensions of one head."""
        return self.width // self.heads


class Block(nn.Module):
    """x + attention(norm x), then x + SwiGLU(norm x). q, k, v share one matrix, and so do gate and up."""

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
        """Queries, keys and values of `x[N, d]`, as they leave the matrix: `[N, 3, H, D]`."""
        return norm_linear(x, self.norm_in, self.qkv, dtype).view(-1, 3, self.heads, self.dim)

    def finish(self, x: Tensor, attended: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """What follows attention: `[N, d]` and `[N, H·D]` to `[N, d]`."""
        x = add_linear(x, attended, self.out, dtype)
        return add_linear(x, swiglu(norm_linear(x, self.norm_mid, self.gate_up, dtype)), self.down, dtype)


class Net(nn.Module):
    """Token ids to final hidden states; the head is applied by whoever knows which rows he wants."""

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
        """The blocks, first to last."""
        for block in self.blocks:
            assert isinstance(block, Block)  # noqa: S101  (ours: the list was built so)
            yield block

    def forward(
        self, ids: Tensor, layout: PackedLayout, asked: Tensor, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Final hidden states `[M, d]` at the inputs `asked[M]` of a packed batch `ids[N]`.

        dtype: of the matrix products alone; all else is float32.
        """
        x = F.embedding(ids, self.embed)
        for i, block in enumerate(self.layers()):
            attended = layout.attend(block.heads_of(x, dtype), block.norm_q, block.norm_k)
            if i == self.shape.layers - 1 and len(asked) < len(
                x
            ):  # re-read tokens need no state after the last attention
                x, attended = x[asked], attended[asked]
            x = block.finish(x, attended, dtype)
        return rms_norm(x, self.norm)
