"""pofx score FILE… -o OUT: rows in four formats, in order."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import Ran
from rows_on_disk import LINES, left, records

import pofx
from pofx.lm.trace import Want

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
    assert (
        rows[3]["error"]
        == "expected a string in field 'body', got a number; mend the row, or name another field (--field)"
    )
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
