"""The rule by which scores of queries and keys become weights of values: cap, slopes, window and sink."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ScoreRule:
    """The rule of one layer, by which scaled scores z become weights.

        weights = softmax(c·tanh(z/c) + slope · (key's position − query's position)), over the window and the sink

    Attributes:
        window: How many keys a query sees, its own included; None for all earlier keys.
        chunk: The number of tokens of a chunk, outside which a query sees no key; None for no chunks (Llama 4).
        cap: The c of c·tanh(z/c); None for plain z.
        slopes: `[H]`, the slope of each head in nats a token (ALiBi); None for no slopes.
        rounded: The factor of slope · key's position, rounded to bfloat16, which takes the place of the slope's term
            (Falcon); None for the term above.
        sinks: `[H]`, the score of a sink that each query sees, and that has no value (gpt-oss); None for no sinks.
    """

    window: int | None = None
    chunk: int | None = None
    cap: float | None = None
    slopes: Tensor | None = None
    rounded: float | None = None
    sinks: Tensor | None = None

    def first_seen(self, position: Tensor) -> Tensor | None:
        """Return the positions of the first keys that queries at these positions see; None for the first key of all."""
        if self.window is not None:
            return position - (self.window - 1)
        return None if self.chunk is None else position - position % self.chunk

    def sees_all(self, tokens: int) -> bool:
        """Return whether each query of a text of so many tokens sees all earlier keys."""
        return all(size is None or tokens <= size for size in (self.window, self.chunk))


def shape_scores(table: Tensor, rule: ScoreRule, positions: tuple[Tensor, Tensor] | None) -> None:
    """Apply the cap and the slopes to the scores of n queries and t keys, in place; the caller applies the window.

    Args:
        table: The scaled scores, `[…, K, G, n, t]`: K key heads, each with G query heads.
        rule: The rule.
        positions: The positions of the keys, `[t]`, and of the queries, `[…, 1, 1, n, 1]` or `[n, 1]`, tokens. A rule
            without slopes needs no positions. With None the slopes are left out.
    """
    if rule.cap is not None:
        table.div_(rule.cap).tanh_().mul_(rule.cap)
    if rule.slopes is not None and positions is not None:
        key, query = positions
        slopes = rule.slopes.view(*table.shape[-4:-2], 1, 1)
        if rule.rounded is None:
            table.add_(slopes * (key - query).float())
        else:
            # Softmax is the same without the query's position, and rounded numbers are those of positions, not distances.
            table.add_((slopes.bfloat16() * key).float(), alpha=rule.rounded)


def weigh_scores(table: Tensor, rule: ScoreRule) -> Tensor:
    """Return the weights of the values, softmax over the keys and the sink, from masked scores `[…, K, G, n, t]`."""
    if rule.sinks is None:
        return torch.softmax(table, -1)
    sink = rule.sinks.view(*table.shape[-4:-2], 1, 1)
    top = torch.maximum(table.amax(-1, keepdim=True), sink)
    weights = (table - top).exp_()
    return weights.div_(weights.sum(-1, keepdim=True) + (sink - top).exp_())
