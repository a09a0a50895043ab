"""Disks that are full, memory that is short, streams that are closed: one line, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main

WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat", "and", "ran", "far", "away"]
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1, 9)) for i in range(1, 3000)]
# Each verb that writes, with a file that is larger than MOST.
WRITERS = (
    "score in.jsonl -o o.jsonl",
    "score in.jsonl -o o.csv",
    "score in.jsonl -o o.parquet",
    "score in.jsonl -o o.jsonl.gz",
    "score in.jsonl -o o.csv.zst",
    "score few.jsonl --html o.html",
    "words in.jsonl -o o.csv",
    "fit in.jsonl -o o",
    "fit in.jsonl -o o.arpa",
    "fit in.jsonl -o o.arpa.gz",
    "fit in.jsonl -o o --held-out 0.9 --save-held-out h.jsonl",
    "fit few.jsonl -o o --family transformer --layers 1 --width 16 --heads 2 --epochs 1",
    "classify train in.jsonl --label-field label -o o",
    "classify predict classes in.jsonl -o o.csv",
    "compress few.jsonl -o o",
    "decompress few.pofx -o o",
    "sample -n 3 --max-tokens 9 --html o.html",
)
MOST = 512


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    rows = [json.dumps({"text": t, "label": str(i % 2)}) + "\n" for i, t in enumerate(TEXTS)]
    (home / "in.jsonl").write_text("".join(rows))
    (home / "few.jsonl").write_text("".join(rows[:200]))
    pofx.save(pofx.fit(TEXTS[:200], pofx.NgramSpec(order=2)), home / "model")
    kept = os.getcwd()
    os.chdir(home)
    for command in (
        "classify train few.jsonl --label-field label -o classes --order 2",
        "compress few.jsonl -o few.pofx",
    ):
        with pytest.raises(SystemExit):
            main(command.split())
    os.chdir(kept)
    return home


@pytest.mark.parametrize("command", WRITERS)
def test_a_disk_that_is_full(
    home: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit on the size of a file is the system's: each write fails as it would on a full disk."""
    if "transformer" in command:
        pytest.importorskip("torch")
    monkeypatch.chdir(home)
    monkeypatch.setenv("POFX_MODEL", "model")
    before = sorted(p.name for p in home.iterdir())
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    capsys.readouterr()
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, kept[1]))
    try:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    # The path is the one that the user gave, not the hidden one that is written on the way.
    assert said.splitlines()[-1].startswith(
        ("pofx: error: o: ", "pofx: error: o.", "pofx: error: h.jsonl: ")
    ), said
    assert "File too large" in said.splitlines()[-1]
    assert "expected" in said.splitlines()[-1]
    assert sorted(p.name for p in home.iterdir()) == before


def test_rows_on_the_disk_outlive_a_full_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("POFX_MODEL", "model")
    monkeypatch.setattr("pofx.files.journal.SECONDS", 0.0)
    command = ["score", "in.jsonl", "-o", "kept.jsonl"]
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, kept[1]))
    try:
        with pytest.raises(SystemExit) as ended:
            main(command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert ended.value.code == 2
    assert (
        "the rows so far are in kept.jsonl.part, and the same command goes on from there"
        in capsys.readouterr().err
    )
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    assert "going on after" in capsys.readouterr().err
    rows = [json.loads(row) for row in Path("kept.jsonl").read_text().splitlines()]
    assert [r["text"] for r in rows] == TEXTS
    Path("kept.jsonl").unlink()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("unable to mmap 65536 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_memory_that_is_short(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pofx.models.loading.load", fail)
    with pytest.raises(SystemExit) as ended:
        main(["score", "--text", "a"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("pofx: error: out of memory: ")
    assert said.count("\n") == 1


def test_another_error_of_a_library_looks_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("pofx.models.loading.load", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        main(["score", "--text", "a"])


CLOSED = {
    "stderr closed": ("score few.jsonl -o x.csv --overwrite", "2>&-", 0, ""),
    "stderr full": ("score few.jsonl -o x.csv --overwrite", "2>/dev/full", 0, ""),
    "stderr full, an error": ("score nothing.txt", "2>/dev/full", 2, ""),
    "stdout closed, not needed": ("score few.jsonl -o x.csv --overwrite --quiet", ">&-", 0, ""),
    "stdout closed": ("score --text a", ">&-", 2, "standard output: expected an open stream"),
    "stdout closed, bytes": ("compress few.jsonl -o -", ">&-", 2, "standard output: expected an open stream"),
    "stdout full": ("score --text a --json", ">/dev/full", 2, "No space left on device"),
    "stdin closed": ("compress - -o x", "<&-", 2, "standard input: expected an open stream"),
    "a reader that goes": ("score in.jsonl", "| head -1", 0, ""),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device to write to")
@pytest.mark.parametrize("name", CLOSED)
def test_streams_that_are_closed_or_full(home: Path, name: str) -> None:
    command, how, code, said = CLOSED[name]
    python = f'{sys.executable} -c "from pofx.cli.main import main; main()"'
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {python} {command} {how}"],
        cwd=home,
        env={**os.environ, "POFX_MODEL": "model"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == code, ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
    if code:
        assert ran.stderr.count("\n") == (1 if said else 0)


@pytest.mark.parametrize("verb", ["score --text a", "models", "cache", "sample -n 1", "fit few.jsonl -o m"])
def test_a_limit_of_the_cache_that_is_none_is_refused_by_every_verb(
    home: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("POFX_CACHE_LIMIT", "x")
    with pytest.raises(SystemExit) as ended:
        main(verb.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert (
        err
        == "pofx: error: POFX_CACHE_LIMIT: expected a size such as 500M or 20G, got 'x'; set it to a number and a unit, or unset it\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["score", "--help"])
    assert ended.value.code == 0


def test_names_that_are_not_utf8(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("POFX_MODEL", "model")
    odd = os.fsdecode(b"o\xff")
    Path(f"{odd}.jsonl").write_bytes(Path("few.jsonl").read_bytes())
    for ending in (".parquet", ".csv", ".jsonl.gz"):
        for command in (
            ["score", "few.jsonl", "--quiet", "-o", f"{odd}{ending}"],
            ["score", f"{odd}.jsonl", "--quiet", "-o", f"p{ending}"],
        ):
            with pytest.raises(SystemExit) as ended:
                main(command)
            assert ended.value.code == 0, capsys.readouterr().err
    from pyarrow import parquet

    table = parquet.read_table("p.parquet")
    assert table["id"][0].as_py() == "o\\xff.jsonl:1"
    assert json.loads(table.schema.metadata[b"pofx"])["inputs"] == ["o\\udcff.jsonl"]
    for made in (*Path().glob("o*"), *Path().glob("p.*")):
        made.unlink()
