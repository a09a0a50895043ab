"""The entropy of the next word, by draws of words from the model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.words.boundaries import BoundaryTokens

Floats = NDArray[np.float64]
# A longer word counts by its first tokens.
MOST_TOKENS = 32


@dataclass(frozen=True, slots=True)
class WordEntropy:
    """An estimate of the entropy of the next word.

    Attributes:
        value: The estimate, nats.
        error: Its standard error over the draws, nats; 0 where no draw has a second token.
    """

    value: float
    error: float


def next_word_entropy(
    lm: LM,
    boundaries: BoundaryTokens,
    state: State,
    bounded: bool,
    draws: int,
    rng: np.random.Generator,
    most: int = MOST_TOKENS,
) -> WordEntropy:
    """Estimate the entropy of the next word after a prefix.

        H = H(first token) + E Σ_{i≥2} H(token i | the tokens of the word before)

    A word is the tokens after the prefix up to the first boundary that follows a character of the word; white space before
    the word belongs to it, and EOS in its place is an outcome, too. All tokens that begin with a boundary are one outcome,
    the end of the word. The entropy of each step is exact, so only the words are drawn, and a word that is drawn twice is
    read once. Two token sequences that spell one word are two outcomes, so H is at least the entropy over strings.

    Args:
        lm: The model.
        boundaries: The boundary tokens of its vocabulary.
        state: The state of the prefix, one row.
        bounded: Whether the word before must be over, so that the first token begins with a boundary.
        draws: The number of words that are drawn.
        rng: The source of the draws.
        most: The most tokens of a word.

    Returns:
        The estimate.
    """
    ends, spelled = boundaries.at_boundary, lm.vocab.token_bytes
    # Each row is a different beginning of a word: its bytes, the number of draws that have it, and Σ H of its later steps.
    beginnings, counts, sums = [b""], np.array([draws]), np.zeros(1)
    first = 0.0
    values: list[float] = []
    weights: list[int] = []
    for step in range(most):
        p = np.exp(np.asarray(state.logp, dtype=np.float64))
        if step == 0 and bounded:
            p = p * ends
        p /= p.sum(axis=1, keepdims=True)
        whole = np.array([bool(_word(b)) for b in beginnings])
        h = _entropies(p, whole, ends)
        first, sums = (float(h[0]), sums) if step == 0 else (first, sums + h)
        rows: list[int] = []
        tokens: list[int] = []
        next_counts: list[int] = []
        for row, n in enumerate(counts.tolist()):
            drawn = rng.multinomial(n, p[row])
            for token in np.flatnonzero(drawn).tolist():
                over = (whole[row] and ends[token]) or token == lm.vocab.end
                data = beginnings[row] + (spelled[token] or b"")
                if over or step + 1 == most or _is_over(data):
                    values.append(float(sums[row]))
                    weights.append(int(drawn[token]))
                else:
                    rows.append(row)
                    tokens.append(token)
                    next_counts.append(int(drawn[token]))
        if not rows:
            break
        beginnings = [beginnings[r] + (spelled[t] or b"") for r, t in zip(rows, tokens)]
        counts, sums = np.array(next_counts), sums[rows]
        state = lm.extend(state.take(np.array(rows)), np.array(tokens)[:, None])
    mean = float(np.average(values, weights=weights))
    spread = float(np.average((np.array(values) - mean) ** 2, weights=weights))
    return WordEntropy(first + mean, math.sqrt(spread / max(draws - 1, 1)))


def _entropies(p: Floats, whole: NDArray[np.bool_], ends: NDArray[np.bool_]) -> Floats:
    """Return the entropy of the next step of each row; within a word, all tokens of a boundary are one outcome."""
    logs = np.where(p > 0, -p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    out = logs.sum(axis=1)
    mass = p[:, ends].sum(axis=1)
    merged = logs[:, ~ends].sum(axis=1) - np.where(
        mass > 0, mass * np.log(np.where(mass > 0, mass, 1.0)), 0.0
    )
    found: Floats = np.where(whole, merged, out)
    return found


def _word(data: bytes) -> str:
    """Return the bytes without white space before them."""
    return data.decode("utf-8", "replace").lstrip()


def _is_over(data: bytes) -> bool:
    """Return whether a boundary stands after a character of the word, within its last token."""
    return any(c.isspace() for c in _word(data))
