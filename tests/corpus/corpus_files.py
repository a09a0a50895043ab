"""Corpus files that tests write and read back, in every format."""

from __future__ import annotations

import bz2
import csv
import functools
import gzip
import io
import json
import lzma
import sys
from pathlib import Path

import pytest

from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import documents

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")

TEXTS = ["The cat sat.", "naïve café 猫", "a\u2028b\x0bc\x1cd\x00e\rf", " spaces ", 'a, "quoted" one']


def put(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(*paths, **options):
    """The documents, and the bad rows as `report` was told of them; the counts must agree with both."""
    told: list[BadRow] = []
    files = documents(*paths, report=told.append, **options)
    found = list(files)
    assert (files.n, files.n_bad, files.bad) == (len(found), len(told), told[:100])
    return found, told


def encoded(kind: str, texts: list[str]) -> bytes:
    if kind == "txt":
        return "".join(t + "\n" for t in texts).encode()
    if kind in ("jsonl", "ndjson"):
        return "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)).encode()
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.table({"id": list(range(len(texts))), "text": texts}), sink)
        return sink.getvalue()
    sink = io.StringIO()
    table = csv.writer(sink, delimiter="\t" if kind == "tsv" else ",")
    table.writerows([["id", "text"], *enumerate(texts)])
    return sink.getvalue().encode()


PACK = {
    "": lambda b: b,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": functools.partial(bz2.compress, compresslevel=1),
    ".xz": lzma.compress,
}
KINDS = [(k, p) for k in ("txt", "jsonl", "ndjson", "csv", "tsv") for p in PACK] + [("parquet", "")]


def stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
