"""Which model, machine and libraries decode a file: golden bytes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.errors import Undecodable
from pofx.lm.model import LM
from pofx.queries.compression import blocks
from pofx.queries.compression.blocks import CompressedFile, read_compressed
from pofx.queries.compression.compress import compress
from pofx.queries.compression.decompress import decompress

GOLDEN_CODE = "964aa4abcf150264"
GOLDEN_IDENTITY = {
    "model": "caee009fcbc908ad",
    "x0": "<s> (trained), id 257",
    "EOS": "id 256",
    "window": "n-gram: the last 2 tokens",
    "dtype": "float64",
    "tokens": "a20027cfd534b22f",
    "law": "a2140372b1532530",
}
GOLDEN_FILES = {
    "bytes": (
        b"to be or not \xff",
        "706f66780243add0c11180200c04c05e2cc0392e6490729240bab0777ff0f1e1c30e76760bc2e6047a8647c765e337113f898c005be450a9"
        "4ee6121a4b85347a51a10ade5ef5c4713f01020e0f010850351ec48ef54f97dbff9480ecf734f0117d1457964aa4abcf150264",
    ),
    "bpe:262": (
        "to be, that is </s> é ÿ".encode() + b"\xff",
        "706f667802488dd0d10980300c05c05d1c40d284f762c78935d9c2ddfd5304296e70dc23c090e10c09ab4a7a9f88d85e22ca54a4bf441809"
        "2deb38bac0b0ddc26a8dc15d3d5d8baa5faf5865392f01021a1701147e77061722eca465095aed23dda97c1638a0935c96bf12f0aa2bd9e7"
        "3c38300bc909d87538afa0ac",
    ),
}


def golden_model(vocab: str) -> LM:
    return pofx.fit(["to be", "or not to be", "that is the question"], pofx.NgramSpec(order=3, vocab=vocab))


def test_golden_bytes_of_an_ngram() -> None:
    found = read_compressed(compress(golden_model("bytes"), b"to be or not \xff"))
    assert found.blocks[0].code.hex() == GOLDEN_CODE
    # The coder's version is on record, and the hash of the whole header with it.
    assert {k: v for k, v in found.identity.items() if k != "constriction"} == GOLDEN_IDENTITY


@pytest.mark.parametrize("vocab", GOLDEN_FILES)
def test_files_of_another_machine_are_decoded(vocab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, golden = GOLDEN_FILES[vocab]
    monkeypatch.setattr(
        "pofx.queries.compression.identity._version", lambda name: "99.0"
    )  # whatever libraries are here
    assert decompress(golden_model(vocab), bytes.fromhex(golden)) == data


def test_a_header_that_stands_for_a_huge_text_is_refused() -> None:
    import zlib

    to = zlib.compressobj(9, wbits=-15)
    bomb = to.compress(b'{"x0":"' + b"a" * (1 << 24)) + to.flush()
    with pytest.raises(ValueError, match="one deflated text"):
        blocks._inflate_identity(bomb)
    assert blocks._inflate_identity(blocks._deflate_identity({"x0": "a"})) == {"x0": "a"}


def test_an_ngrams_file_names_no_machine(model: Callable[[str], LM]) -> None:
    portable = read_compressed(compress(model("bytes"), b"a")).identity
    bound = read_compressed(compress(model("warp"), b"a")).identity
    assert set(portable) == {"model", "x0", "EOS", "window", "dtype", "tokens", "law", "constriction"}
    assert set(portable) | {"machine", "numpy"} <= set(bound)
    assert bound["numpy"] == np.__version__


def test_another_library_is_refused_one_that_had_no_part_is_not(
    model: Callable[[str], LM], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = model("warp")
    blob = compress(lm, b"abc")
    packed = read_compressed(blob)
    for name, version, decodes in (
        ("numpy", "1.0", False),
        ("machine", "pdp11", False),
        ("torch", None, True),
        ("threads", None, True),
    ):
        changed = {k: v for k, v in packed.identity.items() if k != name}
        if version is not None:
            changed[name] = version
        other = CompressedFile(changed, packed.blocks).to_bytes()
        if decodes:
            assert decompress(lm, other) == b"abc"
        else:
            with pytest.raises(Undecodable, match=f"{name}: {version} there, "):
                decompress(lm, other)


def test_a_saved_model_decodes_what_the_fitted_one_coded(model: Callable[[str], LM], tmp_path: Path) -> None:
    lm = model("bytes")
    pofx.save(lm, tmp_path / "m")
    assert decompress(pofx.load(tmp_path / "m"), compress(lm, b"A bad workman")) == b"A bad workman"
