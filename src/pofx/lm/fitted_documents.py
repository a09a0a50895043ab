"""Which documents a model was fitted on: hashes, so that a number of one of them can be told to flatter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pofx.vocab.vocabulary import to_bytes

Text = TypeVar("Text", bound=str | bytes)
Codes = NDArray[np.uint64]

# Hashes kept: 8 MB. Of a larger corpus those below a threshold are, a random sample that decides alike everywhere.
MOST = 1_000_000
SIZE = 8


@dataclass(frozen=True, eq=False)
class FittedDocuments:
    """The documents that a model was fitted on, by 64-bit hashes of their bytes.

    codes: distinct hashes in order, the lowest `MOST` of them where there are more. documents: how many were read.
    A text that was not among them is taken for one with probability `len(codes)` / 2^64. Of a corpus with more distinct
    documents than `MOST` some are not known any more; `share` is how many still are.
    validation: hashes, kept alike, of documents that the fit did not learn from but chose its weights by (early stopping).
    """

    codes: Codes
    documents: int
    validation: Codes = field(default_factory=lambda: _codes(b""))

    @property
    def share(self) -> float:
        """The share of distinct documents that can be told: 1 where all are kept."""
        return 1.0 if len(self.codes) < MOST else float(self.codes[-1]) / 2.0**64

    def holds(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Whether each text is one of the documents, byte for byte; `[n]`."""
        return _among(texts, self.codes)

    def chose_by(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Whether each text is one that the weights were chosen by, and none that the model was fitted on; `[n]`."""
        return _among(texts, self.validation) & ~self.holds(texts)


class DocumentRecorder:
    """Gathers the hashes of documents while they are read. Local to one fit."""

    def __init__(self) -> None:
        self.documents = 0
        self._digests = bytearray()

    def record(self, texts: Iterable[Text]) -> Iterator[Text]:
        """The texts, unchanged, each noted as it passes."""
        for text in texts:
            self._digests += _digest(text)
            self.documents += 1
            if len(self._digests) >= 2 * MOST * SIZE:
                self._digests = bytearray(self._lowest().astype("<u8").tobytes())
            yield text

    def finish(self) -> FittedDocuments:
        """The record of what has passed."""
        return FittedDocuments(self._lowest(), self.documents)

    def _lowest(self) -> Codes:
        return np.unique(_codes(bytes(self._digests)))[:MOST]


def record_documents(texts: Iterable[str | bytes]) -> FittedDocuments:
    """The record of documents that are at hand."""
    recorder = DocumentRecorder()
    for _ in recorder.record(texts):
        pass
    return recorder.finish()


class HasFittedDocuments(Protocol):
    """A model that has records of what it was fitted on."""

    @property
    def fitted(self) -> tuple[FittedDocuments, ...]:
        """The records; () where none is known."""


def was_fitted_on(lm: HasFittedDocuments, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
    """Whether each text is a document that the model, or a part of it, was fitted on; `[n]`.

    Right: `was_fitted_on(lm, held_out).any()` before an evaluation. Wrong: taking no record for a proof that a text is new.
    """
    out = np.zeros(len(texts), dtype=np.bool_)
    for record in lm.fitted:
        out |= record.holds(texts)
    return out


def was_chosen_by(lm: HasFittedDocuments, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
    """Whether each text is one that the weights of the model, or of a part of it, were chosen by; `[n]`.

    Those that it was fitted on are not among them.
    """
    out = np.zeros(len(texts), dtype=np.bool_)
    for record in lm.fitted:
        out |= record.chose_by(texts)
    return out & ~was_fitted_on(lm, texts)


def _among(texts: Sequence[str | bytes], known: Codes) -> NDArray[np.bool_]:
    codes = _codes(b"".join(map(_digest, texts)))
    at = np.searchsorted(known, codes)
    out = np.zeros(len(codes), dtype=np.bool_)
    inside = at < len(known)
    out[inside] = known[at[inside]] == codes[inside]
    return out


def _digest(text: str | bytes) -> bytes:
    return hashlib.blake2b(to_bytes(text), digest_size=SIZE).digest()


def _codes(digests: bytes) -> Codes:
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
