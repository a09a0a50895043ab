"""Where the words of a text stand among its tokens, and which tokens would end each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.queries.segmentation.characters import byte_offsets
from pofx.queries.segmentation.word_rule import WordRule
from pofx.queries.segmentation.word_spans import WordSpans, region_spans
from pofx.vocab.vocabulary import Vocab, to_bytes

# A set of tokens: None, those that open with a boundary; else those that begin with some bytes, and whether a
# boundary must follow these.
TokenSet = tuple[bytes, bool] | None


@dataclass(frozen=True, eq=False)
class WordPlaces:
    """A text cut twice, into tokens and into words.

    starts: byte offsets `[t + 1]` where tokens begin, EOS last. units, byte_spans `[w, 2]`: the words. at `[w]`: for each
    word the position of the first token that is not wholly before its end. endings, which `[w]`: the sets of tokens, and
    which of them may stand there; −1 where all tokens may.
    """

    text: str
    data: bytes
    ids: Ints
    starts: Ints
    units: WordSpans
    byte_spans: Ints
    at: Ints
    endings: list[TokenSet]
    which: Ints


def place_words(
    vocab: Vocab, how: WordRule, text: str | bytes, ids: Ints, own: Sequence[tuple[int, int]] | None
) -> WordPlaces:
    """The words of a text of these tokens. own: its regions, where these are the words."""
    data = to_bytes(text)
    plain = text if isinstance(text, str) else data.decode("utf-8", "surrogateescape")
    units = how.of(plain) if own is None else region_spans(plain, own)
    if not len(units.spans):  # what is there, if only EOS, belongs to no word
        units = WordSpans(np.array([[0, len(plain)]]), np.array([False]), np.array([True]))
    token_spans = vocab.spans(ids, text)  # type: ignore[arg-type]
    starts = np.append(token_spans[:, 0], len(data)).astype(np.int64)
    byte_spans = byte_offsets(plain)[units.spans]
    # The last token that begins at or before the word's end: it begins there, or reaches beyond.
    at = np.searchsorted(starts, byte_spans[:, 1], side="right") - 1
    within = starts[at] != byte_spans[:, 1]
    endings: list[TokenSet] = [None]
    which = np.where(units.bounded, 0, -1)
    tokens = at[within]
    beyond = token_spans[tokens, 1] - byte_spans[within, 1]
    kinds, number = np.unique(
        np.stack([ids[tokens], beyond, units.bounded[within]], axis=1), axis=0, return_inverse=True
    )
    for token, over, bounded in kinds.tolist():
        spelled = vocab.token_bytes[token] or b""
        endings.append((spelled[: len(spelled) - over], bool(bounded)))
    which[within] = 1 + number.ravel()
    return WordPlaces(plain, data, ids, starts, units, byte_spans, at, endings, which)
