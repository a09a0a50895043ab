"""A token standing in for EOS: where it comes, the text is over."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.errors import BadValue, NotText
from pofx.lm import LM
from pofx.trace import Path, Trace, Want
from pofx.transforms.begun import token_id
from pofx.transforms.unchanged import Unchanged
from pofx.vocab import Vocab


class EndedVocab(Vocab):
    """A vocabulary one of whose tokens ends texts, and therefore spells nothing any more."""

    def __init__(self, vocab: Vocab, end: int) -> None:
        self.vocab, self.size, self.end = vocab, vocab.size, end
        self.token_bytes = tuple(None if i == end else b for i, b in enumerate(vocab.token_bytes))
        self.normalizes = vocab.normalizes
        self._spelled = vocab.token_bytes[end] or b""

    @property
    def continuation(self) -> Vocab:
        """Of the vocabulary, with the same token for EOS."""
        on = self.vocab.continuation
        return self if on is self.vocab else EndedVocab(on, self.end or 0)

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        """That of the vocabulary."""
        return self.vocab.read(text)

    def encode(self, text: str | bytes) -> list[int]:
        """As before; a text that contains the ending token is two texts: `NotText`."""
        ids = self.vocab.encode(text)
        if self.end in ids:
            raise NotText(
                f"expected a text without the token that ends texts, {self._spelled!r}, found it at token "
                f"{ids.index(self.end or 0)}; split the text there"
            )
        return ids


def ended(lm: LM, end: str | int) -> LM:
    """The distribution of texts up to the first `end` token: p(x) = P(x · end).

    For a model that never ends a text, such as one of a running stream (`BadValue` where there is an EOS).
    Right: `ended(lm, "\\n")` for the law of lines. Wrong: expecting to score a text with `end` inside.
    """
    if lm.vocab.end is not None:
        raise BadValue(
            f"end: expected no other EOS for a model that has one (id {lm.vocab.end}), found {end!r}; leave end out"
        )
    return Ended(lm, token_id(lm.vocab, end, "end"))


class Ended(Unchanged):
    """The same laws over another vocabulary; made by `ended`."""

    def __init__(self, lm: LM, end: int) -> None:
        super().__init__(lm)
        self.vocab, self.end = EndedVocab(lm.vocab, end), end

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """As the model itself, but for log p(EOS), which only this vocabulary can ask for."""
        return LM.forward(self, paths, want, skip) if want.end else self.lm.forward(paths, want, skip)

    def bare(self) -> LM | None:
        """The model without its x0, ended by the same token."""
        core = self.lm.bare()
        return None if core is None else Ended(core, self.end)
