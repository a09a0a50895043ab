"""One word of a text with its surprisal, and a text of such words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, Kind, TableColumn
from pofx.queries.scoring.terms import Terms
from pofx.units import bits


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text, and its surprisal.

    Attributes:
        index: The number of the word, from 0; None for text between regions, and for a text without words.
        text: The string of the word.
        start: The offset of the word's beginning, characters.
        end: The offset of the word's end, characters.
        start_byte: The offset of the word's beginning, bytes.
        end_byte: The offset of the word's end, bytes.
        surprisal: −log P(the word, then a boundary | the words before, then a boundary), nats. The text between two words
            counts for the second word.
        ending: The part of `surprisal` of the last word that is for the text after the word and for EOS, nats; 0 for all
            other words.
        bounded: Whether the boundary after the word was counted.
        entropy: Entropy of the next-token distribution of the first token that begins in the word, nats; None where no
            token begins in the word.
        tokens: The number of tokens that begin in the word.
        seen: The effective context of the first of these tokens, tokens.

    Right: `w.bits` of a `w` in `words(lm, [text])[0].words`. Wrong: comparing `w.bits` where `w.bounded` differs.
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
        """The word in lower case, without punctuation at its ends, as frequency lists have words."""
        return form_of(self.text)


def form_of(word: str) -> str:
    """Return a word in lower case, without punctuation at its ends; a word of punctuation alone stays."""
    letters = [k for k, c in enumerate(word) if c.isalnum()]
    return (word[letters[0] : letters[-1] + 1] if letters else word).lower()


_COLUMNS: dict[str, tuple[Kind, Callable[[Word], Any]]] = {
    "index": ("int", lambda w: w.index),
    "word": ("text", lambda w: w.text),
    "form": ("text", lambda w: w.form),
    "length": ("int", lambda w: w.end - w.start),
    "start": ("int", lambda w: w.start),
    "end": ("int", lambda w: w.end),
    "start_byte": ("int", lambda w: w.start_byte),
    "end_byte": ("int", lambda w: w.end_byte),
    "surprisal_nats": ("float", lambda w: w.surprisal),
    "surprisal_bits": ("float", lambda w: w.bits),
    "ending_nats": ("float", lambda w: w.ending),
    "bounded": ("bool", lambda w: w.bounded),
    "entropy_nats": ("float", lambda w: w.entropy),
    "tokens": ("int", lambda w: w.tokens),
    "seen": ("int", lambda w: w.seen),
}


@dataclass(frozen=True, repr=False)
class Worded(Shown, HasTable):
    """One text and its words; their surprisals add up to −`total`.

    Attributes:
        text: The text.
        given: The prefix, "" for none.
        words: The words, in order.
        total: log p(text | given), nats.
        terms: The terms that were counted, and their rules.

    Right: `words(lm, [text])[0].words[1].bits`. Wrong: `sum(w.tokens …)` as the length of a text, which is `terms.tokens`.
    """

    text: str | bytes
    given: str | bytes
    words: tuple[Word, ...]
    total: float
    terms: Terms

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`, a row for each word, with names as in the JSON of the verb `words`."""
        return [
            TableColumn(name, kind, [read(w) for w in self.words]) for name, (kind, read) in _COLUMNS.items()
        ]
