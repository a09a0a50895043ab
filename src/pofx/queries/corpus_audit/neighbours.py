"""A check of independence: the gain in log p of a document from knowing the document before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.permutation import paired_p_value
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.corpus_audit.record import Corpus
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.queries.scoring.inputs import read_texts
from pofx.queries.scoring.score import score
from pofx.units import count_noun

LEVEL = 0.01
# The most pairs of neighbours. The work grows with the square, since every first document is tried with every second one.
PAIRS = 64
FEWEST = 8
SHUFFLES = 999
# The most characters of a document that are read.
HEAD = 2000
# The number of bytes that the context of a cache spells, and the weights μ of the model, in counts.
CONTEXT = 4
STRENGTHS = (0.5, 2.0, 8.0)
# The least share of −log p(x_i) that makes a significant gain a failure; a smaller gain is a warning.
MATERIAL = 0.01


def choose_neighbour_pairs(corpus: Corpus, most: int, seed: int, held_out: bool) -> Ints:
    """Choose documents that stand right after another document of their file, such that no two pairs overlap.

    Disjoint pairs make every pairing of first with second documents equally likely, if documents are exchangeable.

    Args:
        corpus: The corpus.
        most: The most pairs.
        seed: Seed of the choice.
        held_out: Whether second documents must be held out, so that the model was not fitted on them.

    Returns:
        Places of the second documents.
    """
    fit = corpus.follows & (corpus.held_out if held_out else True)
    picked: list[int] = []
    taken: set[int] = set()
    for i in np.random.default_rng(seed).permutation(np.flatnonzero(fit)).tolist():
        if i not in taken and i - 1 not in taken:
            picked.append(i)
            taken |= {i - 1, i}
        if len(picked) == most:
            break
    return np.array(picked, dtype=np.int64)


def neighbour_finding(corpus: Corpus, lm: LM, pairs: Ints, seed: int) -> Finding:
    """Test the mean of log p(x_i | x_{i−1}) − log p(x_i), nats a document, by permutations of the second documents.

    The first 2,000 characters of each document are read. The conditional is the model with a cache of the neighbour
    (`cache_gain`), so the gain is a lower bound.

    Args:
        corpus: The corpus.
        lm: The model.
        pairs: Places of the second documents.
        seed: Seed of the permutations.

    Returns:
        The finding, nats a document.
    """
    texts = [corpus.texts[i][:HEAD] for i in pairs.tolist()]
    traces = score(lm, texts)
    fine = [k for k, s in enumerate(traces) if np.isfinite(s.logp).all()]
    if len(fine) < FEWEST:
        return Finding(
            Check.NEIGHBOURS,
            "warn",
            None,
            None,
            Measure.NATS_DOCUMENT,
            f"Not tested: expected at least {FEWEST} documents to score that stand after another, and are possible, "
            f"got {len(fine)}. Of a larger share held out there are more.",
        )
    firsts, _ = read_texts(lm, [corpus.texts[int(pairs[k]) - 1][-HEAD:] for k in fine])
    before = lm.vocab.encode_many(firsts)
    table = cache_gain(
        lm, before, [_path(lm, traces[k].tokens) for k in fine], [traces[k].logp for k in fine]
    )
    gain, usual, p = paired_p_value(table, SHUFFLES, np.random.default_rng(seed))
    alone = -float(np.mean([traces[k].logp.sum() for k in fine]))
    share = (gain - usual) / alone if alone > 0 else 0.0
    odd = p <= LEVEL
    why = (
        f"Mean of log p(x_i|x_(i−1)) − log p(x_i) over {count_noun(len(fine), 'pair')}, under the model with a cache "
        f"of the neighbour: {gain:.2f} nats a document, with a document from elsewhere in its place {usual:.2f}; "
        f"p = {p:.3g}. "
    )
    why += (
        f"Knowing the neighbour is worth {share:.1%} of −log p(x_i), so Σ log p(xⁿ) is not the log-probability of the "
        "corpus."
        if odd
        else "Nothing speaks against scoring documents as independent."
    )
    outcome: CheckVerdict = "pass" if not odd else "fail" if share >= MATERIAL else "warn"
    return Finding(Check.NEIGHBOURS, outcome, gain - usual, None, Measure.NATS_DOCUMENT, why)


def cache_gain(
    lm: LM, before: Sequence[Ints], paths: Sequence[Ints], logp: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Compute log p(y_j | x_i) − log p(y_j) for every first document x_i and every second document y_j.

    The distribution after x is a mixture of the model and the model with a cache of x, with weights ½:

        p(v | c) = (N_x(c v) + μ p(v)) / (N_x(c) + μ)

    N_x are the counts of x, and c are the last tokens (about 4 bytes). μ is one of three numbers with equal weights. Each
    component is a distribution over whole texts, so the gain is a difference of log-probabilities, and at least −log 2.

    Args:
        lm: The model.
        before: Token ids of the first documents.
        paths: Token ids of the second documents, EOS counted.
        logp: log p of each token of `paths` under the model, nats.

    Returns:
        Gains in nats, `[n, n]`.
    """
    context = _context(lm, before)
    keys = [_keys(p, context, lm.vocab.size) for p in paths]
    histories = np.concatenate([k[0] for k in keys])
    events = np.concatenate([k[1] for k in keys])
    p = np.exp(np.concatenate(logp))
    starts = np.cumsum([0, *[len(x) for x in paths[:-1]]])
    out = np.empty((len(before), len(paths)))
    for i, x in enumerate(before):
        mine = _keys(x, context, lm.vocab.size)
        c, total = _counts(mine[1], events), _counts(mine[0], histories)
        seen = total > 0
        each = np.zeros((len(STRENGTHS), len(p)))
        for k, mu in enumerate(STRENGTHS):
            each[k, seen] = np.log((c[seen] / p[seen] + mu) / (total[seen] + mu))
        sums = np.add.reduceat(each, starts, axis=1)
        cached = logsumexp(sums, axis=0) - np.log(len(STRENGTHS))
        out[i] = np.logaddexp(0.0, cached) - np.log(2)
    return out


def _path(lm: LM, tokens: Ints) -> Ints:
    return tokens if lm.vocab.end is None else np.append(tokens, lm.vocab.end)


def _context(lm: LM, paths: Sequence[Ints]) -> int:
    """Return the number of tokens that spell about 4 bytes."""
    n = max(1, sum(len(x) for x in paths))
    spelled = sum(len(lm.vocab.decode(x.tolist())) for x in paths)
    return max(1, round(CONTEXT * n / max(1, spelled)))


def _keys(ids: Ints, context: int, size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hash the `context` tokens before each token, and the token with them; x0 stands before the first token."""
    padded = np.concatenate([np.full(context, size), ids]).astype(np.uint64) + np.uint64(1)
    history = np.zeros(len(ids), dtype=np.uint64)
    for k in range(context):
        history = (history + padded[k : k + len(ids)]) * np.uint64(0x9E3779B97F4A7C15)
    return history, (history + padded[context:]) * np.uint64(0xFF51AFD7ED558CCD)


def _counts(mine: NDArray[np.uint64], asked: NDArray[np.uint64]) -> NDArray[np.float64]:
    known, n = np.unique(mine, return_counts=True)
    if not len(known):
        return np.zeros(len(asked))
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[at] == asked, n[at], 0).astype(np.float64)
