"""The network of the transformer family: a plain Qwen3 decoder, packed, and on one page."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pofx.errors import require

require("torch", "torch", "a transformer")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pofx.models.transformer_ops import AddLinear, Gated, NormLinear, TurnedHeads, norm

THETA = 10_000.0


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


class Layout:
    """Where the pieces of a packed batch lie, and attention that never looks across them.

    Pieces of equal length are a plain causal batch. Ragged ones are laid out in rows of the longest length: a
    piece then straddles two rows at most, so the queries of row r look at the keys of rows r−1 and r, through
    a mask that is true within a piece and not ahead. No token is padded outside of attention.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.n = sum(lengths)
        self.row = max(lengths)
        sizes = torch.tensor(lengths)
        piece = torch.repeat_interleave(torch.arange(len(lengths)), sizes)
        self.positions = torch.arange(self.n) - (torch.cumsum(sizes, 0) - sizes)[piece]  # [N]
        self.mask: Tensor | None = None
        if min(lengths) < self.row:
            c = self.row
            rows = -(-self.n // c)
            self.pad = rows * c - self.n
            own = F.pad(piece, (c, self.pad), value=-1)  # one row of nothing before the first
            own[c + self.n :] = -2
            at = torch.arange(rows * c + c)
            keys = torch.arange(rows)[:, None] * c + torch.arange(2 * c)  # [rows, 2c]
            queries = keys[:, c:]
            self.mask = (own[queries][:, :, None] == own[keys][:, None, :]) & (
                at[queries][:, :, None] >= at[keys][:, None, :]
            )
            self.mask = self.mask[:, None]  # [rows, 1, c, 2c]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """softmax(q kᵀ / √head_dim) v within each piece: `[N, H, D]` thrice to `[N, H·D]`."""
        heads, dim = q.shape[1:]
        if self.mask is None:
            q, k, v = (a.view(-1, self.row, heads, dim).transpose(1, 2) for a in (q, k, v))
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return out.transpose(1, 2).reshape(self.n, heads * dim)
        q = F.pad(q, (0, 0, 0, 0, 0, self.pad)).view(-1, self.row, heads, dim).transpose(1, 2)
        k, v = (self._two_rows(a) for a in (k, v))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        return out.transpose(1, 2).reshape(-1, heads * dim)[: self.n]

    def _two_rows(self, a: Tensor) -> Tensor:
        heads, dim = a.shape[1:]
        rows = F.pad(a, (0, 0, 0, 0, self.row, self.pad)).view(-1, self.row, heads, dim)
        return torch.cat([rows[:-1], rows[1:]], dim=1).transpose(1, 2)  # [rows, H, 2c, D]


def rotary(positions: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """cos and sin of the angles by which positions turn the halves of a head: `[…, dim/2]` each."""
    speed = 1.0 / THETA ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions[..., None].float() * speed
    return angle.cos(), angle.sin()


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

    def heads_of(
        self, x: Tensor, cos: Tensor, sin: Tensor, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of `x[N, d]`, normalised and turned: `[N, H, D]` each."""
        qkv = NormLinear.apply(x, self.norm_in, self.qkv, dtype).view(-1, 3, self.heads, self.dim)
        q, k, v = TurnedHeads.apply(qkv, self.norm_q, self.norm_k, cos, sin)
        return q, k, v

    def finish(self, x: Tensor, attended: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """What follows attention: `[N, d]` and `[N, H·D]` to `[N, d]`."""
        x = AddLinear.apply(x, attended, self.out, dtype)
        inner = Gated.apply(NormLinear.apply(x, self.norm_mid, self.gate_up, dtype))
        out: Tensor = AddLinear.apply(x, inner, self.down, dtype)
        return out


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
        self, ids: Tensor, layout: Layout, asked: Tensor, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Final hidden states `[M, d]` at the inputs `asked[M]` of a packed batch `ids[N]`.

        dtype: of the matrix products alone; all else is float32.
        """
        x = F.embedding(ids, self.embed)
        cos, sin = rotary(layout.positions, self.shape.head_dim)
        for i, block in enumerate(self.layers()):
            attended = layout.attend(*block.heads_of(x, cos, sin, dtype))
            if i == self.shape.layers - 1 and len(asked) < len(x):  # re-read tokens need no state after the last attention
                x, attended = x[asked], attended[asked]
            x = block.finish(x, attended, dtype)
        return norm(x, self.norm)
