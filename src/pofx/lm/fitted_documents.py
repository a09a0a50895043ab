"""Hashes of the documents that a model was fitted on, since a probability of such a document flatters the model."""

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

# The number of hashes in a record, 8 MB. The record of a larger corpus has the lowest hashes, which are a random sample of
# the documents and the same on every machine.
MOST = 1_000_000
SIZE = 8  # bytes of a hash


@dataclass(frozen=True, eq=False)
class FittedDocuments:
    """The documents that a model was fitted on, as 64-bit hashes of their bytes.

    A text that was not fitted on is reported as fitted on with probability `len(codes)` / 2^64. Where a corpus has `MOST`
    distinct documents or more, the record has the hashes of a sample; `share` is the size of this sample as a fraction.

    Attributes:
        codes: Distinct hashes in rising order; the lowest `MOST` where there are more.
        documents: The number of documents that the fit read.
        validation: Hashes, likewise, of the documents by which the fit chose its weights (early stopping) without
            learning from them.
    """

    codes: Codes
    documents: int
    validation: Codes = field(default_factory=lambda: _codes(b""))

    @property
    def share(self) -> float:
        """The share of distinct documents whose hashes are in the record: 1 for fewer than `MOST` documents."""
        return 1.0 if len(self.codes) < MOST else float(self.codes[-1]) / 2.0**64

    def contains(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Return whether each text is one of the documents, byte for byte; `[n]`."""
        return _among(_codes_of(texts), self.codes)

    def chose_by(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Return whether each text chose the weights by early stopping, and the fit did not learn from the text; `[n]`."""
        return _among(_codes_of(texts), self.validation) & ~self.contains(texts)


class DocumentRecorder:
    """Gathers the hashes of documents while a fit reads them. Local to one fit."""

    def __init__(self) -> None:
        self.documents = 0
        self._digests = bytearray()

    def record(self, texts: Iterable[Text]) -> Iterator[Text]:
        """Yield the texts unchanged, and record the hash of each."""
        for text in texts:
            self._digests += _digest(text)
            self.documents += 1
            if len(self._digests) >= 2 * MOST * SIZE:
                self._digests = bytearray(self._lowest().astype("<u8").tobytes())
            yield text

    def finish(self) -> FittedDocuments:
        """Return the record of all texts so far."""
        return FittedDocuments(self._lowest(), self.documents)

    def _lowest(self) -> Codes:
        return np.unique(_codes(bytes(self._digests)))[:MOST]


def join_records(records: Iterable[FittedDocuments]) -> FittedDocuments:
    """Make the record of all documents of the records of parts of them, without validation documents.

    The lowest hashes of all documents are among the lowest hashes of each part, so the parts do not matter.
    """
    codes, documents = _codes(b""), 0
    for record in records:
        codes = np.unique(np.concatenate([codes, record.codes]))[:MOST]
        documents += record.documents
    return FittedDocuments(codes, documents)


def record_documents(texts: Iterable[str | bytes]) -> FittedDocuments:
    """Make the record of documents that are all in memory."""
    recorder = DocumentRecorder()
    for _ in recorder.record(texts):
        pass
    return recorder.finish()


class HasFittedDocuments(Protocol):
    """A model with records of the documents that it was fitted on."""

    @property
    def fitted(self) -> tuple[FittedDocuments, ...]:
        """The records; () where none is known."""


def seen_in_fit(
    lm: HasFittedDocuments, texts: Sequence[str | bytes]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return `was_fitted_on` and `was_chosen_by` of the same texts; each text is hashed once."""
    fitted, chosen = np.zeros((2, len(texts)), dtype=np.bool_)
    if lm.fitted:
        codes = _codes_of(texts)
        for record in lm.fitted:
            fitted |= _among(codes, record.codes)
            chosen |= _among(codes, record.validation)
    return fitted, chosen & ~fitted


def was_fitted_on(lm: HasFittedDocuments, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
    """Return whether each text is a document that the model, or a part of it, was fitted on; `[n]`.

    Right: `was_fitted_on(lm, held_out).any()` before an evaluation. Wrong: taking a False for a proof that a text is new,
    since a model without a record says False of every text.
    """
    return seen_in_fit(lm, texts)[0]


def was_chosen_by(lm: HasFittedDocuments, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
    """Return whether each text chose the weights of a part of the model, and no part learned from the text; `[n]`."""
    return seen_in_fit(lm, texts)[1]


def _codes_of(texts: Sequence[str | bytes]) -> Codes:
    return _codes(b"".join(map(_digest, texts)))


def _among(codes: Codes, known: Codes) -> NDArray[np.bool_]:
    at = np.searchsorted(known, codes)
    out = np.zeros(len(codes), dtype=np.bool_)
    inside = at < len(known)
    out[inside] = known[at[inside]] == codes[inside]
    return out


def _digest(text: str | bytes) -> bytes:
    return hashlib.blake2b(to_bytes(text), digest_size=SIZE).digest()


def _codes(digests: bytes) -> Codes:
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
