"""The keys and values of a batch of prefixes, of which a common prefix is stored once."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Sequence

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.lm.trace import Ints
from pofx.models.append_only import SharedBuffer
from pofx.models.pretrained.inference.decoder import Decoder
from pofx.models.pretrained.inference.prefix_tree import WORTH
from pofx.models.pretrained.inference.scores import ScoreRule, shape_scores, weigh_scores

# Tokens of a long prefix that are read at a time, so that their scores against all earlier tokens stay small.
STEP = 256


class Prefixes:
    """The state of n prefixes, which never changes once it is made.

    Args:
        trunk: `[L, 2, K, T, D]`, the keys and values of the T tokens with which all prefixes begin.
        buffer: `[2, n, K, capacity, D]` a layer, the keys and values of each prefix after the trunk.
        version: The version of the buffer that belongs to this state.
        length: `[n]`, how many tokens of each row of the buffer count.
        hidden: `[n, d]`, the final state of each prefix's last token.
        ids: `[n, t]`, the tokens of prefixes of one length without a trunk; None where they are not noted. They are noted
            for prompts, which a memory of prefixes may know, and not for the tokens that are drawn one by one.
    """

    def __init__(
        self,
        trunk: Tensor,
        buffer: SharedBuffer[list[Tensor]],
        version: int,
        length: Ints,
        hidden: Tensor,
        ids: Ints | None = None,
    ) -> None:
        self.trunk, self.buffer, self.version = trunk, buffer, version
        self.length, self.hidden, self.ids = length, hidden, ids

    @classmethod
    def empty(cls, decoder: Decoder, n: int) -> Prefixes:
        """Return the state of n empty prefixes."""
        s = decoder.shape
        return cls(
            torch.zeros(len(s.layers), 2, s.kv_heads, 0, s.head_dim),
            SharedBuffer([torch.zeros(2, n, s.kv_heads, 0, s.head_dim) for _ in s.layers]),
            0,
            np.zeros(n, dtype=np.int64),
            torch.zeros(n, s.hidden_width),
            np.zeros((n, 0), dtype=np.int64),
        )

    @property
    def shared(self) -> int:
        """The number of tokens of the trunk."""
        return self.trunk.shape[3]

    @property
    def sizes(self) -> Ints:
        """The number of tokens of each prefix, `[n]`."""
        return self.length + self.shared

    def take(self, rows: Ints) -> Prefixes:
        """Return the prefixes `rows`; copies of a single prefix have that prefix as their trunk."""
        rows = np.asarray(rows, dtype=np.int64)
        at = torch.from_numpy(rows)
        length = self.length[rows]
        if len(rows) > 1 and len(self.length) and (rows == rows[0]).all():
            own = [data[:, rows[0], :, : int(length[0])] for data in self.buffer.data]
            trunk = torch.cat([self.trunk, torch.stack(own)], 3) if length[0] else self.trunk
            nothing = [data[:, :1, :, :0].expand(-1, len(rows), -1, -1, -1) for data in self.buffer.data]
            return Prefixes(trunk, SharedBuffer(nothing), 0, np.zeros_like(length), self.hidden[at])
        used = int(length.max(initial=0))
        data = [layer[:, :, :, :used][:, at] for layer in self.buffer.data]
        ids = None if self.ids is None else self.ids[rows]
        return Prefixes(self.trunk, SharedBuffer(data), 0, length, self.hidden[at], ids)

    def followed(self, keys_values: list[Tensor], ids: Ints) -> Prefixes:
        """Return prefixes of equal length after u known tokens each, without the hidden state of the last token.

        Args:
            keys_values: `[2, n, K, u, D]` a layer, the keys and values of these tokens.
            ids: `[n, t]`, the tokens of the longer prefixes.
        """
        used = int(self.length.max(initial=0))
        data = [torch.cat([old[:, :, :, :used], new], 3) for old, new in zip(self.buffer.data, keys_values)]
        length = self.length + keys_values[0].shape[3]
        return Prefixes(
            self.trunk, SharedBuffer(data), 0, length, torch.full_like(self.hidden, torch.nan), ids
        )

    def cat(self, others: Sequence[Prefixes]) -> Prefixes:
        """Return these prefixes, followed by the others; a trunk that is not common to all is copied to its prefixes."""
        every = [self, *others]
        if any(p.trunk is not self.trunk for p in every):
            every = [p._untrunked() for p in every]
        used = max(int(p.length.max(initial=0)) for p in every)
        data = []
        for layers in zip(*(p.buffer.data for p in every)):
            parts = [layer[:, :, :, :used] for layer in layers]
            data.append(torch.cat([F.pad(p, (0, 0, 0, used - p.shape[3])) for p in parts], 1))
        return Prefixes(
            every[0].trunk,
            SharedBuffer(data),
            0,
            np.concatenate([p.length for p in every]),
            torch.cat([p.hidden for p in every]),
            _ids_of(every),
        )

    def _untrunked(self) -> Prefixes:
        n, used = len(self.length), int(self.length.max(initial=0))
        trunks = self.trunk[:, :, None].expand(-1, -1, n, -1, -1, -1)
        data = [torch.cat([t, d[:, :, :, :used]], 3) for t, d in zip(trunks, self.buffer.data)]
        return Prefixes(self.trunk[:, :, :, :0], SharedBuffer(data), 0, self.sizes, self.hidden)


def extend_prefixes(decoder: Decoder, prefixes: Prefixes, ids: Ints) -> Prefixes:
    """Return the prefixes after each has read its row of `ids[n, t]`."""
    before, t = prefixes.ids, ids.shape[1]
    for at in range(0, t, STEP):
        prefixes = _step(decoder, prefixes, ids[:, at : at + STEP])
    if before is not None and (t >= WORTH or before.shape[1] + t <= WORTH):
        prefixes.ids = np.concatenate([before, ids], 1)
    return prefixes


def _ids_of(prefixes: Sequence[Prefixes]) -> Ints | None:
    """Return the tokens of several batches, `[n, t]`; None where tokens are not noted or lengths differ."""
    every = [p.ids for p in prefixes if p.ids is not None]
    if len(every) < len(prefixes) or len({ids.shape[1] for ids in every}) > 1:
        return None
    return np.concatenate(every)


@torch.inference_mode()
def _step(decoder: Decoder, prefixes: Prefixes, ids: Ints) -> Prefixes:
    n, t = ids.shape
    used = int(prefixes.length.max(initial=0))
    buffer, version = prefixes.buffer, prefixes.version + 1
    if not buffer.claim(prefixes.version):
        # Another state has appended to the buffer after this state, which must take a copy.
        buffer, version = SharedBuffer([data[:, :, :, :used].clone() for data in buffer.data]), 0
    _grown(buffer.data, used, t)
    attention = _StateAttention(prefixes, buffer.data, t)
    asked = torch.arange(t - 1, n * t, t)
    flat = torch.from_numpy(np.ascontiguousarray(ids).ravel())
    hidden = decoder.hidden(flat, attention.positions.reshape(-1), attention, asked)
    return Prefixes(prefixes.trunk, buffer, version, prefixes.length + t, hidden)


def _grown(layers: list[Tensor], used: int, t: int) -> None:
    """Make room for t more tokens and half as many again, so that all copies add up to twice the final size.

    The list gets one new layer at a time, so that the old and the new buffer never take memory as a whole. Blanks are masked
    and not skipped, so blanks are zeros, which cannot become nan.
    """
    if layers and layers[0].shape[3] < used + t:
        room = used + t + max(16, (used + t) // 2)
        for i, old in enumerate(layers):
            data = torch.zeros(*old.shape[:3], room, old.shape[4])
            data[:, :, :, :used] = old[:, :, :, :used]
            layers[i] = data


class _StateAttention:
    """The attention of t new tokens of each of n prefixes to the trunk, the prefix's own tokens, and each other."""

    def __init__(self, prefixes: Prefixes, data: list[Tensor], t: int) -> None:
        self.trunk, self.data, self.t = prefixes.trunk, data, t
        length = torch.from_numpy(prefixes.length)
        self.places = length[:, None] + torch.arange(t)  # [n, t] after the trunk
        self.positions = self.places + prefixes.shared
        self.even = bool((length == length[0]).all()) if len(length) else True
        self.used = int(length.max()) + t if len(length) else t
        self._masks: dict[tuple[int | None, int | None], Tensor] = {}

    def attend(self, layer: int, rule: ScoreRule, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Do as `Attention` says, and append the keys and values."""
        n, t = self.places.shape
        heads, dim = q.shape[1:]
        kv = k.shape[1]
        keys, values = self.data[layer]  # [n, K, capacity, D]
        k, v = k.view(n, t, kv, dim), v.view(n, t, kv, dim)
        if self.even:
            first = self.used - t
            keys[:, :, first : self.used] = k.transpose(1, 2)
            values[:, :, first : self.used] = v.transpose(1, 2)
        else:
            row = torch.arange(n)[:, None].expand(n, t)
            keys[row, :, self.places] = k
            values[row, :, self.places] = v
        keys, values = keys[:, :, : self.used], values[:, :, : self.used]
        trunk_keys, trunk_values = self.trunk[layer, 0], self.trunk[layer, 1]  # [K, T, D]
        shared = trunk_keys.shape[1]
        # [n, K, G·t, D]: the queries of a key head's group lie together, so that each product is a matrix product.
        q = q.view(n, t, kv, heads // kv, dim).permute(0, 2, 3, 1, 4).reshape(n, kv, -1, dim)
        scores = torch.matmul(q, keys.mT)
        if shared:
            over = torch.matmul(q.transpose(0, 1).reshape(kv, -1, dim), trunk_keys.mT)
            over = over.view(kv, n, -1, shared).transpose(0, 1)
            scores = torch.cat([over, scores], -1)
        table = scores.view(n, kv, heads // kv, t, -1)
        shape_scores(table, rule, None if rule.slopes is None else self._positions(shared))
        mask = self._mask(rule, shared)
        if mask is not None:
            table.add_(mask[:, None, None])
        p = weigh_scores(table, rule).view(scores.shape)
        out = torch.matmul(p[..., shared:], values)
        if shared:
            over = torch.matmul(p[..., :shared].transpose(0, 1).reshape(kv, -1, shared), trunk_values)
            out += over.view(kv, n, -1, dim).transpose(0, 1)
        return out.view(n, kv, heads // kv, t, dim).permute(0, 3, 1, 2, 4).reshape(n * t, heads * dim)

    def _positions(self, shared: int) -> tuple[Tensor, Tensor]:
        """Return the positions of the keys, `[shared + used]`, and of the queries, `[n, 1, 1, t, 1]`."""
        return torch.arange(shared + self.used), self.positions[:, None, None, :, None]

    def _mask(self, rule: ScoreRule, shared: int) -> Tensor | None:
        """Return the mask `[n, t, shared + used]`, or None where every query sees every key."""
        if self.even and self.t == 1 and rule.sees_all(shared + self.used):
            return None
        kind = (rule.window, rule.chunk)
        if kind not in self._masks:
            key = torch.arange(shared + self.used)
            at = self.positions[:, :, None]
            seen = key <= at
            first = rule.first_seen(at)
            if first is not None:
                seen &= key >= first
            self._masks[kind] = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)
        return self._masks[kind]
