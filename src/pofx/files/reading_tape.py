"""The results of a model in the order of reading, so that a resumed run does not compute them again."""

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
    """Stretches of texts that a model has read, one after the other. A stretch is what goes through it in one call."""

    def recall(self, key: str) -> Arrays | None:
        """Return what was found of the next stretch; None where the tape ends or goes on with another key.

        After None the caller records the stretch, and whatever the tape held from there on counts no more.
        """

    def record(self, key: str, found: Arrays) -> None:
        """Add a stretch after the last one that was recalled or recorded."""


_tape: ContextVar[Tape | None] = ContextVar("tape", default=None)


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Whatever families read inside is recorded on the tape, and what stands there already is not read again.

    Right: around the same questions to the same model, in the same order. Wrong: a tape of another model: keys say what
    was asked, not of whom.
    """
    before = _tape.set(tape)
    try:
        yield
    finally:
        _tape.reset(before)


def read_once(asked: tuple[object, ...], read: Callable[[], Arrays]) -> tuple[Arrays, bool]:
    """What `read` finds of a stretch, and whether the tape knew it. asked: what decides that, plain values and arrays."""
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
