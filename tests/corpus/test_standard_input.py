"""Documents from standard input, and formats that the caller names."""

from __future__ import annotations

import gzip
import sys

import pytest
from corpus_files import encoded, put, read, stdin

from pofx.corpus.documents import documents, records
from pofx.errors import BadSource

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


def test_stdin_is_lines_once(monkeypatch, tmp_path):
    stdin(monkeypatch, b"a\n\nb")
    files = documents("-", put(tmp_path / "a.txt", "c"))
    assert list(files) == ["a", "b", "c"]
    assert not sys.stdin.buffer.closed
    with pytest.raises(BadSource, match="expected one reading, got a second one"):
        list(files)


def test_stdin_in_another_format(monkeypatch):
    stdin(monkeypatch, encoded("jsonl", ["a", "b"]))
    assert [d.id for d in records("-", format="jsonl")] == ["stdin:1", "stdin:2"]
    stdin(monkeypatch, gzip.compress(encoded("csv", ["a", "b"])))
    assert list(documents("-", format="csv.gz")) == ["a", "b"]
    with pytest.raises(BadSource, match="save the stream to a file"):
        documents("-", format="parquet")


def test_no_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadSource, match="stdin"):
        list(documents("-"))


def test_format_overrules_the_ending_but_not_the_packing(tmp_path):
    assert read(put(tmp_path / "a.dat", encoded("csv", ["x"])), format="csv")[0] == ["x"]
    assert read(put(tmp_path / "a.LOG.GZ", gzip.compress(b"x\n")), format="txt")[0] == ["x"]
    assert read(put(tmp_path / "a.TXT", b"x\n"))[0] == ["x"]
