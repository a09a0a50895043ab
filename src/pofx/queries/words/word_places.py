"""The places of a text's words among its tokens, and the tokens that would end each word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.queries.segmentation.characters import byte_offsets
from pofx.queries.segmentation.word_rule import WordRule
from pofx.queries.segmentation.word_spans import WordSpans, region_spans
from pofx.vocab.vocabulary import Vocab, to_bytes

# A set of tokens. None stands for the tokens that begin with a boundary. A pair stands for the tokens that begin with some
# bytes, and says whether a boundary must follow these bytes within the token.
TokenSet = tuple[bytes, bool] | None


@dataclass(frozen=True, eq=False)
class WordPlaces:
    """A text that is cut into tokens, and also into words.

    Attributes:
        text: The text.
        data: The bytes of the text.
        ids: The tokens, `[t]`.
        starts: The offset of each token, bytes, `[t + 1]`; EOS is last.
        units: The w words, in characters.
        byte_spans: The words in bytes, `[w, 2]`.
        at: The position of the first token that ends after the end of each word, or begins there, `[w]`.
        endings: The sets of tokens that may stand at these positions.
        which: The set of each word, a place in `endings`, `[w]`; −1 where every token may stand.
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
    """Locate the words of a text among its tokens.

    Args:
        vocab: The vocabulary that spells the tokens.
        how: The rule that cuts the text into words.
        text: The text.
        ids: The tokens of the text.
        own: The regions of the text that are its words, in characters; for None `how` finds the words.

    Returns:
        The places of all words; a text without words has one place, which is no word.
    """
    data = to_bytes(text)
    plain = text if isinstance(text, str) else data.decode("utf-8", "surrogateescape")
    units = how.of(plain) if own is None else region_spans(plain, own)
    if not len(units.spans):  # white space and EOS belong to no word
        units = WordSpans(np.array([[0, len(plain)]]), np.array([False]), np.array([True]))
    token_spans = vocab.spans(ids, text)  # type: ignore[arg-type]
    starts = np.append(token_spans[:, 0], len(data)).astype(np.int64)
    byte_spans = byte_offsets(plain)[units.spans]
    # The last token that begins at or before a word's end begins at the end, or reaches beyond the end.
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
