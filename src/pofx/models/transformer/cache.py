"""The key-value cache of a batch of prefixes, over an append-only buffer that states share."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Sequence

from pofx.errors import require

require("torch", "torch", "a transformer")

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.lm.trace import Ints
from pofx.models.append_only import SharedBuffer
from pofx.models.transformer.attention import rotary_table
from pofx.models.transformer.net import Net
from pofx.models.transformer.ops import rms_norm


class KeyValueCache:
    """The keys and values of n prefixes, and the current window of each. A cache never changes once it is made.

    Attributes:
        buffer: The keys and values, `[layers, 2, n, heads, capacity, head_dim]`.
        version: The version of the buffer that belongs to this cache.
        window: `[n, context]`, the ids of the current window.
        length: `[n]`, how many ids of each window are read.
        hidden: `[n, d]`, the final hidden state of the last id that is read.
    """

    def __init__(
        self, buffer: SharedBuffer[Tensor], version: int, window: Ints, length: Ints, hidden: Tensor
    ) -> None:
        self.buffer, self.version = buffer, version
        self.window, self.length, self.hidden = window, length, hidden

    @classmethod
    def empty(cls, net: Net, n: int) -> KeyValueCache:
        """Return the cache of `n` prefixes that have read nothing."""
        s = net.shape
        data = torch.zeros(s.layers, 2, n, s.heads, 0, s.head_dim)
        window = np.zeros((n, s.context), dtype=np.int64)
        return cls(SharedBuffer(data), 0, window, np.zeros(n, dtype=np.int64), torch.zeros(n, s.width))

    @property
    def used(self) -> int:
        """The length of the longest window of the batch."""
        return int(self.length.max(initial=0))

    def take(self, rows: Ints) -> KeyValueCache:
        """Return a copy of the prefixes `rows`."""
        at = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        length = self.length[rows]
        data = self.buffer.data[:, :, :, :, : int(length.max(initial=0))][:, :, at]
        return KeyValueCache(SharedBuffer(data), 0, self.window[rows], length, self.hidden[at])

    def cat(self, others: Sequence[KeyValueCache]) -> KeyValueCache:
        """Return a copy of these prefixes, followed by those of the others."""
        every = [self, *others]
        used = max(c.used for c in every)
        parts = [c.buffer.data[:, :, :, :, :used] for c in every]
        data = torch.cat([F.pad(p, (0, 0, 0, used - p.shape[4])) for p in parts], dim=2)
        return KeyValueCache(
            SharedBuffer(data),
            0,
            np.concatenate([c.window for c in every]),
            np.concatenate([c.length for c in every]),
            torch.cat([c.hidden for c in every]),
        )


@torch.inference_mode()
def extend_cache(net: Net, cache: KeyValueCache, ids: Ints, overlap: int) -> KeyValueCache:
    """Extend a cache by ids.

    Args:
        net: The network.
        cache: The cache of n prefixes, which stays as it is.
        ids: `[n, t]`, t ≥ 1, the ids that follow each prefix.
        overlap: How many ids of a full window the next window re-reads.

    Returns:
        The cache of the longer prefixes.
    """
    n, t = ids.shape
    context = net.shape.context
    need = int(min(context, cache.used + t))
    # A new window is written from the front of the buffer, over data that an older state still reads.
    grows = cache.buffer.data.shape[4] >= need and cache.used + t <= context
    if grows and cache.buffer.claim(cache.version):
        buffer, version = cache.buffer, cache.version + 1
    else:
        # The buffer gets twice the room that is needed, so that all its copies add up to its final size.
        room = min(context, 2 * need)
        old = cache.buffer.data[:, :, :, :, : cache.used]
        buffer, version = SharedBuffer(F.pad(old, (0, 0, 0, room - old.shape[4]))), 0
    window, length, hidden = cache.window.copy(), cache.length.copy(), cache.hidden.clone()
    done = np.zeros(n, dtype=np.int64)
    while (done < t).any():
        full = (length == context) & (done < t)
        queue = np.minimum(t - done, context - np.where(full, overlap, length))
        chunk = np.where(full, overlap, 0) + queue
        length[full] = 0
        # Rows that read equally many tokens are one group, so that nothing is padded; mostly there are one or two groups.
        for size in np.unique(chunk[done < t]):
            rows = np.flatnonzero((chunk == size) & (done < t))
            reread = int(size) - queue[rows]
            fed = np.empty((len(rows), int(size)), dtype=np.int64)
            for again in np.unique(reread):
                some = reread == again
                at = rows[some]
                fed[some, :again] = window[at, context - again :]
                new = done[at][:, None] + np.arange(int(size) - again)
                fed[some, again:] = ids[at[:, None], new]
            places = length[rows][:, None] + np.arange(int(size))
            window[rows[:, None], places] = fed
            hidden[torch.from_numpy(rows)] = _read(net, buffer.data, rows, fed, places)
            length[rows] += size
            done[rows] += queue[rows]
    return KeyValueCache(buffer, version, window, length, hidden)


def _read(net: Net, data: Tensor, rows: Ints, ids: Ints, places: Ints) -> Tensor:
    """Read `ids[r, m]` into `rows` at `places[r, m]` of their windows, and return the last hidden states `[r, d]`."""
    r, m = ids.shape
    s = net.shape
    used = int(places.max()) + 1
    everyone = r == data.shape[2]
    same = bool((places == places[0]).all())
    at = torch.from_numpy(places)
    row = torch.from_numpy(rows)[:, None].expand(r, m)
    mask = None
    if m > 1 or not same:
        mask = (torch.arange(used) <= at[:, :, None])[:, None]  # [r, 1, m, used]
    cos, sin = (a[:, :, None] for a in rotary_table(at, s.head_dim))  # [r, m, 1, D]
    x = F.embedding(torch.from_numpy(ids).reshape(-1), net.embed)  # [r·m, d]
    for i, block in enumerate(net.layers()):
        q, k, v = block.turned_heads_of(x, cos, sin, r, m)
        keys, values = data[i, 0], data[i, 1]  # [n, H, capacity, D]
        if everyone and same:
            first = int(places[0, 0])
            keys[:, :, first : first + m] = k.transpose(1, 2)
            values[:, :, first : first + m] = v.transpose(1, 2)
        else:
            keys[row, :, at] = k
            values[row, :, at] = v
        keys, values = keys[:, :, :used], values[:, :, :used]
        if not everyone:
            keys, values = keys[row[:, 0]], values[row[:, 0]]
        if i == s.layers - 1 and m > 1:  # only the state of the last token is needed
            q, x = q[:, -1:], x.view(r, m, -1)[:, -1]
            mask = None if mask is None else mask[:, :, -1:]
        out = F.scaled_dot_product_attention(q.transpose(1, 2), keys, values, attn_mask=mask)
        x = block.finish(x, out.transpose(1, 2).reshape(len(x), -1))
    return rms_norm(x, net.norm)
