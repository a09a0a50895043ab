"""The three standard streams of the process, which stay usable if the caller closed a stream or its disk is full."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress


class _Absent(io.RawIOBase):
    """The stand-in for a stream that the caller closed; each read or write raises an error that names the stream."""

    def __init__(self, name: str) -> None:
        self._name = name

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        raise OSError(
            errno.EBADF, "expected an open stream, got a closed stream; open it, or name a file", self._name
        )

    def write(self, data: object, /) -> int:
        raise OSError(
            errno.EBADF, "expected an open stream, got a closed stream; open it, or name a file", self._name
        )


class _Lenient(io.TextIOWrapper):
    """A standard error that never fails, so that no run fails because a message cannot be written."""

    def write(self, text: str, /) -> int:
        try:
            n = super().write(text)
            super().flush()
        except (OSError, ValueError):
            self._give_up()
            return len(text)
        return n

    def flush(self) -> None:
        try:
            super().flush()
        except (OSError, ValueError):
            self._give_up()

    def _give_up(self) -> None:
        # The rest of the buffer is dropped, since Python would try to write it at exit, and fail again.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def prepare() -> None:
    """Make all three streams usable, so that a closed stream fails at its first use, and standard error never fails."""
    for number, name in ((0, "standard input"), (1, "standard output"), (2, "standard error")):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise the next file that is opened would get the number of the closed stream.
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
        if number == 0 and sys.stdin is None:
            sys.stdin = io.TextIOWrapper(io.BufferedReader(_Absent(name)), encoding="utf-8")
        elif number == 1 and sys.stdout is None:
            sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Absent(name)), encoding="utf-8")
        elif number == 2 and sys.stderr is None:
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (open as long as the process)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A terminal without · or Σ shows an escape, so that an answer does not end in the middle.
        sys.stdout.reconfigure(errors="backslashreplace")
    if type(sys.stderr) is io.TextIOWrapper and sys.stderr is sys.__stderr__:
        old = sys.stderr
        sys.stderr = _Lenient(
            old.buffer,
            encoding=old.encoding,
            errors="backslashreplace",
            line_buffering=True,
            write_through=True,
        )


def silence() -> None:
    """Discard the buffer of standard output, since Python would try to write the buffer at exit, and complain again."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    with suppress(AttributeError):  # a replaced standard output may have no file
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (open as long as the process)
