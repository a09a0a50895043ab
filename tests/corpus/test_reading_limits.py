"""Files that ask for more than they look like: packed bombs, endless lines, claims, and what breaks off."""

from __future__ import annotations

import gzip
import io
import os
import resource
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pofx.corpus.documents import documents, records
from pofx.errors import BadSource, BadValue
from pofx.files import limits
from pofx.files.limits import parse_size
from refusals import decided, refusal

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")

# What a file may unfold to in these tests before its ratio counts: a sixteenth of what is allowed outside.
FLOOR = 1 << 20
MANY = 3 * FLOOR


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FLOOR", FLOOR)


def read(path: Path, **options: Any) -> list[str]:
    return list(documents(path, **options))


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 9)


def zst(data: bytes) -> bytes:
    return zstandard.compress(data)  # type: ignore[no-any-return]


def packed(how: Callable[[bytes], bytes], name: str, data: bytes) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        (place / name).write_bytes(how(data))
        return place / name

    return write


def one_text_in_many_rows(place: Path) -> Path:
    once = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array(["x" * 10**5]))
    pq.write_table(pa.table({"text": once}), place / "a.parquet", compression="zstd")
    return place / "a.parquet"


def one_long_text(place: Path) -> Path:
    table = pa.table({"text": ["x" * MANY]})
    pq.write_table(table, place / "a.parquet", compression="zstd", use_dictionary=False)
    return place / "a.parquet"


def a_footer_that_lies(place: Path) -> Path:
    """The footer says 8 bytes where the page says what it unfolds to."""

    def coded(n: int) -> bytes:
        out, n = b"", 2 * n
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])

    path = one_long_text(place)
    true = coded(pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size)
    lie = b"\x90" + b"\x80" * (len(true) - 2) + b"\0"
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:footer] + data[footer:].replace(true, lie))
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size == 8
    return path


def many_nulls(place: Path) -> Path:
    pq.write_table(pa.table({"text": pa.nulls(MANY // 8)}), place / "a.parquet")
    return place / "a.parquet"


def middling_texts(place: Path) -> Path:
    """Texts none of which shows by itself how far the file unfolds."""
    table = pa.table({"text": ["x" * 1000] * (MANY // 1000)})
    pq.write_table(table, place / "a.parquet", compression="zstd")
    return place / "a.parquet"


BOMBS = {
    "one line, gz": packed(gz, "a.txt.gz", b"a" * MANY),
    "many lines, gz": packed(gz, "a.txt.gz", b"a\n" * (MANY // 2)),
    "blank lines, zst": packed(zst, "a.txt.zst", b"\n" * MANY),
    "one line, zst": packed(zst, "a.txt.zst", b"a" * MANY),
    "rows, zst": packed(zst, "a.jsonl.zst", b'{"text": "a"}\n' * (MANY // 14)),
    "an array, gz": packed(gz, "a.json.gz", b"[" + (b'{"text": "' + b"a" * 50 + b'"},') * (MANY // 63)),
    "cells, gz": packed(gz, "a.csv.gz", b"text\n" + (b"a" * 31 + b"\n") * (MANY // 32)),
    "a text in many rows": one_text_in_many_rows,
    "a long text": one_long_text,
    "middling texts": middling_texts,
    "many nulls": many_nulls,
    "a footer that lies": a_footer_that_lies,
}


@pytest.mark.thorough
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_once_and_read_on_request(tmp_path: Path, small: None, bomb: str) -> None:
    path = BOMBS[bomb](tmp_path)
    pool = pa.system_memory_pool()
    before, pa_before = pa.default_memory_pool(), pool.max_memory() or 0
    pa.set_memory_pool(pool)
    tracemalloc.start()

    def taken() -> int:
        return (pool.max_memory() or 0) - pa_before

    try:
        said = refusal(path, lambda p: records(p).look())  # before a model is loaded, and a row is read
        assert tracemalloc.get_traced_memory()[1] < 16 * FLOOR
        if path.suffix == ".parquet":
            assert taken() < MANY  # a page that is unpacked takes all of it
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert "expected at most 200 bytes for each byte of the packed file" in said
    assert "max_expansion=1e9" in said
    with pytest.raises(BadSource, match="max_expansion=1e9"):
        for _ in documents(path, report=lambda bad: None):
            pass
    # Where the caller says so, the same bytes are a corpus.
    some = iter(documents(path, report=lambda bad: None, max_expansion=1e9, max_document=10**9))
    records(path, max_expansion=1e9, max_document=10**9).look()
    if "blank" not in bomb and "null" not in bomb and "array" not in bomb:
        assert set(next(some)) <= set("ax")


def test_common_files_are_far_from_the_limit(tmp_path: Path, small: None) -> None:
    """What a program writes for years: a log of one kind of line."""
    lines = [f"{k:09d} GET /index.html?user={k * 7919 % 10007} 200 {k * k % 99991}" for k in range(40_000)]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 9))
    assert os.path.getsize(tmp_path / "a.txt.gz") * 20 > len("\n".join(lines)) > FLOOR
    records(tmp_path / "a.txt.gz").look()
    assert sum(1 for _ in documents(tmp_path / "a.txt.gz")) == 40_000


LONG = {
    "txt": b"short\n" + b"a" * 2000 + b"\nx\n",
    "jsonl": b'{"text": "short"}\n{"text": "' + b"a" * 2000 + b'"}\n',
    "json": b'[{"text": "short"}, {"text": "' + b"a" * 2000 + b'"}]',
    "csv": b"text,n\nshort,1\n" + b"a" * 2000 + b",1\n",
    "tsv": b'text\tn\nshort\t1\n"' + b"a b\n" * 500 + b'"\t1\n',
    "fasttext": b"__label__a short\n__label__b " + b"a" * 2000,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_longer_document_is_refused_behind_those_before(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(LONG[kind])
    found: list[str] = []
    with pytest.raises(BadSource, match=r"expected a document of at most 1,000 bytes.*max_document=10\*\*9"):
        found.extend(documents(path, max_document=1000))
    # Lines of text come by the block, and a block with a line that is too long does not.
    assert found == ["short"] or (kind == "txt" and not found)
    assert [len(t) for t in documents(path, max_document=2100)][:2] == [5, 2000]


@pytest.mark.filterwarnings("ignore:separator")
@pytest.mark.parametrize("options", [{"split": "file"}, {"separator": "##"}])
def test_long_files_and_pieces(tmp_path: Path, options: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 2000)
    with pytest.raises(BadSource, match="at most 1,999 bytes"):
        read(path, max_document=1999, **options) or read(path, max_document=100, **options)
    assert read(path, max_document=2000, **options) == ["a" * 2000]


ENDLESS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from pofx.corpus.documents import documents
for kind in ("txt", "jsonl", "json", "csv", "tsv", "fasttext"):
    try:
        next(iter(documents(sys.argv[1], format=kind, encoding="utf-8", report=lambda bad: None)))
    except Exception as e:
        print(type(e).__name__, e)
"""


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file on this system")
def test_an_endless_line_takes_little_memory(tmp_path: Path) -> None:
    """/dev/zero, in a process that may have 1 GB in all."""
    ran = subprocess.run(
        [sys.executable, "-c", ENDLESS, "/dev/zero"], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert len(said) == 6
    assert sum("BadSource" in line for line in said) == 6, said
    assert resource.RLIMIT_AS


def test_a_million_of_one_character(tmp_path: Path) -> None:
    for c in "a", '"', "\t", "[", "{", "\u0301", "\0", "\r":
        text = c * 10**6
        for kind in ("txt", "jsonl", "json", "csv", "tsv", "fasttext"):
            path = tmp_path / f"a.{kind}"
            path.write_text(text, encoding="utf-8", newline="")
            found = decided(
                lambda path=path: list(documents(path, report=lambda bad: None, encoding="utf-8"))
            )
            assert found in (None, [], [text], [text[:-1]]), (c, kind)  # a last \r may end the line
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["\u0301" * 10**6]}), path)
    assert read(path) == ["\u0301" * 10**6]


def test_claims_of_zstandard(tmp_path: Path) -> None:
    """A frame of three bytes that claims a window of 2^41 bytes, and an empty one that claims to hold 2^60."""
    window = struct.pack("<IBB", 0xFD2FB528, 0x00, 31 << 3) + b"\x01\x00\x00"
    said = refusal(packed(bytes, "a.txt.zst", window)(tmp_path), read)
    assert "128 MiB" in said
    assert "pack the file again" in said
    head = struct.pack("<IB", 0xFD2FB528, 0xC0) + bytes([10 << 3]) + struct.pack("<Q", 2**60)
    assert read(packed(bytes, "b.txt.zst", head + b"\x01\x00\x00")(tmp_path)) == []


@pytest.mark.parametrize("kind", ["gz", "zst", "parquet"])
def test_every_cut_of_a_packed_table_is_noticed(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.table({"text": ["some", "text"] * 20}), sink)
        whole, name = sink.getvalue(), "a.parquet"
    else:
        rows = "".join(f'{{"text": "row {k}"}}\n' for k in range(50)).encode()
        whole, name = {"gz": gz, "zst": zst}[kind](rows), f"a.jsonl.{kind}"
    for n in range(1, len(whole), 7):
        said = refusal(packed(bytes, name, whole[:n])(tmp_path), read)
        assert "expected" in said


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("500", 500), ("64M", 64 * 10**6), ("1.5G", 15 * 10**8), (" 2 kb", 2000), ("1T", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1e9", "5 X", "9" * 99, "nan", "inf", "\u0661"])
def test_sizes_that_are_none(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "1G", float("nan")])
def test_limits_that_are_none(value: Any) -> None:
    with pytest.raises(BadValue, match="max_document"):
        documents("-", max_document=value)
    if value != 1.5:
        with pytest.raises(BadValue, match="max_expansion"):
            documents("-", max_expansion=value)
