"""Standard error is held back while a Rust library runs; it is dropped if the library panicked, and written otherwise."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDERR = 2
_one = threading.Lock()


@contextmanager
def muffled(panics: bool) -> Iterator[None]:
    """Hold standard error back while the block runs, so that a panic is raised and not printed as well.

    All other text is written when the block ends. The whole process shares the descriptor, so a process that another
    thread starts meanwhile prints nothing either.

    Args:
        panics: Whether the library can panic; if not, nothing is held back.

    Right: `with muffled(True): tokenizer.encode(text)`. Wrong: code of pofx inside the block, whose warnings come late.
    """
    if not panics:
        yield
        return
    with _one:
        try:
            real = os.dup(_STDERR)
        except OSError:  # closed
            yield
            return
        kept = None
        try:
            with suppress(OSError):  # without a temporary file, standard error is written at once
                kept = _place()
                os.dup2(kept, _STDERR)
            yield
        except BaseException as e:  # a panic is no Exception; every exception is raised again
            os.dup2(real, _STDERR)
            if kept is not None and not _panicked(e):
                _copy(kept, real)
            raise
        else:
            os.dup2(real, _STDERR)
            if kept is not None:
                _copy(kept, real)
        finally:
            os.close(real)
            if kept is not None:
                os.close(kept)


def is_panic(error: BaseException) -> bool:
    """Return whether a library in Rust panicked: its exception is no `Exception`, and has no public type."""
    return type(error).__name__ == "PanicException"


def _panicked(error: BaseException | None) -> bool:
    """Return whether an error is a panic, or was raised in the place of one."""
    while error is not None and not is_panic(error):
        error = error.__context__
    return error is not None


def _place() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    with tempfile.TemporaryFile() as f:
        return os.dup(f.fileno())


def _copy(kept: int, real: int) -> None:
    with suppress(OSError):
        os.lseek(kept, 0, os.SEEK_SET)
        while piece := os.read(kept, 1 << 16):
            while piece:
                piece = piece[os.write(real, piece) :]
