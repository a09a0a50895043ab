"""A filter whose files are damaged, or whose disk is full: the fault is named, and the same command ends with the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pofx
from pofx.cli.main import main
from pofx.jobs.filtered import running

DOCS = Path(__file__).parents[3] / "docs"
# `pofx …` on a disk that is full once it is about to call a function of a module for the first time.
FULL = """
import resource, signal
import {module} as module
from pofx.cli.main import main

real = module.{name}

def full(*args, **options):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
    return real(*args, **options)

module.{name} = full
main({arguments!r})
"""


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filter, a corpus of two Parquet files, and both sides of a run without a fault."""
    home = tmp_path_factory.mktemp("filter")
    english = list(pofx.documents(DOCS / "proverbs.txt"))
    pofx.save_filter(pofx.fit_filter(english, spec=pofx.NgramSpec(order=3)), home / "quality")
    texts = [*english[:60], *english[:20], *(f"{t}!" for t in english[:9]), "xx xx"]
    for name, some in (("a", texts[:50]), ("b", texts[50:])):
        pq.write_table(pa.table({"text": some}), home / f"{name}.parquet", row_group_size=10)
    assert run(home, "whole") == 0
    return home


def command(home: Path, name: str) -> list[str]:
    sides = ["-o", f"{home / name}/", "--rest", f"{home / name}-rest/", "--unit-size", "600"]
    files = [str(home / f) for f in ("quality", "a.parquet", "b.parquet")]
    return ["filter", "apply", *files, *sides, "--workers", "1", "--quiet"]


def run(home: Path, name: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(command(home, name))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def same(home: Path, name: str) -> None:
    for side in ("", "-rest"):
        assert files_of(home / f"{name}{side}") == files_of(home / f"whole{side}")
    assert len(files_of(home / "whole/parts")) > 3


def test_a_parquet_file_that_is_truncated_after_the_plan_keeps_both_sides_empty(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pofx.jobs.sharded.running as sharded

    file, real = home / "b.parquet", sharded.write_plan
    data, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)

    def truncating(*arguments):
        plan = real(*arguments)
        file.write_bytes(data[: len(data) // 2])
        return plan

    monkeypatch.setattr(sharded, "write_plan", truncating)
    assert run(home, "cut") == 1
    assert "a file that was edited since" in capsys.readouterr().err
    assert not (home / "cut/parts").exists()
    assert not (home / "cut-rest/parts").exists()
    monkeypatch.undo()
    file.write_bytes(data)
    os.utime(file, ns=times)
    assert run(home, "cut") == 0
    same(home, "cut")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pofx.jobs.sharded.part", "write_commit"),
        ("pofx.jobs.filtered.running", "join_copies"),
        ("pofx.jobs.filtered.running", "write_side"),
    ],
)
def test_a_full_disk_ends_the_run_and_keeps_what_is_done(home: Path, module: str, name: str) -> None:
    out = f"full-{name}"
    program = FULL.format(module=module, name=name, arguments=command(home, out))
    full = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert full.returncode == 2, full.stderr
    assert full.stderr.startswith("pofx: error: "), full.stderr
    assert full.stderr.count("\n") == 1
    assert "File too large" in full.stderr
    assert run(home, out) == 0
    same(home, out)


def spoil(part: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)


def test_a_part_of_the_first_pass_that_was_tampered_with_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "join_copies", interrupted)
    assert run(home, "first") == 130
    monkeypatch.undo()
    scores = home / "first" / running.SCORES
    part = sorted(scores.glob("parts/*"))[2]
    spoil(part)
    capsys.readouterr()
    assert run(home, "first") == 2
    said = capsys.readouterr().err
    assert f"{part}: expected the bytes that the record of the unit names" in said
    assert f"pofx verify {scores} --redo" in said
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(scores), "--redo"])
    assert ended.value.code == 1
    assert run(home, "first") == 0
    same(home, "first")


def test_a_part_of_a_side_that_was_tampered_with_is_made_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "second") == 0
    part = sorted((home / "second/parts").iterdir())[1]
    spoil(part)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(home / "second"), "--redo"])
    assert ended.value.code == 1
    assert part.name in capsys.readouterr().out
    assert run(home, "second") == 0
    same(home, "second")
