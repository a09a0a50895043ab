"""Files that are not UTF-8: named by what they are, read by the option that the message names."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import documents
from pofx.errors import BadSource, BadValue

TEXTS = ["Crème brûlée", "naïve façade", "€ 5 – “so”"]


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path, **options: Any) -> tuple[list[str], list[BadRow]]:
    told: list[BadRow] = []
    return list(documents(path, report=told.append, **options)), told


def written(kind: str, texts: list[str]) -> str:
    if kind == "txt":
        return "".join(t + "\n" for t in texts)
    if kind == "jsonl":
        return "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    if kind == "json":
        return json.dumps([{"text": t} for t in texts], ensure_ascii=False, indent=1)
    sink = io.StringIO(newline="")
    csv.writer(sink, delimiter="\t" if kind == "tsv" else ",").writerows(
        [["text", "n"], *([t, "1"] for t in texts)]
    )
    return sink.getvalue()


KINDS = ["txt", "jsonl", "json", "csv", "tsv"]
# A mark that says it: the name that the message must give, and the bytes in front.
MARKED = [("utf-16", codecs.BOM_UTF16_LE, "utf-16-le"), ("utf-16", codecs.BOM_UTF16_BE, "utf-16-be")]
MARKED += [("utf-32", codecs.BOM_UTF32_LE, "utf-32-le"), ("utf-32", codecs.BOM_UTF32_BE, "utf-32-be")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "mark", "exact"), MARKED)
def test_a_byte_order_mark_names_the_encoding(
    tmp_path: Path, kind: str, name: str, mark: bytes, exact: str
) -> None:
    path = put(tmp_path / f"a.{kind}", mark + written(kind, TEXTS).encode(exact))
    with pytest.raises(
        BadSource, match=rf"got {name.upper()} by its byte order mark; .*\(encoding='{name}'\)"
    ):
        read(path)
    assert read(path, encoding=name) == (TEXTS, [])
    assert read(path, encoding=exact) == (TEXTS, [])
    with pytest.raises(BadSource, match=f"got the byte order mark of {name.upper()}"):
        read(path, encoding="latin-1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exact", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_without_a_mark_zero_bytes_name_it(tmp_path: Path, kind: str, exact: str) -> None:
    path = put(tmp_path / f"a.{kind}", written(kind, TEXTS).encode(exact))
    with pytest.raises(BadSource, match=rf"got {exact.upper()} by its zero bytes; .*\(encoding='{exact}'\)"):
        read(path)
    assert read(path, encoding=exact) == (TEXTS, [])
    # Which end comes first is never guessed.
    with pytest.raises(BadSource, match=rf"with a byte order mark, got none; .*\(encoding='{exact}'\)"):
        read(path, encoding=exact[:6])


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_byte_is_named_with_what_it_would_be(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path / f"a.{kind}", written(kind, TEXTS).encode("cp1252"))
    found, told = read(path)
    assert (found, len(told)) == ([], 3)
    assert "got byte 0xE8 at" in told[0].why
    assert str(told[0]).endswith(
        "('è' in Windows-1252); say so if the file is in Windows-1252 (encoding='cp1252')"
    )
    assert read(path, encoding="cp1252") == (TEXTS, [])
    assert read(path, encoding="Windows-1252") == (TEXTS, [])
    assert "Windows" not in read(path, encoding="utf-8")[1][0].why


def test_a_byte_that_the_encoding_does_not_know_is_one_bad_row(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", b"caf\xe9\nno \x81 here\nna\xefve\n")
    found, told = read(path, encoding="cp1252")
    assert found == ["café", "naïve"]
    then = "; name another encoding, or mend the bytes (encoding=…)"
    assert [(b.line, str(b.error)) for b in told] == [
        (2, "expected cp1252, got byte 0x81 in the line" + then)
    ]
    half = "a\nb".encode("utf-16-le") + b"\x00\xd8" + "c\nd".encode("utf-16-le")  # half of a surrogate pair
    found, told = read(put(path, half), encoding="utf-16-le")
    assert found == ["a", "d"]
    assert [(b.line, str(b.error)) for b in told] == [
        (2, "expected utf-16-le, got bytes of no character in the line" + then)
    ]


def test_zeros_of_utf8_are_no_utf16(tmp_path: Path) -> None:
    for text in ("a\0b\n", "one\0two\0three\n", "猫\0\n", "x\n"):
        assert read(put(tmp_path / "a.txt", text.encode())) == ([text[:-1]], [])
    assert read(put(tmp_path / "a.txt", b"a\0b\0c\0"), encoding="utf-8") == (["a\0b\0c\0"], [])


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1), max_size=6
    ),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-16", "utf-32", "gb18030", "utf-8-sig"]),
    packed=st.booleans(),
)
def test_any_text_comes_back_from_any_encoding(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], encoding: str, packed: bool
) -> None:
    data = "".join(t + "\n" for t in texts).encode(encoding)
    path = tmp_path_factory.getbasetemp() / ("a.txt.gz" if packed else "a.txt")
    path.write_bytes(gzip.compress(data) if packed else data)
    if texts and texts[0].startswith("\ufeff"):
        texts = [texts[0][1:], *texts[1:]] if encoding not in ("utf-16", "utf-32", "utf-8-sig") else texts
        texts = texts if texts[0] else texts[1:]
    assert read(path, encoding=encoding) == (texts, [])


@pytest.mark.parametrize(
    "encoding", ["", "nonsense", "hex", "rot13", "utf-7", "unicode_escape", "idna", "a\0b", "é", 3]
)
def test_encodings_that_are_none(encoding: Any) -> None:
    with pytest.raises(BadValue, match=re.escape("encoding: expected an encoding that Python knows")):
        documents("-", encoding=encoding)


def test_parquet_has_no_encoding(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="which is UTF-8"):
        documents(put(tmp_path / "a.parquet", b""), encoding="latin-1")


@pytest.mark.parametrize("encoding", [None, "latin-1", "utf-8"])
@pytest.mark.parametrize(
    ("name", "data", "found", "then"),
    [
        ("a.txt", gzip.compress(b"a\n"), "gzip data", "format='txt.gz'"),
        ("a.jsonl", gzip.compress(b'{"text": "a"}\n'), "gzip data", "format='jsonl.gz'"),
        ("a.txt.gz", gzip.compress(gzip.compress(b"a\n")), "gzip data", "unpack the outer .gz first"),
        ("a.csv", b"PAR1\x15\x04\x15", "Parquet", "format='parquet'"),
        ("a.txt", bz2.compress(b"a\n"), "bzip2 data", "format='txt.bz2'"),
        ("a.csv", lzma.compress(b"a\n"), "xz data", "format='csv.xz'"),
        ("a.csv", b"PK\x03\x04\x14\x00", "a zip archive", "unpack the file, or convert it to csv"),
        ("a.txt", b"%PDF-1.7\n", "PDF", "unpack the file, or convert it to txt"),
    ],
)
def test_what_is_no_text_is_told_whatever_its_name(
    tmp_path: Path, name: str, data: bytes, found: str, then: str, encoding: str | None
) -> None:
    path = put(tmp_path / name, data)
    with pytest.raises(BadSource, match=f"expected text, got {re.escape(found)}.*{re.escape(then)}"):
        read(path, encoding=encoding)


def test_the_option_that_is_named_reads_it(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", gzip.compress(b"a\n"))
    assert read(path, format="txt.gz") == (["a"], [])


@pytest.mark.parametrize(
    "text", ["PAR1 is a gene", "PK", "BZh9 and 7z", "%PDF is an ending", "SQLite format 3"]
)
def test_text_that_begins_alike_is_text(tmp_path: Path, text: str) -> None:
    assert read(put(tmp_path / "a.txt", text.encode())) == ([text], [])


def test_zero_bytes_alone_are_of_no_encoding(tmp_path: Path) -> None:
    assert read(put(tmp_path / "a.txt", bytes(64))) == (["\0" * 64], [])


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\x02\x01\x01", "a program"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0", "a picture (JPEG)"),
    ],
)
def test_binary_files_are_refused_by_what_they_are(tmp_path: Path, head: bytes, what: str) -> None:
    (tmp_path / "a.txt").write_bytes(head + bytes(range(256)))
    with pytest.raises(BadSource, match=re.escape(f"expected text, got {what}")):
        list(documents(tmp_path / "a.txt"))
