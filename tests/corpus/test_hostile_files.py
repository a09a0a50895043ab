"""Files that are huge, damaged or packed by mistake are read in constant memory, or refused."""

from __future__ import annotations

import csv
import gzip
import random
import time
import tracemalloc

import pytest
from corpus_files import PACK, encoded, put, read

from pofx.corpus.documents import documents
from pofx.errors import BadSource

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_one_enormous_line(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", encoded(kind, ["é" * 2_000_000, "b"]))
    start = time.perf_counter()
    assert [len(t) for t in documents(path)] == [2_000_000, 1]
    assert time.perf_counter() - start < 60  # quadratic copying would take minutes


def test_one_enormous_piece(tmp_path):
    path = put(tmp_path / "a.txt", b"a" * 10_000_000 + b"##b")
    assert [len(t) for t in documents(path, separator="##")] == [10_000_000, 1]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".bz2", ".xz"])
def test_memory_is_constant(tmp_path, packing):
    path = put(tmp_path / f"a.txt{packing}", PACK[packing]((b"x" * 9999 + b"\n") * 3000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in documents(path, max_expansion=1e6)) == 3000
        assert tracemalloc.get_traced_memory()[1] < 25e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", [".gz", ".zst", ".bz2", ".xz"])
@pytest.mark.parametrize("separator", [None, "\n"])
def test_a_packed_file_that_breaks_off(tmp_path, packing, separator):
    noise = random.Random(0)
    lines = ["".join(noise.choices("abcdefgh", k=70)) for _ in range(10_000)]
    whole = PACK[packing](("\n".join(lines) + "\n").encode())
    path = put(tmp_path / f"a.txt{packing}", whole[: len(whole) // 2])
    found = []
    with pytest.raises(BadSource, match=r"a\.txt\.(gz|zst|bz2|xz): expected a whole .* breaks off"):
        found.extend(documents(path, separator=separator))
    assert found == lines[: len(found)]
    assert len(found) > 3_000


def test_every_cut_of_a_packed_file_is_noticed(tmp_path):
    for packing in (".gz", ".zst", ".bz2", ".xz"):
        whole = PACK[packing](b"some text\n" * 3)
        for n in range(1, len(whole)):
            with pytest.raises(BadSource, match=r"a\.txt"):
                list(documents(put(tmp_path / f"a.txt{packing}", whole[:n])))


def test_packed_files_of_several_frames(tmp_path):
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    parts = zstandard.compress(b"a\nb") + skipped + zstandard.compress(b"c\nd\n")
    assert read(put(tmp_path / "a.txt.zst", parts))[0] == ["a", "bc", "d"]
    assert read(put(tmp_path / "a.txt.gz", gzip.compress(b"a\nb") + gzip.compress(b"c\n")))[0] == ["a", "bc"]


@pytest.mark.parametrize("packing", [".gz", ".zst", ".bz2", ".xz"])
def test_not_packed_at_all_or_damaged(tmp_path, packing):
    noise = random.Random(0).randbytes(2000)
    zst = zstandard.ZstdCompressor(write_checksum=True).compress
    whole = bytearray(gzip.compress(noise) if packing == ".gz" else zst(noise))
    whole[len(whole) // 2 :] = bytes(len(whole) - len(whole) // 2)
    for data in (b"plain text, not packed\n", bytes(whole)):
        with pytest.raises(BadSource, match=r"a\.txt") as caught:
            read(put(tmp_path / f"a.txt{packing}", data))
        assert "\n" not in str(caught.value)


def test_csv_takes_nul_and_fields_over_the_limit(tmp_path):
    before = csv.field_size_limit(1000)
    try:
        assert read(put(tmp_path / "a.csv", encoded("csv", ["a\0b", "x" * 200_000])))[0] == [
            "a\0b",
            "x" * 200_000,
        ]
        assert csv.field_size_limit() >= 200_000
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_is_named(tmp_path, mark):
    for options in ({}, {"split": "file"}, {"separator": "##"}):
        with pytest.raises(BadSource, match=r"UTF-16.*encoding='utf-16'"):
            read(put(tmp_path / "a.txt", mark + b"h\0i\0"), **options)
