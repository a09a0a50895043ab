"""Attention for runs of tokens packed in a tree, and for states that extend cached prefixes."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.inference.recalled import RecalledPass
from pofx.models.pretrained.inference.schedule import Pass
from pofx.models.pretrained.inference.scores import ScoreRule, shape_scores, weigh_scores

# Queries of a block, whose scores against the visible keys fit the cache. Attention over 312, 512 and 1,024 tokens takes
# 2.3, 5.9 and 24 ms. Torch's blockwise kernel takes 3.2, 7.9 and 23 ms, or 40 ms with the mask that ancestors need.
QUERIES = 64
SCORES = 1 << 23  # scores of siblings that are held at a time, in 32 MB


def causal_attention(q: Tensor, k: Tensor, v: Tensor, above: int, rule: ScoreRule) -> Tensor:
    """Compute the attention in which query i, at position above + i, sees the last `rule.window` keys up to its own.

    Each block of queries is multiplied only with keys that one of its queries sees.

    Args:
        q: `[g, H, s, D]`, the scaled queries.
        k: `[g, K, above + s, D]`, the keys.
        v: `[g, K, above + s, D]`, the values.
        above: How many keys stand before the first query's own key.
        rule: The rule from scores to weights.

    Returns:
        `[g, H, s, D]`.
    """
    g, heads, s, dim = q.shape
    kv = k.shape[1]
    q = q.reshape(g, kv, heads // kv, s, dim)
    out = torch.empty_like(q)
    for lo in range(0, s, QUERIES):
        hi = min(s, lo + QUERIES)
        first = rule.first_seen(torch.arange(above + lo, above + hi))
        start = 0 if first is None else max(0, int(first[0]))
        stop = above + hi
        t = stop - start
        some = q[:, :, :, lo:hi].reshape(g * kv, -1, dim)
        scores = torch.bmm(some, k[:, :, start:stop].reshape(g * kv, t, dim).mT)
        n = hi - lo
        table = scores.view(g, kv, heads // kv, n, t)
        shape_scores(table, rule, _positions(start, stop, above + lo, above + hi, rule))
        if n > 1:  # only the last n keys stand after a query of the block
            table[..., t - n :] += torch.full((n, n), -torch.inf).triu_(1)
        if (
            first is not None and int(first[-1]) > start
        ):  # the first query of the block sees all keys from `start`
            table.masked_fill_(torch.arange(start, stop) < first[:, None], -torch.inf)
        p = weigh_scores(table, rule).view(scores.shape)
        found = torch.bmm(p, v[:, :, start:stop].reshape(g * kv, t, dim))
        out[:, :, :, lo:hi] = found.view(g, kv, -1, n, dim)
    return out.view(g, heads, s, dim)


def _positions(start: int, stop: int, first: int, last: int, rule: ScoreRule) -> tuple[Tensor, Tensor] | None:
    """Return the positions of keys [start, stop) and of queries [first, last), for a rule that needs them."""
    if rule.slopes is None:
        return None
    return torch.arange(start, stop), torch.arange(first, last)[:, None]


def sibling_attention(
    q: Tensor, trunk_k: Tensor, trunk_v: Tensor, k: Tensor, v: Tensor, rule: ScoreRule
) -> Tensor:
    """Compute `causal_attention` of siblings, which see `trunk_k, trunk_v[K, a, D]` and their own `k, v[g, K, s, D]`.

    The trunk is multiplied once for all siblings: 10 answers after 300 tokens took 14 ms a pass, and 21 ms with copies.
    """
    g, heads, s, dim = q.shape
    kv, a = trunk_k.shape[:2]
    q = q.reshape(g, kv, -1, dim)
    over = torch.bmm(q.transpose(0, 1).reshape(kv, -1, dim), trunk_k.mT).view(kv, g, -1, a).transpose(0, 1)
    scores = torch.cat([over, torch.matmul(q, k.mT)], -1)
    table = scores.view(g, kv, heads // kv, s, a + s)
    shape_scores(table, rule, _positions(0, a + s, a, a + s, rule))
    table[..., a:] += torch.full((s, s), -torch.inf).triu_(1)
    p = weigh_scores(table, rule).view(scores.shape)
    out = (
        torch.bmm(p[..., :a].transpose(0, 1).reshape(kv, -1, a), trunk_v).view(kv, g, -1, dim).transpose(0, 1)
    )
    return (out + torch.matmul(p[..., a:], v)).reshape(g, heads, s, dim)


class PackedAttention:
    """The attention of one pass.

    Args:
        now: The pass.
        kept: The keys and values of earlier tokens, `[R, 2·K·D]` a layer; empty in the first pass.
        kv_heads: The number K of heads of keys.
        dim: The size D of a head.
        recalled: The memory of tokens that are known, and of the tokens of this pass; None for no memory.
    """

    def __init__(
        self,
        now: Pass,
        kept: list[Tensor],
        kv_heads: int,
        dim: int,
        recalled: RecalledPass | None = None,
    ) -> None:
        self.kept, self.kv, self.dim = kept, kv_heads, dim
        self.recalled = recalled
        self.groups = [(g, torch.from_numpy(g.queries.ravel()), torch.from_numpy(g.keys)) for g in now.groups]
        self.back = torch.from_numpy(now.back)
        self.keep = torch.from_numpy(now.keep)
        self.next: list[Tensor] = []

    def attend(self, layer: int, rule: ScoreRule, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from scaled `q[N, H, D]` to `k, v[N, K, D]`, and return `[N, H·D]`."""
        n, heads, dim = q.shape
        flat = torch.cat([k.reshape(n, -1), v.reshape(n, -1)], 1)
        before = [self.kept[layer]] if self.kept and len(self.kept[layer]) else []
        if self.recalled is not None:
            self.recalled.keep(layer, flat)
            before += self.recalled.take(layer)
        every = torch.cat([*before, flat]) if before else flat
        self.next.append(every[self.keep])
        parts = []
        for group, rows, keys in self.groups:
            g, s = group.queries.shape
            own = q.index_select(0, rows).view(g, s, heads, dim).transpose(1, 2)
            sees_all = rule.sees_all(group.above + s)
            few = s <= QUERIES and g * heads * s * (group.above + s) <= SCORES
            if group.siblings and g > 1 and sees_all and few:
                trunk_k, trunk_v = self._both(every, keys[:1, : group.above])
                kk, vv = self._both(every, keys[:, group.above :])
                out = sibling_attention(own, trunk_k[0], trunk_v[0], kk, vv, rule)
            else:
                kk, vv = self._both(every, keys)
                out = causal_attention(own, kk, vv, group.above, rule)
            parts.append(out.transpose(1, 2).reshape(g * s, -1))
        return torch.cat(parts).index_select(0, self.back)

    def _both(self, every: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values `[g, K, t, D]` of the rows `[g, t]`."""
        g, t = rows.shape
        both = every.index_select(0, rows.reshape(-1)).view(g, t, 2, self.kv, self.dim)
        return both[:, :, 0].transpose(1, 2), both[:, :, 1].transpose(1, 2)
