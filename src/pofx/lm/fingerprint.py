"""Fingerprints of models and files: equal fingerprints mean equal numbers, and two that differ name the part that does."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from pofx.corpus.remote import url_fingerprint
from pofx.errors import BadSource
from pofx.files.urls import is_url
from pofx.lm.model import LM


def model_fingerprint(lm: LM, name: str) -> dict[str, Any]:
    """Return the parts of a model that decide its numbers: weights and tokenizer, x0, EOS, window rule, dtype.

    Args:
        lm: The model.
        name: The user's name of the model, which stands for the weights of a model without a fingerprint of its own.

    Returns:
        A dictionary from the name of each part to a value of JSON.

    Right: `model_fingerprint(a, "a") == model_fingerprint(b, "b")` before numbers of both go into one table. Wrong:
    comparing `lm.fingerprint` alone, which does not cover x0 and the window rule.
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
    """Return the content of a file as a size and a hash: equal after a copy or a touch, unequal after any edit.

    The whole file is read: 1 GB takes about a second, which is little beside the time of any model. A URL is not read where
    the store gives a mark of the content (ETag, MD5): the size and this mark make the fingerprint.

    Raises:
        BadSource: The file cannot be read.
    """
    try:
        if is_url(os.fspath(path)):
            return url_fingerprint(os.fspath(path))
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            code = hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as e:
        raise BadSource(
            f"{os.fspath(path)}: expected a readable file, got: {e.strerror or e}",
            "check its path and its permissions",
        ) from None
    return f"{size} bytes, blake2b {code}"
