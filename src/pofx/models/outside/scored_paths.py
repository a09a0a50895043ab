"""The numbers of a caller's own scoring function as the pass of an LM over whole paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadValue
from pofx.models.outside.by_prefix import Distributions, Passes, Prefix
from pofx.vocab.vocabulary import Vocab


def score_passes(
    score: Callable[[str], Floats], ends: bool, vocab: Vocab, distributions: Distributions, begins: bool
) -> Passes:
    """Return a pass over paths with the numbers of `score`, and with those of `distributions` where `score` has no answer.

    A function of a text has no answer for ids that `encode` would not give, nor for EOS unless `ends` is set.

    Args:
        score: A function of a text, which returns log p of each token, nats.
        ends: Whether the last number of `score` belongs to EOS.
        vocab: The vocabulary of the ids.
        distributions: The next-token distributions after prefixes.
        begins: Whether the empty prefix has a next-token distribution.
    """

    def by_distributions(path: Prefix, first: int) -> Floats:
        at = range(first if begins else max(first, 1), len(path))
        out = np.full(len(path) - first, np.nan)
        if len(at):
            rows = np.asarray(distributions([path[:i] for i in at]), dtype=np.float64)
            out[at.start - first :] = rows[np.arange(len(at)), [path[i] for i in at]]
        return out

    def numbers_of(path: Prefix) -> Floats:
        over = bool(path) and path[-1] == vocab.end
        ids = path[:-1] if over else path
        text = _text(vocab, ids)
        if text is None:
            return by_distributions(path, 0)
        found = score(text)
        if len(found) != len(ids) + ends:
            raise BadValue(
                f"expected {len(ids) + ends} numbers for a text of {len(ids)} tokens, got {len(found)}",
                "return one number a token, and set ends where the last number belongs to EOS",
                argument="score",
            )
        if over and not ends:
            return np.append(found, by_distributions(path, len(ids)))
        return found[: len(path)]

    def passes(paths: Sequence[Prefix]) -> list[Floats]:
        return [numbers_of(path) for path in paths]

    return passes


def _text(vocab: Vocab, ids: Prefix) -> str | None:
    """Return the text that `encode` spells by these ids; None if no text has these ids."""
    try:
        text = vocab.decode(ids).decode("utf-8")
        return text if tuple(vocab.encode(text)) == ids else None
    except ValueError:
        return None
