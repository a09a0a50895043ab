"""pofx score FILE… -o OUT: killed at any moment, it ends with the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran
from rows_on_disk import LINES, left, records

# -------------------------------------------------------------------------------------- killed, and taken up again

# pofx with every pass made slow, so that a kill finds it at work, and a checkpoint after every block.
SLOW = """
import sys, time
import pofx.files.journal, pofx.corpus.writing, pofx.queries.scoring.stream
from pofx.models.ngram.model import NgramLM
pofx.files.journal.SECONDS = 0.0
pofx.queries.scoring.stream.TEXTS = 100
scored, grouped = NgramLM.forward, pofx.corpus.writing._groups
def forward(self, *arguments):
    time.sleep(PASS)
    return scored(self, *arguments)
def groups(rows):
    for group in grouped(rows):
        time.sleep(GROUP)
        yield group
NgramLM.forward, pofx.corpus.writing._groups = forward, groups
from pofx.cli.main import main
main(sys.argv[1:])
"""
MANY = [f"{line} {i}" for i in range(100) for line in LINES]  # 800 lines, 8 blocks


def start(arguments: list[str], each_pass: float = 0.05, group: float = 0.0) -> subprocess.Popen[bytes]:
    code = SLOW.replace("PASS", str(each_pass)).replace("GROUP", str(group))
    return subprocess.Popen(
        [sys.executable, "-c", code, "score", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def items_done(out: str) -> int:
    try:
        return int(json.loads(Path(f"{out}.progress").read_bytes())["state"]["items"])
    except (OSError, KeyError, ValueError):
        return -1


FORMS: dict[str, list[str]] = {
    "o.jsonl": [],
    "o.csv": ["--keep", "n"],
    "o.parquet": ["--per", "token", "-k", "2", "--keep", "n"],
}


@pytest.mark.thorough
@pytest.mark.parametrize("out", FORMS)
def test_killed_again_and_again_it_ends_with_the_same_bytes(run: Callable[..., Ran], out: str) -> None:
    with open("a.jsonl", "w") as f:
        for k, text in enumerate(MANY):
            f.write(json.dumps({"text": text if k % 97 else 7, "n": k}) + "\n")
    arguments = ["a.jsonl", "-o", out, *FORMS[out]]
    assert run(*arguments).code == 1
    whole = Path(out).read_bytes()
    Path(out).unlink()
    assert left() == ["a.jsonl"]
    for at in (1, 300, 700) if out == "o.jsonl" else (100, 700):
        process = start(arguments)
        wait_for(process, lambda at=at: items_done(out) >= at)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert [n for n in left() if n[0] != "."] == ["a.jsonl", f"{out}.part", f"{out}.progress"]
        with open(f"{out}.part", "ab") as f:  # as if it had been killed in the middle of a line
            f.write(b'{"id": "torn')
    done = items_done(out)
    assert done >= 700
    ran = run(*arguments)
    assert ran.code == 1
    assert f"going on after {done:,} rows of {out}.part" in ran.err
    assert "9 of 800 rows without a score" in ran.err
    assert left() == ["a.jsonl", out]
    assert Path(out).read_bytes() == whole


@pytest.mark.thorough
def test_killed_before_the_first_block_and_while_the_file_is_made(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("\n".join(MANY[:600]) + "\n")
    arguments = ["a.txt", "-o", "o.parquet"]
    run(*arguments)
    whole = Path("o.parquet").read_bytes()
    Path("o.parquet").write_bytes(b"the old one")
    process = start([*arguments, "--overwrite"], each_pass=10.0)
    wait_for(process, Path("o.parquet.part").exists)
    process.kill()
    process.communicate()
    assert items_done("o.parquet") in (-1, 0)  # killed before the run had claimed its name, or after that
    process = start([*arguments, "--overwrite"], each_pass=0.0, group=10.0)
    wait_for(process, Path(".o.parquet.new").exists)
    process.kill()
    process.communicate()
    assert Path("o.parquet").read_bytes() == b"the old one"
    ran = run(*arguments)
    assert ran.code == 0
    assert "going on after 600 rows" in ran.err
    assert "600 documents" in ran.err
    assert Path("o.parquet").read_bytes() == whole
    assert left() == ["a.txt", "o.parquet"]


def test_ctrl_c_keeps_what_was_scored_and_says_how_to_go_on(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("\n".join(MANY) + "\n")
    arguments = ["a.txt", "-o", "o.csv"]
    run(*arguments)
    whole = Path("o.csv").read_bytes()
    Path("o.csv").unlink()
    process = start(arguments)
    wait_for(process, lambda: items_done("o.csv") >= 200)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    done = items_done("o.csv")
    assert err.decode().splitlines() == [
        f"pofx: interrupted; {done:,} rows are kept in o.csv.part; the same command goes on from there"
    ]
    assert run(*arguments).code == 0
    assert Path("o.csv").read_bytes() == whole


@pytest.mark.thorough
def test_standard_input_cannot_be_taken_up_again(run: Callable[..., Ran], tmp_path: Path) -> None:
    data = "\n".join(MANY).encode() + b"\n"
    code = SLOW.replace("PASS", "0.05").replace("GROUP", "0")
    process = subprocess.Popen(
        [sys.executable, "-c", code, "score", "-", "-o", "o.jsonl"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(data[: len(data) // 2])
    process.stdin.flush()
    wait_for(process, lambda: items_done("o.jsonl") >= 100)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"a run that is stopped cannot be resumed" in err.splitlines()[0]
    assert b"rows are kept in o.jsonl.part; a run over standard input or a pipe cannot" in err.splitlines()[1]
    assert b"save the input to a file and name that file" in err.splitlines()[1]
    for extra, code_ in (([], 2), (["--fresh"], 0)):
        ran = subprocess.run(
            [
                sys.executable,
                "-c",
                "from pofx.cli.main import main; main()",
                "score",
                "-",
                "-o",
                "o.jsonl",
                *extra,
            ],
            input=data,
            capture_output=True,
        )
        assert ran.returncode == code_, ran.stderr
        assert (b"move the file away, or start over (--fresh)" in ran.stderr) == (code_ == 2)
    assert left() == ["o.jsonl"]
    assert [r["text"] for r in records("o.jsonl")] == MANY


def stopped(run: Callable[..., Ran], *extra: str) -> None:
    """What a run over a.jsonl to o.jsonl leaves when it is killed."""
    process = start(["a.jsonl", "-o", "o.jsonl", *extra], each_pass=0.1)
    wait_for(process, lambda: items_done("o.jsonl") >= 100)
    process.kill()
    process.communicate()


def test_another_run_is_refused_by_name(run: Callable[..., Ran], models: Path) -> None:
    Path("a.jsonl").write_text("".join(json.dumps({"text": t, "body": t}) + "\n" for t in MANY))
    Path("b.jsonl").write_bytes(Path("a.jsonl").read_bytes())
    stopped(run)
    kept = Path("o.jsonl.part").read_bytes(), Path("o.jsonl.progress").read_bytes()
    for arguments, named in (
        (["a.jsonl", "--given", "the"], '--given: "" there, "the" here'),
        (["a.jsonl", "--prefix"], "--prefix: false there, true here"),
        (["a.jsonl", "--per", "token", "-k", "2"], "-k: 0 there, 2 here"),
        (["a.jsonl", "--field", "body"], '--field: "text" there, "body" here'),
        (["a.jsonl", "--no-text"], "--no-text: false there, true here"),
        (["a.jsonl", "--deterministic"], "--deterministic: false there, true here"),
        (["a.jsonl", "-m", str(models / "no_begin"), "--begin", "a"], "x0: "),
        (["a.jsonl", "-m", str(models / "other")], "model: "),
        (["b.jsonl"], 'inputs: ["a.jsonl"] there, ["b.jsonl"] here'),
        (["a.jsonl", "b.jsonl"], "input b.jsonl: nothing there"),
    ):
        ran = run(*arguments, "-o", "o.jsonl")
        assert ran.code == 2, arguments
        assert ran.err.count("\n") == 1
        assert named in ran.err
        assert "start over (--fresh)" in ran.err
    assert (Path("o.jsonl.part").read_bytes(), Path("o.jsonl.progress").read_bytes()) == kept
    # A copy of the same content is the same input; an edit of the same length is not.
    os.utime("a.jsonl", (1, 1))
    edited = Path("a.jsonl").read_bytes()
    Path("a.jsonl").write_bytes(edited[:-9] + b"?" + edited[-8:])
    assert "input a.jsonl: " in run("a.jsonl", "-o", "o.jsonl").err
    Path("a.jsonl").write_bytes(edited)
    assert "going on after" in run("a.jsonl", "-o", "o.jsonl").err
    assert len(records("o.jsonl")) == len(MANY)


def test_fresh_starts_over(run: Callable[..., Ran]) -> None:
    Path("a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in MANY))
    stopped(run)
    ran = run("a.jsonl", "-o", "o.jsonl", "--prefix", "--fresh")
    assert ran.code == 0
    assert "going on" not in ran.err
    assert {r["end"] for r in records("o.jsonl")} == {False}
    assert left() == ["a.jsonl", "o.jsonl"]


def test_damaged_leftovers_are_refused(run: Callable[..., Ran]) -> None:
    Path("a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in MANY))
    stopped(run)
    part, progress = Path("o.jsonl.part"), Path("o.jsonl.progress")
    good, rows = progress.read_bytes(), part.read_bytes()
    state = json.loads(good)
    for bad, found in (
        (b"", "got an empty file"),
        (b"no json", "got no JSON"),
        (b"[" * 100_000, "got JSON nested too deeply"),
        (b"[1]", "got an array"),
        (json.dumps({**state, "format": 99}).encode(), "damaged"),
        (json.dumps({**state, "offset": -1}).encode(), "damaged"),
        (json.dumps({**state, "offset": "9"}).encode(), "damaged"),
        (json.dumps({**state, "parts": None}).encode(), "damaged"),
        (json.dumps({**state, "state": {**state["state"], "items": "9"}}).encode(), "damaged"),
        (json.dumps({**state, "state": {}}).encode(), "damaged"),
    ):
        progress.write_bytes(bad)
        ran = run("a.jsonl", "-o", "o.jsonl")
        assert (ran.code, ran.err.count("\n")) == (2, 1), bad[:40]
        assert found in ran.err
        assert "start over (--fresh)" in ran.err
    progress.write_bytes(good)
    part.write_bytes(rows[: state["offset"] - 1])
    assert "got fewer" in run("a.jsonl", "-o", "o.jsonl").err
    progress.unlink()
    assert "expected no such file" in run("a.jsonl", "-o", "o.jsonl").err
    assert part.read_bytes() == rows[: state["offset"] - 1]
    assert run("a.jsonl", "-o", "o.jsonl", "--fresh").code == 0


def test_two_runs_do_not_write_through_each_other(run: Callable[..., Ran]) -> None:
    pytest.importorskip("fcntl")
    Path("a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in MANY))
    first = start(["a.jsonl", "-o", "o.jsonl"], each_pass=0.1)
    wait_for(first, lambda: items_done("o.jsonl") >= 100)
    for extra in ([], ["--fresh"]):
        ran = run("a.jsonl", "-o", "o.jsonl", *extra)
        assert ran.code == 2
        assert "another run is writing" in ran.err
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert [r["text"] for r in records("o.jsonl")] == MANY
