"""The rule by which scores of queries and keys become weights of values: the cap, the slopes and the window."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

from torch import Tensor


@dataclass(frozen=True, eq=False)
class ScoreRule:
    """The rule of one layer, by which scaled scores z become weights.

        weights = softmax(c·tanh(z/c) + slope · (key's position − query's position)), over the window

    Attributes:
        window: How many keys a query sees, its own included; None for all earlier keys.
        cap: The c of c·tanh(z/c); None for plain z.
        slopes: `[H]`, the slope of each head in nats a token (ALiBi); None for no slopes.
    """

    window: int | None = None
    cap: float | None = None
    slopes: Tensor | None = None


def shape_scores(table: Tensor, rule: ScoreRule, distance: Tensor | None) -> None:
    """Apply the cap and the slopes to the scores of n queries and t keys, in place; the caller applies the window.

    Args:
        table: The scaled scores, `[…, K, G, n, t]`: K key heads, each with G query heads.
        rule: The rule.
        distance: The positions of the keys less those of the queries, `[…, 1, 1, n, t]` or `[n, t]`, tokens. A rule without
            slopes needs no distance. With None the slopes are left out.
    """
    if rule.cap is not None:
        table.div_(rule.cap).tanh_().mul_(rule.cap)
    if rule.slopes is not None and distance is not None:
        kv, group = table.shape[-4:-2]
        table.add_(rule.slopes.view(kv, group, 1, 1) * distance)
