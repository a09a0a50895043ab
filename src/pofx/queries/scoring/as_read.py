"""Texts as the model reads them: themselves, or what a pretrained tokenizer's normalizers make of them, if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from pofx.lm.model import LM
from pofx.queries.scoring.terms import Terms


class _Record(Protocol):
    @property
    def terms(self) -> Terms: ...


R = TypeVar("R", bound=_Record)


def as_read(lm: LM, texts: Sequence[str | bytes]) -> tuple[list[str | bytes], list[str]]:
    """Each text as the model reads it (`Vocab.read`), and by what it was changed, "" for not at all.

    Right: `texts, changed = as_read(lm, texts)`, then `saying(records, changed)`. Wrong: bits per byte by the bytes of the
    text before.
    """
    found = [lm.vocab.read(t) for t in texts]
    return [t for t, _ in found], [by for _, by in found]


def saying(records: Sequence[R], changed: Sequence[str]) -> list[R]:
    """The records, whose terms say where another text was read than was asked about."""
    return [
        replace(r, terms=replace(r.terms, normalized=by)) if by else r  # type: ignore[type-var]
        for r, by in zip(records, changed)
    ]
