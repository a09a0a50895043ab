"""The arguments of `documents` and `records` as sources and a layout, checked before the first file is opened."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence

from pofx.corpus.encoding import check_encoding
from pofx.corpus.readers.layout import DocumentLayout, Quoting, Split
from pofx.corpus.source import Source, expand_path, source_of
from pofx.errors import Advice, Argument, BadValue
from pofx.files.limits import Limits
from pofx.values import check_real_number, check_whole_number
from pofx.vocab.vocabulary import to_bytes


def plan_reading(
    paths: tuple[str | os.PathLike[str], ...],
    field: str,
    id: str | None,
    split: Split,
    separator: str | None,
    format: str | None,
    delimiter: str | None,
    quoting: Quoting | None,
    encoding: str | None,
    max_document: int,
    max_expansion: float,
    given: str | None = None,
    keep: Sequence[str] = (),
) -> tuple[tuple[Source, ...], DocumentLayout]:
    """Return the files that the paths name, and where documents stand in them; arguments as in `records`."""
    if not paths:
        raise BadValue("expected at least one path, got none", "name a file, or '-' for standard input")
    _check_text_options(split, separator)
    _check_table_options(delimiter, quoting)
    if isinstance(keep, str):
        raise BadValue(
            f"expected a list of fields, got the string {keep!r}", f"write keep=[{keep!r}]", argument="keep"
        )
    encoding = None if encoding is None else check_encoding(encoding)
    limits = _limits(max_document, max_expansion)
    sources = tuple(source_of(f, format) for p in paths for f in expand_path(p, format).files)
    if sum(s.is_stdin for s in sources) > 1:
        raise BadValue("expected standard input ('-') once, got '-' more than once", "name '-' once")
    layout = DocumentLayout(
        field, id, split, separator, given, tuple(keep), delimiter, quoting, encoding, limits
    )
    _check_heeded({s.format for s in sources}, layout)
    return sources, layout


def _check_text_options(split: str, separator: str | None) -> None:
    if split not in ("line", "file"):
        raise BadValue(
            f"expected 'line' or 'file', got {split!r}",
            Advice("write any other string as the separator", "separator=…", "--separator"),
            argument="split",
        )
    if separator == "":
        raise BadValue(
            "expected a string that is not empty, got ''",
            "write a string, or leave the separator out",
            argument="separator",
        )
    if separator is not None and split == "file":
        raise BadValue(
            f"expected no separator beside split='file', got {separator!r}",
            "leave out the separator or the split",
            argument="separator",
        )
    if separator is not None:
        to_bytes(separator)


def _check_table_options(delimiter: str | None, quoting: str | None) -> None:
    if quoting not in (None, "none", "minimal"):
        raise BadValue(
            f"expected 'none' or 'minimal', got {quoting!r:.40}",
            "choose 'none' or 'minimal'",
            Argument("quoting", "--quoting"),
        )
    if delimiter is None:
        return
    try:
        csv.reader([], delimiter=delimiter)
        usable = delimiter not in ('"', "\n", "\r") and bool(to_bytes(delimiter))
    except (TypeError, ValueError):  # NotText is one: a lone surrogate
        usable = False
    if not usable:
        raise BadValue(
            f"expected one character that is no quote and no line ending, got {delimiter!r:.40}",
            "write one character, such as ';'",
            Argument("delimiter", "--delimiter"),
        )


def _limits(document: int, expansion: float) -> Limits:
    return Limits(
        check_whole_number(
            Argument("max_document", "--max-document"),
            document,
            1,
            advice=Advice("write bytes, such as", "10**9", "1G"),
        ),
        check_real_number(Argument("max_expansion", "--max-expansion"), expansion, 1, advice="write 1e9"),
    )


def _check_heeded(kinds: set[str], layout: DocumentLayout) -> None:
    """Raise `BadValue` for an option that has no effect on any of the files."""
    found = ", ".join(sorted(kinds))
    if "txt" not in kinds and (layout.separator is not None or layout.split != "line"):
        raise BadValue(
            f"split and separator: expected a txt file, got only {found}",
            ["leave both out", Advice("say that the files are text", "format='txt'", "--format txt")],
        )
    if not kinds & {"csv", "tsv"} and (layout.delimiter is not None or layout.quoting is not None):
        raise BadValue(
            f"expected a csv or tsv file, got only {found}",
            ["leave both out", Advice("say that the files are tables", "format='csv'", "--format csv")],
            Argument("delimiter, quoting", "--delimiter, --quoting"),
        )
    if kinds == {"parquet"} and layout.encoding is not None:
        raise BadValue(
            "expected a file of text, got only parquet, which is UTF-8",
            "leave the encoding out",
            Argument("encoding", "--encoding"),
        )
    if kinds == {"txt"} and (layout.id is not None or layout.field != "text"):
        raise BadValue(
            "expected a file with fields (jsonl, json, csv, tsv, parquet), got only txt",
            "leave both out",
            Argument("field, id", "--field, --id"),
        )
    if "txt" in kinds and (layout.given is not None or layout.keep):
        raise BadValue(
            "expected files with fields (jsonl, json, csv, tsv, parquet), got txt",
            "write each line as JSON",
            Argument("given, keep", "--given-field, --keep, --cluster"),
        )
