"""Vocabularies of words, and how a word that they lack is read: refused, or as the class `<unk>` of all such words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue, NotText
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab, to_bytes, to_str

CLASS = "<unk>"


class WordVocab(Vocab):
    """A closed set of words, and EOS after them: a text is words with one space between.

    Args:
        words: The words, whose ids are their positions. None stands for a control token, such as `<unk>` of an ARPA file, a
            class of words that spells no word.
        end: Whether texts end.

    Right: `WordVocab(["the", "cat"]).encode("the cat")`. Wrong: a text with two spaces or a line end between words, which
    raises `NotText`.
    """

    def __init__(self, words: Iterable[str | None], end: bool = True) -> None:
        self.words = tuple(words)
        self.size = len(self.words) + end
        self.end = len(self.words) if end else None
        self.token_bytes = tuple(
            [None if w is None else b" " + to_bytes(w) for w in self.words] + [None] * end
        )
        self._ids = {w: i for i, w in enumerate(self.words) if w is not None}
        self.control = ControlTokens(unknown=self.words.index(None) if None in self.words else None)
        self.unambiguous = True  # one space between words leaves no choice

    def encode(self, text: str | bytes) -> list[int]:
        """One id a word."""
        decoded = to_str(text)
        return [self._known(w) for w in decoded.split(" ")] if decoded else []

    @cached_property
    def unknown_as_class(self) -> Vocab:
        """The same tokens, by which every word has an id, if there is a class: its own, or that of the class."""
        return self if self.control.unknown is None else OpenWords(self.words, self.end is not None)

    def _known(self, word: str) -> int:
        i = self._ids.get(word)
        if i is not None:
            return i
        what = f"the word {word!r}" if word else "two spaces in a row, or one at an end"
        classed = word and self.control.unknown is not None
        score = Advice("score it as one of <unk>", "unknown='class'", "--unknown class")
        raise NotText(
            f"expected words of this model's {len(self._ids):,} with one space between, got {what}",
            [score if classed else "normalise the text", "use a model over bytes or subwords"],
        )

    def show(self, i: int) -> str:
        """Return the word, or `<unk>` for the class of those that are none."""
        return CLASS if i == self.control.unknown else super().show(i)

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Return what each id adds: the word, after a space unless it is the first."""
        out = super().pieces(ids)
        for k, piece in enumerate(out):
            if piece:
                out[k] = piece[1:]
                break
        return out


class ClassedWords(WordVocab):
    """A closed set of words whose class of unknown words may be scored.

    `encode` refuses an unknown word, since no sequence of these tokens spells it. `scoring`, which `score` reads texts
    by, takes such a word for one of its class. `BadValue` for words among which there is no class.

    Right: `ClassedWords(["the", None])`. Wrong: taking p of a text with the class for that of the text alone.
    """

    def __init__(self, words: Sequence[str | None], end: bool = True) -> None:
        super().__init__(words, end)
        if self.control.unknown is None:
            raise BadValue(
                f"expected a class of unknown words ({CLASS}) among the tokens, got none",
                "leave it out",
                argument="unknown",
            )

    @property
    def scoring(self) -> Vocab:
        """The same tokens, by which every word has an id: its own, or that of the class."""
        return self.unknown_as_class


class OpenWords(WordVocab):
    """Words of which the unknown ones are read as their class; made by `WordVocab.unknown_as_class`."""

    def encode(self, text: str | bytes) -> list[int]:
        """One id a word; a word that has none gets that of the class."""
        decoded = to_str(text)
        if not decoded:
            return []
        unknown = self.control.unknown
        assert unknown is not None  # noqa: S101  (ours: `unknown_as_class` has looked)
        return [self._known(w) if not w else self._ids.get(w, unknown) for w in decoded.split(" ")]

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Byte offsets `[t, 2]` of each word of the text, with the space before it: the class itself spells no bytes."""
        words = to_bytes(text).split(b" ") if len(text) else []
        sizes = np.array([len(w) + (k > 0) for k, w in enumerate(words)], dtype=np.int64)
        hi = np.cumsum(sizes)
        return np.stack([hi - sizes, hi], axis=1)
