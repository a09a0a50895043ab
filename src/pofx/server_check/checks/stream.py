"""Checks of a streamed answer: the form of its events, and their content, which equals the answer without a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.server_check.checks.usage import usage_in, usage_in_words, wrong_usage
from pofx.server_check.choice import Choice, choices_of
from pofx.server_check.closeness import largest_gap, same_numbers
from pofx.server_check.events import Streamed, streamed_of
from pofx.server_check.finding import Broken, Outcome, Unaskable, quoted
from pofx.server_check.probe import Probe, Prompt, completion_fields, in_words

_MEDIA_TYPE = "text/event-stream"
# So many tokens give a text several events, and a model on a CPU still answers in a second.
_DRAWN = 8


@dataclass(frozen=True)
class _Pair:
    """One request with `stream` and without.

    Attributes:
        sent: The request in words.
        plain: The choices of the answer without a stream.
        usage: The object `usage` of the answer without a stream; None where the answer has no such object.
        streamed: The events of the stream.
    """

    sent: str
    plain: list[Choice]
    usage: Mapping[str, Any] | None
    streamed: Streamed


def check_events(probe: Probe) -> Outcome:
    """A stream is a sequence of server-sent events, whose last one is `[DONE]`, and each choice ends once.

    Clients take the first `finish_reason` for the end of a choice, and `[DONE]` for the end of the answer.
    """
    warned = None
    for pair in _pairs(probe):
        sent, streamed = pair.sent, pair.streamed
        if streamed.ending != ("[DONE]",):
            got = quoted(streamed.ending[-1], 40) if streamed.ending else "no such event"
            return Outcome("fail", sent, "[DONE] as the last event, once", got)
        for parts in streamed.parts:
            reasons = [p.finish_reason for p in parts]
            if sum(map(bool, reasons)) != 1 or not reasons[-1]:
                got = f"{sum(map(bool, reasons))} of {len(reasons)} parts have one, the last {quoted(reasons[-1], 20)}"
                return Outcome("fail", sent, "finish_reason in the last part of a choice alone", got)
        if streamed.kind != _MEDIA_TYPE:
            warned = Outcome("warn", sent, f"the media type {_MEDIA_TYPE}", quoted(streamed.kind, 40))
    n = sum(map(len, streamed.parts))
    return warned or Outcome("pass", sent, "events", f"{n} parts, and then [DONE]")


def check_text(probe: Probe) -> Outcome:
    """The texts of the parts, one after the other, are the text of the answer without a stream, with the same end."""
    expected = "the text of the answer without a stream"
    for pair in _pairs(probe):
        for a, b in zip(pair.plain, pair.streamed.choices):
            if a.text != b.text:
                return Outcome("fail", pair.sent, f"{expected}, {quoted(a.text, 40)}", quoted(b.text, 40))
            if a.finish_reason != b.finish_reason:
                want = f"finish_reason {quoted(a.finish_reason, 20)}"
                return Outcome("fail", pair.sent, want, quoted(b.finish_reason, 20))
    return Outcome("pass", pair.sent, expected, f"{quoted(b.text, 40)}, {quoted(b.finish_reason, 20)}")


def check_logprobs(probe: Probe) -> Outcome:
    """The arrays of the parts, one after the other, are the arrays of the answer without a stream."""
    worst, warned, expected = 0.0, None, "the arrays of the answer without a stream"
    for pair in _pairs(probe):
        for a, b in zip(pair.plain, pair.streamed.choices):
            n = len(a.tokens)
            if set(b.lengths[:3]) != {n} or a.tokens != b.tokens:
                got = "other tokens" if len(b.tokens) == n else f"arrays of length {len(b.tokens)}"
                return Outcome("fail", pair.sent, f"{expected}, of length {n}", got)
            worst = max(worst, largest_gap(a.logprobs, b.logprobs))
            rows = [(x or {}, y or {}) for x, y in zip(a.top, b.top)]
            if at := [i for i, (x, y) in enumerate(rows) if x.keys() != y.keys()]:
                return Outcome(
                    "fail", pair.sent, f"the keys of each row, {expected}", f"others at index {at[0]}"
                )
            worst = max([worst, *(abs(x[name] - y[name]) for x, y in rows for name in x)])
            if a.offsets != b.offsets:
                got = f"{quoted(b.offsets, 40)}, not {quoted(a.offsets, 40)}"
                warned = Outcome("warn", pair.sent, "text_offset counted from one start", got)
    return warned if warned is not None else same_numbers(pair.sent, worst, expected)


def check_usage(probe: Probe) -> Outcome:
    """With `stream_options` `{"include_usage": true}` an event without choices has the numbers of tokens."""
    expected, got = "the usage of the answer without a stream", ""
    for pair in _pairs(probe, stream_options={"include_usage": True}):
        plain, found = pair.usage, usage_in({"usage": pair.streamed.usage})
        if found is None:
            return Outcome("warn", pair.sent, "an event with usage and no choices", "none")
        known = {} if plain is None else {n: range(x, x + 1) for n, x in plain.items() if isinstance(x, int)}
        if wrong := wrong_usage(found, known):
            return Outcome("fail", pair.sent, *wrong)
        got = usage_in_words(found)
    return Outcome("pass", pair.sent, expected, got)


def _pairs(probe: Probe, **more: Any) -> Iterator[_Pair]:
    """Send requests with `stream` and without: one prompt, two prompts, and an echo of characters of several bytes.

    Raises:
        Unaskable: The server streams no answer.
        Broken: An answer is no completion, or no stream.
    """
    prompt = probe.prompt
    drawn = max(1, min(_DRAWN, probe.room - len(prompt)))
    asked: list[tuple[Sequence[Prompt], dict[str, Any]]] = [
        ([prompt], {"echo": False, "max_tokens": drawn}),
        ([prompt, prompt[: max(2, len(prompt) // 2)]], {"echo": False, "max_tokens": drawn}),
    ]
    if not probe.can.missing.get("echo"):
        asked.append(([probe.can.multibyte or prompt], {"echo": True, "max_tokens": 1}))
    streams, refused = 0, ""
    for prompts, kind in asked:
        fields = completion_fields(prompts, logprobs=min(5, probe.can.rows), **kind)
        sent = f"{in_words(prompts, fields)}, stream"
        plain, stream = probe.ask(fields), probe.ask({**fields, "stream": True, **more})
        for answer in (plain, stream):
            if answer.status >= 500:
                raise Broken(sent, "an answer", f"status {answer.status}: {answer.said}")
        if not plain.ok or not stream.ok:
            no = stream if plain.ok else plain
            refused = refused or f"status {no.status}: {no.said:.100}"
            continue
        choices = choices_of(plain, len(prompts), sent)
        yield _Pair(sent, choices, usage_in(plain.json), streamed_of(stream, len(prompts), sent))
        streams += 1
    if not streams:
        raise Unaskable(f"the server refuses stream ({refused})")
