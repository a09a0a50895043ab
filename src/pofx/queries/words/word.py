"""One word of a text and what it says, and a text of them."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.queries.scoring.terms import Terms
from pofx.units import bits


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text, and what it says.

    index: which word it is, from 0; None for text between regions, and for a text without words. text, start, end,
    start_byte, end_byte: what it spells and where, in characters and in bytes.
    surprisal: −log P(the word, then a boundary | what came before, then a boundary), nats; what stands between it
    and the word before is counted with it. ending: the share of it that the last word has for what stands behind it
    and for EOS, nats; 0 for all others. bounded: whether a boundary behind it was counted.
    entropy: of the law of the first token that begins in it, nats; None where none does. tokens: how many begin in
    it. seen: what the law of the first of them was conditioned on, in tokens.
    """

    index: int | None
    text: str
    start: int
    end: int
    start_byte: int
    end_byte: int
    surprisal: float
    ending: float
    bounded: bool
    entropy: float | None
    tokens: int
    seen: int

    @property
    def bits(self) -> float:
        """The surprisal in bits."""
        return bits(self.surprisal)

    @property
    def form(self) -> str:
        """The word as frequency lists have it: in lower case, without punctuation at its ends."""
        letters = [k for k, c in enumerate(self.text) if c.isalnum()]
        return self.text[letters[0] : letters[-1] + 1].lower() if letters else self.text.lower()


@dataclass(frozen=True)
class Worded:
    """One text and its words; their surprisals add up to −`total`, which is log p(text | given) in nats."""

    text: str | bytes
    given: str | bytes
    words: tuple[Word, ...]
    total: float
    terms: Terms
