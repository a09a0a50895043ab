"""A stranger's tokenizer.json that panics, aborts or eats memory is one line; what libraries warn of is not shown."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import pofx
import tiny_checkpoints as tiny
from pofx.cli.heard import heard
from pofx.errors import BadSource
from pofx.models.pretrained import vocabulary
from pofx.tokenizer import apart as apart_module
from pofx.tokenizer import vetted
from pofx.tokenizer.apart import Failed, apart

ROWS = tiny.ROWS
RUN = "from pofx.cli.main import main; main()"
CHARSMAP = base64.b64encode((4000).to_bytes(4, "little") + b"\xff" * 16).decode()  # says 4,000 bytes, has 16
GROWS = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "panics": ({"type": "Precompiled", "precompiled_charsmap": CHARSMAP}, "PanicException"),
    "aborts": ({"type": "Sequence", "normalizers": [GROWS] * 6}, "ended its process|memory"),
}


def written(folder: Path, normalizer: dict[str, Any] | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps({**tiny.tokenizer(), "normalizer": normalizer}))
    return folder


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vetted, "MEMORY", 1 << 28)


@pytest.mark.parametrize("name", BAD)
def test_one_line_whatever_the_library_does(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    normalizer, why = BAD[name]
    folder = written(tmp_path, normalizer)
    with pytest.raises(BadSource, match=f"expected a tokenizer.json .*found: .*({why})") as e:
        vetted.vet(folder, ROWS, [])
    assert str(e.value).startswith(str(folder))
    assert str(e.value).isprintable()
    assert capfd.readouterr().err == ""


def test_a_command_says_one_line(tmp_path: Path) -> None:
    home = tiny.write(tmp_path, adds="bos")
    written(home, BAD["panics"][0])
    done = subprocess.run(
        [sys.executable, "-c", RUN, "score", "-m", str(home), "--text", "the"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"pofx: error: {home}/tokenizer.json: expected a tokenizer.json")


def test_it_is_asked_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(vetted, "apart", lambda *about: asked.append(about))
    monkeypatch.setattr(vetted, "_here", set())
    a, b = written(tmp_path / "a", {"type": "NFC"}), written(tmp_path / "b", {"type": "NFC"})
    c = written(tmp_path / "c", {"type": "NFD"})
    for folder in (a, a, b):  # a copy is the same content
        vetted.vet(folder, ROWS, [])
    assert len(asked) == 1
    monkeypatch.setattr(vetted, "_here", set())  # another process
    vetted.vet(a, ROWS, [])
    assert len(asked) == 1
    vetted.vet(c, ROWS, [])
    (b / "tokenizer_config.json").write_text('{"eos_token": "<eos>"}')
    vetted.vet(b, ROWS, [])
    assert len(asked) == 3


def test_a_refused_file_is_asked_again(tmp_path: Path) -> None:
    folder = written(tmp_path, BAD["panics"][0])
    for _ in range(2):
        with pytest.raises(BadSource):
            vetted.vet(folder, ROWS, [])


def test_checkpoints_are_vetted_before_they_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    monkeypatch.setattr(vocabulary, "vet", lambda *about: order.append("vet"))
    real = vocabulary.read_tokenizer
    monkeypatch.setattr(vocabulary, "read_tokenizer", lambda *about: (order.append("read"), real(*about))[1])
    pofx.load(tiny.write(tmp_path, adds="bos"))
    assert order[:2] == ["vet", "read"]


def test_a_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart_module, "GRACE", 0.01)
    with pytest.raises(Failed, match="more than 0.001 s of work"):
        apart("render", {}, 0.001, 1 << 28)


def test_warnings_of_libraries_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with heard():
            warnings.warn("of another file", UserWarning, stacklevel=1)
            warnings.warn_explicit("nested set", FutureWarning, pofx.__file__, 1)
            warnings.warn_explicit("of\nours", RuntimeWarning, pofx.__file__, 1)
    assert capsys.readouterr().err == "pofx: warning: of ours\n"


def test_a_class_of_posix_in_a_pattern_warns_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, "words", "--text", "a b", "--pattern", "[[:alpha:]]+"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Warning" not in done.stderr, done.stderr
    assert done.stderr.count("\n") <= 1
