"""`pofx fit --prune 0 1 1 2`: numbers after the option are its value, in memory and in parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main
from pofx.corpus.builtin import builtin_documents


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{t}\n" for t in builtin_documents()[:300] if "\n" not in t))
    return path


def _bytes(*args: str, out: Path) -> bytes:
    with pytest.raises(SystemExit) as ended:
        main(["fit", *args, "-o", str(out), "--held-out", "0", "--quiet"])
    assert ended.value.code == 0
    return (out / "model.safetensors").read_bytes()


def test_numbers_after_the_option_are_its_value(text: Path, tmp_path: Path) -> None:
    pofx.save(
        pofx.fit(text.read_text().splitlines(), pofx.NgramSpec(4, prune=(0, 0, 1, 2))), tmp_path / "expected"
    )
    expected = (tmp_path / "expected" / "model.safetensors").read_bytes()
    assert _bytes(str(text), "--order", "4", "--prune", "0", "0", "1", "2", out=tmp_path / "a") == expected
    assert _bytes("--prune", "0", "0", "1", "2", str(text), "--order", "4", out=tmp_path / "b") == expected
    assert _bytes(str(text), "--order", "4", "--prune=0,0,1,2", out=tmp_path / "c") == expected
    assert (
        _bytes(str(text), "--order", "4", "--prune", "0 0 1 2", "--workers", "1", out=tmp_path / "d")
        == expected
    )
    assert _bytes(str(text), "--order", "4", out=tmp_path / "e") != expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--prune", "1"], "--prune: expected at most 4 whole numbers.*begin with 0"),
        (["--prune", "0", "2", "1"], "do not fall"),
        (["--prune", "x"], "--prune: expected whole numbers such as 0 0 1 2, got 'x'"),
        (["--prune", "0", "1", "--smoothing", "mle"], "--prune: expected no thresholds for 'mle'"),
        (["--prune", "0", "1", "--family", "transformer"], "--prune: expected only with --family ngram"),
        (["--prune", "0", "--prune", "1"], "--prune: expected once"),
    ],
)
def test_thresholds_that_are_none(text: Path, tmp_path: Path, given, said, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(text), "-o", str(tmp_path / "m"), "--order", "4", *given])
    assert ended.value.code == 2
    assert re.search(said, capsys.readouterr().err)
