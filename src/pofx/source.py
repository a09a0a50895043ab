"""What a path names: its format and its packing, known from its ending or from the caller."""

from __future__ import annotations

import difflib
import os
import stat
from dataclasses import dataclass
from typing import Literal, cast

from pofx.errors import BadSource, BadValue

Format = Literal["txt", "jsonl", "csv", "tsv", "parquet"]
Packing = Literal["", "gz", "zst"]

_FORMATS: dict[str, Format] = {
    "txt": "txt",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
}
_KNOWN = ".txt, .jsonl, .ndjson, .csv, .tsv or .parquet, then .gz or .zst if it is packed"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of documents, or standard input ("-")."""

    path: str
    format: Format
    packing: Packing

    @property
    def is_stdin(self) -> bool:
        """Whether it can be read only once."""
        return self.path == "-"

    @property
    def name(self) -> str:
        """What messages and ids call it."""
        return "stdin" if self.is_stdin else self.path


def source_of(path: str | os.PathLike[str], format: str | None = None) -> Source:
    """The source that a path names; `format` overrules its ending, but .gz and .zst still mean packed.

    `BadSource` for a missing file, a directory, an unknown ending; `BadValue` for an unknown format.
    Right: `source_of("-", "jsonl.gz")`. Wrong: `source_of("corpus")`, which says neither.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise BadValue(
            f"expected a path (str or Path), found {type(path).__name__}; "
            "give each path by itself: documents(*paths)"
        )
    inner, packing = _ending("x.txt" if text == "-" else text)
    if format is not None:
        given, given_packing = _ending("x." + format.removeprefix("."))
        if given not in _FORMATS:
            raise BadValue(f"format: expected one of {', '.join(_FORMATS)}, found {format!r}")
        inner, packing = given, given_packing or packing
    if text != "-":
        _must_be_file(text)
    if inner not in _FORMATS:
        raise BadSource(f"{text}: expected a file that ends in {_KNOWN}; {_advice(inner)}")
    kind = _FORMATS[inner]
    if kind == "parquet" and (packing or text == "-"):
        raise BadSource(
            f"{'stdin' if text == '-' else text}: expected a plain file, since Parquet is read from its end; "
            "unpack it, or save it to a file first"
        )
    return Source(text, kind, packing)


def _ending(path: str) -> tuple[str, Packing]:
    """The ending without packing, and the packing: ("jsonl", "gz") for a.jsonl.gz."""
    stem, last = os.path.splitext(path.lower())
    if last in (".gz", ".zst"):
        return os.path.splitext(stem)[1][1:], cast(Packing, last[1:])
    return last[1:], ""


def _must_be_file(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        why = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        # A sentence for a file's name: score, words and classify predict take it as --text.
        advice = "; if it is a text, say --text" if " " in path else ""
        raise BadSource(f"{path!r}: expected a file, found: {why}; check the path{advice}") from None
    if stat.S_ISDIR(mode):
        raise BadSource(
            f"{path!r}: expected a file, found a directory; name the files in it, e.g. {path}/*.txt"
        )


def _advice(ending: str) -> str:
    if ending == "json":
        return "found .json; write one object a line and call it .jsonl, or say format='jsonl' (--format jsonl) if it is so"
    if ending in ("bz2", "xz", "zip", "lz4"):
        return f"found .{ending}; unpack it, or pack it as .gz or .zst"
    near = difflib.get_close_matches(ending, _FORMATS, 1, 0.5) or ["txt"]
    found = "." + ending if ending else "no such ending"
    return f"found {found}; say what it is, e.g. format={near[0]!r} (--format {near[0]})"
