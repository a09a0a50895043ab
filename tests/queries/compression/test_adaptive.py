"""The adaptive code: its law sums to 1, its code is as short as its law, in pieces too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compressible import PROVERBS

from pofx.algorithms.coding import adaptive
from pofx.queries.compression.compress import compress, compression
from pofx.queries.compression.decompress import decompress


@pytest.mark.parametrize("prefix", [b"", b"a", b"to be or not to be, to b", b"\x00\xff" * 9])
def test_the_adaptive_law_sums_to_one(prefix: bytes) -> None:
    """Σ_b P(xb) = P(x), as it must be for the next byte's predictive probabilities."""
    extended = [-adaptive.cost(prefix + bytes([b])) for b in range(256)]
    total = np.logaddexp2.reduce(extended)
    # The size of the tables follows the length, so P(x) is asked of a text of the extended length.
    assert len(prefix + b"a").bit_length() <= 6
    assert total == pytest.approx(-adaptive.cost(prefix), abs=1e-9)


def test_the_adaptive_payload_is_minus_log2_of_the_predictive_probability() -> None:
    for data in (PROVERBS.encode(), b"a" * 5000, b"ab" * 9, PROVERBS.encode() * 3):
        made = compression(None, data)
        assert made.ideal_bits == pytest.approx(adaptive.cost(data), abs=1e-6)
        # The code ends where zeros may follow: it may be up to a byte shorter, as its length is told beside it.
        assert made.ideal_bits - 8 <= made.payload_bits <= made.ideal_bits * 1.0005 + 16


def test_the_adaptive_code_learns() -> None:
    once, twice = adaptive.cost(PROVERBS.encode()), adaptive.cost(PROVERBS.encode() * 2)
    assert once < 8 * len(PROVERBS) * 0.36
    assert twice < 1.1 * once


def test_adaptive_beats_ppmd_on_a_text() -> None:
    pyppmd = pytest.importorskip("pyppmd")
    data = PROVERBS.encode() + (Path(__file__).parents[3] / "docs" / "proverbes.txt").read_bytes()
    best = min(len(pyppmd.compress(data, max_order=n, mem_size=1 << 22)) for n in range(2, 9))
    assert len(compress(None, data)) < best


GOLDEN_ADAPTIVE = (
    "706f6678020001013c000024e63524772c748b787df67a37bbd9231ec7c49cfa9a28b61cd5c4bbe3fa0631b9b96ac276b234bf8e"
    "c0af7bbb3cdbe848871059399d101f76"
)


def test_golden_bytes_of_the_adaptive_code() -> None:
    blob = compress(None, b"to be or not to be, that is the question; to be or not to be")
    assert blob.hex() == GOLDEN_ADAPTIVE
    assert decompress(None, blob) == b"to be or not to be, that is the question; to be or not to be"


def test_the_adaptive_code_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code does not hear Ctrl-C, so it is left between pieces."""
    data = PROVERBS.encode()
    whole = adaptive.encode(data)
    assert whole is not None
    for piece in (1, 7, 4096, len(data) - 1):
        monkeypatch.setattr(adaptive, "PIECE", piece)
        some = data[:40] if piece == 1 else data
        found = adaptive.encode(some)
        assert found is not None
        assert adaptive.decode(found[0], len(some)) == some
        assert piece == 1 or found == whole
