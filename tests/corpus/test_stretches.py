"""Stretches of a file: wherever a file is cut, the rows of the stretches are the rows of the file."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.sharded.cutting import cut
from pofx.jobs.sharded.unit import Unit

# Lines that end in other ways, blank lines, bytes that are no UTF-8, and what looks like the beginning of another format.
LINES = (
    b"the cat",
    b"",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"\xef\xbb\xbfmark",
    b"[1]",
    b"__label__a b",
    b"PK\x03\x04",
    b"a\rb",
    b'{"text": "x"}',
    b'{"text": 1}',
    b'"quoted, cell"',
    b"one,two",
    b"sep=,",
)
lines = st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n"])), max_size=30)
FORMATS: dict[str, ReadOptions] = {
    "txt": ReadOptions(format="txt"),
    "jsonl": ReadOptions(format="jsonl"),
    "fasttext": ReadOptions(format="fasttext"),
    "csv": ReadOptions(format="csv", quoting="none"),
}
HEADS = {"txt": b"first\n", "jsonl": b'{"text": "first"}\n', "fasttext": b"first\n", "csv": b"text,more\n"}


def rows(documents: Documents) -> list[Any]:
    """All rows of an input: documents, and bad rows with their reasons."""
    return [(type(i).__name__, i.id, i.line, getattr(i, "text", None), str(i)) for i in documents.items()]


def rows_of_units(documents: Documents, units: list[Unit]) -> list[Any]:
    return [
        row
        for u in units
        for row in rows(Documents((u.path,), documents.reading, keep=documents.keep, stretch=u.stretch))
    ]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=lines, mark=st.booleans(), ended=st.booleans(), n_bytes=st.integers(1, 60))
def test_the_rows_of_all_stretches_are_the_rows_of_the_file(
    tmp_path: Path, name: str, lines: list[tuple[bytes, bytes]], mark: bool, ended: bool, n_bytes: int
) -> None:
    data = HEADS[name] + b"".join(line + end for line, end in lines)
    data = (b"\xef\xbb\xbf" if mark else b"") + (data if ended else data.removesuffix(b"\n"))
    path = tmp_path / "input"
    path.write_bytes(data)
    documents = Documents((str(path),), FORMATS[name])
    units = list(cut(documents, n_bytes))
    assert rows_of_units(documents, units) == rows(documents)
    stretches = [u.stretch for u in units]
    assert all(s is not None for s in stretches)
    ends = [(s.start, s.stop) for s in stretches if s is not None]
    assert ends[0][0] == 0
    assert ends[-1][1] == len(data)
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    assert all(stop - start >= n_bytes for start, stop in ends[:-1])


CELLS = (
    b"a",
    b"",
    b'"two\nlines"',
    b'"two\r\n""lines"""',
    b'"\n\n"',
    b'say "x"',
    b'"a"b',
    b"a\rb",
    b'"',
    b"\xff",
    b"sep=,",
)


@pytest.mark.parametrize(
    ("kind", "quoting"), [("csv", None), ("csv", "minimal"), ("tsv", None), ("tsv", "minimal")]
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(
        st.tuples(st.lists(st.sampled_from(CELLS), max_size=3), st.sampled_from([b"\n", b"\r\n"])),
        max_size=12,
    ),
    head=st.sampled_from([b"text,more\n", b'\xef\xbb\xbfsep=,\n"text",more\n', b'"more\nlines",text\n']),
    ended=st.booleans(),
    n_bytes=st.integers(1, 60),
)
def test_the_rows_of_all_stretches_of_a_table_with_quotes_are_its_rows(
    tmp_path: Path,
    kind: str,
    quoting: Any,
    table: list[tuple[list[bytes], bytes]],
    head: bytes,
    ended: bool,
    n_bytes: int,
) -> None:
    comma = b"," if kind == "csv" else b"\t"
    data = head.replace(b",", comma) + b"".join(comma.join(row) + end for row, end in table)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data if ended else data.removesuffix(b"\n"))
    documents = Documents((str(path),), ReadOptions(quoting=quoting))
    assert rows_of_units(documents, list(cut(documents, n_bytes))) == rows(documents)


def test_a_table_with_quotes_has_many_units(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\n" + b'"two\nlines"\n' * 100)
    units = list(cut(Documents((str(path),)), 100))
    assert len(units) == 12
    assert {u.bytes for u in units[1:-1]} == {108}


def test_a_stretch_reads_its_own_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"line {k}\n" for k in range(1000)))
    units = list(cut(Documents((str(path),)), 2000))
    assert len(units) > 3
    with path.open("r+b") as f:  # the other stretches are gone, and this one is as before
        stretch = units[2].stretch
        assert stretch is not None
        kept = path.read_bytes()[stretch.start : stretch.stop]
        f.seek(0)
        f.write(b"x" * stretch.start)
        f.truncate(stretch.stop)
    found = list(Documents((str(path),), stretch=stretch).items())
    assert "".join(f"{i.text}\n" for i in found).encode() == kept  # type: ignore[union-attr]
    assert found[0].line == stretch.skipped + 1


@pytest.mark.parametrize("n_bytes", [1, 50, 10**9])
def test_parquet_is_cut_between_row_groups(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "a.parquet"
    texts = [None if k % 7 == 3 else f"text {k}" for k in range(50)]
    table = pa.table({"text": pa.array(texts, pa.string()), "k": list(range(50))})
    pq.write_table(table, path, row_group_size=8)
    documents = Documents((str(path),), keep=("k",))
    units = list(cut(documents, n_bytes))
    assert len(units) == (1 if n_bytes == 10**9 else 7)
    assert rows_of_units(documents, units) == rows(documents)


@pytest.mark.parametrize(
    ("name", "data", "reading"),
    [
        ("a.json", json.dumps([{"text": "a"}, {"text": "b"}]).encode(), ReadOptions()),
        ("a.txt", b"a\n\nb\n\nc\n", ReadOptions(separator="\n\n")),
        ("a.txt", b"a\nb\n", ReadOptions(split="file")),
        ("a.txt", "a\nb\n".encode("utf-16"), ReadOptions(encoding="utf-16")),
    ],
)
def test_a_file_whose_rows_are_no_lines_is_one_unit(
    tmp_path: Path, name: str, data: bytes, reading: ReadOptions
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    documents = Documents((str(path),), reading)
    (unit,) = cut(documents, 1)
    assert unit.stretch is None
    assert rows_of_units(documents, [unit]) == rows(documents)


def test_an_empty_file_has_no_unit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    assert list(cut(Documents((str(tmp_path / "a.txt"),)), 10)) == []


@pytest.mark.parametrize("name", FORMATS)
def test_units_without_hashes_have_the_same_bytes(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(HEADS[name] * 50)
    documents = Documents((str(path),), FORMATS[name])
    hashed = list(cut(documents, 40))
    assert len(hashed) > 3
    assert all(u.content for u in hashed)
    assert list(cut(documents, 40, hashed=False)) == [replace(u, content="") for u in hashed]
