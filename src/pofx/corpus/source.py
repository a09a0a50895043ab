"""The sources that a path names, with their format and packing, which the ending or the caller gives."""

from __future__ import annotations

import difflib
import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from pofx.corpus import remote
from pofx.corpus.stretch import Stretch
from pofx.corpus.unpacking import PACKINGS
from pofx.corpus.unpacking import Packing as Packing
from pofx.errors import Advice, BadSource, BadValue
from pofx.files.urls import is_url

Format = Literal["txt", "jsonl", "json", "csv", "tsv", "parquet", "fasttext"]

_FORMATS: dict[str, Format] = {
    "txt": "txt",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
    "fasttext": "fasttext",
}
_KNOWN = ".txt, .jsonl, .ndjson, .json, .csv, .tsv or .parquet, then .gz, .zst, .bz2 or .xz if it is packed"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of documents, or standard input.

    Attributes:
        path: The path or URL; "-" for standard input.
        format: The format of the file, once it is unpacked.
        packing: How the file is packed.
        named: Whether the caller named the format.
        stretch: The run of rows that is read; None for the whole file.
    """

    path: str
    format: Format
    packing: Packing
    named: bool = False
    stretch: Stretch | None = None

    @property
    def is_stdin(self) -> bool:
        """Whether the source is standard input, which can be read only once."""
        return self.path == "-"

    @property
    def name(self) -> str:
        """The name in messages and ids: one line of Unicode, whatever bytes the path has."""
        if self.is_stdin:
            return "stdin"
        if self.path.isascii() and self.path.isprintable():
            return self.path
        unicode = os.fsencode(self.path).decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in unicode)

    @property
    def is_regular(self) -> bool:
        """Whether the source is a file that can be read again, and not standard input, a pipe or a device."""
        return can_be_read_again(self.path)

    @property
    def size(self) -> int:
        """The size in bytes, packed where the file is packed; 0 where a store does not give it."""
        return (remote.find_info(self.path).size or 0) if is_url(self.path) else os.path.getsize(self.path)


def can_be_read_again(path: str) -> bool:
    """Return whether a path is a file, and not standard input, a pipe or a device; `OSError` where it names nothing."""
    if is_url(path):
        return remote.find_info(path).kind == "file"
    return path != "-" and stat.S_ISREG(os.stat(path).st_mode)


@dataclass(frozen=True, slots=True)
class ExpandedPath:
    """The files that a path stands for, and the other files of a directory, which have no known ending."""

    files: tuple[str, ...]
    others: tuple[str, ...] = ()


def expand_path(path: str | os.PathLike[str], format: str | None = None) -> ExpandedPath:
    """Return the files that a path names: itself, those below a directory, or those that match `*`, `?`, `[…]` or `**`.

    A path with a protocol is a URL, and fsspec answers for it.

    The files are sorted by path. A directory stands for its files with a known ending, or for all files if `format` is
    given. Hidden files never count.

    Raises:
        BadSource: There are no such files.
    """
    text = _text(path)
    if is_url(text):
        return _expand_url(text, format)
    if text != "-" and not os.path.lexists(text) and glob.has_magic(text):
        return _matches(text, sorted(p for p in _matching(text) if not os.path.isdir(p)))
    if text == "-" or not os.path.isdir(text):
        return ExpandedPath((text,))
    names = set(os.listdir(text)) if os.access(text, os.R_OK) else set()
    _refuse_model(text, names)
    below = sorted(_below(text))
    return _of_directory(text, below, [p for p in below if os.path.isfile(p)], format)


def _expand_url(url: str, format: str | None) -> ExpandedPath:
    """Return the files that a URL names; the web lists no files, and a "?" in an address of the web is no pattern."""
    remote.forget_listings(url)
    if not remote.can_list(url):
        return ExpandedPath((url,))
    if glob.has_magic(url):
        return _matches(url, remote.list_matching(url))
    try:
        if remote.find_info(url).kind != "directory":
            return ExpandedPath((url,))
        below = remote.list_below(url)
    except OSError:
        return ExpandedPath((url,))  # `source_of` raises the error
    top = f"{url.rstrip('/')}/"
    _refuse_model(url, {p.removeprefix(top) for p in below})
    return _of_directory(url, below, below, format)


def _matches(pattern: str, found: list[str]) -> ExpandedPath:
    if not found:
        raise BadSource(
            f"{pattern!r}: expected files that match, got none", ["check the pattern", *_as_text(pattern)]
        )
    return ExpandedPath(tuple(found))


def _refuse_model(text: str, names: set[str]) -> None:
    if "pofx.json" in names or ("config.json" in names and any(n.endswith(".safetensors") for n in names)):
        raise BadSource(
            f"{text!r}: expected documents, got the directory of a model",
            Advice("name files of documents, and pass the model as a model", "load(directory)", "--model"),
        )


def _of_directory(text: str, below: list[str], regular: list[str], format: str | None) -> ExpandedPath:
    """Return the files of a directory that are read, and its other files.

    Args:
        text: The directory, as the user named it.
        below: All paths below the directory.
        regular: The paths below the directory that are files.
        format: The format that the caller named; None where endings decide.
    """
    files = tuple(p for p in regular if format is not None or _ending(p)[0] in _FORMATS)
    if not files:
        found = "none"
        if below:
            files_of = "1 other file" if len(below) == 1 else f"{len(below):,} other files"
            found = f"{files_of}, such as {os.path.basename(below[0])!r}"
        raise BadSource(
            f"{text!r}: expected a directory with files that end in {_KNOWN}, got {found}",
            ["name another directory", Advice("say that the files are text", "format='txt'", "--format txt")],
        )
    return ExpandedPath(files, tuple(p for p in below if p not in set(files)))


def _matching(pattern: str) -> list[str]:
    try:
        return glob.glob(pattern, recursive=True)
    except (ValueError, OSError, re.error):  # ValueError: a NUL in the pattern
        return []


def _below(directory: str) -> Iterator[str]:
    def refused(e: OSError) -> None:
        raise BadSource(
            f"{e.filename!r}: expected a readable directory, got: {e.strerror}", "check its permissions"
        ) from None

    for place, inner, names in os.walk(directory, onerror=refused):
        inner[:] = [d for d in inner if not d.startswith(".")]
        yield from (os.path.join(place, n) for n in names if not n.startswith("."))


def _text(path: object) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise BadValue(
            f"expected a path (str or Path), got {type(path).__name__}",
            "pass each path as an argument of its own: documents(*paths)",
        )
    return text


def source_of(path: str | os.PathLike[str], format: str | None = None) -> Source:
    """Return the source that a path names; `format` overrules its ending, but .gz, .zst, .bz2 and .xz still mean packed.

    Raises:
        BadSource: The file is missing, is a directory, or has an unknown ending.
        BadValue: The format is unknown.

    Right: `source_of("-", "jsonl.gz")`. Wrong: `source_of("corpus")`, which names no format.
    """
    text = _text(path)
    inner, packing = _ending("x.txt" if text == "-" else text)
    if format is not None:
        given, given_packing = _ending("x." + format.removeprefix("."))
        if given not in _FORMATS:
            raise BadValue(
                f"expected one of {', '.join(_FORMATS)}, got {format!r}",
                "write one of these",
                argument="format",
            )
        inner, packing = given, given_packing or packing
    if text != "-":
        _must_be_file(text)
    if inner not in _FORMATS:
        found = f".{inner}" if inner else "no such ending"
        raise BadSource(f"{text}: expected a file that ends in {_KNOWN}, got {found}", _advice(inner))
    kind = _FORMATS[inner]
    if kind == "parquet" and (packing or text == "-"):
        raise BadSource(
            f"{('stdin' if text == '-' else text)}: expected a plain file, since Parquet is read from its end",
            "unpack the file, or save the stream to a file, first",
        )
    return Source(text, kind, packing, format is not None)


def _ending(path: str) -> tuple[str, Packing]:
    """Return the ending without packing, and the packing: ("jsonl", "gz") for a.jsonl.gz."""
    stem, last = os.path.splitext((remote.ending_of(path) if is_url(path) else path).lower())
    if last[1:] in PACKINGS:
        return os.path.splitext(stem)[1][1:], cast(Packing, last[1:])
    return last[1:], ""


def _must_be_file(path: str) -> None:
    try:
        directory = _is_directory(path)
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        why = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise BadSource(
            f"{path!r}: expected a file, got: {why}", ["check the path", *_as_text(path)]
        ) from None
    if directory:
        raise BadSource(
            f"{path!r}: expected a file, got a directory", f"name the files in it, e.g. {path}/*.txt"
        )


def _is_directory(path: str) -> bool:
    if is_url(path):
        return remote.find_info(path).kind == "directory"
    return stat.S_ISDIR(os.stat(path).st_mode)


def _as_text(path: str) -> list[Advice]:
    """Advise to pass a path with a space as a text, which the path may be."""
    return [Advice("pass a text as a text", "[text]", "--text", parameter="text")] if " " in path else []


def _advice(ending: str) -> str | Advice:
    if ending in ("zip", "lz4"):
        return "unpack the file, or pack it as .gz or .zst"
    near = difflib.get_close_matches(ending, _FORMATS, 1, 0.5) or ["txt"]
    return Advice("name the format", f"format={near[0]!r}", f"--format {near[0]}")
