"""The weights of the layers of a decoder, read from a checkpoint by the names and layouts of its family."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Architecture, Experts, Latent, Layer
from pofx.models.pretrained.inference.experts import ExpertMixture
from pofx.models.pretrained.inference.latent import LatentProjection
from pofx.models.pretrained.inference.layout import (
    halves_in_turn,
    halves_of_pairs,
    split_by_head,
    split_in_turn,
    turning_first,
)
from pofx.models.pretrained.inference.linear import Linear, release_freed_memory
from pofx.models.pretrained.inference.mlp import Mlp
from pofx.models.pretrained.inference.norms import StateNorm
from pofx.models.pretrained.inference.quantized import make_linear
from pofx.models.pretrained.inference.scores import ScoreRule

_LATENT_EPS = 1e-6  # the library's ε of the norms of latents, whatever the config says


@dataclass(frozen=True, eq=False)
class DecoderLayer:
    """The weights of a layer, and the rule of its attention.

    Attributes:
        qkv: The matrix of queries, keys and values, in this order.
        out: The matrix after the attention.
        mlp: The MLP, or the mixture of experts.
        rule: The cap, the slopes, the window and the sinks of the attention.
        scale: The factor of q·k.
        norm_in: The norm before the attention; None for no norm, as for each norm below.
        norm_mid: The norm before the MLP.
        norm_q: The norm of the queries.
        norm_k: The norm of the keys.
        norm_attended: The norm of the output of the attention, before it is added.
        norm_mlp: The norm of the output of the MLP, before it is added.
        norm_after_attention: The norm of the sum after the attention.
        norm_after_mlp: The norm of the sum after the MLP.
    """

    qkv: Linear | LatentProjection
    out: Linear
    mlp: Mlp | ExpertMixture
    rule: ScoreRule
    scale: float
    norm_in: StateNorm | None
    norm_mid: StateNorm | None
    norm_q: StateNorm | None
    norm_k: StateNorm | None
    norm_attended: StateNorm | None
    norm_mlp: StateNorm | None
    norm_after_attention: StateNorm | None
    norm_after_mlp: StateNorm | None


class LayerWeights:
    """The reader of the weights of a decoder. A tensor that the checkpoint lacks is a `KeyError`, except a bias.

    Args:
        shape: The architecture.
        weights: The weights by the names of the checkpoint.
        base: The beginning of the names of all tensors but the head, such as "model."; "" where a checkpoint leaves it out.
        dtype: The dtype of the matrix products.
    """

    def __init__(
        self, shape: Architecture, weights: Mapping[str, Tensor], base: str, dtype: torch.dtype
    ) -> None:
        self.shape, self.weights, self.base, self.dtype = shape, weights, base, dtype
        self._scratch = torch.empty(0)

    def layer(self, i: int) -> DecoderLayer:
        """Return the weights of layer i, from 0."""
        s, stored, layer = self.shape, self.shape.stored, self.shape.layers[i]
        at = stored.layer.format(i)
        release_freed_memory()

        def norm(name: str | None) -> StateNorm | None:
            return None if name is None else self.norm(at + name)

        return DecoderLayer(
            qkv=self._qkv(at, layer) if s.latent is None else self._latent(at, s.latent),
            out=self.linear([at + stored.out]) if s.latent is None else self._out(at, s.latent),
            mlp=self._mlp(at, stored.up, stored.down)
            if layer.experts is None
            else self._experts(at, layer.experts),
            rule=ScoreRule(
                layer.window,
                layer.chunk,
                s.cap,
                None if s.slopes is None else torch.tensor(s.slopes),
                s.scale if s.rounded_slopes else None,
                None if stored.sinks is None else self.weights[self.base + at + stored.sinks].float(),
            ),
            scale=s.scale if layer.scale is None else layer.scale,
            norm_in=norm(stored.norm_in),
            norm_mid=norm(stored.norm_mid),
            norm_q=self._head_norm(at, stored.norm_q, layer),
            norm_k=self._head_norm(at, stored.norm_k, layer),
            norm_attended=norm(stored.norm_attended),
            norm_mlp=norm(stored.norm_mlp),
            norm_after_attention=norm(stored.norm_after_attention),
            norm_after_mlp=norm(stored.norm_after_mlp),
        )

    def norm(self, name: str) -> StateNorm:
        """Return the norm whose tensors have this name after the base."""
        norm = self.shape.norm
        if not norm.weighted:
            return StateNorm(norm, None, None)
        gain = self.weights[f"{self.base}{name}.weight"].float()
        bias = self._optional(f"{name}.bias")
        return StateNorm(norm, gain + 1.0 if norm.plus_one else gain, None if bias is None else bias.float())

    def linear(self, names: Sequence[str]) -> Linear:
        """Return the linear layer whose matrix is the matrices of these names after the base, one above the other."""
        parts = [self._matrix(name) for name in names]
        return self._joined(parts, [self._optional(f"{name}.bias") for name in names])

    def _qkv(self, at: str, layer: Layer) -> Linear:
        s, stored = self.shape, self.shape.stored
        names = [at + name for name in stored.qkv]
        parts = [self._matrix(name) for name in names]
        biases = [self._optional(f"{name}.bias") for name in names]
        if len(parts) == 1 and (stored.by_head or stored.interleaved):
            split = split_by_head if stored.by_head else split_in_turn
            bias = biases[0]
            biases = [None] * 3 if bias is None else list(split(bias, s.heads, s.kv_heads))
            parts = list(split(parts[0], s.heads, s.kv_heads))
        if stored.interleaved and layer.rope is not None:
            turning = layer.rope.dim or s.head_dim
            parts[:2] = [halves_of_pairs(p, s.head_dim, turning) for p in parts[:2]]
            biases[:2] = [None if b is None else halves_of_pairs(b, s.head_dim, turning) for b in biases[:2]]
        return self._joined(parts, biases)

    def _latent(self, at: str, latent: Latent) -> LatentProjection:
        """Return the projection of latent attention; the numbers of a head that turn are put first, and in halves."""
        s, stored = self.shape, self.shape.stored
        *first, name, to_latent, from_latent = (at + n for n in stored.qkv)
        still = s.head_dim - latent.turning

        def ordered(x: Tensor) -> Tensor:
            return (
                torch.cat([x[: latent.kept], halves_in_turn(x[latent.kept :])]) if stored.interleaved else x
            )

        bias = self._optional(f"{to_latent}.bias")
        made = self._matrix(from_latent).view(s.heads, still + latent.value, -1)
        parts = [made[:, :still].flatten(0, 1), made[:, still:].flatten(0, 1)]
        queries = turning_first(self._matrix(name), s.head_dim, latent.turning, stored.interleaved)
        assert stored.norm_k is not None  # noqa: S101  (ours: each family names the norm)
        return LatentProjection(
            down=self.linear(first) if first else None,
            norm_q=None if stored.norm_q is None else self._latent_norm(at + stored.norm_q),
            queries=self._joined([queries], [None]),
            latent=self._joined(
                [ordered(self._matrix(to_latent))], [None if bias is None else ordered(bias)]
            ),
            norm_k=self._latent_norm(at + stored.norm_k),
            expand=self._joined(parts, [None, None]),
            heads=s.heads,
            head_dim=s.head_dim,
            turning=latent.turning,
        )

    def _latent_norm(self, name: str) -> StateNorm:
        found = self.norm(name)
        return StateNorm(replace(found.norm, eps=_LATENT_EPS), found.gain, found.bias)

    def _out(self, at: str, latent: Latent) -> Linear:
        """Return the matrix after the attention, with zeros for the numbers with which values are filled up."""
        s, name = self.shape, at + self.shape.stored.out
        matrix = self._matrix(name).view(-1, s.heads, latent.value)
        matrix = F.pad(matrix, (0, s.head_dim - latent.value)).flatten(1)
        return self._joined([matrix], [self._optional(f"{name}.bias")])

    def _head_norm(self, at: str, name: str | None, layer: Layer) -> StateNorm | None:
        """Return the norm of queries or keys, whose gain has the order of `halves_of_pairs` if the queries have it."""
        if self.shape.qk_norm == "turning" and layer.rope is not None:
            return StateNorm(replace(self.shape.norm, weighted=False), None, None)
        if name is None or self.shape.latent is not None:
            return None
        found, s = self.norm(at + name), self.shape
        if found.gain is None or not s.stored.interleaved or layer.rope is None:
            return found
        gain = halves_of_pairs(found.gain.view(-1), s.head_dim, layer.rope.dim or s.head_dim)
        return StateNorm(found.norm, gain.view(found.gain.shape), found.bias)

    def _mlp(self, at: str, up: Sequence[str], down: str) -> Mlp:
        s = self.shape
        inner, outer = self.linear([at + name for name in up]), self.linear([at + down])
        return Mlp(inner, outer, s.activation, s.gated, s.gate_limit)

    def _experts(self, at: str, rule: Experts) -> ExpertMixture:
        """Return the experts of a layer; the checkpoint has a tensor for each expert, or one tensor for all experts."""
        stored, every = self.shape.stored, range(rule.count)
        if stored.all_up is not None and stored.all_down is not None:
            up, down = (self._of_all(at + name) for name in (stored.all_up, stored.all_down))
            s, turn = self.shape, halves_in_turn if stored.all_in_turn else None
            experts = tuple(
                Mlp(self._of_one(*up, e, turn), self._of_one(*down, e), s.activation, s.gated, s.gate_limit)
                for e in every
            )
        else:
            names = [at + stored.expert.format(e) for e in every]
            experts = tuple(self._mlp(name, stored.expert_up, stored.expert_down) for name in names)
        gate = None if stored.shared_gate is None else self._matrix(at + stored.shared_gate).float()
        shared = self._mlp(at + stored.shared, stored.expert_up, stored.expert_down) if rule.shared else None
        bias = self._optional(at + stored.router + ".bias")
        choice = None if stored.choice_bias is None else self.weights[self.base + at + stored.choice_bias]
        return ExpertMixture(
            rule,
            self._matrix(at + stored.router).float(),
            None if bias is None else bias.float(),
            None if choice is None else choice.float(),
            experts,
            shared,
            gate,
        )

    def _of_all(self, name: str) -> tuple[Tensor, Tensor | None]:
        """Return the matrices of all experts, `[E, out, in]`, and their biases, `[E, out]`."""
        found = self.weights[self.base + name]
        return found.mT if self.shape.stored.all_transposed else found, self._optional(name + "_bias")

    def _of_one(
        self, matrices: Tensor, biases: Tensor | None, e: int, order: Callable[[Tensor], Tensor] | None = None
    ) -> Linear:
        """Return the linear layer of expert e, whose rows `order` puts into the order of the decoder."""
        matrix, bias = matrices[e], None if biases is None else biases[e].float()
        if order is not None:
            matrix, bias = order(matrix), None if bias is None else order(bias)
        return make_linear(matrix.contiguous(), bias, self.dtype)

    def _matrix(self, name: str) -> Tensor:
        found = self.weights[f"{self.base}{name}.weight"]
        return found.T if self.shape.stored.transposed else found

    def _optional(self, name: str) -> Tensor | None:
        return self.weights.get(self.base + name)

    def _joined(self, parts: list[Tensor], biases: list[Tensor | None]) -> Linear:
        """Return the linear layer of matrices one above the other; a missing bias is zero if another matrix has a bias."""
        bias = None
        if any(b is not None for b in biases):
            bias = torch.cat(
                [torch.zeros(len(p)) if b is None else b.float() for p, b in zip(parts, biases, strict=True)]
            )
        return make_linear(
            self._stacked(parts) if len(parts) > 1 else parts[0].contiguous(), bias, self.dtype
        )

    def _stacked(self, parts: list[Tensor]) -> Tensor:
        """Stack matrices in a buffer that the next call overwrites, since new buffers left 112 MB of holes."""
        rows, dtype = sum(len(p) for p in parts), parts[0].dtype
        need = rows * parts[0].shape[1]
        if self._scratch.dtype != dtype or self._scratch.numel() < need:
            self._scratch = torch.empty(need, dtype=dtype)
        return torch.cat(parts, out=self._scratch[:need].view(rows, -1))
