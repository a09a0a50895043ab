"""What is in a number: the terms of the chain rule it sums, and the rules it follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from pofx.lm.begin import Known
from pofx.lm.model import LM
from pofx.transforms.prefix_ids import Prefix
from pofx.units import count_noun
from pofx.vocab.vocabulary import to_bytes

Kind = Literal["exact", "canonical", "lower", "estimate", "interval", "class"]
Boundary = Literal["", "token", "exact", "healed"]
# A prefix to condition on: a string, or ids, some of which no text spells.
Given = str | bytes | Prefix


@dataclass(frozen=True)
class Terms:
    """Read it as the small print of a log-probability.

    begin, begin_known: what x0 was, and how we know that the model knows p(x1|x0) (`Begin`).
    first: whether the factor p(x1|x0) is in it (not where the text was given a prefix).
    end: whether the factor p(EOS|x0,x) is in it. given_bytes: length of the prefix conditioned on.
    tokens, bytes: length of the text, EOS not counted. window: the rule for long texts. dtype: of the arithmetic.
    kind: "exact"; or "canonical": of the one spelling `encode` returns, a lower bound of the text's own; or
    "interval": of the spellings that were kept, with bounds beside it. leak: 1 − Π (1 − mass on tokens that spell
    nothing) over the positions of the text, where that mass was renormalised away; 0 where it was left as it is.
    boundary: how a given prefix and the text join. "token": each is cut into tokens by itself; "exact": tokens that
    span the join are counted; "healed": the one that `encode` puts there is, and all that spell the prefix. "" without
    a prefix, and where texts have one spelling: there is nothing to choose.
    normalized: by which normalizers of its tokenizer the model reads another text than was asked about, which is then the
    text of the number and of `bytes`; "" where it reads the text itself.
    unknown: how many words of the prefix and the text were read as the class of unknown words; then kind is "class", for the
    number is the probability of all texts that have such words there, and no text has it alone. fitted: the model was fitted
    on this very document (the prefix and the text), so the number flatters it; False where that is not known.
    chosen: the weights of the model were chosen by it (early stopping), which flatters the number a little.
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
        first = "p(x1|x0) included" if self.first else f"behind {count_noun(self.given_bytes, 'given byte')}"
        if self.boundary:
            first += f", {self.boundary} join"
        end = "EOS included" if self.end else "no EOS"
        text = f" of the text as {self.normalized} left it" if self.normalized else ""
        return (
            f"{self._x0}, {first}, {end}; {count_noun(self.tokens, 'token')}, {count_noun(self.bytes, 'byte')}{text}; "
            f"{self.window}; {self.dtype}, {self.kind}{f', leak {self.leak:.2g}' if self.leak else ''}"
            f"{self._classed()}"
        )

    @property
    def common(self) -> str:
        """What numbers of one model have in common: x0 and how it is known, the window rule, dtype and kind."""
        return f"{self._x0}; {self.window}; {self.dtype}, {self.kind}"

    @property
    def _x0(self) -> str:
        return f"x0 {self.begin} ({self.begin_known})" if self.begin_known != "none" else "no x0"

    def _classed(self) -> str:
        return (
            f": {count_noun(self.unknown, 'word')} read as <unk>, so of no text alone" if self.unknown else ""
        )


def terms(lm: LM, tokens: int, n_bytes: int, given_bytes: int, end: bool, leak: float = 0.0) -> Terms:
    """The terms of one text under a model."""
    return Terms(
        begin=lm.begin.text or ("none" if lm.begin.known == "none" else "x0"),
        begin_known=lm.begin.known,
        first=given_bytes == 0,
        end=end,
        given_bytes=given_bytes,
        tokens=tokens,
        bytes=n_bytes,
        window=str(lm.window),
        dtype=lm.dtype,
        kind="interval" if lm.interval else "exact" if lm.vocab.unambiguous else "canonical",
        leak=leak,
        boundary="" if given_bytes == 0 or lm.vocab.unambiguous else "token",
    )


def terms_given_ids(lm: LM, terms: Terms, prefix: Prefix) -> Terms:
    """The terms of a text behind a prefix of ids, made of those that the model behind it gave."""
    return replace(
        terms,
        begin=lm.begin.text or ("none" if lm.begin.known == "none" else "x0"),
        begin_known=lm.begin.known,
        first=False,
        given_bytes=len(to_bytes(prefix.text)),
        boundary="token",
    )


class _Record(Protocol):
    @property
    def terms(self) -> Terms: ...


R = TypeVar("R", bound=_Record)


def read_texts(lm: LM, texts: Sequence[str | bytes]) -> tuple[list[str | bytes], list[str]]:
    """Each text as the model reads it (`Vocab.read`), and by what it was changed, "" for not at all.

    Right: `texts, changed = read_texts(lm, texts)`, then `name_normalizers(records, changed)`. Wrong: bits per byte by the
    bytes of the text before.
    """
    found = [lm.vocab.read(t) for t in texts]
    return [t for t, _ in found], [by for _, by in found]


def name_normalizers(records: Sequence[R], changed: Sequence[str]) -> list[R]:
    """The records, whose terms say where another text was read than was asked about."""
    return [
        replace(r, terms=replace(r.terms, normalized=by)) if by else r  # type: ignore[type-var]
        for r, by in zip(records, changed)
    ]
