"""Words that a closed vocabulary lacks, read as the class `<unk>` that stands for any of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.vocab import Vocab, WordVocab, to_bytes, to_str

CLASS = "<unk>"


class ClassedWords(WordVocab):
    """A closed set of words whose class of unknown words may be scored.

    `encode` refuses an unknown word, since no sequence of these tokens spells it. `scoring`, which `score` reads texts
    by, takes such a word for one of its class. `BadValue` for words among which there is no class.

    Right: `ClassedWords(["the", None])`. Wrong: taking p of a text with the class for that of the text alone.
    """

    def __init__(self, words: Sequence[str | None], end: bool = True) -> None:
        super().__init__(words, end)
        if self.unknown is None:
            raise BadValue(
                f"unknown: expected a class of unknown words ({CLASS}) among the tokens, found none; leave it out"
            )

    @cached_property
    def scoring(self) -> Vocab:
        """The same tokens, by which every word has an id: its own, or that of the class."""
        return OpenWords(self.words, self.end is not None)


class OpenWords(WordVocab):
    """Words of which the unknown ones are read as their class; made by `ClassedWords.scoring` and `opened`."""

    def encode(self, text: str | bytes) -> list[int]:
        """One id a word; a word that has none gets that of the class."""
        decoded = to_str(text)
        if not decoded:
            return []
        assert self.unknown is not None  # noqa: S101  (ours: whoever makes one has looked)
        return [self._known(w) if not w else self._ids.get(w, self.unknown) for w in decoded.split(" ")]

    def spans(self, text: str | bytes) -> NDArray[np.int64]:
        """Byte offsets `[t, 2]` of each word of a text, with the space before it."""
        words = to_bytes(text).split(b" ") if len(text) else []
        sizes = np.array([len(w) + (k > 0) for k, w in enumerate(words)], dtype=np.int64)
        hi = np.cumsum(sizes)
        return np.stack([hi - sizes, hi], axis=1)


def opened(vocab: Vocab) -> OpenWords | None:
    """A vocabulary of words with unknown ones read as their class; None where it is none, or has no class."""
    if not isinstance(vocab, WordVocab) or vocab.unknown is None:
        return None
    return OpenWords(vocab.words, vocab.end is not None)


def unknown_words(vocab: Vocab, ids: NDArray[np.int64]) -> int:
    """How many ids stand for a class of words, not for a word."""
    return int(np.sum(ids == vocab.unknown)) if isinstance(vocab, OpenWords) else 0
