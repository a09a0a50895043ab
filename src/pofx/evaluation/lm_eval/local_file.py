"""The bytes of a file of a task: a plain file of this machine, read up to a bound."""

from __future__ import annotations

from pathlib import Path

from pofx.errors import BadSource


def read_local(path: str | Path, most: int, expected: str, name: str, otherwise: str) -> bytes:
    """Return the bytes of a file; of a longer file, the first `most` + 1 bytes.

    Args:
        path: The path of the file; messages show it.
        most: The most bytes that the caller takes.
        expected: The noun for the message, such as "a data file".
        name: The advice for a directory or a device, which is never opened.
        otherwise: The advice for a file that cannot be opened.

    Raises:
        BadSource: The path is no plain file, or the file cannot be read.
    """
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise BadSource(f"{path}: expected a file, got a directory or a device", name)
        with file.open("rb") as f:
            return f.read(most + 1)
    except OSError as e:
        raise BadSource(f"{path}: expected {expected}, got: {e.strerror or e}", otherwise) from None
