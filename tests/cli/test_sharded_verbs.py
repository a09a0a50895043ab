"""Verbs that write a directory of parts: score, words and classify predict, then jobs and verify."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from command_line import Ran, process

import pofx

Run = Callable[..., Ran]
TEXTS = ["the cat", "a cat", "the end", "tea"] * 10


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("".join(f"{t}\n" for t in TEXTS))
    pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=2)), "m")
    return tmp_path


@pytest.mark.parametrize("verb", ["score", "words", "classify"])
def test_the_parts_hold_the_rows_of_the_file(run: Run, here: Path, verb: str) -> None:
    Path("b.txt").write_text("red\nblue\n" * 10)
    words = {"score": ["score"], "words": ["words"], "classify": ["classify", "predict", "c"]}[verb]
    if verb == "classify":
        assert run("classify", "train", "a=corpus.txt", "b=b.txt", "-o", "c").code == 0
    model = [] if verb == "classify" else ["-m", "m"]
    assert run(*words, "corpus.txt", *model, "-o", "rows.parquet").code == 0
    ran = run(*words, "corpus.txt", *model, "-o", "out/", "--workers", "1", "--unit-size", "50")
    assert ran.code == 0, ran.err
    assert "wrote 5 parts in out/" in ran.err
    assert ds.dataset("out/parts").to_table().to_pylist() == pq.read_table("rows.parquet").to_pylist()
    assert run("verify", "out").out == "every unit is there, once, as its record says\n"


def test_jobs_adds_up_the_records(run: Run, here: Path) -> None:
    run("score", "corpus.txt", "-m", "m", "-o", "out/", "--workers", "1", "--unit-size", "50")
    record = json.loads(run("jobs", "out", "--json").out)
    assert (record["units"], record["done"], record["totals"]["rows"]) == (5, True, 40)
    total = sum(s.total for s in pofx.score(pofx.load("m"), TEXTS))
    assert record["totals"]["nats"] == pytest.approx(total, rel=1e-13)
    assert "5 of 5 units done, 100.0% of the bytes" in run("jobs", "out").out


def test_a_fault_is_named_and_mended(run: Run, here: Path) -> None:
    score = ("score", "corpus.txt", "-m", "m", "-o", "out/", "--workers", "1", "--unit-size", "50")
    run(*score)
    part = Path("out/parts/part-0000002.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    ran = run("verify", "out", "--redo")
    assert ran.code == 1
    assert ran.out.startswith("damaged: out/parts/part-0000002.parquet: expected SHA-256 ")
    assert "1 record removed" in ran.err
    assert "going on after 4 of 5 units" in run(*score).err
    assert part.read_bytes() == whole


def refused(ran: Ran) -> str:
    assert ran.code == 2
    return ran.err


def test_options_of_units_need_a_directory(run: Run, here: Path) -> None:
    assert "--workers: expected only with a directory, -o DIR/, got without" in refused(
        run("score", "corpus.txt", "--workers", "2")
    )
    assert "--unit-size: expected only with a directory, -o DIR/, got -o rows.csv" in refused(
        run("score", "corpus.txt", "--unit-size", "1M", "-o", "rows.csv")
    )
    assert "--unit-size: expected a size in bytes, got 'much'" in refused(
        run("score", "corpus.txt", "--unit-size", "much", "-o", "out/")
    )


def test_a_directory_of_something_else_is_refused(run: Run, here: Path) -> None:
    Path("mine").mkdir()
    Path("mine/file").write_text("")
    assert "expected a new or empty directory, got one with 'file' in it" in refused(
        run("score", "corpus.txt", "-m", "m", "-o", "mine/")
    )
    assert "expected the directory of a job, got no plan.parquet in it" in refused(run("jobs", "mine"))
    assert "expected the directory of a job" in refused(run("verify", "mine"))


def test_too_many_bad_rows_are_an_error(run: Run, here: Path) -> None:
    Path("bad.jsonl").write_text('{"text": "tea"}\nno JSON\n')
    ran = run("score", "bad.jsonl", "-m", "m", "-o", "out/", "--workers", "1")
    assert "expected at most 0.10% of the rows without a score, got 1 of 2" in refused(ran)
    ran = run("score", "bad.jsonl", "-m", "m", "-o", "out/", "--max-error-rate", "0.5")
    assert ran.code == 1
    assert "1 of 2 rows without a score; the files in out/errors say why" in ran.err
    assert "1 of 2 rows without a score, in these files:" in run("jobs", "out").out


def test_standard_input_is_refused(here: Path) -> None:
    ran = process("score", "-", "-m", "m", "-o", "out/", "--quiet", cwd=here, input=b"tea\n")
    assert ran.returncode == 2
    assert b"expected files as the input of a directory of parts, got standard input or a pipe" in ran.stderr
    assert not Path("out").exists()
