"""A stranger's tokenizer.json that panics, aborts or eats memory is one line; what libraries warn of is not shown."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pofx
import tiny_checkpoints as tiny
from pofx.cli.python_warnings import shown_warnings
from pofx.errors import BadSource, NotText
from pofx.files.isolated import process as apart_module
from pofx.files.isolated.muffled_stderr import muffled
from pofx.files.isolated.process import Failed, run_isolated
from pofx.models.pretrained import vocabulary
from pofx.vocab.tokenizer import vetting
from pofx.vocab.tokenizer.files.chat_template import TASKS
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

ROWS = tiny.ROWS
RUN = "from pofx.cli.main import main; main()"
CHARSMAP = base64.b64encode((4000).to_bytes(4, "little") + b"\xff" * 16).decode()  # says 4,000 bytes, has 16
ANCHORED = {"type": "Replace", "pattern": {"Regex": "^"}}
NO_FLAGS = dict.fromkeys(("special", "single_word", "lstrip", "rstrip"), False)
SLOW = {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated", "invert": False}
GROWS = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "panics": (
        {"type": "Sequence", "normalizers": [{**ANCHORED, "content": "a"}, {"type": "NFC"}]},
        "PanicException: index out of bounds",
    ),
    "has no map": ({"type": "Precompiled", "precompiled_charsmap": CHARSMAP}, "precompiled_charsmap"),
    "grows": ({"type": "Sequence", "normalizers": [GROWS] * 6}, "make 1,000,000,000,000,000,000"),
}


def written(folder: Path, normalizer: dict[str, Any] | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = {**tiny.tokenizer(), "normalizer": normalizer}
    file["added_tokens"].append(
        {"id": file["model"]["vocab"]["at"], "content": "at", "normalized": True, **NO_FLAGS}
    )
    (folder / "tokenizer.json").write_text(json.dumps(file))
    return folder


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vetting, "MEMORY", 1 << 28)


@pytest.mark.parametrize("name", BAD)
def test_one_line_whatever_the_library_does(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    normalizer, why = BAD[name]
    folder = written(tmp_path, normalizer)
    with pytest.raises(BadSource, match="expected .*got") as e:
        vetting.vet(folder, ROWS, [])
    assert why in str(e.value)
    assert str(e.value).startswith(str(folder))
    assert str(e.value).isprintable()
    assert capfd.readouterr().err == ""


@pytest.mark.thorough
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
    assert done.stderr.startswith(f"pofx: error: {home}/tokenizer.json: expected ")


def test_a_process_without_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vetting, "MEMORY", 1 << 16)
    with pytest.raises(BadSource, match="expected a tokenizer.json .*(ended its process|memory)"):
        vetting.vet(written(tmp_path, None), ROWS, [])


def test_a_panic_on_a_text_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    vocab = TokenizerVocab({**tiny.tokenizer(), "pre_tokenizer": SLOW}, ROWS)
    assert vocab.decode(vocab.encode("aab")) == b"aab"
    with pytest.raises(NotText, match="this tokenizer can encode, got a text on which it fails: Onig") as e:
        vocab.encode("a" * 60 + "b")
    assert str(e.value).isprintable()
    assert capfd.readouterr().err == ""


class PanicException(BaseException):
    """As tokenizers names it."""


def test_what_others_write_meanwhile_is_written_after_all(capfd: pytest.CaptureFixture[str]) -> None:
    with muffled(True):
        os.write(2, b"of another\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "of another\n"
    for error, said in ((ValueError(), b"of an error\n"), (PanicException(), b"")):
        with suppress(ValueError, PanicException), muffled(True):
            os.write(2, b"of an error\n")
            raise error
        assert capfd.readouterr().err.encode() == said


def charsmap(units: dict[int, int], texts: bytes = b"a\0") -> dict[str, Any]:
    """A map that takes "A" to "a" by its second entry, with units changed."""
    array = [0] * 256
    array[0], array[64], array[2], array[4] = 1 << 10, 0, 0, 1 << 31
    array[1 ^ 65] = 65 | 1 << 8 | (1 ^ 65 ^ 4) << 10
    for at, unit in units.items():
        array[at] = unit
    raw = struct.pack("<256I", *array)
    return {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(struct.pack("<I", 1024) + raw + texts).decode(),
    }


def test_a_map_of_characters_that_leads_nowhere_else_is_read() -> None:
    vocab = TokenizerVocab({**tiny.tokenizer(), "normalizer": charsmap({})}, ROWS)
    assert vocab.normalizing().read("xAx") == ("xax", "Precompiled")


@pytest.mark.parametrize(
    "changed",
    [
        ({0: 1 << 20}, b"a\0"),  # children beyond the end
        ({4: 1 << 31 | 1}, b"a\0"),  # in the middle of a text
        ({4: 1 << 31 | 9}, b"a\0"),  # beyond the texts
        ({4: 0}, b"a\0"),  # no value where one is said to be
        ({}, b"\xff\0"),
    ],
)
def test_a_map_of_characters_that_leads_outside_is_refused(changed: tuple[dict[int, int], bytes]) -> None:
    with pytest.raises(BadSource, match="expected a precompiled_charsmap .*, got"):
        TokenizerVocab({**tiny.tokenizer(), "normalizer": charsmap(*changed)}, ROWS)


def test_it_is_asked_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(vetting, "run_isolated", lambda *about: asked.append(about))
    monkeypatch.setattr(vetting, "_here", set())
    a, b = written(tmp_path / "a", {"type": "NFC"}), written(tmp_path / "b", {"type": "NFC"})
    c = written(tmp_path / "c", {"type": "NFD"})
    for folder in (a, a, b):  # a copy is the same content
        vetting.vet(folder, ROWS, [])
    assert len(asked) == 1
    monkeypatch.setattr(vetting, "_here", set())  # another process
    vetting.vet(a, ROWS, [])
    assert len(asked) == 1
    vetting.vet(c, ROWS, [])
    (b / "tokenizer_config.json").write_text('{"eos_token": "<eos>"}')
    vetting.vet(b, ROWS, [])
    assert len(asked) == 3


def test_a_refused_file_is_asked_again(tmp_path: Path) -> None:
    folder = written(tmp_path, BAD["panics"][0])
    for _ in range(2):
        with pytest.raises(BadSource):
            vetting.vet(folder, ROWS, [])


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
        run_isolated("render", {}, 0.001, 1 << 28, TASKS)


def test_warnings_of_libraries_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with shown_warnings():
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


def test_limits_that_the_user_has_set_lower_stay() -> None:
    """No process may raise a hard limit; under `ulimit -t 60` a good file was refused for that."""
    ours = [60, 0, 1 << 30]  # the child's own: 120 s, no core file, 3 GB
    code = (
        "import resource\nfrom pofx.files.isolated.child import _limit\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "_limit(120, 3 << 30)\n"
        "print([*resource.getrlimit(resource.RLIMIT_CPU), *resource.getrlimit(resource.RLIMIT_CORE),"
        " *resource.getrlimit(resource.RLIMIT_AS)])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout == f"{[limit for limit in ours for _ in range(2)]}\n", said.stderr
    free = code.replace(
        "resource.setrlimit(resource.RLIMIT_CPU", "0 and resource.setrlimit(resource.RLIMIT_CPU"
    )
    said = subprocess.run([sys.executable, "-c", free], capture_output=True, text=True, timeout=60)
    soft, hard, *_ = json.loads(said.stdout)
    assert (120 < soft < 130, hard) == (True, soft + 1)
