"""A text of which some bytes may be no UTF-8, in parts that a library can encode and parts that it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pofx.errors import NotText
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error

_STRAY = re.compile("([\udc80-\udcff]+)")


@contextmanager
def encoding() -> Iterator[None]:
    """Whatever the library raises on a text, panics too, is `NotText`; memory that ran out is `OutOfMemory`.

    Right: around one call of `tokenizers`. Wrong: around code of ours, whose mistakes must look like mistakes.
    """
    try:
        yield
    except BaseException as e:  # a panic of tokenizers is no Exception
        if is_out_of_memory(e):
            raise out_of_memory_error() from None
        if not isinstance(e, Exception) and type(e).__name__ != "PanicException":
            raise
        raise NotText(
            f"expected a text that this tokenizer can encode, found one on which it fails: {e!s:.100}",
            "change the text, or use another model",
        ) from None


def stretches(data: bytes) -> list[str | bytes]:
    """A text as runs of valid UTF-8 (str) and of stray bytes (bytes)."""
    try:
        return [data.decode()] if data else []
    except UnicodeDecodeError:
        runs = _STRAY.split(data.decode("utf-8", "surrogateescape"))
        return [r.encode("utf-8", "surrogateescape") if k % 2 else r for k, r in enumerate(runs) if r]
