"""CSV and TSV as people have them: written by Python's csv in each dialect, or without quotes, or for another country."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.cli.spelling import in_shell
from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import documents, records
from pofx.errors import BadSource, BadValue


def read(path: Path, data: str | bytes, **options: Any) -> tuple[list[str], list[BadRow]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    told: list[BadRow] = []
    return list(documents(path, report=told.append, **options)), told


# What tables get wrong: quotes, delimiters, line endings of all systems, backslashes, marks, NUL, and empty cells.
HOSTILE = st.text(alphabet="ab\",;\t|\n\r\\'\ufeff\0\u2028\x1cé ", max_size=8)
DIALECTS = {
    "excel": {},
    "excel-tab": {"delimiter": "\t"},
    "unix": {"quoting": csv.QUOTE_ALL, "lineterminator": "\n"},
    "semicolons": {"delimiter": ";"},
    "bars": {"delimiter": "|"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
@settings(max_examples=40, deadline=None)
@given(table=st.lists(st.tuples(HOSTILE, HOSTILE), max_size=5))
def test_what_csv_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, dialect: str, kind: str, table: list[tuple[str, str]]
) -> None:
    how = DIALECTS[dialect]
    sink = io.StringIO(newline="")
    csv.writer(sink, **how).writerows([["n", "text", "label"], *((i, *row) for i, row in enumerate(table))])  # type: ignore[arg-type]
    path = tmp_path_factory.getbasetemp() / f"dialect.{kind}"
    path.write_bytes(sink.getvalue().encode())
    own = how.get("delimiter", ",")
    told: list[BadRow] = []
    options: dict[str, Any] = {} if own == {"csv": ",", "tsv": "\t"}[kind] else {"delimiter": own}
    found = [
        (d.text, d.kept[0], d.id)
        for d in records(path, id="n", keep=["label"], quoting="minimal", report=told.append, **options)
    ]
    assert told == []
    assert found == [(text, label, str(i)) for i, (text, label) in enumerate(table)]


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(
        st.tuples(st.text(alphabet="ab\",\\ 'é", max_size=6), st.text(alphabet='ab" ', max_size=3)),
        max_size=5,
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_without_quoting_is_its_lines(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.tsv"
    data = "".join("\t".join(row) + ending for row in [("text", "label"), *table])
    assert read(path, data, quoting="none") == ([text for text, _ in table], [])
    # Unsaid, a quote may be of either kind. Then a row is there or is told: none disappears in another.
    found, told = read(path, data)
    assert len(found) == len(table) or told


MERGED = 'text\tlabel\n"Hello\t1\nfoo\t2\nbar"\t3\nx\t4\n'


def test_rows_are_never_merged_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    found, told = read(path, MERGED)
    assert found == ["x"]
    assert [b.line for b in told] == [2]
    assert "each of its lines is a row, too (lines 2 to 4)" in told[0].why
    assert "quoting='none'" in str(told[0])
    assert "quoting='minimal'" in str(told[0])
    assert read(path, MERGED, quoting="none") == (['"Hello', "foo", 'bar"', "x"], [])
    assert read(path, MERGED, quoting="minimal") == (["Hello\t1\nfoo\t2\nbar", "x"], [])
    # A line break inside quotes that no row has: nothing else can be meant.
    assert read(path, 'id\ttext\n1\t"two\nlines"\n') == (["two\nlines"], [])
    # The header may be such a row, too; and a column alone.
    with pytest.raises(BadSource, match=r"a\.tsv:1: expected a row of TSV.*quoting='none'"):
        read(path, '"text\tlabel\na\t1\n"b\t2\n')
    assert [b.line for b in read(path, 'text\n"a\nb"\nc\n')[1]] == [2]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('"Hello\t1\n"Bye\t2\n', "closes before its field ends"),
        ('"Hello\t1\nBye\t2\n', "never closed"),
        ('"Hi" she said\t1\n', "closes before its field ends"),
    ],
)
def test_a_quote_that_is_no_quoting_names_the_option(tmp_path: Path, body: str, words: str) -> None:
    _, told = read(tmp_path / "a.tsv", f"text\tlabel\n{body}")
    assert words in told[0].why
    assert str(told[0]).endswith("(quoting='none')")
    assert read(tmp_path / "a.tsv", f"text\tlabel\n{body}", quoting="none")[1] == []
    _, told = read(tmp_path / "a.tsv", f"text\tlabel\n{body}", quoting="minimal")
    assert "quoting=" not in str(told[0])


@pytest.mark.parametrize(
    ("kind", "data", "delimiter"),
    [
        ("csv", "id;text\n1;x\n", ";"),
        ("csv", "id\ttext\n1\tx\n", "\t"),
        ("tsv", "id,text\n1,x\n", ","),
        ("csv", "id|text\n1|x\n", "|"),
        ("csv", "sep=;\nid;text\n1;x\n", ";"),
        ("csv", "sep=\t\r\nid\ttext\r\n1\tx\r\n", "\t"),
        ("csv", '"sep=;"\nid;text\n1;x\n', ";"),
    ],
)
def test_another_delimiter_is_told_by_the_option_that_reads_it(
    tmp_path: Path, kind: str, data: str, delimiter: str
) -> None:
    path = tmp_path / f"a.{kind}"
    shown = delimiter.replace("\t", "\\t")
    with pytest.raises(BadSource) as e:
        read(path, data)
    assert f"(delimiter={delimiter!r})" in str(e.value)
    assert f'(--delimiter "{shown}")' in str(in_shell(e.value))
    assert str(e.value).isprintable()
    assert read(path, data, delimiter=delimiter) == (["x"], [])
    assert [d.line for d in records(path, delimiter=delimiter)] == [3 if "sep=" in data else 2]


def test_the_line_for_excel_is_no_row(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "sep=,\nid,text\n1,x\n") == (["x"], [])
    found, told = read(tmp_path / "b.csv", 'text\n"sep=,"\n')
    assert (found, told) == (["sep=,"], [])


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r", "\ud800", 3, b";"])
def test_delimiters_that_are_none(delimiter: Any) -> None:
    with pytest.raises(BadValue, match="delimiter: expected"):
        documents("-", format="csv", delimiter=delimiter)


@pytest.mark.parametrize("options", [{"delimiter": ";"}, {"quoting": "none"}])
@pytest.mark.parametrize("format", ["txt", "jsonl", "json"])
def test_options_of_tables_need_a_table(options: Any, format: str) -> None:
    with pytest.raises(BadValue, match="expected a csv or tsv file"):
        documents("-", format=format, **options)
    with pytest.raises(BadValue, match="expected 'none' or 'minimal'"):
        documents("-", format="csv", quoting="all")  # type: ignore[arg-type]


def test_a_column_that_is_meant(tmp_path: Path) -> None:
    for wanted, meant in (("Text", "text"), ("txet", "text"), (" text", "text"), ("lable", "label")):
        with pytest.raises(BadSource, match=f"did you mean '{meant}'\\?"):
            read(tmp_path / "a.csv", "text,label\nx,1\n", field=wanted)
