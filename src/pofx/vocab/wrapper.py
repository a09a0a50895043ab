"""A vocabulary that passes every call on to another vocabulary; subclasses override parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.vocab.vocabulary import Listener, Vocab


class VocabWrapper(Vocab):
    """A vocabulary without EOS, to which a subclass adds an EOS.

    Every other declared part of `Vocab` is passed on in this class, and nowhere else. A subclass sets `end`, `size` and
    `token_bytes`, and writes `over`.

    Attributes:
        vocab: The inner vocabulary, which has no EOS.
    """

    def __init__(self, vocab: Vocab) -> None:
        assert vocab.end is None  # noqa: S101  (ours: the caller has checked that there is no EOS)
        self.vocab = vocab
        self.size, self.end, self.token_bytes = vocab.size, vocab.end, vocab.token_bytes
        self.control, self.normalizes = vocab.control, vocab.normalizes
        self.spells_bytes = vocab.spells_bytes

    @abstractmethod
    def over(self, vocab: Vocab) -> Vocab:
        """Return this wrapper around another vocabulary with the same ids."""

    def _around(self, other: Vocab) -> Vocab:
        return self if other is self.vocab else self.over(other)

    @cached_property
    def continuation(self) -> Vocab:
        """The `continuation` of the inner vocabulary, with the same EOS."""
        return self._around(self.vocab.continuation)

    @cached_property
    def scoring(self) -> Vocab:
        """The `scoring` of the inner vocabulary, with the same EOS."""
        return self._around(self.vocab.scoring)

    @cached_property
    def unknown_as_class(self) -> Vocab:
        """The `unknown_as_class` of the inner vocabulary, with the same EOS."""
        return self._around(self.vocab.unknown_as_class)

    @property
    def listener(self) -> Listener | None:
        """The listener of the inner vocabulary."""
        return self.vocab.listener

    @listener.setter
    def listener(self, listener: Listener | None) -> None:
        self.vocab.listener = listener

    @cached_property
    def opening(self) -> bool:
        """Whether the first token of a text spells a space that is no part of the text, as the inner vocabulary says."""
        return self.vocab.opening

    @cached_property
    def unambiguous(self) -> bool:
        """Whether every text has one spelling, as the inner vocabulary says."""
        return self.vocab.unambiguous

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        """Return the text that the inner vocabulary scores in place of this text."""
        return self.vocab.read(text)

    def conversation(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], str] | None:
        """Return the conversation that the inner vocabulary makes of messages."""
        return self.vocab.conversation(messages)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the ids that the inner vocabulary gives a text."""
        return self.vocab.encode(text)

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids that the inner vocabulary gives a text, as an array."""
        return self.vocab.encode_array(text)

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Return the ids that the inner vocabulary gives each text."""
        return self.vocab.encode_many(texts)

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids that the inner vocabulary gives all texts, and their numbers."""
        return self.vocab.encode_joined(texts)

    def decode(self, ids: Sequence[int]) -> bytes:
        """Return the bytes that the ids spell in the inner vocabulary; EOS spells nothing."""
        return self.vocab.decode([i for i in ids if i != self.end])

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Return the bytes that each id adds to the text in the inner vocabulary; EOS adds nothing."""
        spelled = iter(self.vocab.pieces([i for i in ids if i != self.end]))
        return [b"" if i == self.end else next(spelled) for i in ids]

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Return the byte offsets of each id as in the inner vocabulary; EOS spells no byte of the text."""
        inner = self.vocab.spans([i for i in ids if i != self.end], text)
        # A token is found by its number among the tokens that are not EOS. The span of an EOS is empty, at the end of the
        # token before.
        is_end = np.array([i == self.end for i in ids], dtype=np.bool_)
        found = np.concatenate([np.zeros((1, 2), dtype=np.int64), inner])[np.cumsum(~is_end)]
        found[is_end, 0] = found[is_end, 1]
        return found

    def show(self, i: int) -> str:
        """Return "EOS", or the name that the inner vocabulary gives the id."""
        return super().show(i) if i == self.end else self.vocab.show(i)
