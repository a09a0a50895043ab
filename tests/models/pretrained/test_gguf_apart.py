"""The tokenizer of a GGUF file is made in a process of its own: what ends or fills that process is one line here."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx.files.cache import cache_dir
from pofx.files.isolated.process import Raised
from pofx.models.pretrained.checkpoint.gguf import tokenizer_apart
from pofx.models.pretrained.checkpoint.gguf.child import make
from pofx.models.pretrained.checkpoint.gguf.tokenizer_apart import write_tokenizer_apart
from pofx.vocab.tokenizer import vetting
from refusals import refusal
from tiny_gguf import byte_level, model, write

ROWS = 263


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.gguf", "llama", model("llama"), byte_level())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def library_that(does: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the other process, the library's reader does something else; in this one it stays as it is."""
    code = tmp_path / "code"
    code.mkdir(exist_ok=True)
    (code / "gguf_child_of_test.py").write_text(
        "import errno, os, runpy, sys, transformers\n"
        "class PanicException(BaseException): pass\n"
        f"def other(*args, **more):\n    {does}\n"
        "transformers.PreTrainedTokenizerFast.from_pretrained = other\n"
        f"runpy.run_module({tokenizer_apart.CHILD!r}, run_name='__main__')\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(code), *sys.path]))
    monkeypatch.setattr(tokenizer_apart, "CHILD", "gguf_child_of_test")


@pytest.mark.thorough
def test_it_writes_what_it_writes_here(llama: Path, out: Path, tmp_path: Path) -> None:
    write_tokenizer_apart(llama, ROWS, out, None)
    (tmp_path / "here").mkdir()
    make(llama, ROWS, tmp_path / "here", None)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "here").iterdir()
    }


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("os.abort()", "got: a library that ended its process (SIGABRT)"),
        pytest.param(
            "os.write(2, b'thread panicked'); raise PanicException('index out\\nof bounds')",
            "index out of bounds",
            marks=pytest.mark.thorough,
        ),
        pytest.param("return bytearray(1 << 33)", "GB of memory", marks=pytest.mark.thorough),
    ],
)
def test_what_the_library_does_is_one_line(
    does: str,
    why: str,
    llama: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    library_that(does, monkeypatch, tmp_path)
    said = refusal(llama, lambda p: write_tokenizer_apart(p, ROWS, out, None))
    assert why in said
    assert capfd.readouterr().err == ""


def test_a_full_disk_there_is_a_full_disk_here(
    llama: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library_that(
        "raise OSError(errno.ENOSPC, 'No space left on device', 'tokenizer.json')", monkeypatch, tmp_path
    )
    with pytest.raises(OSError, match="No space left") as e:
        write_tokenizer_apart(llama, ROWS, out, None)
    assert (e.value.errno, e.value.filename) == (errno.ENOSPC, "tokenizer.json")


@pytest.mark.thorough
def test_a_mistake_of_ours_looks_like_one(llama: Path, out: Path) -> None:
    with pytest.raises(Raised, match="TypeError"):
        write_tokenizer_apart(llama, "many", out, None)  # type: ignore[arg-type]


@pytest.mark.thorough
def test_what_is_made_is_opened_apart_too_once(
    llama: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vetting, "_here", set())
    asked: list[tuple[Any, ...]] = []
    run_isolated = vetting.run_isolated
    monkeypatch.setattr(
        vetting, "run_isolated", lambda *about: (asked.append(about), run_isolated(*about))[1]
    )
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        tokenizer_apart, "run_isolated", lambda *about: (made.append(about), run_isolated(*about))[1]
    )
    for _ in range(2):
        pofx.load(llama)
        monkeypatch.setattr(vetting, "_here", set())  # as in another process
    assert [about[0] for about in made] == ["make"]
    assert [about[0] for about in asked] == ["open"]
    assert Path(asked[0][1]["folder"]).is_relative_to(cache_dir())
