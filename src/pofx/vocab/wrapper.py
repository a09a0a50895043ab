"""A vocabulary that passes everything on to another one; subclasses override parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.vocab.vocabulary import Listener, Vocab


class VocabWrapper(Vocab):
    """Adds an EOS to a vocabulary that has none; every other declared part of `Vocab` is passed on here, nowhere else.

    A subclass sets `end`, `size` and `token_bytes`, and writes `over`.

    Attributes:
        vocab: The vocabulary within, which has no EOS.
    """

    def __init__(self, vocab: Vocab) -> None:
        assert vocab.end is None  # noqa: S101  (ours: whoever wraps a vocabulary has looked)
        self.vocab = vocab
        self.size, self.end, self.token_bytes = vocab.size, vocab.end, vocab.token_bytes
        self.control, self.normalizes = vocab.control, vocab.normalizes
        self.spells_bytes = vocab.spells_bytes

    @abstractmethod
    def over(self, vocab: Vocab) -> Vocab:
        """Return the same around another vocabulary with the same ids."""

    def _around(self, other: Vocab) -> Vocab:
        return self if other is self.vocab else self.over(other)

    @cached_property
    def continuation(self) -> Vocab:
        """That of the vocabulary within, with the same EOS."""
        return self._around(self.vocab.continuation)

    @cached_property
    def scoring(self) -> Vocab:
        """That of the vocabulary within, with the same EOS."""
        return self._around(self.vocab.scoring)

    @cached_property
    def unknown_as_class(self) -> Vocab:
        """That of the vocabulary within, with the same EOS."""
        return self._around(self.vocab.unknown_as_class)

    @property
    def listener(self) -> Listener | None:
        """That of the vocabulary within."""
        return self.vocab.listener

    @listener.setter
    def listener(self, listener: Listener | None) -> None:
        self.vocab.listener = listener

    @cached_property
    def opening(self) -> bool:
        """As the vocabulary within."""
        return self.vocab.opening

    @cached_property
    def unambiguous(self) -> bool:
        """As the vocabulary within."""
        return self.vocab.unambiguous

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        """Do as the vocabulary within does."""
        return self.vocab.read(text)

    def conversation(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], str] | None:
        """Do as the vocabulary within does."""
        return self.vocab.conversation(messages)

    def encode(self, text: str | bytes) -> list[int]:
        """Do as the vocabulary within does."""
        return self.vocab.encode(text)

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Do as the vocabulary within does."""
        return self.vocab.encode_array(text)

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Do as the vocabulary within does."""
        return self.vocab.encode_many(texts)

    def decode(self, ids: Sequence[int]) -> bytes:
        """Do as the vocabulary within does; EOS spells nothing."""
        return self.vocab.decode([i for i in ids if i != self.end])

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Do as the vocabulary within does; EOS adds nothing."""
        spelled = iter(self.vocab.pieces([i for i in ids if i != self.end]))
        return [b"" if i == self.end else next(spelled) for i in ids]

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Do as the vocabulary within does; EOS spells no byte of the text."""
        inner = self.vocab.spans([i for i in ids if i != self.end], text)
        # The span of each token by its number among those that are not EOS; an EOS is empty, where the last one ends.
        is_end = np.array([i == self.end for i in ids], dtype=np.bool_)
        found = np.concatenate([np.zeros((1, 2), dtype=np.int64), inner])[np.cumsum(~is_end)]
        found[is_end, 0] = found[is_end, 1]
        return found

    def show(self, i: int) -> str:
        """EOS, or as the vocabulary within."""
        return super().show(i) if i == self.end else self.vocab.show(i)
