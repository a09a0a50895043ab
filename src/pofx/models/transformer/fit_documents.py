"""The documents of a fit of a transformer, as pieces of token sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue
from pofx.models.specs import TransformerSpec
from pofx.models.transformer.windows import Pieces, default_overlap
from pofx.units import bits
from pofx.vocab.vocabulary import Vocab


class FitDocuments:
    """The documents of a fit as pieces, with x0 before each document and EOS after each, if the spec says so.

    Args:
        documents: The ids of each text, without x0 and EOS.
        spec: The spec of the transformer.
        vocab: The vocabulary of the ids.

    Raises:
        BadValue: The spec asks for EOS, and the vocabulary has none.
    """

    def __init__(self, documents: Sequence[NDArray[Any]], spec: TransformerSpec, vocab: Vocab) -> None:
        if spec.end and vocab.end is None:
            raise BadValue(
                "expected a vocabulary with an EOS, got a vocabulary without",
                Advice("fit without EOS", "end=False", "--no-end"),
                argument="end",
            )
        lead = [vocab.size] if spec.begin else []
        tail = [vocab.end] if spec.end else []
        self.pieces = Pieces(
            [np.array([*lead, *np.asarray(d).tolist(), *tail], dtype=np.int64) for d in documents],
            spec.context,
            default_overlap(spec.context),
        )
        sizes = np.array([len(b or b"") for b in (*vocab.token_bytes, None)], dtype=np.int64)
        self.documents = max(1, len(documents))
        self.tokens = int(self.pieces.lengths.sum())  # inputs of one pass
        self.bytes = max(1, int(sizes[self.pieces.stream].sum()))

    def per_document(self, nats_per_target: float) -> float:
        """Convert nats a target to nats a document."""
        return nats_per_target * self.pieces.targets / self.documents

    def per_byte(self, nats_per_target: float) -> float:
        """Convert nats a target to bits a byte."""
        return bits(nats_per_target * self.pieces.targets / self.bytes)
