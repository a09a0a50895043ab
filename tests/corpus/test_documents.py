"""Documents of every format: what is read of lines, whole files and pieces between separators."""

from __future__ import annotations

import io

import pytest
from corpus_files import KINDS, PACK, TEXTS, encoded, put, read
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus import streams
from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import Document, documents, records

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


@pytest.mark.parametrize(("kind", "packing"), KINDS)
def test_every_format_gives_back_the_texts_twice(tmp_path, kind, packing):
    path = put(tmp_path / f"a.{kind}{packing}", PACK[packing](encoded(kind, TEXTS)))
    files = documents(path)
    assert list(files) == TEXTS
    assert list(files) == TEXTS
    assert (files.n, files.n_bad, files.n_blank, files.bad) == (5, 0, 0, [])


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_records_name_their_place(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", encoded(kind, ["x", "two\nlines", "z"]))
    found = list(records(path, id="id"))
    assert [(d.id, d.text) for d in found] == [("0", "x"), ("1", "two\nlines"), ("2", "z")]
    # The row's own first line: a header is line 1 of CSV, and a text may span lines there.
    assert [d.line for d in found] == ([2, 3, 5] if kind in ("csv", "tsv") else [1, 2, 3])
    assert [d.id for d in records(path)] == [f"{path}:{d.line}" for d in found]
    with pytest.raises(AttributeError):
        found[0].text = "y"  # type: ignore[misc]


def test_records_of_lines_number_the_lines_and_not_the_documents(tmp_path):
    path = put(tmp_path / "a.txt", b"a\n\nb\xff\nc")
    files = records(path, report=lambda bad: None)
    assert list(files) == [Document("a", f"{path}:1", str(path), 1), Document("c", f"{path}:4", str(path), 4)]
    assert (files.n, files.n_bad, files.n_blank) == (2, 1, 1)


def test_line_numbers_go_on_from_block_to_block(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_CHUNK", 16)
    path = put(tmp_path / "a.txt", b"".join(b"%d\n" % n if n % 7 else b"\xff\n" for n in range(1, 100)))
    files = records(path, report=(told := []).append)
    assert all(d.line == int(d.text) for d in files)
    assert [b.line for b in told] == list(range(7, 100, 7))


def test_an_empty_string_is_a_document_of_jsonl_csv_and_parquet(tmp_path):
    for kind in ("jsonl", "csv", "parquet"):
        assert read(put(tmp_path / f"a.{kind}", encoded(kind, ["", "x", ""]))) == (["", "x", ""], [])


def test_other_fields(tmp_path):
    path = put(tmp_path / "a.jsonl", '{"body": "x", "k": "ä"}\n\n  \n{"body": "y", "k": 7}')
    files = records(path, field="body", id="k")
    assert [(d.id, d.text) for d in files] == [("ä", "x"), ("7", "y")]
    assert files.n_blank == 2


def test_parquet_of_every_kind_of_string(tmp_path):
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        pq.write_table(pa.table({"text": pa.array(["x", "y", "x"], kind)}), tmp_path / "a.parquet")
        assert read(tmp_path / "a.parquet") == (["x", "y", "x"], [])


def test_counts_stop_where_the_reader_stops(tmp_path):
    files = documents(put(tmp_path / "a.txt", "a\nb\nc\n"))
    assert next(iter(files)) == "a"
    assert files.n == 1
    assert list(files) == ["a", "b", "c"]
    assert files.n == 3


def test_the_line_rule(tmp_path):
    path = put(tmp_path / "a.txt", "\ufeffone\r\ntwo\n\n\r\n  \nlone\rreturn\nthree\r\r\nlast\r")
    files = documents(path)
    assert list(files) == ["one", "two", "  ", "lone\rreturn", "three\r", "last\r"]
    assert files.n_blank == 2


@settings(max_examples=50)
@given(data=st.binary(max_size=40).map(lambda b: b.translate(bytes(b"a\n\rb"[i % 4] for i in range(256)))))
def test_lines_by_definition(tmp_path_factory, data):
    path = put(tmp_path_factory.getbasetemp() / "lines.txt", data)
    whole = [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]] + data.split(b"\n")[-1:]
    assert list(documents(path)) == [line.decode() for line in whole if line]


@settings(max_examples=50)
@given(
    data=st.text(alphabet="ab", max_size=60),
    mark=st.text(alphabet="ab", min_size=1, max_size=4),
    n=st.integers(1, 5),
)
def test_pieces_are_those_of_split_whatever_the_chunks(data, mark, n):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK", n)
        found = list(streams.read_pieces("x", io.BufferedReader(io.BytesIO(data.encode()), n), mark.encode()))
    assert [p.decode() for p, _ in found] == data.split(mark)
    assert [end.decode() for _, end in found] == [mark] * (len(found) - 1) + [""]


@settings(max_examples=50)
@given(data=st.text(alphabet="ab\n", max_size=60), n=st.integers(1, 5))
def test_blocks_are_whole_lines_whatever_the_chunks(data, n):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK", n)
        found = list(streams.read_line_blocks("x", io.BufferedReader(io.BytesIO(data.encode()), n)))
    assert b"".join(found).decode() == data
    assert all(b.endswith(b"\n") for b in found[:-1])


def test_split_file_keeps_everything(tmp_path):
    a, b = put(tmp_path / "a.txt", "\ufeffx\r\n\ny\n"), put(tmp_path / "b.txt", "z")
    assert read(a, b, split="file")[0] == ["x\r\n\ny\n", "z"]
    _, told = read(put(tmp_path / "c.txt", b"ab\xffc"), split="file")
    assert told[0].why.startswith("expected UTF-8, got byte 0xFF at byte 2 of the file ")


def test_separator(tmp_path):
    path = put(tmp_path / "a.txt", b"one\nmore\n\n\n\n\xfft\n\nlast\r\n")
    told: list[BadRow] = []
    files = records(path, separator="\n\n", report=told.append)
    assert [(d.text, d.line, d.id) for d in files] == [
        ("one\nmore", 1, f"{path}#1"),
        ("last", 8, f"{path}#3"),
    ]
    assert files.n_blank == 1
    assert [b.line for b in told] == [6]
    assert told[0].why.startswith("expected UTF-8, got byte 0xFF at byte 0 of the document ")


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv", "tsv"])
@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".bz2", ".xz"])
def test_an_empty_file_has_no_documents(tmp_path, kind, packing):
    path = put(tmp_path / f"a.{kind}{packing}", PACK[packing](b""))
    assert read(path) == ([], [])
    assert read(put(path, b"")) == ([], [])


def test_an_empty_file_is_a_blank_for_split_file_and_separator(tmp_path):
    for options in ({"split": "file"}, {"separator": "##"}):
        files = documents(put(tmp_path / "a.txt", b"\xef\xbb\xbf"), **options)
        assert list(files) == []
        assert files.n_blank == 1


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_a_byte_order_mark_is_removed_at_the_start_only(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", b"\xef\xbb\xbf" + encoded(kind, ["x", "\ufeffy"]))
    assert read(path) == (["x", "\ufeffy"], [])
