"""The branches of pofx's decoder: a tree of continuations, of which each node is read once, in one pass."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.decoder import Decoder
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.inference.prefixes import Prefixes
from pofx.models.pretrained.inference.scores import ScoreRule, shape_scores, weigh_scores
from pofx.models.threads import threads_for

PASS = 1024  # nodes that go through the network together
QUERIES = 128  # nodes that attend together: to their row's prefix, and to the ancestors of any of them
NUMBERS = 1 << 23  # numbers of distributions that are returned at a time, in 32 MB


class DecoderBranches:
    """The branches of prefixes. One pool has the keys and values of all nodes, and a mask shows each node its ancestors."""

    def __init__(self, decoder: Decoder, head: Head, prefixes: Prefixes, fits: Callable[[int], None]) -> None:
        self._decoder, self._head, self._prefixes, self._fits = decoder, head, prefixes, fits
        s = decoder.shape
        self._pool = [torch.empty(2, 0, s.kv_heads, s.head_dim) for _ in s.layers]
        self._root: list[int] = []
        self._line: list[Ints] = []  # the ancestors of each node from the top, and the node itself

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, NDArray[np.float32]]]:
        """Do as `pofx.lm.continuation_tree.Branches` says."""
        for lo in range(0, len(parent), PASS):
            yield from self._pass(parent[lo : lo + PASS], token[lo : lo + PASS])

    def _pass(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, NDArray[np.float32]]]:
        first = len(self._line)
        for k, above in enumerate(parent.tolist(), first):
            self._root.append(-1 - above if above < 0 else self._root[above])
            self._line.append(np.append(self._line[above], k) if above >= 0 else np.array([k]))
        n = len(token)
        root, line = np.array(self._root[first:]), self._line[first:]
        before = self._prefixes.sizes[root]
        positions = before + np.array([len(x) for x in line]) - 1
        self._fits(int(positions.max()) + 1)
        self._room(first + n)
        width = self._decoder.shape.width
        with threads_for(width, n), torch.inference_mode():
            attention = _PoolAttention(self._prefixes, self._pool, first, root, line, positions)
            ids = torch.from_numpy(np.ascontiguousarray(token))
            hidden = self._decoder.hidden(ids, torch.from_numpy(positions), attention, torch.arange(n))
        rows = max(1, NUMBERS // self._head.size)
        for lo in range(0, n, rows):
            some = hidden[lo : lo + rows]
            with threads_for(width, len(some)):
                logp: NDArray[np.float32] = self._head.log_softmax(some).numpy()
            yield first + np.arange(lo, lo + len(some)), logp

    def _room(self, n: int) -> None:
        if self._pool[0].shape[1] < n:
            for i, old in enumerate(self._pool):
                self._pool[i] = torch.empty(2, max(n, 2 * old.shape[1]), *old.shape[2:])
                self._pool[i][:, : old.shape[1]] = old


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Nodes [lo, hi) of a pass, all of which continue the prefix `root`.

    Attributes:
        lo: The first node.
        hi: The last node, plus 1.
        root: The row of the prefix.
        pool: The nodes that any node of the chunk sees.
        hidden: `[hi − lo, pool]`, the nodes of the pool that each node of the chunk does not see.
        at: `[pool]`, the positions of the nodes of the pool.
    """

    lo: int
    hi: int
    root: int
    pool: Tensor
    hidden: Tensor
    at: Tensor


class _PoolAttention:
    """The attention of the nodes of a pass, which puts their keys and values into the pool."""

    def __init__(
        self,
        prefixes: Prefixes,
        pool: list[Tensor],
        first: int,
        root: Ints,
        line: list[Ints],
        positions: Ints,
    ) -> None:
        self.prefixes, self.pool, self.first = prefixes, pool, first
        self.positions = torch.from_numpy(positions)
        self.chunks = []
        cuts = np.flatnonzero(np.diff(root)) + 1
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(root)]):
            for lo in range(start, stop, QUERIES):
                hi = min(lo + QUERIES, stop)
                seen = np.unique(np.concatenate(line[lo:hi]))
                at = np.zeros(len(seen), dtype=np.int64)
                hidden = np.ones((hi - lo, len(seen)), dtype=np.bool_)
                base = int(prefixes.sizes[root[start]])
                for j, ancestors in enumerate(line[lo:hi]):
                    place = np.searchsorted(seen, ancestors)
                    hidden[j, place] = False
                    at[place] = base + np.arange(len(ancestors))
                self.chunks.append(
                    _Chunk(
                        lo,
                        hi,
                        int(root[start]),
                        torch.from_numpy(seen),
                        torch.from_numpy(hidden),
                        torch.from_numpy(at),
                    )
                )

    def attend(self, layer: int, rule: ScoreRule, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Do as `Attention` says: `q[N, H, D]`, `k, v[N, K, D]` to `[N, H·D]`."""
        n, heads, dim = q.shape
        kv = k.shape[1]
        pool = self.pool[layer]
        pool[0, self.first : self.first + n] = k
        pool[1, self.first : self.first + n] = v
        out = torch.empty(n, heads * dim)
        q = q.view(n, kv, heads // kv, dim)
        for c in self.chunks:
            some = q[c.lo : c.hi].permute(1, 2, 0, 3).reshape(kv, -1, dim)  # [K, G·m, D]
            trunk_k, trunk_v = self._trunk(layer, c.root)
            keys, values = pool[:, c.pool].transpose(1, 2).unbind(0)  # [K, P, D]
            scores = torch.cat([torch.bmm(some, trunk_k.mT), torch.bmm(some, keys.mT)], -1)
            m, t = c.hi - c.lo, trunk_k.shape[1]
            table = scores.view(kv, heads // kv, m, -1)
            shape_scores(table, rule, None if rule.slopes is None else self._placed(c, t))
            hidden = c.hidden
            first = rule.first_seen(self.positions[c.lo : c.hi, None])
            if first is not None:
                hidden = hidden | (c.at < first)
                table[..., :t].masked_fill_(torch.arange(t) < first, -torch.inf)
            table[..., t:].masked_fill_(hidden, -torch.inf)
            p = weigh_scores(table, rule).view(scores.shape)
            found = torch.bmm(p[..., :t], trunk_v) + torch.bmm(p[..., t:], values)
            out[c.lo : c.hi] = found.view(kv, heads // kv, m, dim).permute(2, 0, 1, 3).reshape(m, -1)
        return out

    def _placed(self, c: _Chunk, t: int) -> tuple[Tensor, Tensor]:
        """Return the positions of the keys, `[T + P]`, and of the queries of a chunk, `[m, 1]`."""
        return torch.cat([torch.arange(t), c.at]), self.positions[c.lo : c.hi, None]

    def _trunk(self, layer: int, row: int) -> tuple[Tensor, Tensor]:
        """Return the keys and values `[K, T, D]` of the tokens of a row of the state."""
        p = self.prefixes
        both, own = p.trunk[layer], int(p.length[row])
        if own:
            both = torch.cat([both, p.buffer.data[layer][:, row, :, :own]], 2)
        return both[0], both[1]
