"""The limits of one file: the size of a document, and the expansion of packed bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pofx.errors import Advice, BadSource

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
# A file that unpacks to fewer bytes is read, however few its packed bytes are.
FLOOR = 1 << 24


@dataclass(frozen=True)
class Limits:
    """The largest document and the largest expansion that a file may have.

    Attributes:
        document: The bytes of the longest document or row.
        expansion: The most bytes that are read for each byte of a packed file.
    """

    document: int = 64 * 10**6
    expansion: float = 200.0

    def check_expansion(self, name: str, packed: int, unpacked: int) -> None:
        """Raise `BadSource` where packed bytes unfold to more than `FLOOR`, and to more than the limit allows."""
        if unpacked > FLOOR and unpacked > self.expansion * max(packed, 1):
            raise BadSource(
                f"{name}: expected at most {self.expansion:g} bytes for each byte of the packed file, got more "
                f"({unpacked:,} from {packed:,})",
                Advice("raise the limit if you trust the file", "max_expansion=1e9", "--max-expansion 1e9"),
            )

    def is_doubtful(self, packed: int, unpacked: int) -> bool:
        """Return whether a beginning unfolds so far that more of the file must be read before it is trusted."""
        return unpacked <= FLOOR and 10 * unpacked > self.expansion * packed


DEFAULT = Limits()


def too_long(name: str, line: int | None, limits: Limits) -> BadSource:
    """Return the error of a document or a row that is longer than the limit.

    Args:
        name: The file, for the message.
        line: The line where the document begins; None where it is not known.
        limits: The limits.
    """
    where = name if line is None else f"{name}:{line}"
    return BadSource(
        f"{where}: expected a document of at most {limits.document:,} bytes, got a longer one",
        [
            Advice(
                "name the separator of the documents",
                "split, separator, format",
                "--split, --separator, --format",
            ),
            Advice("raise the limit", "max_document=10**9", "--max-document 1G"),
        ],
    )


def parse_size(text: str) -> int | None:
    """Return the bytes of a size such as 500M or 20G; None where the text is no size."""
    parts = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)B?", text.strip().upper(), re.ASCII)
    return None if parts is None else int(float(parts[1]) * _UNITS[parts[2]])
