"""pofx compress and decompress as a person meets them: a file comes back whole, or no file is there."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx.cli.main import main

PROVERBS = Path(__file__).parents[2] / "docs" / "proverbs.txt"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        assert self.code == 2, self
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("pofx: error: "), self.err
        return self.err


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`pofx …` in this process, in a directory of its own with a text in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("a.txt").write_bytes(PROVERBS.read_bytes()[:600] + b"</s>\xff\x00")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Ran(int(ended.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two models that differ by one document."""
    out, texts = [], PROVERBS.read_text(encoding="utf-8").splitlines()
    for name in ("one", "other"):
        out.append(str(tmp_path_factory.mktemp("models") / name))
        pofx.save(pofx.fit(texts, pofx.NgramSpec(order=3)), out[-1])
        texts = texts[1:]
    return out[0], out[1]


def files() -> set[str]:
    return {p.name for p in Path().iterdir()}


def test_there_and_back_without_a_model(run: Callable[..., Ran]) -> None:
    there = run("compress", "a.txt")
    assert there.code == 0
    assert there.err.splitlines()[0] == "pofx: wrote a.txt.pofx"
    assert "606 bytes to " in there.err
    assert Path("a.txt.pofx").stat().st_size < 500
    Path("a.txt").rename("before.txt")
    back = run("decompress", "a.txt.pofx")
    assert back.code == 0
    assert Path("a.txt").read_bytes() == Path("before.txt").read_bytes()
    assert files() == {"a.txt", "before.txt", "a.txt.pofx"}


def test_there_and_back_with_a_model(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    assert run("compress", "a.txt", "-m", models[0], "-o", "b").code == 0
    assert run("decompress", "b", "-m", models[0], "-o", "c", "--quiet") == Ran(0, "", "")
    assert Path("c").read_bytes() == Path("a.txt").read_bytes()


def test_the_model_may_stand_in_the_environment(
    run: Callable[..., Ran], models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POFX_MODEL", models[0])
    assert run("compress", "a.txt", "-o", "b").code == 0
    assert run("decompress", "b", "-o", "c").code == 0
    monkeypatch.delenv("POFX_MODEL")
    assert "got no model" in run("decompress", "b", "-o", "d").refusal
    assert "d" not in files()


def test_a_pipe(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    text = data = b"to be or not to be, \xff\x00</s>\r\n" * 9
    for verb in ("compress", "decompress"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as ended:
            main([verb, "-"])
        assert ended.value.code == 0
        data = capsysbinary.readouterr().out
    assert data == text


def test_a_terminal_is_no_place_for_it(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "got a terminal" in run("compress", "a.txt", "-o", "-").refusal


def test_damage_of_any_kind_leaves_no_file(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    assert run("compress", "a.txt", "-m", models[0], "-o", "b").code == 0
    whole = Path("b").read_bytes()
    here = files()
    for name, damaged in (
        ("hash", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]),
        ("hash", whole[:-9] + bytes([whole[-9] ^ 128]) + whole[-8:]),
        ("ends after", whole[:-1]),
        ("ends after", whole[:100]),
        ("too many", whole + b"x"),
        ("begin otherwise", b"PK" + whole),
        ("an empty file", b""),
        ("format 9", whole[:4] + b"\x09" + whole[5:]),
    ):
        Path("b").write_bytes(damaged)
        refusal = run("decompress", "b", "-m", models[0], "-o", "c").refusal
        assert name in refusal
        assert "b: expected" in refusal
        assert files() == here


def test_another_model_leaves_no_file(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    assert run("compress", "a.txt", "-m", models[0], "-o", "b").code == 0
    Path("c").write_text("what was here before")
    assert (
        "got another model (model: "
        in run("decompress", "b", "-m", models[1], "-o", "c", "--overwrite").refusal
    )
    assert Path("c").read_text() == "what was here before"
    assert files() == {"a.txt", "b", "c"}


def test_a_model_that_cannot_be_decoded_leaves_no_file(
    run: Callable[..., Ran], models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pofx.queries.compression import parallel_streams

    whole = parallel_streams.decode
    monkeypatch.setattr(parallel_streams, "decode", lambda *a: whole(*a)[::-1])
    assert "nothing was written" in run("compress", "a.txt", "-m", models[0], "-o", "b").refusal
    assert files() == {"a.txt"}


def test_ctrl_c_in_the_middle_leaves_no_file(
    run: Callable[..., Ran], models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pofx.algorithms.coding import adaptive, adaptive_kernel, range_coder

    def interrupted_by(calls: list[int], plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) == 3:
                signal.raise_signal(signal.SIGINT)
            return plain(*arguments)

        return call

    split_pieces: list[int] = []
    monkeypatch.setattr(adaptive, "PIECE", 100)
    monkeypatch.setattr(adaptive_kernel, "run", interrupted_by(split_pieces, adaptive_kernel.run))
    ran = run("compress", "a.txt")
    assert (ran.code, ran.out, ran.err.strip()) == (130, "", "pofx: interrupted")
    assert len(split_pieces) == 3  # of seven there, seven back: what is compiled is left between them
    steps: list[int] = []
    monkeypatch.setattr(range_coder.Encoder, "put", interrupted_by(steps, range_coder.Encoder.put))
    assert run("compress", "a.txt", "-m", models[0]).code == 130
    assert len(steps) == 3
    assert files() == {"a.txt"}


def test_a_pipe_and_a_link_stay_what_they_are(run: Callable[..., Ran]) -> None:
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    assert run("compress", "a.txt", "-o", "pipe").code == 0
    reader.join(10)
    assert Path("pipe").is_fifo()
    Path("link").symlink_to("target")
    assert run("compress", "a.txt", "-o", "link").code == 0
    assert Path("link").is_symlink()
    assert Path("target").read_bytes() == read[0]
    assert files() == {"a.txt", "pipe", "link", "target"}


def test_nothing_is_replaced_unasked(run: Callable[..., Ran]) -> None:
    run("compress", "a.txt")
    assert "a.txt.pofx: expected a free path" in run("compress", "a.txt").refusal
    assert "a.txt: expected a free path" in run("decompress", "a.txt.pofx").refusal
    assert run("compress", "a.txt", "--overwrite").code == 0
    assert "name the file to write with -o" in run("decompress", "a.txt").refusal


def test_what_makes_no_sense_is_refused(run: Callable[..., Ran]) -> None:
    assert "No such file" in run("compress", "nofile").refusal
    assert "No such file" in run("decompress", "nofile.pofx").refusal
    assert "directory" in run("compress", ".", "-o", "x").refusal
    assert "--lanes: expected only with -m" in run("compress", "a.txt", "--lanes", "2").refusal
    assert "--begin: expected only with -m" in run("compress", "a.txt", "--begin", "x").refusal
    assert "expected a file to write" in run("compress", "a.txt", "-o", "-", "--explain").refusal
    assert files() == {"a.txt"}


def test_explain_adds_up(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    shown = run("compress", "a.txt", "-m", models[0], "--explain").out
    cells = {
        line.split("  ")[1].strip(): line.split() for line in shown.splitlines() if line.startswith("  ")
    }
    parts = [
        float(row[-3].replace(",", ""))
        for name, row in cells.items()
        if name not in ("compressed", "xz -9", "") and row[-1][0].isdigit()
    ]
    total = float(cells["compressed"][-3].replace(",", ""))
    assert sum(parts) == pytest.approx(total, abs=0.3)
    assert total == 8 * Path("a.txt.pofx").stat().st_size
    assert "The model: " in shown
    assert "of such text on" in " ".join(shown.split())


def test_an_empty_input_does_not_say_when_a_model_pays(
    run: Callable[..., Ran], models: tuple[str, str]
) -> None:
    Path("empty").touch()
    shown = " ".join(run("compress", "empty", "-m", models[0], "--explain").out.split())
    assert "−log2 p, 1 token " in shown
    assert "an empty input does not tell from how much text on the model pays" in shown
    told = json.loads(run("compress", "empty", "-m", models[0], "-o", "x", "--json").out)
    assert told["break_even_bytes"] is None


def test_explain_as_json(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    told: dict[str, Any] = json.loads(run("compress", "a.txt", "-m", models[0], "--json").out)
    size = Path("a.txt.pofx").stat().st_size
    parts = ("ideal_bits", "lane_bits", "quantisation_bits", "escape_bits", "header_bits")
    assert sum(told[p] for p in parts) == pytest.approx(8 * size)
    assert told["compressed_bytes"] == size
    assert told["model_bytes"] == sum(
        p.stat().st_size for p in Path(models[0]).iterdir() if p.name != "fitted.safetensors"
    )
    header = told["header_bits"] // 8
    saved = told["xz_bytes"] - (size - header)
    assert told["break_even_bytes"] == round((told["model_bytes"] + header) * 606 / saved)
    back = json.loads(run("decompress", "a.txt.pofx", "-m", models[0], "-o", "b", "--json").out)
    assert back["bytes"] == 606
    assert back["identity"]["window"] == "n-gram: the last 2 tokens"


def test_the_size_of_the_builtin_model_is_that_of_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pofx.cli.commands.strings.compress import _model_size as model_size

    monkeypatch.setenv("POFX_CACHE", str(tmp_path))
    (tmp_path / "builtin-0.1.0-1-abc").mkdir()
    (tmp_path / "builtin-0.1.0-1-abc" / "table").write_bytes(b"x" * 10)
    (tmp_path / "builtin-3.11.json").write_bytes(b"documents, the later file")
    assert model_size("builtin") == 10


def test_a_model_that_is_no_help_never_pays(run: Callable[..., Ran], models: tuple[str, str]) -> None:
    Path("z").write_bytes(b"\x00" * 3000)
    told = json.loads(run("compress", "z", "-m", models[0], "--json").out)
    assert told["break_even_bytes"] is None
    assert "never pays" in " ".join(run("compress", "z", "-m", models[0], "-o", "y", "--explain").out.split())
