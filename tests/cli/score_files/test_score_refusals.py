"""pofx score FILE… -o OUT: what is refused leaves nothing."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran
from rows_on_disk import left, records

REFUSED: dict[str, tuple[list[str], str]] = {
    "an ending": (["a.txt", "-o", "o.txt"], "ends in .jsonl, .csv or .tsv"),
    "no ending": (["a.txt", "-o", "out"], "got no ending"),
    "a packed Parquet": (["a.txt", "-o", "o.parquet.gz"], "got .parquet.gz"),
    "a directory": (["a.txt", "-o", "dir.csv"], "directory"),
    "below a file": (["a.txt", "-o", "a.txt/o.csv"], "expected a place to write"),
    "the input": (["b.jsonl", "-o", "b.jsonl"], "expected another file than the input"),
    "a text": (["--text", "a", "-o", "o.csv"], "-o: expected FILES"),
    "with --json": (["a.txt", "-o", "o.csv", "--json"], "-o: expected alone"),
    "with --html": (["a.txt", "-o", "o.csv", "--html", "p.html"], "-o: expected alone"),
    "with --as": (["a.txt", "-o", "o.csv", "--as", "lmppl"], "-o: expected alone"),
    "top of texts": (["a.txt", "-o", "o.csv", "-k", "3"], "-k: expected only with --per token"),
    "rank of texts": (["a.txt", "-o", "o.csv", "--rank"], "--rank: expected only with --per token"),
    "tokens without a file": (["a.txt", "--per", "token"], "--per: expected only with -o FILE"),
    "kept without a file": (["b.jsonl", "--keep", "n"], "--keep: expected only with -o FILE"),
    "fresh without a file": (["a.txt", "--fresh"], "--fresh: expected only with -o FILE"),
    "a column twice": (["b.jsonl", "-o", "o.csv", "--keep", "text"], "got 'text'; rename"),
    "kept twice": (["b.jsonl", "-o", "o.csv", "--keep", "n", "--keep", "n"], "got 'n'"),
    "a field of lines": (
        ["a.txt", "-o", "o.csv", "--keep", "n"],
        "expected files with fields (jsonl, json, csv, tsv, parquet), got txt",
    ),
    "no such column": (["c.csv", "-o", "o.csv", "--keep", "n"], "expected one column 'n'"),
    "two prefixes": (["b.jsonl", "-o", "o.csv", "--given", "a", "--given-field", "n"], "got both"),
    "a prefix field of a text": (["--text", "a", "--given-field", "n"], "give the prefix with --given"),
    "no x0": (["a.txt", "-o", "o.csv", "-m", "no_begin"], "p(x1 | x0)"),
    "no EOS": (["a.txt", "-o", "o.csv", "-m", "no_end"], "--prefix"),
    "nothing to score": (["empty.txt", "-o", "o.csv"], "expected at least one document, got none"),
    "a missing file": (["nope.txt", "-o", "o.csv"], "nope.txt"),
    "a broken file": (["cut.txt.gz", "-o", "o.csv"], "breaks off"),
    "a budget": (["a.txt", "--budget", "0"], "--budget"),
    "a peer and a prefix": (["--text", "a", "--as", "lmppl", "--given", "b"], "--as: expected whole texts"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_nothing(run: Callable[..., Ran], models: Path, name: str) -> None:
    for link in ("no_begin", "no_end"):
        Path(link).symlink_to(models / link)
    Path("a.txt").write_text("a\n")
    Path("b.jsonl").write_text('{"text": "a", "n": 1}\n')
    Path("c.csv").write_text("text\na\n")
    Path("empty.txt").write_text("\n")
    Path("cut.txt.gz").write_bytes(
        gzip.compress(os.urandom(99).replace(b"\n", b"n"))[:60]
    )  # no line is whole
    Path("dir.csv").mkdir()
    before = left()
    arguments, said = REFUSED[name]
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("pofx: error: ")
    assert said in ran.err
    assert left() == before


def test_what_was_whole_before_a_file_broke_off_is_kept(run: Callable[..., Ran]) -> None:
    packed = gzip.compress("\n".join(f"line {i} {os.urandom(9).hex()}" for i in range(3000)).encode())
    Path("a.txt.gz").write_bytes(packed[: len(packed) // 2])
    ran = run("a.txt.gz", "-o", "o.jsonl")
    assert ran.code == 2
    assert "breaks off" in ran.err
    assert left() == ["a.txt.gz", "o.jsonl.part", "o.jsonl.progress"]
    assert len(records("o.jsonl.part")) > 1000


def test_quiet(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("zqz\nqzq\n")
    assert run("a.txt", "-o", "o.csv", "--quiet") == Ran(0, "", "")
    assert run("a.txt", "--quiet").err == ""
