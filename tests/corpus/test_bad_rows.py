"""Rows that hold no document are left out, counted and reported; sources that hold none are refused."""

from __future__ import annotations

import sys

import pytest
from corpus_files import encoded, put, read

from pofx.corpus.documents import BadRow, BadRowWarning, documents, records
from pofx.errors import BadSource, BadValue, MissingExtra, NotText

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


BAD_JSON = {
    "{not json}": "expected a JSON object, got no JSON: Expecting property name",
    '{"text": "x"': "got no JSON",
    '["x"]': "expected a JSON object, got an array",
    "null": "expected a JSON object, got null",
    '{"body": "x", "k": 1}': "expected a field 'text', got 'body', 'k'",
    "{}": "expected a field 'text', got no fields",
    '{"text": 3}': "expected a string in field 'text', got a number",
    '{"text": null}': "expected a string in field 'text', got null",
    '{"text": {"a": 1}}': "got an object",
    '{"text": true}': "got a boolean",
    '{"text": "ab\\ud800"}': "got the lone surrogate U+D800 at character 2",
    '{"text": "x", "n": ' + "9" * 5000 + "}": "got a whole number of more than 4,300 digits",
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
    assert [b.why.split(", got ")[1].split(" at")[0] for b in told] == [
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
            "expected UTF-8, got byte 0xE9 at byte 3 of the line ('é' in Windows-1252); say so if the file is in "
            "Windows-1252 (encoding='cp1252')"
        )


def test_invalid_utf8_in_parquet_is_a_bad_row(tmp_path):
    raw = pa.array([b"a", b"caf\xe9", None, b"b"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    found, told = read(tmp_path / "a.parquet")
    assert found == ["a", "b"]
    assert [(b.line, b.why) for b in told] == [
        (2, "expected Unicode text in field 'text', got byte 0xE9 at character 3"),
        (3, "expected a string in field 'text', got null"),
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
            "2 columns as in the header, got 3",
            "got 1",
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
    assert str(seen[0].message).startswith(f"{path}:1: expected a JSON object, got no JSON")
    assert str(seen[1].message) == "250 bad rows in all: 250 of the kind 'expected a JSON object'"
    assert {w.filename for w in seen} == {__file__}
    assert (files.n_bad, len(files.bad)) == (250, 100)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", "expected a file, got: No such file"),
        ("nul\0.txt", "expected a file, got"),
        ("folder.txt", "expected a directory with files that end in .txt"),
        ("a.jsonlines", "format='jsonl'"),
        ("a.cvs", "format='csv'"),
        ("a", "got no such ending; name the format"),
        ("a.gz", "got no such ending"),
        ("a.txt.zip", "unpack the file"),
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
    with pytest.raises(BadSource, match=r"expected one column 'body', got only 'id', 'text'"):
        list(documents(path, field="body"))
    with pytest.raises(BadSource, match="expected one column 'key'"):
        list(records(path, id="key"))


def test_other_bad_tables(tmp_path):
    with pytest.raises(BadSource, match="got several columns of that name in"):
        read(put(tmp_path / "a.csv", "text,text\na,b\n"))
    with pytest.raises(BadSource, match="name the columns in the first row"):
        read(put(tmp_path / "a.csv", "text\rold mac\r"))
    with pytest.raises(BadSource, match="expected strings in column 'id', got int64"):
        read(put(tmp_path / "a.parquet", encoded("parquet", ["x"])), field="id")
    whole = encoded("parquet", ["x" * 99] * 99)
    for data in (b"", b"PAR1", b"no parquet at all", whole[:-9]):
        with pytest.raises(BadSource, match="expected a whole Parquet file") as caught:
            read(put(tmp_path / "a.parquet", data))
        assert "\n" not in str(caught.value)


def test_a_file_that_goes_away_before_it_is_read(tmp_path):
    files = documents(path := put(tmp_path / "a.txt", "x"))
    path.unlink()
    with pytest.raises(BadSource, match="expected a readable file, got: No such file"):
        list(files)


@pytest.mark.parametrize(
    ("paths", "options", "words"),
    [
        ((), {}, "at least one path"),
        ((["a.txt"],), {}, r"documents\(\*paths\)"),
        ((b"a.txt",), {}, "got bytes"),
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
