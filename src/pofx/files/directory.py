"""A directory that appears in one step, whole, such as the model that `save` or `pofx classify train` writes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.atomic import replaced_directory
from pofx.files.cache import sha256
from pofx.files.json_file import read_object

_LARGE = 1 << 20
MOST_CARD = 1 << 20  # bytes of a card, the file that marks a directory as an output of pofx


@contextmanager
def replaced_output(directory: str | Path, what: str) -> Iterator[Path]:
    """Write a new directory, which takes the place of `directory` when the block ends without an error.

    After a failure, Ctrl-C included, either the older directory stands in its place, or the new directory, whole.

    Args:
        directory: The directory to make or to replace.
        what: The noun of the messages, such as "model".

    Yields:
        An empty directory to write into.

    Raises:
        BadSource: The place cannot be written.

    Right: `check_output_directory(d, …)`, then `with replaced_output(d, "model") as new: …`. Wrong: the path of a directory
    that holds other files, which would be removed.
    """
    try:
        with replaced_directory(
            Path(directory).resolve()
        ) as part:  # a link stays a link; the directory that the link names is replaced
            yield part
            # The new directory is flushed to the disk before the older one goes, since a power cut could take both.
            for file in (f for f in part.rglob("*") if f.is_file()):
                with file.open("rb+") as f:
                    os.fsync(f.fileno())
    except OSError as e:
        raise BadSource(
            f"{directory}: expected a place to write a {what}, got: {e.strerror or e}", "choose another path"
        ) from None


def check_output_directory(directory: str | Path, card: str, what: str) -> None:
    """Refuse, before any work is done, a directory that must not be replaced.

    Args:
        directory: The directory to be written.
        card: The file that marks a directory as an older output of the same kind.
        what: The noun of the messages, such as "model".

    Raises:
        BadSource: The path is a file or the current directory, holds other files, or cannot be written.
    """
    target = Path(directory)
    try:
        if target.exists() and not target.is_dir():
            raise BadSource(
                f"{target}: expected a directory to write a {what} to, got a file", "choose another path"
            )
        others = _others(target, card)
        if others:
            raise BadSource(
                f"{target}: expected a new directory or a pofx {what} to replace, got other files "
                f"({', '.join(others[:3])}{(' …' if len(others) > 3 else '')})",
                "choose another path",
            )
        above = next(p for p in target.resolve().parents if p.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise BadSource(
                f"{target}: expected a place to write a {what}, got {above}, which takes no new directory",
                "choose another path",
            )
        # The current directory would be replaced as a whole, which leaves every shell in it without a directory.
        if target.resolve() == Path.cwd():
            raise BadSource(
                f"{target}: expected a directory of the {what}'s own, got the current one", "name a new one"
            )
    except OSError as e:
        raise BadSource(
            f"{target}: expected a place to write a {what}, got: {e.strerror or e}", "choose another path"
        ) from None


def _others(target: Path, card: str) -> list[str]:
    """Return the names in a directory that do not belong to an older output, whose card lists its own files."""
    if not target.is_dir():
        return []
    names = sorted(p.name for p in target.iterdir())
    if card not in names:
        return names
    try:
        own = read_object(target / card, MOST_CARD, infinite=True)["sha256"]
        return [name for name in names if name != card and name not in own]
    except (BadSource, TypeError, KeyError):
        return []  # nobody knows which files a damaged card listed, and no model can be read from them


def card_seal(card: dict[str, Any]) -> str:
    """Return a hash of a card itself, since the card decides how the numbers in the other files are read."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode("ascii")).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the hash of a file of a model; `BadSource` where the file cannot be read."""
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise BadSource(
            f"{path}: expected a readable file, got: {e.strerror or e}", "check its permissions"
        ) from None


def content_sha256(file: Path) -> str:
    """Return the hash of a file; the hash of a large file is remembered, so that later loads need not read the file."""
    try:
        return sha256(file) if is_large(file) else file_sha256(file)
    except OSError:
        return file_sha256(file)  # which says why the file cannot be read


def is_large(file: Path) -> bool:
    """Return whether a file is hashed once, and then remembered; a smaller file is read faster than the cache."""
    return file.stat().st_size >= _LARGE
