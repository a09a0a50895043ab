"""The decoder of pofx with the weights of a checkpoint, from packed tokens to final hidden states."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Rope
from pofx.models.pretrained.inference.layer_weights import DecoderLayer, LayerWeights
from pofx.models.pretrained.inference.norms import StateNorm
from pofx.models.pretrained.inference.rotary import rotate, rotation_table
from pofx.models.pretrained.inference.scores import ScoreRule


class MatrixRows(Protocol):
    """A matrix whose rows can be read one by one."""

    def __getitem__(self, ids: Tensor) -> Tensor:
        """Return the rows `ids[n]`, `[n, d]`, float32."""


class Attention(Protocol):
    """The attention of packed tokens, which knows the tokens that each token may attend to."""

    def attend(self, layer: int, rule: ScoreRule, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from scaled `q[N, H, D]` to `k, v[N, K, D]`, all placed by their positions, and return `[N, H·D]`."""


class Decoder:
    """A decoder on packed tokens, with the residual in float32.

        h = N(x_L), x_{l+1} = x_l + A(N x_l) + M(N(x_l + A)), or + M(N x_l) where attention and MLP are parallel

    Args:
        shape: The architecture.
        weights: The weights by the names of a checkpoint, each of which is read once.
        base: The name before the tensors of the body.
        embed: The rows of the embedding.
        dtype: The dtype of the matrix products.
    """

    def __init__(
        self,
        shape: Architecture,
        weights: Mapping[str, Tensor],
        base: str,
        embed: MatrixRows,
        dtype: torch.dtype,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self.embed = embed
        stored = shape.stored
        reader = LayerWeights(shape, weights, base, dtype)
        self.positions: Tensor | None = None
        if stored.positions is not None:
            self.positions = weights[f"{base}{stored.positions}.weight"][stored.skipped :].float()
        self.norm_embed = None if stored.norm_embed is None else reader.norm(stored.norm_embed)
        self.norm = None if stored.norm is None else reader.norm(stored.norm)
        self.project_in = None if stored.project_in is None else reader.linear([stored.project_in])
        self.project_out = None if stored.project_out is None else reader.linear([stored.project_out])
        self.blocks = [reader.layer(i) for i in range(len(shape.layers))]

    @torch.inference_mode()
    def hidden(
        self,
        ids: Tensor,
        positions: Tensor,
        attention: Attention,
        asked: Tensor,
        report: Callable[[float], None] | None = None,
    ) -> Tensor:
        """Compute the final hidden states `[M, d]` of the tokens `asked[M]` of packed `ids[N]` at `positions[N]`.

        After each layer `report` is called with the share of the pass that is done, where the head counts as a layer.
        """
        s = self.shape
        n, q_size, kv_size = len(ids), s.heads * s.head_dim, s.kv_heads * s.head_dim
        x = self._embedded(ids, positions)
        table: dict[Rope, tuple[Tensor, Tensor]] = {}
        for i, (layer, block) in enumerate(zip(s.layers, self.blocks)):
            h = _normed(x, block.norm_in)
            qkv = block.qkv(h)
            if s.clip is not None:
                qkv.clamp_(-s.clip, s.clip)
            q = qkv[:, :q_size].view(n, s.heads, s.head_dim)
            k = qkv[:, q_size : q_size + kv_size].view(n, s.kv_heads, s.head_dim)
            v = qkv[:, q_size + kv_size :].view(n, s.kv_heads, s.head_dim)
            q, k = self._placed(q, k, layer, block, positions, table)
            q = q * block.scale
            if layer.growth is not None:
                share, floor = layer.growth
                q *= (((positions + 1) // floor).float().log1p_() * share + 1.0)[:, None, None]
            attended = attention.attend(i, block.rule, q, k, v)
            if i == len(self.blocks) - 1:  # after the last attention only the requested tokens are needed
                x, h, attended = x[asked], h[asked], attended[asked]
            x = self._added(x, h, attended, block)
            if report is not None:
                report((i + 1) / (len(self.blocks) + 1))
        x = _normed(x, self.norm)
        return x if self.project_out is None else self.project_out(x)

    def _embedded(self, ids: Tensor, positions: Tensor) -> Tensor:
        x = self.embed[ids]
        if self.shape.embed != 1.0:
            x *= self.shape.embed
        if self.project_in is not None:
            x = self.project_in(x)
        if self.positions is not None:
            x = x + self.positions[positions]
        return _normed(x, self.norm_embed)

    def _placed(
        self,
        q: Tensor,
        k: Tensor,
        layer: Layer,
        block: DecoderLayer,
        positions: Tensor,
        table: dict[Rope, tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys, normalised where the family does so, and rotated by their positions."""
        if self.shape.qk_norm == "whole":
            q = _normed(q.flatten(1), block.norm_q).view(q.shape)
            k = _normed(k.flatten(1), block.norm_k).view(k.shape)
        else:
            q, k = _normed(q, block.norm_q), _normed(k, block.norm_k)
        if layer.rope is None:
            return q, k
        if layer.rope not in table:
            table[layer.rope] = rotation_table(layer.rope, self.shape.head_dim, positions)
        cos, sin = table[layer.rope]
        return rotate(q, cos, sin), rotate(k, cos, sin)

    def _added(self, x: Tensor, h: Tensor, attended: Tensor, block: DecoderLayer) -> Tensor:
        """Return the state `x` after attention and MLP, where `h` is the state that the attention read."""
        factor = self.shape.residual
        a = _normed(block.out(attended), block.norm_attended)
        if self.shape.parallel:
            y = block.mlp(h if block.norm_mid is None else block.norm_mid(x))
            return torch.add(torch.add(x, a, alpha=factor), _normed(y, block.norm_mlp), alpha=factor)
        x = _normed(torch.add(x, a, alpha=factor), block.norm_after_attention)
        y = _normed(block.mlp(_normed(x, block.norm_mid)), block.norm_mlp)
        return _normed(torch.add(x, y, alpha=factor), block.norm_after_mlp)


def _normed(x: Tensor, norm: StateNorm | None) -> Tensor:
    return x if norm is None else norm(x)
