"""The text of an ARPA file, recognised by its content, cut at spaces and tabs only, and checked line by line."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pofx.corpus.source import Packing, Source
from pofx.corpus.streams import open_text
from pofx.errors import BadSource

# Tokens, log10 p and log10 of the back-off weight of the n-grams of each order.
Grams = dict[int, tuple[list[tuple[str, ...]], list[float], list[float]]]

MOST_ORDER = 16
# How many lines are searched for the mark \data\, since toolkits write a preamble of some lines before it.
PREAMBLE = 10_000
LONGEST = 1 << 20
HEAD = 1 << 16

_PACKED: dict[bytes, Packing] = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}
# The first bytes of files that hold an n-gram model, or may hold one, but are no text.
_BINARY = {
    b"mmap lm http://kheafield.com/code": (
        "a binary file of KenLM, whose words are kept as hashes only; read the ARPA file that it was built from"
    ),
    b"SRILM_BINARY_NGRAM": "a binary file of SRILM; write it as text: ngram -lm FILE -write-lm model.arpa",
    b"blmt": "a binary file of IRSTLM; write it as text: compile-lm --text yes FILE model.arpa",
    b"Qblmt": "a binary file of IRSTLM; write it as text: compile-lm --text yes FILE model.arpa",
    b"BZh": "a file packed by bzip2; unpack it: bunzip2 FILE",
    b"\xfd7zXZ": "a file packed by xz; unpack it: unxz FILE",
    b"PK\x03\x04": "a zip archive; unpack it, and name the file in it",
}
_DATA = re.compile(rb"(?:^|\n)[ \t]*\\data\\[ \t]*\r?(?:\n|$)")
_FIELDS = re.compile(r"[^ \t]+")
# float() would also take "1_0", "１", a no-break space before a number, and "nan".
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|-[iI]nf(?:inity)?")
_COUNT = re.compile(r"ngram[ \t]+([0-9]{1,3})[ \t]*=[ \t]*([0-9]{1,15})")


def holds_arpa(path: Path) -> bool:
    """Return whether the content of a file is an n-gram model: ARPA text, packed ARPA text, or the binary of a toolkit."""
    with path.open("rb") as raw:
        head = raw.read(HEAD)
    if head.startswith(tuple(b for b in _BINARY if len(b) > 4)):
        return True
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(head, HEAD)
        except zlib.error:
            return False
    return _DATA.search(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read_grams(path: Path) -> Grams:
    """Read the n-grams of an ARPA file, unchanged.

    Raises:
        BadSource: The file is no ARPA file, breaks off, or disagrees with its own counts.
    """
    with _lines(path) as lines:
        return _Reader(str(path)).read(lines)


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """Return the lines of a file without their ends; the first bytes, and not the name, show whether it is packed."""
    name = str(path)
    try:
        with path.open("rb") as raw:
            head = raw.read(64)
    except OSError as e:
        raise BadSource(
            f"{name}: expected a readable file, got: {e.strerror or e}",
            "check its path and its permissions",
        ) from None
    if not head:
        raise BadSource(
            f"{name}: expected the text of an ARPA file, got an empty file", "copy the file again"
        )
    if found := next((what for magic, what in _BINARY.items() if head.startswith(magic)), None):
        raise BadSource(
            f"{name}: expected the text of an ARPA file, got {found}", "write the file again as UTF-8 text"
        )
    packing: Packing = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), "")
    with open_text(Source(name, "txt", packing)) as stream:
        yield _decoded(stream, name)


def _decoded(stream: io.BufferedReader, name: str) -> Iterator[str]:
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        if len(line) == LONGEST:
            raise BadSource(
                f"{name}:{number}: expected an ARPA file, got a line of over {LONGEST:,} bytes",
                "check the path",
            )
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise BadSource(
                f"{name}:{number}: expected an ARPA file in UTF-8, got other bytes",
                "convert the file, such as with iconv",
            ) from None


class _Reader:
    """One pass over the lines, which checks the sections and counts that the head of the file promises."""

    def __init__(self, name: str) -> None:
        self.name, self.line = name, 0
        self.promised: dict[int, int] = {}
        self.grams: Grams = {}

    def read(self, lines: Iterator[str]) -> Grams:
        numbered = self._numbered(lines)
        self._to_data(numbered)
        section = 0  # 0: the counts; k: the k-grams
        for line in numbered:
            fields = _FIELDS.findall(line)
            if not fields:
                continue
            head = fields[0]
            if head[0] == "\\" and len(fields) == 1 and (head == "\\end\\" or head.endswith("-grams:")):
                if head == "\\end\\":
                    return self._whole()
                section = self._section(head, section)
            elif section:
                self._gram(fields, section, line)
            else:
                self._count(line)
        raise self._bad("'\\end\\' at the end")

    def _numbered(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.line += 1
            yield line

    def _bad(self, what: str) -> BadSource:
        return BadSource(f"{self.name}:{self.line}: expected {what}", "this is no whole ARPA file")

    def _to_data(self, lines: Iterator[str]) -> None:
        first = ""
        for line in lines:
            if line.strip(" \t") == "\\data\\":
                return
            first = first or line.strip()
            if self.line >= PREAMBLE:
                break
        raise self._bad(
            f"'\\data\\' before the counts, got {first[:40]!r}" if first else "'\\data\\', got nothing"
        )

    def _count(self, line: str) -> None:
        found = _COUNT.fullmatch(line.strip(" \t"))
        if found is None or int(found[1]) in self.promised:
            raise self._bad(f"'ngram N=COUNT', once for each N, got {line[:40]!r}")
        self.promised[int(found[1])] = int(found[2])

    def _section(self, head: str, before: int) -> int:
        """Return the order that the head of a section names; an order without promised n-grams may lack its section."""
        for k in range(before + 1, MOST_ORDER + 1):
            if head == f"\\{k}-grams:" and k in self.promised:
                self.grams[k] = ([], [], [])
                return k
            if self.promised.get(k) != 0:
                break
            self.grams[k] = ([], [], [])
        raise self._bad(f"section {before + 1}, got {head[:40]!r}")

    def _gram(self, fields: list[str], k: int, line: str) -> None:
        numbers = [fields[0], *fields[k + 1 :]]
        good = 1 <= len(numbers) <= 2 and len(fields) > k and all(map(_NUMBER.fullmatch, numbers))
        p, weight = (float(x) for x in ([*numbers, "0"][:2] if good else "11"))
        if not p <= 1e-6 or not weight < 100:
            raise self._bad(f"log10 p ≤ 0, {k} tokens and perhaps a back-off weight, got {line[:60]!r}")
        tokens, logs, weights = self.grams[k]
        tokens.append(tuple(fields[1 : k + 1]))
        logs.append(p)
        weights.append(weight)

    def _whole(self) -> Grams:
        for k in range(len(self.grams) + 1, MOST_ORDER + 1):
            if self.promised.get(k) != 0:
                break
            self.grams[k] = ([], [], [])
        orders = list(range(1, len(self.grams) + 1))
        if not orders or sorted(self.promised) != orders:
            raise self._bad(f"1-grams to at most {MOST_ORDER}-grams, got orders {sorted(self.promised)[:20]}")
        for k, (tokens, _, _) in self.grams.items():
            if len(tokens) != self.promised[k]:
                raise self._bad(f"{self.promised[k]} {k}-grams as promised, got {len(tokens)}")
            if len(set(tokens)) < len(tokens):
                raise self._bad(f"distinct {k}-grams, got a repeated n-gram")
        return self.grams
