"""What decides the numbers of a run, part by part, so that two runs can be told to be the same, or what differs."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from pofx.errors import BadSource
from pofx.lm.model import LM


def model_fingerprint(lm: LM, name: str) -> dict[str, Any]:
    """What of a model decides its numbers: weights and tokenizer, x0 and how it is known, EOS, window rule, dtype.

    name: what the user calls it; it stands for the weights of a model that has no fingerprint of its own.
    Right: `fingerprint(a, "a") == fingerprint(b, "b")` before numbers of both go into one table.
    """
    return {
        "model": lm.fingerprint or name,
        "x0": str(lm.begin) if lm.begin.id is None else f"{lm.begin}, id {lm.begin.id}",
        "EOS": "none" if lm.vocab.end is None else f"id {lm.vocab.end}",
        "window": str(lm.window),
        "dtype": lm.dtype,
        **({"texts": "as the tokenizer normalizes them"} if lm.vocab.normalizes else {}),
    }


def file_fingerprint(path: str | os.PathLike[str]) -> str:
    """The content of a file as a hash and a size: the same after a copy or a touch, another after any edit.

    All of it is read, 1 GB in about a second, which no model comes near. `BadSource` where it cannot be.
    """
    try:
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            code = hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as e:
        raise BadSource(
            f"{os.fspath(path)}: expected a readable file, found: {e.strerror or e}",
            "check its path and its permissions",
        ) from None
    return f"{size} bytes, blake2b {code}"
