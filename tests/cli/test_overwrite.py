"""A finished output is replaced only with --overwrite: the same words from every verb, for every path that is written."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_written import OUTPUTS, ROWS, content

from pofx.cli.main import main

Run = Callable[..., tuple[object, str, str]]
REFUSAL = "expected a free path, got the path of a finished output; name another path, or replace the output (--overwrite)"
# What makes the output of each verb: IN is a corpus, unless the verb reads something else.
MADE = {
    **OUTPUTS,
    ("sample", "html_path"): "sample -m model -n 1 --max-tokens 3 --html OUT",
    ("next", "html_path"): "next -m model --unit byte --html OUT",
    ("posterior", "html_path"): "posterior --text a -m model -m model --html OUT",
    ("marginal", "html_path"): "marginal --text a -m model --html OUT",
    ("infill", "html_path"): "infill --suffix a -m model -n 8 --max-tokens 2 --html OUT",
}
MADE["evaluate", "out"] = "evaluate pairs.jsonl -m model -o OUT"
MADE["evaluate", "html_path"] = "evaluate pairs.jsonl -m model --html OUT"
MADE["stimuli", "record"] = "stimuli pairs.jsonl --word good --item bad -m model --record OUT"
MADE["stimuli", "html_path"] = "stimuli pairs.jsonl --word good --item bad -m model --html OUT"
MADE["stimuli", "out"] = "stimuli pairs.jsonl --word good --item bad -m model -o OUT"
MADE["decompress", "out"] = "decompress IN.pofx -o OUT"
MADE["fit", "save_held_out"] = "fit IN -o NEW --order 2 --held-out 0.5 --save-held-out OUT"
MADE["filter fit", "out"] = "filter fit sample.txt --order 1 -o OUT"
MADE["filter fit", "html_path"] = "filter fit sample.txt --order 1 -o NEW --html OUT"
MADE["compress", "html_path"] = "compress IN -o NEW --html OUT"
MADE["filter apply", "html_path"] = "filter apply quality IN -o kept --rest rest --html OUT"
MADE["filter apply", "out"] = MADE["filter apply", "rest"] = ""  # a finished run says that it is done
MADE["audit", "html_path"] = ""  # takes seconds; its page is written by the same code as that of sample
MADE = {output: command for output, command in MADE.items() if command}
ENDINGS = {
    ("corpus", "out"): ".parquet",
    ("score", "out"): ".csv",
    ("diff", "out"): ".csv",
    ("evaluate", "out"): ".csv",
    ("words", "out"): ".csv",
    ("stimuli", "out"): ".csv",
    ("classify predict", "out"): ".jsonl",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in a directory with a corpus, a model of it, a classifier and a packed file."""
    monkeypatch.chdir(tmp_path)
    # A cache of its own: what it knows of runs is taken away in between.
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))

    def call(command: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        return ended.value.code, *capsys.readouterr()

    Path("in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    Path("sample.txt").write_text("".join(f"the cat sat on {k} mats\n" for k in range(60)))
    Path("pairs.jsonl").write_text('{"good": "the cat sat", "bad": "cat the sat"}\n')
    for made in (
        "filter fit sample.txt --order 1 -o quality",
        "fit in.jsonl --order 2 -o model",
        "classify train in.jsonl --order 2 --label-field label --held-out 0 -o classes",
        "compress in.jsonl",
    ):
        assert call(made)[0] == 0
    return call


def stamps(path: Path) -> list[tuple[str, int, bytes]]:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return [(str(p), p.stat().st_mtime_ns, p.read_bytes()) for p in files]


@pytest.mark.parametrize("output", list(MADE), ids=" ".join)
def test_every_finished_output_stays(run: Run, output: tuple[str, str]) -> None:
    out = f"out{ENDINGS.get(output, '')}"
    again = MADE[output].replace("IN", "in.jsonl").replace("OUT", out)
    command = again.replace("NEW", "m1")
    if output[0] in ("score", "words"):
        command += " -m model"
        again = command
    code, _, err = run(command)
    assert code == 0, err
    before = stamps(Path(out))
    # As if another run had made it: the same one would say that it is done.
    for known in Path("cache").rglob("finished/*"):
        known.unlink()
    code, printed, err = run(again.replace("NEW", "m2"))
    assert (code, printed, err) == (2, "", f"pofx: error: {out}: {REFUSAL}\n")
    assert stamps(Path(out)) == before
    assert not Path("m2").exists()  # nothing else of the run was done
    code, _, err = run(again.replace("NEW", "m2") + " --overwrite")
    assert code == 0, err
    assert [name for name, *_ in stamps(Path(out))] == [name for name, *_ in before]
    assert [at for _, at, _ in stamps(Path(out))] != [at for _, at, _ in before]


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("demo", "demo.html"),
        ("audit -m model --html page.html", "page.html"),
        ("compress in.txt", "in.txt.pofx"),
        ("decompress old.pofx", "old"),
        ("fit in.jsonl -o lm.arpa", "lm.arpa"),
        ("score in.jsonl -m model --html link.html", "link.html"),
    ],
)
def test_names_that_the_verb_chose_links_and_single_files(run: Run, command: str, out: str) -> None:
    Path("in.txt").write_text("a cat\n")
    Path("target").write_text("work of a week\n")
    if out == "link.html":
        Path(out).symlink_to("target")
    else:
        Path(out).write_text("work of a week\n")
    before = content()
    assert run(command) == (2, "", f"pofx: error: {out}: {REFUSAL}\n")
    assert content() == before


def test_a_directory_of_other_files_is_not_replaced_even_so(run: Run) -> None:
    Path("notes").mkdir()
    Path("notes/a.txt").write_text("a")
    for command in (
        "fit in.jsonl -o notes --overwrite",
        "fit in.jsonl -o classes --overwrite",
        "classify train a=in.jsonl b=in.jsonl -o model --overwrite",
    ):
        code, _, err = run(command)
        assert (code, "got other files" in err) == (2, True), err
    Path("empty").mkdir()  # nothing is lost with it
    assert run("fit in.jsonl --order 2 -o empty")[0] == 0


def test_devices_pipes_and_streams_are_written(run: Run) -> None:
    for _ in range(2):
        assert run("score in.jsonl -m model --html /dev/null")[0] == 0
        assert run("compress in.jsonl -o /dev/null")[0] == 0
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    code, _, err = run("decompress in.jsonl.pofx -o pipe")
    reader.join(20)
    assert (code, read) == (0, [Path("in.jsonl").read_bytes()]), err


def test_overwrite_without_anything_to_write_is_a_mistake(run: Run) -> None:
    code, _, err = run("score in.jsonl -m model --overwrite")
    assert (code, "--overwrite: expected a path to write, got none" in err) == (2, True)


def test_a_stopped_fit_goes_on_over_the_older_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from pofx.cli.output.fit_report import ProgressPrinter

    class Stopped(ProgressPrinter):
        def __call__(self, p: Any) -> None:
            super().__call__(p)
            raise KeyboardInterrupt

    sizes = (
        "--family transformer --layers 1 --width 16 --heads 2 --context 16 --epochs 2 --save-held-out h.jsonl"
    )
    fit = f"fit in.jsonl -o model {sizes}"
    older = stamps(Path("model"))
    assert run(fit) == (2, "", f"pofx: error: model: {REFUSAL}\n")
    with monkeypatch.context() as m:
        m.setattr("pofx.cli.commands.models.fit.ProgressPrinter", Stopped)
        code, _, err = run(f"{fit} --overwrite")
    assert (code, "--resume" in err) == (130, True), err
    assert stamps(Path("model")) == older
    assert not Path("h.jsonl").exists()
    code, _, err = run(f"{fit} --resume")  # it was asked once
    assert code == 0, err
    assert stamps(Path("model")) != older
    assert Path("h.jsonl").is_file()
    assert run(f"{fit} --resume")[0] == 2  # that fit is finished
