"""Of two runs that write one path at the same moment the second is refused: every verb, every path."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_written import OUTPUTS, content

import pofx
from pofx.cli.main import main
from pofx.files.cache import LOCKS, cache_dir
from pofx.files.locks import locked_outputs

pytest.importorskip("fcntl")

Run = Callable[..., tuple[object, str]]
REFUSAL = "expected a path that no other run writes, got a path that another run is writing; wait for the other run, or write to another path"
COMMANDS = {**OUTPUTS, ("demo", "out"): "demo -o OUT"}
# Verbs that write a directory of parts name it with a slash.
PARTS = {("filter apply", "out"), ("filter apply", "rest")}
COMPRESS = "compress in.txt -m model.arpa -o out"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in a directory with a text and a model: its exit code and its standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))  # other workers lock in the cache of all tests
    (tmp_path / "cache").mkdir(mode=0o700)
    Path("in.txt").write_text("a cat\n")
    pofx.save(pofx.fit(["a cat"], pofx.NgramSpec(order=2)), "model.arpa")

    def call(command: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        return ended.value.code, capsys.readouterr().err

    return call


def locks() -> list[Path]:
    return list((cache_dir() / LOCKS).iterdir())


@pytest.mark.parametrize("overwrite", ["", " --overwrite"])
@pytest.mark.parametrize("output", list(COMMANDS), ids=" ".join)
def test_every_output_is_refused_that_another_run_is_writing(
    run: Run, output: tuple[str, str], overwrite: str
) -> None:
    command = COMMANDS[output].replace("IN", "in.txt").replace("OUT", "out") + overwrite
    shown = "out/" if output in PARTS else "out"
    before = content()
    with locked_outputs(["out"]):
        held = locks()
        # Again: whoever was refused has not taken the lock away.
        for _ in range(2):
            assert run(command) == (2, f"pofx: error: {shown}: {REFUSAL}\n")
            assert locks() == held
    assert content() == before
    assert not locks()


@pytest.mark.parametrize("command", ["compress in.txt", "demo", "score in.txt -o a.csv --html page.html"])
def test_names_that_the_verb_chose_and_each_of_several(run: Run, command: str) -> None:
    for name in {"compress": ["in.txt.pofx"], "demo": ["demo.html"]}.get(
        command.split()[0], ["a.csv", "page.html"]
    ):
        with locked_outputs([name]):
            assert run(command) == (2, f"pofx: error: {name}: {REFUSAL}\n")


@pytest.mark.parametrize("name", ["./out", "link", "hard"])
def test_another_name_of_the_file_is_the_same_lock(run: Run, name: str) -> None:
    Path("out").write_text("work\n")
    Path("link").symlink_to("out")
    os.link("out", "hard")
    with locked_outputs([name]):
        assert run(f"{COMPRESS} --overwrite") == (2, f"pofx: error: out: {REFUSAL}\n")
    with locked_outputs(["out"]):
        assert run(COMPRESS.replace("out", name)) == (2, f"pofx: error: {name}: {REFUSAL}\n")


def test_a_file_with_the_inode_of_a_file_that_is_gone_is_free(tmp_path: Path) -> None:
    """A file system gives the inode of a removed file to the next file."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("")
    os.link(old, new)
    with locked_outputs([old]):
        with pytest.raises(pofx.BadSource, match="another run is writing"), locked_outputs([new]):
            pass
        old.unlink()
        with locked_outputs([new]):
            pass
        old.write_text("")  # another file of the name
        with locked_outputs([new]):
            pass


def test_a_link_to_a_file_that_is_not_there_yet(run: Run) -> None:
    Path("link").symlink_to("out")
    with locked_outputs(["link"]):
        assert run(COMPRESS) == (2, f"pofx: error: out: {REFUSAL}\n")


def test_other_paths_devices_and_standard_output_are_free(run: Run) -> None:
    with locked_outputs(["other", "/dev/null"]):
        assert run(COMPRESS)[0] == 0
        assert run(COMPRESS.replace("out", "/dev/null"))[0] == 0
        assert run("decompress out -m model.arpa -o -")[0] == 0


def test_the_lock_ends_with_the_run(run: Run) -> None:
    assert run(COMPRESS)[0] == 0
    assert run(COMPRESS)[1].count("got the path of a finished output") == 1  # a refused run ends, too
    assert not locks()
    assert run(f"{COMPRESS} --overwrite")[0] == 0


def test_a_cache_that_cannot_be_written_stops_no_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("no directory\n")
    monkeypatch.setenv("POFX_CACHE", str(Path("file/cache").absolute()))
    assert run(COMPRESS)[0] == 0


def started() -> subprocess.Popen[str]:
    """A run that has its lock for as long as its standard input is open."""
    command = [sys.executable, "-m", "pofx", *COMPRESS.replace("in.txt", "-").split()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)


def test_of_two_processes_that_start_at_once_one_wins(run: Run) -> None:
    runs = [started(), started()]
    try:
        # The loser ends by itself; the winner waits for its text.
        while all(r.poll() is None for r in runs):
            time.sleep(0.02)
        lost, won = sorted(runs, key=lambda r: r.poll() is None)
        assert (lost.wait(), lost.communicate()[1]) == (2, f"pofx: error: out: {REFUSAL}\n")
        assert not Path("out").exists()
        won.communicate("a cat\n", timeout=60)
        assert won.returncode == 0
        assert Path("out").exists()
    finally:
        for r in runs:
            r.kill()


def test_the_lock_of_a_killed_process_ends_with_it(run: Run) -> None:
    killed = started()
    while not (cache_dir() / LOCKS).is_dir() or not locks():
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    assert locks()  # its file is left, and no lock on it
    assert run(COMPRESS)[0] == 0
    assert not locks()
