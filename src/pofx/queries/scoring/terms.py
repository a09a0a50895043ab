"""The terms of the chain rule that a log-probability sums, and the rules of this sum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from pofx.lm.begin import Known
from pofx.lm.model import LM
from pofx.transforms.given import Prefix
from pofx.units import count_noun
from pofx.vocab.vocabulary import to_bytes

Kind = Literal["exact", "canonical", "lower", "estimate", "interval", "class"]
Boundary = Literal["", "token", "exact", "healed"]
# A prefix to condition on: a string, or ids, some of which no text spells.
Given = str | bytes | Prefix


@dataclass(frozen=True)
class Terms:
    """The small print of a log-probability: the terms that were counted, and their rules.

    Attributes:
        begin: The text of x0, or "none".
        begin_known: The evidence that the model has learned p(x1|x0), as in `Begin`.
        first: Whether the factor p(x1|x0) is counted. A text with a prefix has no such factor.
        end: Whether the factor p(EOS|x0,x) is counted.
        given_bytes: Length of the prefix, bytes.
        tokens: Length of the text, tokens; EOS is not counted.
        bytes: Length of the text, bytes.
        window: The rule for texts longer than the context.
        dtype: The type of the numbers that the model computes with, and the measured error of a token for int8.
        kind: "exact"; "canonical" for log p of the spelling of `encode`, a lower bound of log p of the text; "interval"
            for log p of some spellings, with bounds; "class", see `unknown`; "lower" or "estimate" for results of
            `marginal`.
        leak: 1 − Π (1 − mass on tokens that spell nothing) over the positions of the text, a share, where that mass was
            renormalised away; 0 elsewhere.
        boundary: The join of the prefix and the text. "token": each is cut into tokens by itself. "exact": tokens that
            span the join are counted. "healed": the prefix counts in all its spellings, and the text in the spelling of
            `encode`. "": there is no prefix, or each text has one spelling.
        normalized: The normalizers of the tokenizer that changed the text before the model read it; "" for none. The
            number and `bytes` are of the changed text.
        unknown: The number of words of the prefix and the text that were read as the class of unknown words. Above 0 the
            number is the probability of all texts with such words there, and `kind` is "class".
        fitted: Whether the model was fitted on this very document, so that the number flatters the model; False where
            this is not known.
        chosen: Whether this document chose the weights of the model (early stopping), which flatters the number a little.

    Right: `score(lm, [text])[0].terms.end`, before two numbers are compared. Wrong: comparing a number with EOS to a number
    without EOS.
    """

    begin: str
    begin_known: Known
    first: bool
    end: bool
    given_bytes: int
    tokens: int
    bytes: int
    window: str
    dtype: str
    kind: Kind
    leak: float = 0.0
    boundary: Boundary = ""
    normalized: str = ""
    unknown: int = 0
    fitted: bool = False
    chosen: bool = False

    def __str__(self) -> str:
        first = "p(x1|x0) included" if self.first else f"after {count_noun(self.given_bytes, 'given byte')}"
        if self.boundary:
            first += f", {self.boundary} join"
        end = "EOS included" if self.end else "no EOS"
        text = f" of the text as {self.normalized} left it" if self.normalized else ""
        return (
            f"{self._x0}, {first}, {end}; {count_noun(self.tokens, 'token')}, {count_noun(self.bytes, 'byte')}{text}; "
            f"{self.window}; {self.dtype}, {self.kind}{f', leak {self.leak:.2g}' if self.leak else ''}"
            f"{self._unknown_words()}"
        )

    @property
    def common(self) -> str:
        """The rules that all numbers of one model share: x0 and its evidence, the window rule, the dtype and the kind."""
        return f"{self._x0}; {self.window}; {self.dtype}, {self.kind}"

    @property
    def _x0(self) -> str:
        return f"x0 {self.begin} ({self.begin_known})" if self.begin_known != "none" else "no x0"

    def _unknown_words(self) -> str:
        return (
            f": {count_noun(self.unknown, 'word')} read as <unk>, so of no text alone" if self.unknown else ""
        )


def terms(lm: LM, tokens: int, n_bytes: int, given_bytes: int, end: bool, leak: float = 0.0) -> Terms:
    """Make the terms of one text under a model.

    Args:
        lm: The model.
        tokens: The length of the text, tokens.
        n_bytes: The length of the text, bytes.
        given_bytes: The length of the prefix, bytes; 0 for no prefix.
        end: Whether p(EOS|x0,x) is counted.
        leak: The mass that was renormalised away, a share.

    Returns:
        The terms, with the kind and the boundary that the vocabulary implies.
    """
    return Terms(
        begin=lm.begin.text or ("none" if lm.begin.known == "none" else "x0"),
        begin_known=lm.begin.known,
        first=given_bytes == 0,
        end=end,
        given_bytes=given_bytes,
        tokens=tokens,
        bytes=n_bytes,
        window=str(lm.window),
        dtype=_arithmetic(lm),
        kind="interval" if lm.interval else "exact" if lm.vocab.unambiguous else "canonical",
        leak=leak,
        boundary="" if given_bytes == 0 or lm.vocab.unambiguous else "token",
    )


def _arithmetic(lm: LM) -> str:
    """Return the dtype, and its measured error, rounded up to one digit."""
    if not lm.rounding:
        return lm.dtype
    unit = 10.0 ** math.floor(math.log10(lm.rounding))
    return f"{lm.dtype}, ± {math.ceil(lm.rounding / unit - 1e-9) * unit:.1g} nats a token"


def terms_given_ids(lm: LM, terms: Terms, prefix: Prefix) -> Terms:
    """Return the terms of a text after a prefix of ids.

    Args:
        lm: The model without the prefix.
        terms: The terms under the model after the prefix.
        prefix: The prefix.

    Returns:
        The terms with the x0 of `lm` and the length of the prefix.
    """
    return replace(
        terms,
        begin=lm.begin.text or ("none" if lm.begin.known == "none" else "x0"),
        begin_known=lm.begin.known,
        first=False,
        given_bytes=len(to_bytes(prefix.text)),
        boundary="token",
    )
