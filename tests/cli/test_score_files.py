"""pofx score FILE… -o OUT: rows in four formats, in order; killed at any moment, it ends with the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pofx
from laws import laws
from pofx.cli.main import main
from pofx.corpus.writing import Column, common_kind, encode_row, kind_of_value, target_of, target_writer
from pofx.errors import BadSource, BadValue, NoBOS, NotText, PofxError
from pofx.files.journal import Journal, open_journal
from pofx.files.journal_files import part_of, progress_of
from pofx.lm.fingerprint import file_fingerprint, model_fingerprint
from pofx.lm.model import LM
from pofx.lm.trace import Trace, Want
from pofx.queries.scoring.score import Scored
from pofx.queries.scoring.stream import block_bytes, score_stream
from pofx.transforms.deterministic import deterministic
from toy import ToyLM, ToyVocab

LINES = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "a", "the cats sat"]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    for name, options in {
        "whole": {},
        "other": {"smoothing": "additive"},
        "no_begin": {"begin": False},
        "no_end": {"end": False},
        "mle": {"smoothing": "mle"},
        "chars": {"vocab": "chars"},
    }.items():
        pofx.save(pofx.fit(LINES * 4, pofx.NgramSpec(order=3, **options)), home / name)
    return home


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`pofx score …` in this process, in a directory of its own, by the model "whole"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_MODEL", str(models / "whole"))

    def call(*arguments: str, overwrite: bool = True) -> Ran:
        capsys.readouterr()
        again = ["--overwrite"] if overwrite and "-o" in arguments else []
        with pytest.raises(SystemExit) as ended:
            main(["score", *arguments, *again])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call


def records(path: str | Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> float:
        raise ValueError(name)

    text = Path(path).read_text(encoding="utf-8")
    return [json.loads(row, parse_constant=refuse) for row in text.splitlines()]


def left() -> list[str]:
    return sorted(p.name for p in Path().iterdir())


# ------------------------------------------------------------------------------------------------ rows of texts


def test_a_row_a_text_with_its_terms(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("\n".join(LINES) + "\n")
    ran = run("a.txt", "-o", "out.jsonl")
    assert (ran.code, ran.out) == (0, "")
    assert "8 documents" in ran.err
    assert "pofx: wrote out.jsonl" in ran.err
    assert left() == ["a.txt", "out.jsonl"]
    rows = records("out.jsonl")
    scored = pofx.score(pofx.load(models / "whole"), LINES)
    assert [r["id"] for r in rows] == [f"a.txt:{i}" for i in range(1, 9)]
    assert [r["text"] for r in rows] == LINES
    assert [r["total_nats"] for r in rows] == [s.total for s in scored]
    assert [r["prefix_nats"] for r in rows] == [s.prefix_total for s in scored]
    first, terms = rows[0], scored[0].terms
    assert first["bits_per_byte"] == pytest.approx(-scored[0].total / math.log(2) / 11)
    for name in ("tokens", "bytes", "begin", "begin_known", "first", "end", "dtype", "kind"):
        assert first[name] == getattr(terms, name), name
    assert first["error"] is None


def test_four_formats_hold_the_same(run: Callable[..., Ran]) -> None:
    data = [
        {"key": 1, "body": "the cat", "n": 3, "x": 1.5, "mixed": 1, "tags": ["a", "b"], "ok": True},
        {"key": 2, "body": 'a "dog", sat\r\nthere\ttoo\r', "n": 4, "x": 2, "mixed": "two", "ok": False},
        {"key": 3, "body": "", "n": None, "x": 3.5, "mixed": None, "tags": [], "ok": None},
        {"key": 4, "body": 5, "n": 7},
        {"key": 5, "body": "Ünï\rcödé ∎", "n": -1, "x": 0, "mixed": 2.5, "ok": True},
    ]
    Path("a.jsonl").write_text("".join(json.dumps(d) + "\n" for d in data))
    kept = [a for name in ("n", "x", "mixed", "tags", "ok") for a in ("--keep", name)]
    for name in ("o.jsonl", "o.csv", "o.tsv", "o.parquet", "o.jsonl.gz", "o.csv.zst"):
        ran = run("a.jsonl", "--field", "body", "--id", "key", "-o", name, *kept)
        assert ran.code == 1, ran.err
        assert "1 of 5 rows without a score; the column 'error' says why" in ran.err
    rows = records("o.jsonl")
    assert [r["id"] for r in rows] == ["1", "2", "3", "4", "5"]
    assert [r["n"] for r in rows] == [3, 4, None, 7, -1]
    assert [r["mixed"] for r in rows] == [1, "two", None, None, 2.5]
    assert rows[0]["tags"] == ["a", "b"]
    assert rows[3]["error"] == "expected a string in field 'body', found a number"
    assert rows[3]["total_nats"] is rows[3]["text"] is None
    table = pq.read_table("o.parquet")
    kinds = {f.name: str(f.type) for f in table.schema}
    assert (kinds["n"], kinds["x"], kinds["ok"]) == ("int64", "double", "bool")
    assert kinds["mixed"] == "string"  # JSON, since its values have no one type
    assert kinds["tags"].startswith("list<")
    assert (kinds["total_nats"], kinds["tokens"], kinds["first"]) == ("double", "int64", "bool")
    found = table.to_pylist()
    for row, same in zip(rows, found):
        for column, value in row.items():
            if column != "mixed":
                assert same[column] == value, column
    assert [f["mixed"] for f in found] == ["1", "two", None, None, "2.5"]
    meta = json.loads(table.schema.metadata[b"pofx"])
    assert meta["x0"] == "<s> (trained), id 257"
    for name, delimiter in (("o.csv", ","), ("o.tsv", "\t")):
        with open(name, encoding="utf-8", newline="") as f:
            cells = list(csv.DictReader(f, delimiter=delimiter, strict=True))
        assert [c["text"] for c in cells] == [r["text"] or "" for r in rows]
        assert [float(c["total_nats"]) for c in cells if c["total_nats"]] == [
            r["total_nats"] for r in rows if r["error"] is None
        ]
        assert cells[0]["ok"] == "true"
        assert cells[0]["tags"] == '["a", "b"]'
    assert gzip.decompress(Path("o.jsonl.gz").read_bytes()) == Path("o.jsonl").read_bytes()
    # What pofx writes pofx reads, packed too.
    texts = [r["text"] for r in rows if r["error"] is None]
    for name in ("o.jsonl", "o.csv", "o.tsv", "o.parquet", "o.csv.zst"):
        again = pofx.records(name, id="id", keep=["dtype"], report=lambda bad: None)
        found_texts = [d.text for d in again if d.kept == ("float64",)]
        assert found_texts == texts, name


def test_the_same_rows_make_the_same_bytes(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("\n".join(LINES) + "\n")
    for name in ("o.csv.gz", "o.csv.zst", "o.parquet", "o.jsonl"):
        run("a.txt", "-o", name)
        first = Path(name).read_bytes()
        run("a.txt", "-o", name)
        assert Path(name).read_bytes() == first, name
    assert Path("o.csv.gz").read_bytes()[4:8] == bytes(4)  # no time of day in the head


def test_a_prefix_for_each_row(run: Callable[..., Ran], models: Path) -> None:
    rows = [{"context": "the ", "text": "cat"}, {"context": "", "text": "cat"}, {"text": "cat"}]
    Path("a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    lm = pofx.load(models / "whole")
    assert run("a.jsonl", "--given-field", "context", "-o", "o.jsonl").code == 1
    found = records("o.jsonl")
    assert [r["given"] for r in found] == ["the ", "", None]
    assert found[0]["total_nats"] == pofx.log_prob(lm, "cat", given="the ")
    assert found[1]["total_nats"] == pofx.log_prob(lm, "cat")
    assert (found[0]["first"], found[1]["first"], found[0]["given_bytes"]) == (False, True, 4)
    assert "expected a field 'context'" in found[2]["error"]
    lines = run("a.jsonl", "--given-field", "context").out.splitlines()
    assert float(lines[0].split("\t")[1]) == pytest.approx(found[0]["total_nats"], abs=1e-4)
    assert run("a.jsonl", "--given", "the ", "-o", "p.jsonl").code == 0
    assert [r["given"] for r in records("p.jsonl")] == ["the "] * 3
    Path("b.csv").write_text("context,text\nthe ,cat\n")
    table = pa.table({"context": ["the "], "text": ["cat"]})
    pq.write_table(table, "c.parquet")
    for name in ("b.csv", "c.parquet"):
        run(name, "--given-field", "context", "-o", "o.jsonl")
        assert records("o.jsonl")[0]["total_nats"] == found[0]["total_nats"]
    assert "'context'" in run("b.csv", "--given-field", "text2", "-o", "x.jsonl").err


def test_without_the_texts_and_as_prefixes(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("the cat\n")
    run("a.txt", "--no-text", "--prefix", "-o", "o.jsonl")
    (row,) = records("o.jsonl")
    assert "text" not in row
    assert (row["total_nats"], row["end"]) == (None, False)
    lm = pofx.load(models / "whole")
    assert row["prefix_nats"] == pofx.prefix_log_prob(lm, "the cat")
    assert row["bits_per_byte"] == pytest.approx(-row["prefix_nats"] / math.log(2) / 7)


def test_minus_infinity_is_a_number(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("zz\nthe cat\n")
    for name in ("o.jsonl", "o.csv", "o.parquet"):
        assert run("a.txt", "-m", str(models / "mle"), "-o", name).code == 0
    assert records("o.jsonl")[0]["total_nats"] == "-inf"
    assert pq.read_table("o.parquet")["total_nats"][0].as_py() == -math.inf
    assert ",-inf,-inf,inf," in Path("o.csv").read_text()
    run("a.txt", "-m", str(models / "mle"), "--per", "token", "-k", "300", "-o", "t.parquet")
    top = pq.read_table("t.parquet").to_pylist()[0]
    assert len(top["top_ids"]) == len(set(top["top_ids"])) == 257
    assert top["top_nats"][-1] == -math.inf


# ----------------------------------------------------------------------------------------------- rows of tokens


def test_a_row_a_token(run: Callable[..., Ran], models: Path) -> None:
    texts = ["the cat", "", "né"]
    Path("a.jsonl").write_text(
        "".join(json.dumps({"text": t, "label": k}) + "\n" for k, t in enumerate(texts))
    )
    extra = ["--per", "token", "-k", "3", "--entropy", "--rank", "--keep", "label"]
    for name in ("o.jsonl", "o.parquet", "o.csv"):
        assert run("a.jsonl", "-o", name, *extra).code == 0
    rows = records("o.jsonl")
    scored = pofx.score(pofx.load(models / "whole"), texts, want=Want(entropy=True, rank=True, top=3))
    flat = [(s, k) for s in scored for k in range(len(s.logp))]
    assert len(rows) == len(flat) == 8 + 1 + 4
    for row, (s, k) in zip(rows, flat):
        assert row["index"] == k
        assert row["nats"] == s.logp[k]
        assert row["surprisal_bits"] == pytest.approx(-s.logp[k] / math.log(2))
        assert row["seen"] == s.seen[k]
        assert s.entropy is not None
        assert s.rank is not None
        assert s.top_ids is not None
        assert s.top_logp is not None
        assert (row["entropy_nats"], row["rank"]) == (s.entropy[k], s.rank[k])
        assert row["top_ids"] == s.top_ids[k].tolist()
        assert row["top_nats"] == s.top_logp[k].tolist()
        data = str(s.text).encode()
        if k < len(s.tokens):
            assert (row["token_id"], [row["start"], row["end"]]) == (s.tokens[k], s.spans[k].tolist())
            assert row["token"] == data[row["start"] : row["end"]].decode("utf-8", "backslashreplace")
        else:
            assert (row["token_id"], row["token"], row["start"], row["end"]) == (
                256,
                "EOS",
                len(data),
                len(data),
            )
    assert [r["label"] for r in rows] == [0] * 8 + [1] + [2] * 4
    assert pq.read_table("o.parquet").to_pylist() == rows
    with open("o.csv", newline="") as f:
        cells = list(csv.DictReader(f))
    assert [json.loads(c["top_nats"]) for c in cells] == [r["top_nats"] for r in rows]
    assert [json.loads(c["top_tokens"]) for c in cells] == [r["top_tokens"] for r in rows]
    run("a.jsonl", "-o", "p.jsonl", "--per", "token", "--prefix")
    assert [r["token"] for r in records("p.jsonl")] == [*list("the cat"), "n", "\\xc3", "\\xa9"]


def test_a_bad_row_among_tokens(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("the\nΩ\ncat\n", encoding="utf-8")
    for top in ([], ["-k", "2"]):
        assert run("a.txt", "-m", str(models / "chars"), "--per", "token", "-o", "o.jsonl", *top).code == 1
        rows = records("o.jsonl")
        assert {tuple(r) for r in rows} == {tuple(rows[0])}
        (bad,) = [r for r in rows if r["error"]]
        assert bad["id"] == "a.txt:2"
        assert bad["error"].startswith("NotText: expected one of the ")
        assert set(bad.values()) == {"a.txt:2", bad["error"], None}
        assert len(rows) == 4 + 1 + 4


# ----------------------------------------------------------------------------------------- what is wrong with a row


def test_what_is_wrong_with_a_row_stands_in_it(run: Callable[..., Ran], models: Path) -> None:
    rows = [{"g": "the", "text": " cat"}, {"g": "zz", "text": "a"}, {"g": "the", "text": " end"}]
    Path("a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert run("a.jsonl", "--given-field", "g", "-m", str(models / "mle"), "-o", "o.jsonl").code == 1
    found = records("o.jsonl")
    lm = pofx.load(models / "mle")
    assert [r["total_nats"] for r in found] == [
        pofx.log_prob(lm, " cat", given="the"),
        None,
        pofx.log_prob(lm, " end", given="the"),
    ]
    assert found[1]["error"].startswith("Impossible: expected a prefix of positive probability")
    assert found[1]["text"] == "a"
    rows[1]["g"] = ""
    Path("a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert run("a.jsonl", "--given-field", "g", "-m", str(models / "no_begin"), "-o", "o.jsonl").code == 1
    assert [(r["error"] or "")[:6] for r in records("o.jsonl")] == ["", "NoBOS:", ""]


def test_bad_rows_of_a_file_keep_their_place(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_bytes(b"\xff\ngood\n\nb\xffd\n\xfe\nalso\nlast\xff\n")
    assert run("a.txt", "-o", "o.jsonl").code == 1
    assert [(r["id"], r["error"] is None) for r in records("o.jsonl")] == [
        ("a.txt:1", False),
        ("a.txt:2", True),
        ("a.txt:4", False),
        ("a.txt:5", False),
        ("a.txt:6", True),
        ("a.txt:7", False),
    ]


def test_kept_fields_that_no_utf8_spells(run: Callable[..., Ran]) -> None:
    Path("a.jsonl").write_text(
        '{"text": "a", "k": "x\\ud800y", "d": {"\\udc80": [NaN, Infinity]}, "big": 1e400}\n'
    )
    for name in ("o.jsonl", "o.parquet", "o.csv"):
        assert run("a.jsonl", "--keep", "k", "--keep", "d", "--keep", "big", "-o", name).code == 0
    (row,) = records("o.jsonl")
    assert (row["k"], row["d"], row["big"]) == ("x\\ud800y", {"\\udc80": [None, "inf"]}, "inf")
    assert pq.read_table("o.parquet")["k"][0].as_py() == "x\\ud800y"


REFUSED: dict[str, tuple[list[str], str]] = {
    "an ending": (["a.txt", "-o", "o.txt"], "ends in .jsonl, .csv or .tsv"),
    "no ending": (["a.txt", "-o", "out"], "found no ending"),
    "a packed Parquet": (["a.txt", "-o", "o.parquet.gz"], "found .parquet.gz"),
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
    "a column twice": (["b.jsonl", "-o", "o.csv", "--keep", "text"], "found 'text'; rename"),
    "kept twice": (["b.jsonl", "-o", "o.csv", "--keep", "n", "--keep", "n"], "found 'n'"),
    "a field of lines": (
        ["a.txt", "-o", "o.csv", "--keep", "n"],
        "expected files with fields (jsonl, json, csv, tsv, parquet), found txt",
    ),
    "no such column": (["c.csv", "-o", "o.csv", "--keep", "n"], "expected one column 'n'"),
    "two prefixes": (["b.jsonl", "-o", "o.csv", "--given", "a", "--given-field", "n"], "found both"),
    "a prefix field of a text": (["--text", "a", "--given-field", "n"], "condition it with --given"),
    "no x0": (["a.txt", "-o", "o.csv", "-m", "no_begin"], "p(x1 | x0)"),
    "no EOS": (["a.txt", "-o", "o.csv", "-m", "no_end"], "--prefix"),
    "nothing to score": (["empty.txt", "-o", "o.csv"], "expected at least one document, found none"),
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
    Path("cut.txt.gz").write_bytes(gzip.compress(os.urandom(99))[:60])
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


# ---------------------------------------------------------------------------------------------------- streaming


def texts_of(block: Sequence[tuple[Any, Scored | PofxError]]) -> list[Any]:
    return [item for item, _ in block]


def test_blocks_are_bounded_and_depend_on_the_items_alone() -> None:
    lm = ToyLM()
    texts = ["abc" * (1 + i % 5) for i in range(60)]
    ask = lambda t: (t, "")  # noqa: E731
    blocks = list(score_stream(lm, texts, ask, texts=7, n_bytes=40))
    assert [t for b in blocks for t in texts_of(b)] == texts
    assert max(map(len, blocks)) <= 7
    assert all(sum(map(len, texts_of(b))) <= 40 for b in blocks)
    assert any(sum(map(len, texts_of(a))) + len(texts_of(b)[0]) > 40 for a, b in itertools.pairwise(blocks))
    done = sum(map(len, blocks[:3]))
    again = list(score_stream(lm, texts[done:], ask, texts=7, n_bytes=40))
    assert [texts_of(b) for b in again] == [texts_of(b) for b in blocks[3:]]
    huge = list(score_stream(lm, ["a", "b" * 500, "c"], ask, n_bytes=40))
    assert [texts_of(b) for b in huge] == [["a"], ["b" * 500], ["c"]]
    prefix = "c" * 30
    shared = list(score_stream(lm, ["a"] * 9, lambda t: (t, prefix), n_bytes=40))
    assert [len(b) for b in shared] == [9]  # a prefix counts once
    assert list(score_stream(lm, [], ask)) == []
    with pytest.raises(BadValue, match="texts|n_bytes"):
        next(score_stream(lm, texts, ask, texts=0))


def test_a_stream_is_read_no_further_than_a_block() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "abc"

    stream = score_stream(ToyLM(), endless(), lambda t: (t, ""), texts=10)
    for k in range(1, 5):
        block = next(stream)
        assert len(block) == 10
        assert read <= 10 * k + 1


class Picky(ToyVocab):
    """Refuses a text with a d, as a vocabulary of subwords may."""

    def encode(self, text: str | bytes) -> list[int]:
        if "d" in str(text):
            raise NotText(f"a d in {text!r}")
        return super().encode(text)


@pytest.mark.parametrize("bad", [set(), {0}, {7}, {3, 4}, {0, 2, 4, 6}, set(range(8))])
def test_one_bad_text_loses_no_other(bad: set[int]) -> None:
    lm = ToyLM(Picky())
    texts = [f"{'d' if i in bad else 'a'}{'abc' * (i % 3)}" for i in range(8)]
    ((*block,),) = score_stream(lm, texts, lambda t: (t, ""))
    assert texts_of(block) == texts
    for i, (text, found) in enumerate(block):
        if i in bad:
            assert isinstance(found, NotText)
            assert repr(text) in str(found)
        else:
            assert isinstance(found, Scored)
            assert found.total == pytest.approx(pofx.log_prob(ToyLM(), text), abs=1e-12)


def test_few_bad_texts_cost_few_passes() -> None:
    class Counting(ToyLM):
        calls = 0

        def forward(self, *arguments: Any) -> Trace:
            Counting.calls += 1
            return super().forward(*arguments)

    texts = ["d" if i == 300 else "abc" for i in range(512)]
    ((*block,),) = score_stream(Counting(Picky()), texts, lambda t: (t, ""))
    assert sum(isinstance(found, Scored) for _, found in block) == 511
    assert Counting.calls <= 9  # log2 512


def test_an_error_of_an_item_and_of_the_source() -> None:
    def items() -> Iterator[str]:
        yield from ["a", "b", "c"]
        raise BadSource("it breaks off")

    def ask(text: str) -> tuple[str, str] | PofxError:
        return BadValue("not b") if text == "b" else (text, "\ud800" if text == "c" else "")

    stream = score_stream(ToyLM(), items(), ask)
    (a, b, c) = next(stream)
    assert isinstance(a[1], Scored)
    assert isinstance(b[1], BadValue)
    assert isinstance(c[1], NotText)
    with pytest.raises(BadSource, match="it breaks off"):
        next(stream)


def test_without_x0_each_text_is_refused() -> None:
    ((*block,),) = score_stream(ToyLM(begin=False), ["a", "b"], lambda t: (t, "a" if t == "b" else ""))
    assert isinstance(block[0][1], NoBOS)
    assert isinstance(block[1][1], Scored)


# -------------------------------------------------------------------------------------------------- deterministic


class Company(ToyLM):
    """Its last digits depend on how many texts are scored together, as those of a matrix product do."""

    def forward(self, paths: Any, want: Want = Want(), skip: Any = 0) -> Trace:
        trace = super().forward(paths, want, skip)
        return Trace(tuple(a + 1e-12 * (len(paths) - 1) for a in trace.logp), trace.entropy, trace.rank)


def test_deterministic_is_bit_equal_in_any_company() -> None:
    texts = ["abc", "", "cab", "abcabc", "b"]
    plain, alone = Company(), deterministic(Company())

    def values(lm: LM, some: list[str]) -> list[list[float]]:
        return [s.logp.tolist() for s in pofx.score(lm, some, want=Want(entropy=True, rank=True))]

    one_by_one = [values(alone, [t])[0] for t in texts]
    assert values(alone, texts) == one_by_one
    assert values(alone, texts[::-1]) == one_by_one[::-1]
    assert values(plain, texts) != one_by_one  # or nothing was tested
    assert values(alone, []) == []
    assert deterministic(alone) is alone


def test_deterministic_obeys_the_laws() -> None:
    laws(deterministic(ToyLM()))
    lm = deterministic(pofx.fit(LINES, pofx.NgramSpec(order=3)))
    assert lm.termination([1]) is not None
    assert lm.seen(5).tolist() == [1, 2, 2, 2, 2]
    core = deterministic(ToyLM(begin=False)).bare()
    assert core is not None
    assert core.begin.known == "none"
    assert deterministic(ToyLM()).bare() is None
    with pytest.raises(ValueError, match="one number a path"):
        lm.forward([[1], [2]], skip=[0])


def test_deterministic_transformer(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=16, epochs=0.1, seed=1)
    lm = deterministic(pofx.fit(LINES, spec))
    texts = [*LINES, "a" * 60, ""]
    together = pofx.score(lm, texts)
    for text, s in zip(texts, together):
        assert pofx.score(lm, [text])[0].logp.tobytes() == s.logp.tobytes()
    assert [s.logp.tobytes() for s in pofx.score(lm, texts[::-1])] == [
        s.logp.tobytes() for s in together[::-1]
    ]


def test_deterministic_on_the_command_line(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("the cat\na\n")
    assert run("a.txt", "--deterministic").out == run("a.txt").out


# -------------------------------------------------------------------------------------- killed, and taken up again

# pofx with every pass made slow, so that a kill finds it at work, and a checkpoint behind every block.
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
    assert items_done("o.parquet") in (-1, 0)  # killed before the run had claimed its name, or behind that
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
    assert b"rows are kept in o.jsonl.part; they cannot be resumed" in err.splitlines()[1]
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
        assert (b"move them away, or start over (--fresh)" in ran.stderr) == (code_ == 2)
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
        (b"", "found no JSON"),
        (b"no json", "found no JSON"),
        (b"[" * 100_000, "found JSON nested too deeply"),
        (b"[1]", "found an array"),
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
    assert "found fewer" in run("a.jsonl", "-o", "o.jsonl").err
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
        assert "another run that is writing it" in ran.err
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert [r["text"] for r in records("o.jsonl")] == MANY


# ------------------------------------------------------------------------------------------------ journal and files


def test_a_journal_counts_only_what_was_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.files.journal.SECONDS", 1e9)
    target = tmp_path / "o.jsonl"
    journal = open_journal(target, {"a": 1}, {}, {"n": 0}, fresh=False)
    journal.append(b"1\n", {"n": 1})
    journal.checkpoint()
    journal.append(b"2\n", {"n": 2})
    journal.close()
    again = open_journal(target, {"a": 1}, {}, {"n": 0}, fresh=False)
    assert (again.saved.state, again.saved.offset) == ({"n": 1}, 2)
    again.append(b"two\n", {"n": 2})
    again.finish(None)
    assert target.read_bytes() == b"1\ntwo\n"
    assert [p.name for p in tmp_path.iterdir()] == ["o.jsonl"]


def test_a_file_that_cannot_be_made_leaves_the_rows(tmp_path: Path) -> None:
    target = tmp_path / "o.csv"
    journal: Journal = open_journal(target, {}, {}, {}, fresh=False)
    journal.append(b"1\n", {"n": 1})

    def fails(rows: Path, new: Path) -> None:
        new.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BadSource, match="No space .* is kept in .*o.csv.part"):
        journal.finish(fails)
    journal.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.csv.part", "o.csv.progress"]
    again = open_journal(target, {}, {}, {}, fresh=False)
    again.close()
    assert again.saved.state == {"n": 1}
    assert (part_of(target).name, progress_of(target).name) == ("o.csv.part", "o.csv.progress")


def test_row_groups_depend_on_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.corpus.writing.GROUP_ROWS", 10)
    monkeypatch.setattr("pofx.corpus.writing.GROUP_BYTES", 400)
    rows = tmp_path / "rows"
    values = [{"a": "x" * (i % 7) * 10, "n": i} for i in range(57)]
    rows.write_bytes(b"".join(map(encode_row, values)))
    make = target_writer(target_of(tmp_path / "o.parquet"), [Column("a", "text"), Column("n", "int")], {})
    assert make is not None
    make(rows, tmp_path / "o.parquet")
    file = pq.ParquetFile(tmp_path / "o.parquet")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(sizes) == 57
    assert max(sizes) <= 10
    assert min(sizes[:-1]) < 10
    assert file.read().to_pylist() == values


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path: Path, texts: list[str]) -> None:
    rows = tmp_path / "rows"
    rows.write_bytes(b"".join(encode_row({"id": str(k), "text": t}) for k, t in enumerate(texts)))
    for name in ("o.csv", "o.tsv.gz", "o.parquet"):
        make = target_writer(target_of(tmp_path / name), [Column("id", "text"), Column("text", "text")], {})
        assert make is not None
        make(rows, tmp_path / name)
        found = [(d.id, d.text) for d in pofx.records(tmp_path / name, id="id")]
        assert found == [(str(k), t) for k, t in enumerate(texts)], name


def test_lines_are_strict_json() -> None:
    row = {
        "a": math.nan,
        "b": [math.inf, (1, -math.inf)],
        "c": {"d": math.nan},
        "e": "\udc80é",
        "f": np.float64(2),
    }
    data = encode_row(row).decode()
    assert data == '{"a": null, "b": ["inf", [1, "-inf"]], "c": {"d": null}, "e": "\\\\udc80é", "f": 2.0}\n'
    assert json.loads(encode_row({"a": b"ab\xff"})) == {
        "a": "ab\\xff"
    }  # the text of bytes, as in the column of texts


def test_kinds_of_kept_columns() -> None:
    for values, kind in (
        ([], "text"),
        ([None], "text"),
        (["a", None], "text"),
        ([1, None, -5], "int"),
        ([1, 2.5], "float"),
        ([True, False], "bool"),
        ([True, 1], "any"),
        (["a", 1], "any"),
        ([2**63], "any"),
        ([[1], []], "ints"),
        ([[], None], "texts"),
        ([[1], [2.5, None]], "floats"),
        ([["a"], ["b", "c"]], "texts"),
        ([[True]], "bools"),
        ([[1, "a"]], "any"),
        ([[1], ["a"]], "any"),
        ([[], 1], "any"),
        ([[[1]]], "any"),
        ([{"a": 1}], "any"),
    ):
        assert common_kind([kind_of_value(v) for v in values]) == kind, values


def test_fingerprints(models: Path, tmp_path: Path) -> None:
    whole = pofx.load(models / "whole")
    parts = model_fingerprint(whole, "w")
    assert parts["model"] == whole.fingerprint or "w"
    assert (parts["x0"], parts["EOS"], parts["dtype"]) == ("<s> (trained), id 257", "id 256", "float64")
    assert model_fingerprint(pofx.load(models / "no_end"), "w")["EOS"] == "none"
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x" * 100)
    b.write_bytes(b"x" * 99 + b"y")
    assert file_fingerprint(a).startswith("100 bytes, blake2b ")
    assert file_fingerprint(a) != file_fingerprint(b)
    b.write_bytes(b"x" * 100)
    assert file_fingerprint(a) == file_fingerprint(b)
    with pytest.raises(BadSource, match="expected a readable file"):
        file_fingerprint(tmp_path)


# ------------------------------------------------------------------------------------------------------- progress


def test_progress_where_a_person_looks(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    Path("a.txt").write_text("\n".join(MANY) + "\n")
    for extra in ([], ["--quiet"]):
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", screen)
            with pytest.raises(SystemExit):
                main(["score", "a.txt", "-o", "o.csv", "--overwrite", *extra])
        shown = screen.getvalue()
        assert ("tokens/s" in shown) == (not extra)
        assert (" left" in shown) == (not extra)
        assert ("on 1 core" in shown or "cores" in shown) == (not extra)
    assert "tokens/s" not in run("a.txt", "-o", "o.csv").err


def test_blocks_of_a_larger_model_are_smaller() -> None:
    """Of the model's size alone: 5 s of 80 GFLOP/s, two operations a product, four bytes a token."""
    lm = ToyLM()
    sizes = []
    for lm.work in (0, 10**5, 135 * 10**6, 10**9, 10**12):
        sizes.append(block_bytes(lm))
        n = 30 if sizes[-1] < 1000 else 2500  # more than a block, of texts of 30 bytes
        found = [sum(map(len, texts_of(b))) for b in score_stream(lm, ["abc" * 10] * n, lambda t: (t, ""))]
        assert sum(found) == 30 * n
        assert len(found) > 1
        assert max(found) <= sizes[-1]
    assert sizes == [1 << 16, 1 << 16, 5925, 800, 256]
    for put_around in (deterministic, lambda lm: pofx.given(lm, "a")):
        assert put_around(lm).work == lm.work  # type: ignore[no-untyped-call]
