"""The texts on which an audit compares the ways to compute log p: heads of documents, draws, and noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.audit.held_out import HeldOut, budget_for, longest_path
from pofx.queries.sample import draw_paths
from pofx.vocab.vocabulary import Vocab

# The number of random sequences, after which distributions must sum to 1, too.
NOISE = 4


def choose_opening(lm: LM, held: HeldOut) -> int:
    """Return the commonest first token of the documents, which stands before all draws of a model without x0."""
    first = Counter(int(p[0]) for p in held.paths if len(p))
    return first.most_common(1)[0][0] if first else int(letters(lm.vocab)[0])


def letters(vocab: Vocab) -> Ints:
    """Return the ids that spell text."""
    return np.array([i for i, b in enumerate(vocab.token_bytes) if b is not None], dtype=np.int64)


def draw_texts(source: LM, prefix: Ints, seed: int) -> tuple[list[Ints], list[NDArray[np.float64]]]:
    """Draw texts as `sample` does, EOS included, each after `prefix`; also return log p of each token.

    A draw that begins with x0 is left out where x0 is a control token, since such a draw is no text. Where x0 is EOS, too,
    the draw is the empty text.

    Args:
        source: The model to draw from, conditioned on `prefix`.
        prefix: Token ids to put before each draw.
        seed: Seed of the draws.

    Returns:
        The paths, and log p of the drawn tokens of each, nats.
    """
    budget = budget_for(source)
    most = min(budget.drawn, (longest_path(source) or budget.drawn + 1) - len(prefix))
    rows = draw_paths(source, budget.draws, max(most, 1), np.random.default_rng([seed, 5]))
    kept = [(ids, logp) for ids, logp in rows if len(prefix) or not _is_x0(source, ids[0])]
    paths = [np.concatenate([prefix, ids]).astype(np.int64) for ids, _ in kept]
    return paths, [np.array(logp) for _, logp in kept]


def _is_x0(lm: LM, i: int) -> bool:
    return i == lm.begin.id and i != lm.vocab.end and lm.vocab.token_bytes[i] is None


def make_noise(lm: LM, prefix: Ints, seed: int) -> list[Ints]:
    """Make random token sequences that look like no text."""
    rng, some = np.random.default_rng([seed, 6]), letters(lm.vocab)
    return [np.concatenate([prefix, rng.choice(some, 3)]).astype(np.int64) for _ in range(NOISE)]


def make_branches(lm: LM, seed: int) -> tuple[Ints, Ints]:
    """Make three prefixes of one token, and two next tokens for each."""
    rng, some = np.random.default_rng([seed, 7]), letters(lm.vocab)
    return rng.choice(some, (3, 1)), rng.choice(some, (3, 2))


def without_end(lm: LM, paths: Sequence[Ints]) -> list[Ints]:
    """Return the paths without EOS."""
    return [p[:-1] if len(p) and p[-1] == lm.vocab.end else p for p in paths]


def make_long_text(lm: LM, held: HeldOut, prefix: Ints, seed: int) -> Ints:
    """Make one text as long as the context, or as the budget allows: documents end to end, then noise.

    A distribution that depends on the length of the text, as rotary positions can make it, shows only at such lengths. The
    text of a model without a context is empty, since heads of documents are long enough.

    Args:
        lm: The model.
        held: The documents.
        prefix: Token ids to put before the text.
        seed: Seed of the noise.

    Returns:
        Token ids.
    """
    most = min(lm.context or 0, budget_for(lm).reach)
    some = np.random.default_rng([seed, 8]).choice(letters(lm.vocab), most)
    whole = np.concatenate([prefix, *without_end(lm, held.paths), some]).astype(np.int64)
    return whole[: min(most, longest_path(lm) or most)]


def cut_heads(lm: LM, held: HeldOut) -> list[Ints]:
    """Cut the heads of some documents; EOS follows a document that is whole."""
    budget, out = budget_for(lm), []
    for path, whole in list(zip(held.paths, held.whole))[: budget.documents]:
        most = min(budget.tokens, longest_path(lm) or budget.tokens)
        if whole and lm.vocab.end is not None and len(path) < most:
            out.append(np.append(path, lm.vocab.end))
        elif len(path):
            out.append(path[:most])
    return out
