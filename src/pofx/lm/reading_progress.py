"""Progress inside one pass of a model: how many tokens of a call of `LM.forward` are read, since a pass can take hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with the number of tokens of a call of `LM.forward` that are read, and with the number of all its tokens.
ReadingListener = Callable[[int, int], None]

_on_read: ContextVar[ReadingListener | None] = ContextVar("on_read", default=None)
_on_recalled: ContextVar[ReadingListener | None] = ContextVar("on_recalled", default=None)


@contextmanager
def listen_to_reading(on_read: ReadingListener, on_recalled: ReadingListener | None = None) -> Iterator[None]:
    """Call a listener after each pass that a model makes inside this context, however many transforms are around it.

    Args:
        on_read: The listener for tokens that the model reads.
        on_recalled: The listener for tokens that come from the reading tape of an earlier run. They are no measure of
            speed, so `on_read` does not hear of them.

    Right: `with listen_to_reading(lambda done, of: …): score(lm, texts)`. Wrong: relying on a
    call, since a fast family makes none.
    """
    before = _on_read.set(on_read), _on_recalled.set(on_recalled)
    try:
        yield
    finally:
        _on_read.reset(before[0])
        _on_recalled.reset(before[1])


@contextmanager
def offset_reading(done: int, of: int) -> Iterator[None]:
    """Report each call of `LM.forward` inside as a part of a larger one, of which `done` tokens of `of` are read."""
    listener = _on_read.get()
    if listener is None:
        yield
        return
    with listen_to_reading(lambda n, _: listener(done + n, of), _on_recalled.get()):
        yield


def report_read(done: int, of: int) -> None:
    """Tell the listener that `done` tokens of `of` are read; a family calls this after each pass of its `forward`."""
    listener = _on_read.get()
    if listener is not None:
        listener(done, of)


def report_recalled(done: int, of: int) -> None:
    """Tell the listener that `done` tokens of `of` are known, the last ones from the tape of an earlier run."""
    listener = _on_recalled.get()
    if listener is not None:
        listener(done, of)
