"""A mixture of experts in place of an MLP: the router's choice for each token, and one computation for each expert."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.models.pretrained.checkpoint.architecture import Experts
from pofx.models.pretrained.inference.mlp import Mlp


def route(logits: Tensor, rule: Experts, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Choose the k experts of each token, those with the largest scores plus bias in the best groups, and weigh them.

        weights = c · s(logits)[chosen], or these weights divided by their sum, or softmax(logits[chosen])

    Args:
        logits: The logits of the router, `[n, E]`, float32.
        rule: The number k of experts of a token, the groups, the factor c, and the function s of the logits.
        bias: `[E]`, what is added to scores for the choice alone; None for nothing.

    Returns:
        The numbers of the chosen experts, `[n, k]`, and their weights, `[n, k]`.
    """
    if rule.scores == "softmax of chosen":
        best, chosen = logits.topk(rule.chosen, -1)
        return chosen, torch.softmax(best, -1)
    scores = logits.sigmoid() if rule.scores == "sigmoid" else torch.softmax(logits, -1)
    ranked = scores if bias is None else scores + bias
    if rule.groups > rule.chosen_groups:
        ranked = _in_best_groups(ranked, rule)
    chosen = ranked.topk(rule.chosen, -1).indices
    weights = scores.gather(1, chosen)
    if rule.renormalised:
        weights = weights / weights.sum(-1, keepdim=True)
    return chosen, weights * rule.factor


def _in_best_groups(ranked: Tensor, rule: Experts) -> Tensor:
    """Return the scores `[n, E]`, with −∞ for the experts outside the best groups of a token."""
    groups = ranked.view(len(ranked), rule.groups, -1)
    best = groups.topk(2 if rule.scores == "sigmoid" else 1, -1).values.sum(-1)
    kept = best.topk(rule.chosen_groups, -1).indices
    outside = torch.ones_like(best, dtype=torch.bool).scatter_(1, kept, False)
    return groups.masked_fill(outside[..., None], -torch.inf).view(ranked.shape)


@dataclass(frozen=True, eq=False)
class ExpertMixture:
    """The experts of a layer.

    Attributes:
        rule: How experts are chosen and weighed.
        router: The matrix of the router, `[E, d]`. Its dtype is always float32, since rounding would choose other experts
            where two logits are nearly equal.
        router_bias: `[E]`, the bias of the router; None for no bias.
        choice_bias: `[E]`, the bias of the choice alone; None for no bias.
        experts: The E experts.
        shared: The expert that reads every token; None for no such expert.
        shared_gate: `[1, d]`, whose sigmoid is the weight of the shared expert; None for weight 1.
    """

    rule: Experts
    router: Tensor
    router_bias: Tensor | None
    choice_bias: Tensor | None
    experts: tuple[Mlp, ...]
    shared: Mlp | None
    shared_gate: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the mixture of the states `x[n, d]`, float32, as `[n, d]`; each expert reads all of its tokens at once."""
        chosen, weights = route(F.linear(x, self.router, self.router_bias), self.rule, self.choice_bias)
        if self.shared is None:
            out = torch.zeros_like(x)
        else:
            out = self.shared(x)
            if self.shared_gate is not None:
                out = out * F.linear(x, self.shared_gate).sigmoid()
        flat = chosen.reshape(-1)
        order = flat.argsort(stable=True)
        edges = torch.bincount(flat, minlength=len(self.experts)).cumsum(0).tolist()
        for expert, start, stop in zip(self.experts, [0, *edges], edges):
            if stop > start:
                places = order[start:stop]
                rows = places // self.rule.chosen
                some, weight = x[rows], weights.reshape(-1, 1)[places]
                read = expert(some * weight) if self.rule.of_input else expert(some) * weight
                out.index_add_(0, rows, read)
        return out
