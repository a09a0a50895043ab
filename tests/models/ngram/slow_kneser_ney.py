"""Interpolated modified Kneser–Ney with pruning by count, written slowly from its definition: the oracle of the tests.

Nothing here is shared with the package: n-grams are tuples in dictionaries, and p is computed by recursion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

BEGIN = -1


class SlowKneserNey:
    """The model of documents of token ids; EOS, if there is one, is their last id."""

    def __init__(
        self, documents: Sequence[Sequence[int]], order: int, size: int, prune: Sequence[int], begin: bool
    ):
        self.order, self.size, self.begin = order, size, begin
        thresholds = [*prune, *[prune[-1] if prune else 0] * order][:order]
        self.raw: list[Counter] = [Counter() for _ in range(order + 1)]
        heads = set()
        for ids in documents:
            text = [BEGIN, *ids] if begin else list(ids)
            for i in range(1, len(text)):
                for k in range(1, min(order, i + 1) + 1):
                    self.raw[k][tuple(text[i - k + 1 : i + 1])] += 1
                if not begin:
                    heads.add(tuple(text[: i + 1]))
        self.adjusted: list[dict] = [{} for _ in range(order + 1)]
        self.kept: list[set] = [set() for _ in range(order + 1)]
        for k in range(1, order + 1):
            longer = defaultdict(set)
            if k < order:
                for gram in self.raw[k + 1]:
                    longer[gram[1:]].add(gram[0])
            for (
                gram
            ) in heads:  # without x0, the start of a text is one more thing that was seen before an n-gram
                longer[gram].add(None)
            for gram, count in self.raw[k].items():
                by_count = k == order or gram[0] == BEGIN
                a = count if by_count else len(longer[gram])
                if a:
                    self.adjusted[k][gram] = a
                    if count > thresholds[k - 1]:
                        self.kept[k].add(gram)
        self.discounts = [None, *(self._discounts(self.adjusted[k].values()) for k in range(1, order + 1))]

    @staticmethod
    def _discounts(counts) -> list[float]:
        n = Counter(min(c, 5) for c in counts)
        y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else None
        out = [0.0]
        for j, fallback in ((1, 0.5), (2, 1.0), (3, 1.5)):
            d = None
            if y is not None and n[j] and n[j + 1]:
                d = j - (j + 1) * y * n[j + 1] / n[j]
            out.append(d if d is not None and 0.01 <= d < j else fallback)
        return out

    def p(self, token: int, history: Sequence[int]) -> float:
        """Return p(token | history), where the history is the whole text so far, x0 included."""
        history = tuple(history)[len(history) - min(len(history), self.order - 1) :]
        return self._p(token, history)

    def _p(self, token: int, history: tuple[int, ...]) -> float:
        k = len(history) + 1
        lower = 1 / self.size if not history else self._p(token, history[1:])
        after = {g: a for g, a in self.adjusted[k].items() if g[:-1] == history}
        total = sum(after.values())
        if not total:
            return lower
        cut = {g: self.discounts[k][min(a, 3)] if g in self.kept[k] else a for g, a in after.items()}
        gram = (*history, token)
        return (after.get(gram, 0) - cut.get(gram, 0)) / total + sum(cut.values()) / total * lower
