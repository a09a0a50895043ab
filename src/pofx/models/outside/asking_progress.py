"""Progress of a long conversation with a server: how many requests were answered, and how many token ids were sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Called after each answer with the number of token ids that the request sent.
AskingListener = Callable[[int], None]

_on_answer: ContextVar[AskingListener | None] = ContextVar("on_answer", default=None)


@contextmanager
def listen_to_asking(on_answer: AskingListener) -> Iterator[None]:
    """Call a listener after each answer of a server to a question about a model, inside this context."""
    before = _on_answer.set(on_answer)
    try:
        yield
    finally:
        _on_answer.reset(before)


def report_answer(fields: Mapping[str, Any]) -> None:
    """Report to the listener that a request of these fields was answered."""
    listener = _on_answer.get()
    if listener is not None:
        rows = fields.get("prefixes", fields.get("prompt", ()))
        listener(sum(len(r) for r in rows if isinstance(r, list)) if isinstance(rows, list) else 0)
