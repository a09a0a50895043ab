"""Vocabularies of words. A word without an id is refused, or read as the class `<unk>` of all such words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue, NotText
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab, to_bytes, to_str

CLASS = "<unk>"


class WordVocab(Vocab):
    """A closed set of words, and EOS after them: a text is words with one space between.

    Args:
        words: The words, whose ids are their positions. None stands for a control token that spells no word, such as the
            class `<unk>` of an ARPA file.
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
        """Return one id a word; `NotText` for a word without an id, and for spaces that do not stand between two words."""
        decoded = to_str(text)
        return [self._known(w) for w in decoded.split(" ")] if decoded else []

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of all texts end to end, and the number of words of each.

        All texts are split by one call: a line of seven words takes 2 µs, and took 4 where each line was split by itself.
        """
        words, lengths = _split(texts)
        try:
            return np.fromiter(map(self._ids.__getitem__, words), np.int64, len(words)), lengths
        except KeyError:  # a word without an id: of the class of unknown words, or an error
            return super().encode_joined(texts)

    @cached_property
    def unknown_as_class(self) -> Vocab:
        """The same tokens; where there is a class, a word without an id of its own has the id of the class."""
        return self if self.control.unknown is None else OpenWords(self.words, self.end is not None)

    def _known(self, word: str) -> int:
        i = self._ids.get(word)
        if i is not None:
            return i
        what = f"the word {word!r}" if word else "two spaces in a row, or one at an end"
        classed = word and self.control.unknown is not None
        score = Advice("score the word as one of <unk>", "unknown='class'", "--unknown class")
        raise NotText(
            f"expected words of this model's {len(self._ids):,} with one space between, got {what}",
            [score if classed else "normalise the text", "use a model over bytes or subwords"],
        )

    def show(self, i: int) -> str:
        """Return the word, or `<unk>` for the class of unknown words."""
        return CLASS if i == self.control.unknown else super().show(i)

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Return the bytes that each id adds to the text: the word, with a space before each word but the first."""
        out = super().pieces(ids)
        for k, piece in enumerate(out):
            if piece:
                out[k] = piece[1:]
                break
        return out


def _split(texts: Sequence[str | bytes]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the words of all texts, and the number of words of each; a look at all texts together checks them."""
    try:
        "".join(texts).encode()  # type: ignore[arg-type]
        decoded: Sequence[str] = texts  # type: ignore[assignment]
    except (TypeError, UnicodeEncodeError):  # a text of bytes, or a text that `to_str` refuses
        decoded = [to_str(t) for t in texts]
    full = [t for t in decoded if t]
    lengths = np.fromiter([t.count(" ") + 1 if t else 0 for t in decoded], np.int64, len(decoded))
    return " ".join(full).split(" ") if full else [], lengths


class ClassedWords(WordVocab):
    """A closed set of words whose class of unknown words may be scored.

    `encode` refuses an unknown word, since no sequence of these tokens spells such a word. `score` reads texts by the
    vocabulary `scoring`, which reads an unknown word as a member of the class.

    Args:
        words: The words by id; one of them is None, the class.
        end: Whether texts end.

    Raises:
        BadValue: There is no class among the words.

    Right: `ClassedWords(["the", None])`. Wrong: taking p of a text with a word of the class for p of that very word.
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
        """The same tokens; a word without an id of its own has the id of the class."""
        return self.unknown_as_class


class OpenWords(WordVocab):
    """A set of words by which unknown words are read as their class; made by `WordVocab.unknown_as_class`."""

    def encode(self, text: str | bytes) -> list[int]:
        """Return one id a word; a word without an id of its own has the id of the class."""
        decoded = to_str(text)
        if not decoded:
            return []
        unknown = self.control.unknown
        assert unknown is not None  # noqa: S101  (ours: `unknown_as_class` has looked)
        return [self._known(w) if not w else self._ids.get(w, unknown) for w in decoded.split(" ")]

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of all texts end to end, and the number of words of each."""
        words, lengths = _split(texts)
        if "" in words:
            return Vocab.encode_joined(self, texts)  # raises the error of the text
        return np.fromiter(
            map(self._ids.get, words, repeat(self.control.unknown)), np.int64, len(words)
        ), lengths

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Return byte offsets `[t, 2]` of each word in the text, with the space before the word.

        The offsets come from the text itself, since the class spells no bytes.
        """
        words = to_bytes(text).split(b" ") if len(text) else []
        sizes = np.array([len(w) + (k > 0) for k, w in enumerate(words)], dtype=np.int64)
        hi = np.cumsum(sizes)
        return np.stack([hi - sizes, hi], axis=1)
