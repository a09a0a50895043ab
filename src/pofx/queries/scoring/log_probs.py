"""Log p of many complete texts as one array, without a record of any text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.scoring.score import score
from pofx.queries.scoring.scored import refuse_complete
from pofx.queries.scoring.totals import has_totals, log_prob_totals

# The characters of the texts of one call, at some 100 bytes a token: 400 MB for a model over bytes.
CHARACTERS = 1 << 22


def log_probs(lm: LM, texts: Sequence[str | bytes]) -> NDArray[np.float64]:
    """Compute log p(text) of each complete text, EOS included, nats.

        log p(text) = Σ log p(x_i | x_<i) + log p(EOS | text)

    Args:
        lm: The model.
        texts: A list of texts.

    Returns:
        `Scored.total` of each text, `[n]` nats: at most 0, and −inf for a text of probability zero.

    Raises:
        NoEOS: Texts of the model never end.
        NoBOS: The model has no x0.
        NotText: The vocabulary cannot spell a text.
        TooLong: A text does not fit the context, and the model has no window rule.
        BadValue: `texts` is one text.

    Right: `log_probs(lm, lines).sum()`. Wrong: `[log_prob(lm, line) for line in lines]`, since each call reads one text.
    """
    if isinstance(texts, str | bytes):
        raise BadValue(
            "expected a list of texts, got one text",
            "write log_probs(lm, [text]) or log_prob(lm, text)",
            argument="texts",
        )
    texts = list(texts)
    if lm.vocab.end is None:
        raise refuse_complete()
    if not has_totals(lm):
        return np.array([s.total for s in score(lm, texts)], dtype=np.float64)
    try:
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    except TypeError:  # no text, which the vocabulary refuses
        sizes = np.zeros(len(texts), dtype=np.int64)
    stretch = (np.cumsum(sizes) - sizes) // CHARACTERS
    cuts = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(texts)]
    parts = [log_prob_totals(lm, texts[lo:hi]) for lo, hi in pairwise(cuts)]
    return np.concatenate(parts)
