"""The events of a streamed answer are read, and put together into one answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pofx.models.outside.http_client import Answer
from pofx.server_check.choice import Choice, choice_of
from pofx.server_check.finding import Broken, quoted

_DONE = "[DONE]"


@dataclass(frozen=True)
class Streamed:
    """A streamed answer.

    Attributes:
        kind: The media type of the answer, such as "text/event-stream".
        parts: The parts of each choice, in the order of their prompts.
        usage: The object `usage` of an event without choices; None where no such event came.
        ending: The data after the last event with JSON: ("[DONE]",) from a server that conforms, () for no data.
    """

    kind: str
    parts: list[list[Choice]]
    usage: Any
    ending: tuple[str, ...]

    @property
    def choices(self) -> list[Choice]:
        """Each choice put together from its parts."""
        return [_together(parts) for parts in self.parts]


def streamed_of(answer: Answer, n: int, sent: str) -> Streamed:
    """Read the events of an answer.

    Args:
        answer: An answer of status 2xx to a request with `stream`.
        n: How many prompts were sent.
        sent: The request in words.

    Returns:
        The parts of the n choices, and the data after them.

    Raises:
        Broken: The answer is no stream of events with parts of n choices.
    """
    data = _data_of(answer.text)
    if not data:
        raise Broken(sent, "events of a stream", f"an answer without events, {quoted(answer.text[:200], 40)}")
    ending = next((i for i, text in enumerate(data) if text.strip() == _DONE), len(data))
    parts: list[list[Choice]] = [[] for _ in range(n)]
    usage = None
    for text in data[:ending]:
        event = _json(text, sent)
        listed = event.get("choices")
        if not isinstance(listed, list) or not all(isinstance(c, dict) for c in listed):
            raise Broken(sent, "an array choices in each event", quoted(event, 60))
        usage = usage if listed else event.get("usage")
        for raw in listed:
            part = choice_of(raw, sent, with_logprobs=raw.get("logprobs") is not None)
            if not 0 <= part.index < n:
                raise Broken(sent, f"parts with index 0 to {n - 1}", f"index {quoted(part.index, 20)}")
            parts[part.index].append(part)
    if missing := [i for i, found in enumerate(parts) if not found]:
        raise Broken(sent, f"events of {n} choices", f"none of choice {missing[0]}")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Streamed(kind, parts, usage, tuple(data[ending:]))


def _data_of(body: str) -> list[str]:
    """Return the data of each event; a comment, which keeps the connection open, has no data."""
    out = []
    for event in re.split(r"(?:\r\n|\r|\n){2,}", body):
        lines = re.split(r"\r\n|\r|\n", event)
        data = [line.removeprefix("data:").removeprefix(" ") for line in lines if line.startswith("data:")]
        if data:
            out.append("\n".join(data))
    return out


def _json(text: str, sent: str) -> dict[str, Any]:
    """Return the object of an event."""

    def constant(name: str) -> NoReturn:
        raise Broken(sent, "strict JSON in each event", f"the value {name}, which no JSON has")

    try:
        event = json.loads(text, parse_constant=constant)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise Broken(sent, "a JSON object in each event", quoted(text[:200], 60))
    return event


def _together(parts: Sequence[Choice]) -> Choice:
    """Join the parts of one choice; its `finish_reason` comes from the last part that has a `finish_reason`."""
    offsets = [p.offsets for p in parts if p.tokens]
    known = [o for o in offsets if o is not None]
    return Choice(
        parts[0].index,
        "".join(p.text for p in parts),
        next((p.finish_reason for p in reversed(parts) if p.finish_reason), ""),
        [t for p in parts for t in p.tokens],
        [x for p in parts for x in p.logprobs],
        [r for p in parts for r in p.top],
        [o for some in known for o in some] if len(known) == len(offsets) else None,
    )
