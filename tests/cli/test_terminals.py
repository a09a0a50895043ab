"""Colours, widths, bytes that are no UTF-8, readers that have gone, full disks and Ctrl-C."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import LINES, POFX, Ran, process

import pofx

# ------------------------------------------------------------------------------------------------ real processes


def test_a_colour_never_reaches_a_file(
    run: Callable[..., Ran], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One in a process: its standard output is a pipe, as a shell makes it.
    ran = process("score", "--text", "the cat sat", "-m", "whole", cwd=models)
    outputs = [ran.stdout.decode()]
    assert ran.returncode == 0, ran.stderr
    for no_color in (False, True):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        for arguments in (
            ["score", "--text", "the cat sat"],
            ["sample", "-n", "2", "--seed", "1"],
            ["next", "--given", "the"],
        ):
            inside = run(*arguments, "-m", str(models / "whole"))
            assert inside.code == 0, inside.err
            outputs.append(inside.out)
    for out in outputs:
        assert "\x1b" not in out
        assert max(len(line) for line in out.splitlines()) <= 80


def test_forty_columns_keep_every_number(
    run: Callable[..., Ran], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    whole = str(models / "whole")
    total = pofx.log_prob(pofx.load(whole), "the cat sat")
    assert f"{total:.3f}" in run("score", "--text", "the cat sat", "-m", whole).out
    assert "EOS" in run("sample", "-n", "3", "--seed", "1", "-m", whole).out
    assert "others" in run("next", "-m", whole).out
    assert "yes" in run("models", str(models)).out
    assert run("audit", "-m", whole, "--test", str(models / "corpus.txt")).code == 0


@pytest.mark.thorough
def test_arguments_that_are_no_utf8(models: Path) -> None:
    ran = process("score", "--text", b"a\xff\xfe", "-m", "whole", "--json", cwd=models)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout.decode("utf-8", "strict"))
    assert record["terms"]["bytes"] == 3
    assert record["total_nats"] == pofx.log_prob(pofx.load(models / "whole"), b"a\xff\xfe")
    assert process("score", "--text", b"a\xff\xfe", "-m", "whole", cwd=models).returncode == 0
    assert process("next", "--given", b"\xff", "-m", "whole", "--json", cwd=models).returncode == 0
    missing = process("score", b"\xff.txt", "-m", "whole", cwd=models)
    assert missing.returncode == 2
    assert missing.stderr.count(b"\n") == 1


def test_file_names_that_are_no_utf8(models: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"n\xff.txt")
    try:
        (tmp_path / name).write_text("a\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    ran = process("score", os.fsencode(name), "-m", str(models / "whole"), "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    # Every format of rows can hold this id; a lone surrogate would be none in Parquet.
    assert json.loads(ran.stdout.decode("utf-8", "strict"))["id"] == "n\\xff.txt:1"
    assert process("score", os.fsencode(name), "-m", str(models / "whole"), cwd=tmp_path).returncode == 0


def test_a_terminal_that_knows_only_ascii(models: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    ran = process("score", "--text", "é", "-m", "whole", cwd=models, env=env)
    assert ran.returncode == 0, ran.stderr
    ran = process("score", "--text", "é", "-m", "whole", "--json", cwd=models, env=env)
    assert json.loads(ran.stdout.decode("ascii"))["text"] == "é"
    assert process("--help", cwd=models, env=env).returncode == 0


@pytest.mark.thorough
def test_a_reader_that_has_gone(models: Path, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("\n".join(LINES * 300))
    command = f"{sys.executable} -c 'from pofx.cli.main import main; main()'"
    for arguments in ("score big.txt", "score big.txt --json --tokens", "sample -n 300", "score --text abc"):
        ran = subprocess.run(
            ["bash", "-c", f"{command} {arguments} -m {models / 'whole'} | head -1; exit ${{PIPESTATUS[0]}}"],
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
        )
        assert ran.returncode == 0, (arguments, ran)
        assert b"Traceback" not in ran.stderr
        assert b"BrokenPipe" not in ran.stderr
        assert ran.stdout.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_a_full_disk(models: Path) -> None:
    # By rich, by click, and by click without a verb.
    for arguments in (["score", "corpus.txt"], ["score", "--text", "abc"], ["--help"]):
        extra = ["-m", "whole"] if arguments[0] != "--help" else []
        with Path("/dev/full").open("wb") as full:
            ran = subprocess.run(
                [*POFX, *arguments, *extra],
                cwd=models,
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
            )
        assert ran.returncode == 2
        assert ran.stderr.splitlines()[0].startswith(b"pofx: ")
        assert b"No space left on device" in ran.stderr
        assert b"Traceback" not in ran.stderr
        assert b"Exception ignored" not in ran.stderr


@pytest.mark.thorough
def test_a_long_line_is_a_document(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """5 MB in one line; 50 MB of English take ten times as long, in 1.8 GB."""
    sentence = " ".join(LINES[:8]) + " "
    with open("long.txt", "w") as f:
        f.write((sentence * (5_000_000 // len(sentence) + 1))[:5_000_000])
    started = time.perf_counter()
    (record,) = run("fit", "long.txt", "-o", "m", "--json").records
    assert (record["documents"], record["bytes"]) == (1, 5_000_000)
    assert run("score", "long.txt", "-m", "m").code == 0
    assert time.perf_counter() - started < 300  # quadratic work would take hours


@pytest.mark.thorough
def test_ctrl_c_keeps_what_was_learned(run: Callable[..., Ran], models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    arguments = ["fit", str(models / "corpus.txt"), "-o", "m", "--family", "transformer", "--seconds", "4"]
    arguments += ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16"]
    fitting = subprocess.Popen(
        [*POFX, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert fitting.stderr is not None
    assert b"%" in fitting.stderr.readline()  # the fit is under way
    fitting.send_signal(signal.SIGINT)
    out, err = fitting.communicate(timeout=30)
    assert fitting.returncode == 130, err
    assert out == b""
    assert b"Traceback" not in err
    last = err.decode().splitlines()[-1]
    assert last.startswith("pofx: interrupted after step ")
    assert "--resume" in last
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
    assert (
        "layers 1 there and 2 here" in run(*["2" if a == "1" else a for a in arguments], "--resume").refusal
    )
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
    assert run(*arguments, "--resume").code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert math.isfinite(pofx.log_prob(pofx.load(tmp_path / "m"), "the cat"))


def test_an_interrupted_fit_is_not_lost_unseen(run: Callable[..., Ran], models: Path) -> None:
    pytest.importorskip("torch")
    Path("m.checkpoint").write_text("of an interrupted fit")
    tiny = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--epochs", "0.1"]
    arguments = ["fit", str(models / "corpus.txt"), "--family", "transformer", *tiny]
    ran = run(*arguments, "-o", "m")
    assert ran.code == 0
    assert "warning: m.checkpoint holds an interrupted fit" in ran.err
    assert [p.name for p in Path().iterdir()] == ["m"]
    Path("m.checkpoint").write_text("no checkpoint")
    assert "damaged" in run(*arguments, "-o", "m", "--resume").refusal
    Path("d.checkpoint").mkdir()
    assert "got a directory" in run(*arguments, "-o", "d").refusal
    assert run(*arguments, "-o", "far/below/m").code == 0
    assert [p.name for p in Path("far/below").iterdir()] == ["m"]


@pytest.mark.thorough
def test_ctrl_c_elsewhere(models: Path, tmp_path: Path) -> None:
    waiting = subprocess.Popen(
        [*POFX, "score", "-", "-m", str(models / "whole")],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdin is not None
    waiting.stdin.write(b"one\n")
    waiting.stdin.flush()
    time.sleep(2.0)  # it reads, and waits for more
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert err.strip() == b"pofx: interrupted"


def test_the_package_is_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "pofx", "fit", "nowhere.txt", "-o", "m"], capture_output=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"pofx: error: 'nowhere.txt': expected a file")
