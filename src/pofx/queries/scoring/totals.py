"""Log p of whole texts as columns: no text has a record, an array or the terms of its sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.lm.fitted_documents import seen_in_fit
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.scoring.terms import Terms, terms
from pofx.vocab.vocabulary import count_bytes


@dataclass(frozen=True, eq=False)
class Totals:
    """Log p of n texts without a prefix, nats, and the fields of `Terms` that differ from text to text.

    Attributes:
        complete: `[n]`, log p(text), EOS included, nats; None for a model without EOS.
        prefixes: `[n]`, log P(text), nats: the prefix probability, without an EOS term.
        tokens: `[n]`, the length of each text, tokens; EOS is not counted.
        bytes: `[n]`, the length of each text, bytes.
        unknown: `[n]`, the number of words of each text that were read as the class of unknown words. Above 0 the kind of
            the text is "class".
        fitted: `[n]`, whether the model was fitted on each text.
        chosen: `[n]`, whether each text chose the weights of the model (early stopping).
        rules: The terms of the empty text. All fields without a column here have the same value for every text.

    Right: `score_totals(lm, texts).complete.sum()`. Wrong: a text after a prefix, which `score` takes.
    """

    complete: NDArray[np.float64] | None
    prefixes: NDArray[np.float64]
    tokens: Ints
    bytes: Ints
    unknown: Ints
    fitted: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    rules: Terms


def has_totals(lm: LM) -> bool:
    """Return whether `score_totals` gives the numbers and the terms of `score` for this model, and is faster.

    The result is False where further terms differ from text to text: the vocabulary normalizes texts, p has bounds, or
    mass is renormalised away. The result is False for a network, too, whose matrix products take far longer than the
    records of `score`.
    """
    return not (lm.vocab.normalizes or lm.interval or lm.leaks or lm.work)


def score_totals(lm: LM, texts: Sequence[str | bytes]) -> Totals:
    """Compute log p of complete texts, and of the same texts as prefixes.

        log p(text) = Σ log p(x_i | x_<i) + log p(EOS | text), nats

    Args:
        lm: A model for which `has_totals` is True.
        texts: The texts.

    Returns:
        The columns, in the order of the texts, with the numbers of `score`.

    Raises:
        NoBOS: The model has no x0.
        NotText: The vocabulary cannot spell a text.
        TooLong: A text does not fit the context, and the model has no window rule.

    Right: `score_totals(lm, ["a", "b"]).complete`. Wrong: for the term of one token; `score` has the terms.
    """
    ids, starts, tokens, logp = _read(lm, texts)
    vocab, extra = lm.vocab.scoring, int(lm.vocab.end is not None)
    prefixes = _sums(logp, starts, tokens)
    sizes = np.fromiter(map(count_bytes, texts), np.int64, len(texts))
    unknown = np.zeros(len(texts), dtype=np.int64)
    if vocab.control.unknown is not None:
        unknown = _sums((ids == vocab.control.unknown).astype(np.int64), starts, tokens)
    return Totals(
        _sums(logp, starts, tokens + extra) if extra else None,
        prefixes,
        tokens,
        sizes,
        unknown,
        *seen_in_fit(lm, texts),
        terms(lm, 0, 0, 0, bool(extra)),
    )


def log_prob_totals(lm: LM, texts: Sequence[str | bytes]) -> NDArray[np.float64]:
    """Compute `score_totals(lm, texts).complete` alone, for a model with EOS."""
    _, starts, tokens, logp = _read(lm, texts)
    return _sums(logp, starts, tokens + 1)


def _read(lm: LM, texts: Sequence[str | bytes]) -> tuple[Ints, Ints, Ints, NDArray[np.float64]]:
    """Return the ids of all texts, with EOS after each; the start and the tokens of each text; and log p of each id."""
    vocab = lm.vocab.scoring
    ids, tokens = vocab.encode_joined(texts)
    ends = np.cumsum(tokens)
    extra = int(vocab.end is not None)
    closed = ids if vocab.end is None else np.insert(ids, ends, vocab.end)
    return closed, ends - tokens + np.arange(len(texts)) * extra, tokens, lm.log_probs(closed, tokens + extra)


def _sums(values: NDArray[Any], starts: Ints, lengths: Ints) -> NDArray[Any]:
    """Return the sum of each run of values, with the bits of `ndarray.sum`; 0 for an empty run.

    `reduceat` adds up the values after the first value as `sum` adds up all values, so each run gets a zero before it.
    """
    n = len(starts)
    padded = np.insert(values, np.stack([starts, starts + lengths], axis=1).ravel(), values.dtype.type(0))
    edges = np.stack([starts, starts + lengths], axis=1).ravel() + np.arange(2 * n)
    # Every other sum is that from the end of a run to the next run, and is dropped.
    return np.add.reduceat(padded, edges)[::2] if n else padded
