from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sys
import time
import tracemalloc
import types
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus import builtin, streams
from pofx.corpus.documents import BadRow, BadRowWarning, Document, documents, records, split_documents
from pofx.errors import BadSource, BadValue, MissingExtra, NotText
from pofx.files import atomic, cache

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


PACK = {"": lambda b: b, ".gz": gzip.compress, ".zst": zstandard.compress}
KINDS = [(k, p) for k in ("txt", "jsonl", "ndjson", "csv", "tsv") for p in PACK] + [("parquet", "")]


# --- every format -----------------------------------------------------------------------------------------


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


# --- lines, files, separators -----------------------------------------------------------------------------


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
    assert told[0].why.startswith("expected UTF-8, found byte 0xFF at byte 2 of the file ")


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
    assert told[0].why.startswith("expected UTF-8, found byte 0xFF at byte 0 of the document ")


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv", "tsv"])
@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
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


# --- bad rows ---------------------------------------------------------------------------------------------

BAD_JSON = {
    "{not json}": "expected a JSON object, found no JSON: Expecting property name",
    '{"text": "x"': "found no JSON",
    '["x"]': "expected a JSON object, found an array",
    "null": "expected a JSON object, found null",
    '{"body": "x", "k": 1}': "expected a field 'text', found 'body', 'k'",
    "{}": "expected a field 'text', found no fields",
    '{"text": 3}': "expected a string in field 'text', found a number",
    '{"text": null}': "expected a string in field 'text', found null",
    '{"text": {"a": 1}}': "found an object",
    '{"text": true}': "found a boolean",
    '{"text": "ab\\ud800"}': "found the lone surrogate U+D800 at character 2",
    '{"text": "x", "n": ' + "9" * 5000 + "}": "found a whole number of more than 4,300 digits",
    '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}": "nested too deep",
    "{" + ", ".join(f'"{"k" * 99}{i}": 1' for i in range(50)) + "}": "and 40 more",
}


@pytest.mark.parametrize("row", BAD_JSON, ids=lambda row: row[:24])
def test_a_bad_json_row_is_told_and_the_next_one_read(tmp_path, row):
    path = put(tmp_path / "a.jsonl", f'{{"text": "a"}}\n{row}\n{{"text": "b"}}\n')
    found, told = read(path)
    assert found == ["a", "b"]
    assert [(b.source, b.line) for b in told] == [(str(path), 2)]
    assert BAD_JSON[row] in told[0].why
    assert len(str(told[0])) < 1000
    assert "\n" not in str(told[0])


def test_ids_must_be_there_and_be_ids(tmp_path):
    rows = [
        '{"text": "a"}',
        '{"text": "a", "k": 1.5}',
        '{"text": "a", "k": true}',
        '{"text": "a", "k": "\\udfff"}',
    ]
    told: list[BadRow] = []
    assert list(records(put(tmp_path / "a.jsonl", "\n".join(rows)), id="k", report=told.append)) == []
    assert [b.why.split(", found ")[1].split(" at")[0] for b in told] == [
        "'text'",
        "a number",
        "a boolean",
        "the lone surrogate U+DFFF",
    ]


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_invalid_utf8_is_a_bad_row_with_its_byte(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", encoded(kind, ["a", "caf?", "b"]).replace(b"?", b"\xe9"))
    found, told = read(path)
    assert found == ["a", "b"]
    assert [b.line for b in told] == [3 if kind == "csv" else 2]
    assert "0xE9" in told[0].why
    if kind == "txt":
        assert str(told[0].error) == (
            "expected UTF-8, found byte 0xE9 at byte 3 of the line ('é' in Windows-1252); say so if the file is in "
            "Windows-1252 (encoding='cp1252')"
        )


def test_invalid_utf8_in_parquet_is_a_bad_row(tmp_path):
    raw = pa.array([b"a", b"caf\xe9", None, b"b"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    found, told = read(tmp_path / "a.parquet")
    assert found == ["a", "b"]
    assert [(b.line, b.why) for b in told] == [
        (2, "expected Unicode text in field 'text', found byte 0xE9 at character 3"),
        (3, "expected a string in field 'text', found null"),
    ]


def test_bad_csv_rows(tmp_path):
    body = 'id,text\n1,Hello, world\n2\n\n3,"a" b\n4,x\ry\n5,fine\n6,"never\nclosed\n'
    files = documents(put(tmp_path / "a.csv", body), report=(told := []).append)
    assert list(files) == ["fine"]
    assert files.n_blank == 1
    assert [b.line for b in told] == [2, 3, 5, 6, 8]
    for bad, words in zip(
        told,
        [
            "2 columns as in the header, found 3",
            "found 1",
            "closes before its field ends; say so if quotes are characters like any other here (quoting='none')",
            "lone carriage return",
            "(lines 8 to 9)",
        ],
    ):
        assert words in str(bad)


def test_without_a_callback_bad_rows_are_warned_of_and_bounded(tmp_path):
    path = put(tmp_path / "a.jsonl", "nonsense\n" * 250)
    files = documents(path)
    with pytest.warns(BadRowWarning) as seen:
        assert list(files) == []
    assert len(seen) == 2
    assert str(seen[0].message).startswith(f"{path}:1: expected a JSON object, found no JSON")
    assert str(seen[1].message) == "250 bad rows in all: 250 of the kind 'expected a JSON object'"
    assert {w.filename for w in seen} == {__file__}
    assert (files.n_bad, len(files.bad)) == (250, 100)


# --- hostile files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_one_enormous_line(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", encoded(kind, ["é" * 2_000_000, "b"]))
    start = time.perf_counter()
    assert [len(t) for t in documents(path)] == [2_000_000, 1]
    assert time.perf_counter() - start < 60  # quadratic copying would take minutes


def test_one_enormous_piece(tmp_path):
    path = put(tmp_path / "a.txt", b"a" * 10_000_000 + b"##b")
    assert [len(t) for t in documents(path, separator="##")] == [10_000_000, 1]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_memory_is_constant(tmp_path, packing):
    path = put(tmp_path / f"a.txt{packing}", PACK[packing]((b"x" * 9999 + b"\n") * 3000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in documents(path, max_expansion=1e6)) == 3000
        assert tracemalloc.get_traced_memory()[1] < 25e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("separator", [None, "\n"])
def test_a_packed_file_that_breaks_off(tmp_path, packing, separator):
    noise = random.Random(0)
    lines = ["".join(noise.choices("abcdefgh", k=70)) for _ in range(10_000)]
    whole = PACK[packing](("\n".join(lines) + "\n").encode())
    path = put(tmp_path / f"a.txt{packing}", whole[: len(whole) // 2])
    found = []
    with pytest.raises(BadSource, match=r"a\.txt\.(gz|zst): expected a whole .* breaks off"):
        found.extend(documents(path, separator=separator))
    assert found == lines[: len(found)]
    assert len(found) > 3_000


def test_every_cut_of_a_packed_file_is_noticed(tmp_path):
    for packing in (".gz", ".zst"):
        whole = PACK[packing](b"some text\n" * 3)
        for n in range(1, len(whole)):
            with pytest.raises(BadSource, match=r"a\.txt"):
                list(documents(put(tmp_path / f"a.txt{packing}", whole[:n])))


def test_packed_files_of_several_frames(tmp_path):
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    parts = zstandard.compress(b"a\nb") + skipped + zstandard.compress(b"c\nd\n")
    assert read(put(tmp_path / "a.txt.zst", parts))[0] == ["a", "bc", "d"]
    assert read(put(tmp_path / "a.txt.gz", gzip.compress(b"a\nb") + gzip.compress(b"c\n")))[0] == ["a", "bc"]


@pytest.mark.parametrize("packing", [".gz", ".zst"])
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


# --- bad sources, refused before anything is read ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", "expected a file, found: No such file"),
        ("nul\0.txt", "expected a file, found"),
        ("folder.txt", "expected a directory with files that end in .txt"),
        ("a.jsonlines", "format='jsonl'"),
        ("a.cvs", "format='csv'"),
        ("a", "found no such ending; say what it is"),
        ("a.gz", "found no such ending"),
        ("a.txt.bz2", "unpack it"),
        ("a.parquet.gz", "Parquet is read from its end"),
    ],
)
def test_bad_sources(tmp_path, name, words):
    if "folder" in name:
        (tmp_path / name).mkdir()
    elif "missing" not in name and "nul" not in name:
        put(tmp_path / name, b"x")
    with pytest.raises(BadSource) as caught:
        documents(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_a_column_that_is_not_there_names_those_that_are(tmp_path, kind):
    path = put(tmp_path / f"a.{kind}", encoded(kind, ["x"]))
    with pytest.raises(BadSource, match=r"expected one column 'body', found only 'id', 'text'"):
        list(documents(path, field="body"))
    with pytest.raises(BadSource, match="expected one column 'key'"):
        list(records(path, id="key"))


def test_other_bad_tables(tmp_path):
    with pytest.raises(BadSource, match="found it twice"):
        read(put(tmp_path / "a.csv", "text,text\na,b\n"))
    with pytest.raises(BadSource, match="name the columns in the first row"):
        read(put(tmp_path / "a.csv", "text\rold mac\r"))
    with pytest.raises(BadSource, match="expected strings in column 'id', found int64"):
        read(put(tmp_path / "a.parquet", encoded("parquet", ["x"])), field="id")
    whole = encoded("parquet", ["x" * 99] * 99)
    for data in (b"", b"PAR1", b"no parquet at all", whole[:-9]):
        with pytest.raises(BadSource, match="expected a whole Parquet file") as caught:
            read(put(tmp_path / "a.parquet", data))
        assert "\n" not in str(caught.value)


def test_a_file_that_goes_away_before_it_is_read(tmp_path):
    files = documents(path := put(tmp_path / "a.txt", "x"))
    path.unlink()
    with pytest.raises(BadSource, match="expected a readable file, found: No such file"):
        list(files)


@pytest.mark.parametrize(
    ("paths", "options", "words"),
    [
        ((), {}, "at least one path"),
        ((["a.txt"],), {}, r"documents\(\*paths\)"),
        ((b"a.txt",), {}, "found bytes"),
        (("-", "-"), {}, "once"),
        (("-",), {"split": "lines"}, "separator="),
        (("-",), {"separator": ""}, "not empty"),
        (("-",), {"separator": "x", "split": "file"}, "separator"),
        (("-",), {"format": "xml"}, "expected one of txt, "),
        (("-",), {"format": "jsonl", "separator": "x"}, "expected a txt file"),
        (("-",), {"format": "csv", "split": "file"}, "expected a txt file"),
        (("-",), {"field": "body"}, "expected a file with fields"),
    ],
)
def test_bad_arguments(paths, options, words):
    with pytest.raises(BadValue, match=words):
        documents(*paths, **options)


def test_an_id_of_a_text_file_and_a_bad_separator():
    with pytest.raises(BadValue, match="expected a file with fields"):
        records("-", id="k")
    with pytest.raises(NotText):
        documents("-", separator="\ud800")


def test_missing_extras_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtra, match=r"pofx\[data\]"):
        list(documents(put(tmp_path / "a.txt.zst", zstandard.compress(b"x"))))


# --- standard input and formats ---------------------------------------------------------------------------


def stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


def test_stdin_is_lines_once(monkeypatch, tmp_path):
    stdin(monkeypatch, b"a\n\nb")
    files = documents("-", put(tmp_path / "a.txt", "c"))
    assert list(files) == ["a", "b", "c"]
    assert not sys.stdin.buffer.closed
    with pytest.raises(BadSource, match="second reading"):
        list(files)


def test_stdin_in_another_format(monkeypatch):
    stdin(monkeypatch, encoded("jsonl", ["a", "b"]))
    assert [d.id for d in records("-", format="jsonl")] == ["stdin:1", "stdin:2"]
    stdin(monkeypatch, gzip.compress(encoded("csv", ["a", "b"])))
    assert list(documents("-", format="csv.gz")) == ["a", "b"]
    with pytest.raises(BadSource, match="save it to a file"):
        documents("-", format="parquet")


def test_no_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadSource, match="stdin"):
        list(documents("-"))


def test_format_overrules_the_ending_but_not_the_packing(tmp_path):
    assert read(put(tmp_path / "a.dat", encoded("csv", ["x"])), format="csv")[0] == ["x"]
    assert read(put(tmp_path / "a.LOG.GZ", gzip.compress(b"x\n")), format="txt")[0] == ["x"]
    assert read(put(tmp_path / "a.TXT", b"x\n"))[0] == ["x"]


# --- split ------------------------------------------------------------------------------------------------


def test_split_is_the_same_on_every_machine():
    texts = [f"document {i}" for i in range(1000)]
    train, validation = split_documents(texts)
    assert validation[:3] == ["document 5", "document 25", "document 45"]
    assert 70 < len(validation) < 130
    assert sorted(train + validation) == sorted(texts)
    assert split_documents(texts, seed=1)[1] != validation


def test_split_goes_by_the_document_alone():
    texts = [f"document {i}" for i in range(200)]
    validation = set(split_documents(texts, 0.3)[1])
    shuffled = random.Random(0).sample(texts * 2, 400)
    train, held = split_documents(shuffled, 0.3)
    assert set(held) == validation
    assert len(held) == 2 * len(validation)
    assert held == [t for t in shuffled if t in validation]
    assert {b.decode() for b in split_documents([t.encode() for t in texts], 0.3)[1]} == validation
    # A greater share holds out a superset.
    assert validation <= set(split_documents(texts, 0.6)[1])
    assert not set(train) & validation


def test_split_at_its_ends_and_beyond():
    assert split_documents(["a", "b"], 0.0) == (["a", "b"], [])
    assert split_documents(iter(["a", "b"]), 1.0) == ([], ["a", "b"])
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadValue, match="held_out"):
            split_documents(["a"], share)
    with pytest.raises(BadValue, match="one string"):
        split_documents("abc")
    with pytest.raises(BadValue, match="seed"):
        split_documents(["a"], seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="50 digits"):
        split_documents(["a"], seed=10**70)
    with pytest.raises(NotText):
        split_documents(["\ud800"])


# --- built-in documents and the cache ---------------------------------------------------------------------


MODULE_B = '''"""Module b."""
def f():
    """Does f."""
    if 1:
        class K:
            """K.

            Flush.
              Indented.
            """
async def g():
    "Does g."
def repeated():
    "Does f."
def empty():
    "  "
def no_text():
    "\\ud800"
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small standard library, and a cache of its own."""
    root = tmp_path / "lib"
    files = {
        "b.py": MODULE_B,
        "a/z.py": '"""Module z."""\nassert "\\d"\n',
        "broken.py": '"""Never parsed."""\n(',
        "nul.py": '"""Never read."""\n\0',
        "a/latin.py": b'# -*- coding: latin-1 -*-\n"""caf\xe9"""\n',
        "a/note.txt": '"""No Python."""',
        **{f"{d}/x.py": f'"""In {d}."""' for d in builtin._SKIPPED},
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        put(root / name, data)
    monkeypatch.setattr(builtin, "sysconfig", types.SimpleNamespace(get_path=lambda _: str(root)))
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    return root


EXPECTED = ["café", "Module z.", "Module b.", "Does f.", "K.\n\nFlush.\n  Indented.", "Does g."]


def test_docstrings_in_the_order_of_file_and_line(library):
    assert builtin.builtin_documents() == EXPECTED


def test_the_second_call_reads_the_cache_and_a_broken_one_is_rebuilt(library, tmp_path, monkeypatch):
    builtin.builtin_documents()
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(builtin, "_walk", lambda root: pytest.fail("walked although there is a cache"))
        assert builtin.builtin_documents() == EXPECTED
    for broken in (b"", whole[:-1], whole.replace(b"Does f", b"Does F"), b"[]", b"\xff\n[]"):
        put(path, broken)
        assert builtin.builtin_documents() == EXPECTED
        assert path.read_bytes() == whole
    assert list((tmp_path / "cache").iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_no_error(library, tmp_path, monkeypatch):
    monkeypatch.setenv("POFX_CACHE", str(put(tmp_path / "file", b"") / "below"))
    assert builtin.builtin_documents() == EXPECTED


def test_a_python_without_sources(tmp_path, library, monkeypatch):
    empty = types.SimpleNamespace(get_path=lambda _: str(tmp_path / "nowhere"))
    monkeypatch.setattr(builtin, "sysconfig", empty)
    with pytest.raises(BadSource, match="sources of the Python standard library"):
        builtin.builtin_documents()


def test_the_real_library_in_part():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = builtin._walk(Path(json.__file__).parent)
    assert any(t.startswith("JSON (JavaScript Object Notation)") for t in found)
    assert len(found) > 15


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("POFX_CACHE", str(tmp_path))
    assert cache.cache_dir() == tmp_path
    monkeypatch.setenv("POFX_CACHE", "")
    assert "pofx" in str(cache.cache_dir())


def test_write_atomically_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file"
    atomic.write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
