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
        on_recalled: The listener for tokens that come from the reading tape of an earlier run. Such tokens are no measure
            of speed, so `on_read` is not called for them.

    Right: `with listen_to_reading(lambda done, of: …): score(lm, texts)`. Wrong: code that needs a call of the listener,
    since a fast family never calls the listener.
    """
    before = _on_read.set(on_read), _on_recalled.set(on_recalled)
    try:
        yield
    finally:
        _on_read.reset(before[0])
        _on_recalled.reset(before[1])


@contextmanager
def offset_reading(done: int, of: int) -> Iterator[None]:
    """Report each call of `LM.forward` in this context as a part of a larger call that has read `done` of `of` tokens."""
    listener = _on_read.get()
    if listener is None:
        yield
        return
    with listen_to_reading(lambda n, _: listener(done + n, of), _on_recalled.get()):
        yield


def report_read(done: int, of: int) -> None:
    """Report to the listener that `done` of `of` tokens are read; a family calls this after each pass of its `forward`."""
    listener = _on_read.get()
    if listener is not None:
        listener(done, of)


def report_recalled(done: int, of: int) -> None:
    """Report to the listener that `done` of `of` tokens are known, the last ones from the tape of an earlier run."""
    listener = _on_recalled.get()
    if listener is not None:
        listener(done, of)
