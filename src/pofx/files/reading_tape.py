"""The results of a model in the order of reading, which a resumed run does not compute again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Tape(Protocol):
    """A sequential record of stretches: for each part of a text that a model read in one call, the results of the call."""

    def recall(self, key: str) -> Arrays | None:
        """Return the results of the next stretch; None where the tape ends or the next stretch has another key.

        After None the caller records the stretch, and the tape drops all stretches from this place on.
        """

    def record(self, key: str, found: Arrays) -> None:
        """Add a stretch after the last one that was recalled or recorded."""


_tape: ContextVar[Tape | None] = ContextVar("tape", default=None)


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Record on the tape what models read inside this context; the stretches that the tape has are not read again.

    Right: `with recording(tape): score(lm, texts)`, with the model and the texts of the stopped run. Wrong: the tape of
    another model, since a key names the question and not the model.
    """
    before = _tape.set(tape)
    try:
        yield
    finally:
        _tape.reset(before)


def read_once(asked: tuple[object, ...], read: Callable[[], Arrays]) -> tuple[Arrays, bool]:
    """Return the results of a stretch, and whether the tape had them.

    Args:
        asked: The question: plain values and arrays on which the results depend.
        read: A function that computes the results; it is called where the tape lacks them.
    """
    tape = _tape.get()
    if tape is None:
        return read(), False
    key = _key(asked)
    known = tape.recall(key)
    if known is not None:
        return known, True
    found = read()
    tape.record(key, found)
    return found, False


def _key(asked: tuple[object, ...]) -> str:
    out = hashlib.blake2b(digest_size=16)
    for part in asked:
        if isinstance(part, np.ndarray):
            out.update(repr((part.shape, part.dtype.str)).encode())
            out.update(np.ascontiguousarray(part).tobytes())
        else:
            out.update(repr(part).encode())
    return out.hexdigest()
