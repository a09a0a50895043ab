"""The signature of a document: a hash of its bytes, and the minima of its shingles' hashes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.shingles import minima
from pofx.queries.corpus_audit.near_duplicates import BANDS, ROWS
from pofx.vocab.vocabulary import to_bytes

Dedupe = Literal["near", "exact", "none"]
DEDUPE: tuple[Dedupe, ...] = ("near", "exact", "none")
# 128 bits: among 10^12 documents, two different ones have the same hash with probability 1.5 · 10^-15.
HASH = 16
MINIMA = BANDS * ROWS


def signatures(texts: Sequence[str], dedupe: Dedupe) -> list[str]:
    """Return the signature of each text, in base64: the hash, and for "near" the minima as 32-bit numbers.

    Args:
        texts: The documents as they stand in the input.
        dedupe: Which copies are to be found; for "none" a signature is "".

    Returns:
        A signature for each text, in order.
    """
    if dedupe == "none":
        return [""] * len(texts)
    hashes = [hashlib.blake2b(to_bytes(t), digest_size=HASH).digest() for t in texts]
    if dedupe == "near" and texts:
        rows = minima(texts, MINIMA).astype("<u4")
        hashes = [h + row.tobytes() for h, row in zip(hashes, rows)]
    return [base64.b64encode(h).decode("ascii") for h in hashes]


def read_signatures(encoded: Sequence[str], dedupe: Dedupe) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Read signatures.

    Args:
        encoded: The signatures that `signatures` returned.
        dedupe: As in `signatures`, "near" or "exact".

    Returns:
        The hashes, `[n, 2]`, and the minima, `[n, k]`; k is `MINIMA` for "near" and 0 for "exact".
    """
    size = HASH + (4 * MINIMA if dedupe == "near" else 0)
    raw = np.frombuffer(b"".join(base64.b64decode(e) for e in encoded), dtype=np.uint8).reshape(-1, size)
    hashes = np.ascontiguousarray(raw[:, :HASH]).view("<u8").astype(np.uint64)
    return hashes, np.ascontiguousarray(raw[:, HASH:]).view("<u4").astype(np.uint32)
