"""Damaged and hostile files, and other models: the data, or an error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from compressible import PROVERBS, fitted

import pofx
from pofx.errors import BadValue, MissingExtra, NoBOS, Undecodable
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.compression import decompress as module
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block
from pofx.queries.compression.compress import compress
from pofx.queries.compression.decompress import decompress
from pofx.queries.compression.identity import identify_model
from toy import ToyLM, ToyVocab


@pytest.mark.parametrize("name", [None, "bytes", "chars"])
def test_every_flipped_bit_and_every_truncation_is_refused(
    model: Callable[[str], LM], name: str | None
) -> None:
    lm = None if name is None else model(name)
    blob = compress(lm, "A stitch in time saves nine, \u2603.".encode() * 2)
    for i in range(8 * len(blob)):
        flipped = bytearray(blob)
        flipped[i // 8] ^= 1 << (i % 8)
        with pytest.raises(Undecodable):
            decompress(lm, bytes(flipped))
    for n in range(len(blob)):
        with pytest.raises(Undecodable):
            decompress(lm, blob[:n])
    with pytest.raises(Undecodable, match="too many"):
        decompress(lm, blob + b"\x00")


def test_another_model_is_refused_by_name(model: Callable[[str], LM]) -> None:
    blob = compress(model("bytes"), PROVERBS[:100])
    for name, part in (
        ("additive", "model"),
        ("unigram", "window"),
        ("chars", "tokens"),
        ("given", "x0"),
        ("warp", "distributions"),
        ("without EOS", "EOS"),
        ("transformer", "dtype"),
    ):
        with pytest.raises(Undecodable, match=rf"got another model \(.*{part}: ") as refused:
            decompress(model(name), blob)
        assert "\n" not in str(refused.value)
    with pytest.raises(Undecodable, match="got no model; name the model"):
        decompress(None, blob)


def test_another_law_with_the_same_name_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_differences", lambda made, lm: [])
    data = b"abcabcbbca"
    for vocab in (ToyVocab(3), ToyVocab(3, end=False)):  # without EOS every law decodes to as many letters
        blob = compress(ToyLM(vocab), data)
        assert decompress(ToyLM(vocab), blob) == data
        for seed in range(1, 9):
            with pytest.raises(Undecodable, match="got other data"):
                decompress(ToyLM(vocab, seed), blob)


def test_the_adaptive_code_needs_no_model_and_takes_any(model: Callable[[str], LM]) -> None:
    assert decompress(model("bytes"), compress(None, b"abc")) == b"abc"


def test_a_model_that_changes_its_mind_is_found_out() -> None:
    class Moody(ToyLM):
        calls = 0

        def start(self, n: int) -> State:
            Moody.calls += 1
            self.seed = Moody.calls // 4  # another law from some pass on
            self._rows = {}
            return super().start(n)

    lm = Moody()
    with pytest.raises(BadValue, match="got other bytes when the file was decompressed"):
        [compress(lm, b"abcabcabacbcba") for _ in range(3)]


def test_hostile_files_cost_nothing() -> None:
    lm = ToyLM()
    names = identify_model(lm)
    for block in (
        CodeBlock("adaptive", 1 << 40, b"x", hash_block(b"")),
        CodeBlock("raw", 1 << 40, b"x", hash_block(b"x")),
        CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 1 << 40, 1 << 39),
        CodeBlock("model", 1 << 40, b"\0" * 4, hash_block(b""), 1 << 40, 1),
        CodeBlock("model", 1 << 40, b"\xff" * 4, hash_block(b""), 1 << 40, 64),
        CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 3, 0),
        CodeBlock("model", 4, b"\0" * 3, hash_block(b""), 3, 1),
        CodeBlock("model", 4, b"", hash_block(b""), 3, 1),
    ):
        with pytest.raises(Undecodable):
            decompress(lm, CompressedFile(names, (block,)).to_bytes())
    for blob in (
        b"",
        b"pofx",
        b"pofx\x02",
        b"pofx\x01" + b"\0" * 20,
        b"pofx\x02" + b"\0" * 20,
        b"pofx\x02" + b"\xff" * 20,
        b"\x1f\x8b",
    ):
        with pytest.raises(Undecodable):
            decompress(None, blob)


def test_a_model_block_without_an_identity_is_refused() -> None:
    blob = CompressedFile({}, (CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 3, 1),)).to_bytes()
    with pytest.raises(Undecodable):
        decompress(None, blob)


def test_without_x0_there_is_no_p(model: Callable[[str], LM]) -> None:
    lm = fitted(begin=False)
    with pytest.raises(NoBOS, match="the code of a file is not defined"):
        compress(lm, b"abc")
    behind = pofx.given(lm, "A ")
    assert decompress(behind, compress(behind, b"abc")) == b"abc"


def test_lanes_are_bounded(model: Callable[[str], LM]) -> None:
    for most in (0, -1, 1025):
        with pytest.raises(BadValue, match="lanes: expected a whole number from 1 to"):
            compress(model("bytes"), b"abc", most)
    with pytest.raises(BadValue, match="lanes: expected None without a model"):
        compress(None, b"abc", 2)


def test_help_loads_no_coder() -> None:
    code = (
        "import sys\nfrom pofx.cli.main import main\ntry:\n    main(['compress', '--help'])\nexcept SystemExit:\n"
        "    print([m for m in ('numba', 'constriction', 'numpy', 'torch') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


@pytest.mark.parametrize("package", ["numba", "constriction"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'pofx\[compress\]'"):
        compress(None, b"abc")
