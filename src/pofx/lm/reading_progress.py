"""How far a model has come with the texts it was given, told after each pass: a long text of a large model takes hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with how many tokens of a call of `LM.forward` are done, and how many it has.
ReadingListener = Callable[[int, int], None]

_told: ContextVar[ReadingListener | None] = ContextVar("told", default=None)
_recalled: ContextVar[ReadingListener | None] = ContextVar("recalled", default=None)


@contextmanager
def listen_to_reading(told: ReadingListener, recalled: ReadingListener | None = None) -> Iterator[None]:
    """Whatever families read inside is told to `told`: a listener reaches the family through all transforms.

    recalled: is told instead of tokens that an earlier run had read (`tape`), which say nothing of the speed.

    Right: `with listening(lambda done, of: …): score(lm, texts)`. Wrong: to rely on it: a fast family tells nothing.
    """
    before = _told.set(told), _recalled.set(recalled)
    try:
        yield
    finally:
        _told.reset(before[0])
        _recalled.reset(before[1])


@contextmanager
def offset_reading(done: int, of: int) -> Iterator[None]:
    """What is told inside is of one of several calls: `done` tokens of `of` came before it."""
    told = _told.get()
    if told is None:
        yield
        return
    with listen_to_reading(lambda n, _: told(done + n, of), _recalled.get()):
        yield


def report_read(done: int, of: int) -> None:
    """To be called by a family behind each pass of its `forward`, and behind parts of a long pass."""
    told = _told.get()
    if told is not None:
        told(done, of)


def report_recalled(done: int, of: int) -> None:
    """To be called instead of `report_read` where the tokens were read by an earlier run."""
    told = _recalled.get()
    if told is not None:
        told(done, of)
