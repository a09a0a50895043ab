"""An EOS for a model without EOS: a token at which a text ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue, NotText
from pofx.lm.model import LM
from pofx.lm.trace import Path, Trace, Want
from pofx.transforms.with_begin import token_id
from pofx.transforms.wrapper import LMWrapper
from pofx.vocab.vocabulary import Vocab
from pofx.vocab.wrapper import VocabWrapper


class VocabWithEnd(VocabWrapper):
    """A vocabulary in which one token has become EOS, and no longer spells bytes."""

    def __init__(self, vocab: Vocab, end: int) -> None:
        super().__init__(vocab)
        self.ending, self.end = end, end
        self.token_bytes = tuple(None if i == end else b for i, b in enumerate(vocab.token_bytes))
        self.control = vocab.control.with_end(end)
        self.spells_bytes = self.spells_bytes and vocab.token_bytes[end] is None
        self._spelled = vocab.token_bytes[end] or b""

    def over(self, vocab: Vocab) -> Vocab:
        """Return another vocabulary in which the same token is EOS."""
        return VocabWithEnd(vocab, self.ending)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the ids of a text.

        Raises:
            NotText: The text contains the token that ends texts, so it is several texts.
        """
        ids = self.vocab.encode(text)
        self._check(ids)
        return ids

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids of `encode` as an array."""
        ids = self.vocab.encode_array(text)
        self._check(ids)
        return ids

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Return the ids of each text."""
        every = self.vocab.encode_many(texts)
        for ids in every:
            self._check(ids)
        return every

    def _check(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        places = np.flatnonzero(np.asarray(ids) == self.ending)
        if len(places):
            raise NotText(
                f"expected a text without the token that ends texts, {self._spelled!r}, got that token at place "
                f"{places[0]}",
                "split the text after that token",
            )


def with_end(lm: LM, end: str | int) -> LM:
    r"""Return the distribution of texts up to the first `end` token: p(x) = P(x · end).

    Args:
        lm: A model that ends no text, such as a model of a running stream.
        end: A control token by its name, an id, or the text of a single token.

    Returns:
        The model with EOS.

    Raises:
        BadValue: The model has an EOS, or `end` is no single token.

    Right: `with_end(lm, "\n")` for the distribution of lines. Wrong: scoring a text with `end` inside.
    """
    if lm.vocab.end is not None:
        raise BadValue(
            f"expected no other EOS for a model that has one (id {lm.vocab.end}), got {end!r}",
            "leave end out",
            argument="end",
        )
    return WithEnd(lm, token_id(lm.vocab, end, "end"))


class WithEnd(LMWrapper):
    """A model with the same distributions, in which one token is EOS; made by `with_end`."""

    def __init__(self, lm: LM, end: int) -> None:
        self.end = end
        super().__init__(lm, replace(lm.info, vocab=VocabWithEnd(lm.vocab, end)))

    def over(self, lm: LM) -> LM:
        """Return another model in which the same token is EOS."""
        return WithEnd(lm, self.end)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return the model's own pass, unless log p(EOS) is requested: the model does not know which token is EOS."""
        return LM.forward(self, paths, want, skip) if want.end else self.lm.forward(paths, want, skip)
