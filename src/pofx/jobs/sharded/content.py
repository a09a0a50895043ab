"""Hashes of files and of stretches of files."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from pofx.corpus.stretch import Stretch

_CHUNK = 1 << 20


def new_hash() -> Any:
    """Return an empty BLAKE2b hash of 16 bytes, the kind of hash in every field `content` of a unit."""
    return hashlib.blake2b(digest_size=16)


def content_of_file(path: str | os.PathLike[str]) -> str:
    """Return the hash of a file in hexadecimal; `OSError` where the file cannot be read."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, new_hash).hexdigest()


def content_of_stretch(path: str, stretch: Stretch) -> str:
    """Return the hash of the bytes from `stretch.start` to `stretch.stop`; `OSError` where the file cannot be read."""
    code = new_hash()
    left = stretch.stop - stretch.start
    with open(path, "rb") as f:
        f.seek(stretch.start)
        while left and (data := f.read(min(_CHUNK, left))):
            code.update(data)
            left -= len(data)
    return str(code.hexdigest())
