"""What a compressed file may claim, and on how many threads it may be decoded."""

from __future__ import annotations

import random

import pytest

import pofx
from pofx.errors import Undecodable
from pofx.lm.model import LM
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.compress import compress
from pofx.queries.compression.decompress import PLENTY, TIMES, decompress
from pofx.queries.compression.identity import identify_model
from toy import ToyLM

SURE = b"a" * 400


def test_a_file_that_claims_much_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("it is decoded")

    monkeypatch.setattr("pofx.queries.compression.decompress._decode_block", never)
    code = bytes(7_100)  # enough, for the adaptive code, to stand for 10^7 bytes
    lm = ToyLM()
    for whose, block in (
        (None, CodeBlock("adaptive", 10**7, code, hash_block(b""))),
        (lm, CodeBlock("model", 10**7, bytes(4), hash_block(b""), 10**7, 1)),
        (lm, CodeBlock("model", 4, bytes(4), hash_block(b""), 10**7, 1)),  # tokens claim as much
    ):
        blob = CompressedFile({} if whose is None else identify_model(whose), (block,)).to_bytes()
        claim = block.size if block.size > 4 else block.tokens - 1
        with pytest.raises(Undecodable, match=rf"claims {claim:,}; .*\(max_bytes={claim}\)$"):
            decompress(whose, blob)
        with pytest.raises(Undecodable, match="at most 99 bytes"):
            decompress(whose, blob, max_bytes=99)
        with pytest.raises(AssertionError, match="it is decoded"):
            decompress(whose, blob, max_bytes=claim)


def test_so_much_and_a_hundred_times_its_size_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (PLENTY, TIMES) == (1 << 20, 100)
    monkeypatch.setattr("pofx.queries.compression.decompress.PLENTY", 20_000)  # a megabyte takes seconds
    plain = b"0" * 20_000
    assert decompress(None, compress(None, plain)) == plain
    data = random.Random(0).randbytes(20_001)
    whole = CompressedFile({}, (CodeBlock("raw", len(data), data, hash_block(data)),)).to_bytes()
    assert decompress(None, whole) == data
    with pytest.raises(Undecodable, match="at most 20,000 bytes.* claims 20,001"):
        decompress(None, compress(None, plain + b"0"))
    assert decompress(None, compress(None, plain + b"0"), max_bytes=20_001) == plain + b"0"


@pytest.fixture(scope="module")
def wide() -> LM:
    """A transformer wide enough to be worth a second thread."""
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=256, heads=4, context=32, epochs=1, vocab="bytes")
    return pofx.fit(["a stitch in time saves nine"] * 2, spec)


def test_the_number_of_threads_decides_no_bits(wide: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    seen = []
    extend = type(wide).extend

    def watched(self: LM, *args: object) -> object:
        seen.append(torch.get_num_threads())
        return extend(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(wide), "extend", watched)
    text = b"a stitch in time, and nine of them"
    try:
        blobs = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            blobs.append(compress(wide, text, lanes=4))
            assert torch.get_num_threads() == threads
            assert decompress(wide, blobs[0]) == text
        assert blobs[0] == blobs[1] == blobs[2]
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_a_file_of_more_threads_says_what_to_set(wide: LM) -> None:
    packed = read_compressed(compress(wide, b"nine"))
    assert packed.identity["threads"] == "1"
    older = CompressedFile({**packed.identity, "threads": "8"}, packed.blocks).to_bytes()
    with pytest.raises(Undecodable, match=r"threads: 8 there, 1 here\); .*OMP_NUM_THREADS=8$"):
        decompress(wide, older)
