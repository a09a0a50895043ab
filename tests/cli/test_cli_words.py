"""The verb words: files of rows, lines, tables and refusals."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import pofx
from pofx.cli.main import main
from pofx.queries.words.words import Worded


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    pofx.save(
        pofx.fit(["the cat sat.", "a dog ran.", "the dog sat down."], pofx.NgramSpec(order=4)), tmp_path / "m"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_MODEL", str(tmp_path / "m"))

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["words", *arguments])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call


def test_files_of_rows(run: Callable[..., Ran]) -> None:
    lines = ["The dog sat.", "  ", "a cat, naïve"]
    Path("in.jsonl").write_text(
        "".join(json.dumps({"text": t, "key": f"k{i}", "group": i}) + "\n" for i, t in enumerate(lines))
        + "{\n"
    )
    options = ("in.jsonl", "--id", "key", "--keep", "group", "--punctuation", "own")
    for name in ("o.csv", "o.jsonl", "o.parquet"):
        ran = run(*options, "-o", name)
        assert ran.code == 1, ran.err  # the row that is no JSON
        assert f"wrote {name}" in ran.err
    read = pofx.load("m")
    rows = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [r["word"] for r in rows] == ["The", "dog", "sat", ".", "  ", "a", "cat", ",", "naïve", None]
    assert [r["index"] for r in rows] == [0, 1, 2, 3, None, 0, 1, 2, 3, None]
    assert "JSON" in rows[-1]["error"]
    for i, text in enumerate(lines):
        mine = [r for r in rows if r["id"] == f"k{i}"]
        assert {r["group"] for r in mine} == {i}
        assert math.fsum(r["surprisal_nats"] for r in mine) == pytest.approx(
            -pofx.log_prob(read, text), abs=1e-9
        )
        assert all(r["surprisal_bits"] == pytest.approx(r["surprisal_nats"] / math.log(2)) for r in mine)
        assert all(text[r["start"] : r["end"]] == r["word"] and len(r["word"]) == r["length"] for r in mine)
    assert pq.read_table("o.parquet").to_pylist() == rows
    cells = list(csv.DictReader(Path("o.csv").read_text().splitlines()))
    assert [float(c["surprisal_nats"]) for c in cells[:-1]] == [r["surprisal_nats"] for r in rows[:-1]]


def test_a_stopped_run_goes_on_and_another_question_does_not(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pofx.queries.scoring.stream as stream
    import pofx.queries.words.words as module

    Path("in.txt").write_text("".join(f"the dog sat {k}.\n" for k in range(7)))
    monkeypatch.setattr(stream, "TEXTS", 2)
    assert run("in.txt", "-o", "whole.csv").code == 0
    real, calls = module.read_words, itertools.count()

    def stopping(*a: object, **k: object) -> list[Worded]:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*a, **k)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "read_words", stopping)
    assert run("in.txt", "-o", "o.csv").code == 130
    ran = run("in.txt", "-o", "o.csv", "--punctuation", "own")
    assert (ran.code, "--punctuation" in ran.err) == (2, True), ran.err
    ran = run("in.txt", "-o", "o.csv")
    assert (ran.code, "going on after 4 rows" in ran.err) == (0, True), ran.err
    assert Path("o.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_lines_and_tables(run: Callable[..., Ran]) -> None:
    Path("in.txt").write_text("the dog sat.\n")
    head, *rows = run("in.txt").out.splitlines()
    assert head.split("\t")[:3] == ["id", "index", "word"]
    assert [r.split("\t")[2] for r in rows] == ["the", "dog", "sat."]
    told = [json.loads(line) for line in run("in.txt", "--json", "--pattern", "[a-z]").out.splitlines()]
    assert [r["word"] for r in told] == [*"thedogsat", "."]
    table = run("--text", "the dog sat.")
    assert re.search(r"1\s+dog\s+4–7\s+[\d.]+\s+[\d.]+", table.out), table.out
    total = -pofx.log_prob(pofx.load("m"), "the dog sat.")
    assert f"{total:.3f}" in table.out
    record = json.loads(run("--text", "the dog sat.", "--json", "--given", "the ").out)
    assert math.fsum(w["surprisal_nats"] for w in record["words"]) == pytest.approx(-record["total_nats"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "got neither"),
        (("in.txt", "--text", "a"), "got both"),
        (("--text", "a", "-o", "o.csv"), "-o: expected FILES"),
        (("--text", "a", "--keep", "x"), "--keep: expected only with -o"),
        (("--text", "a", "--pattern", "("), "regular expression"),
        (("--text", "a", "--pattern", "a", "--unit", "words"), "instead of --unit"),
        (("--text", "a", "--pattern", "a", "--punctuation", "own"), "for other units than 'words'"),
        (("in.txt", "-o", "o.csv", "--json"), "got with --json"),
        (("in.csv", "-o", "o.csv", "--keep", "word"), "--keep: expected each field once"),
    ],
)
def test_what_the_verb_refuses(run: Callable[..., Ran], arguments: tuple[str, ...], says: str) -> None:
    Path("in.txt").write_text("a\n")
    Path("in.csv").write_text("text,word\na,b\n")
    ran = run(*arguments)
    assert ran.code == 2, ran.err
    assert says in ran.err
    assert ran.err.count("\n") == 1
