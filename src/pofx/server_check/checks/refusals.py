"""Checks that bad requests are refused as OpenAI refuses them, and that the server answers afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pofx.models.outside.http_client import Answer
from pofx.server_check.closeness import largest_gap
from pofx.server_check.finding import Outcome, Unaskable
from pofx.server_check.probe import Probe

_EXPECTED = "status 4xx and an object error"


def check_unknown_id(probe: Probe) -> Outcome:
    """An id outside the vocabulary is refused."""
    probe.need("ids")
    worst = Outcome("pass", "ids 2000000000 and -1", _EXPECTED, "both refused")
    for i in (2_000_000_000, -1):
        answer = probe.ask({"prompt": [[*probe.can.ids[:2], i]], "max_tokens": 1})
        worst = _worse(worst, _refused(f"the id {i}", answer))
    return worst


def check_junk(probe: Probe) -> Outcome:
    """Bodies without JSON, or with values of wrong types, are refused; the next good request is answered as before."""
    before = probe.one(probe.prompt, echo=False)
    named: Mapping[str, Any] = {} if probe.model is None else {"model": probe.model}
    bad = {
        "prompt {'a': 1}": {"prompt": {"a": 1}, "max_tokens": 1},
        "max_tokens -1": {"prompt": probe.can.text, "max_tokens": -1},
        "logprobs 'many'": {"prompt": probe.can.text, "max_tokens": 1, "logprobs": "many"},
        "temperature 'hot'": {"prompt": probe.can.text, "max_tokens": 1, "temperature": "hot"},
        "prompt [[1.5]]": {"prompt": [[1.5]], "max_tokens": 1},
    }
    worst = Outcome("pass", f"{len(bad) + 2} bad bodies", _EXPECTED, "all refused")
    for words, fields in bad.items():
        worst = _worse(worst, _refused(words, probe.ask({**named, **fields})))
    for words, content in (("the body {not json", b"{not json"), ("a body of bytes \\xff\\xfe", b"\xff\xfe")):
        answer = probe.client.ask("POST", "/v1/completions", content=content)
        worst = _worse(worst, _refused(words, answer))
    after = probe.one(probe.prompt, echo=False)
    if len(after.logprobs) != len(before.logprobs) or largest_gap(after.logprobs, before.logprobs) > 1e-2:
        return Outcome("fail", worst.sent, "the same answers after bad bodies", "other numbers")
    return worst


def check_empty_prompt(probe: Probe) -> Outcome:
    """An empty prompt is answered or refused, and never gets status 500."""
    got = []
    for words, prompt in (("''", ""), ("[[]]", [[]])):
        if prompt and probe.can.missing.get("ids"):
            continue
        answer = probe.ask({"prompt": prompt, "max_tokens": 1})
        if answer.status >= 500:
            return Outcome(
                "fail",
                f"the prompt {words}",
                "an answer or status 4xx",
                f"status {answer.status}: {answer.said}",
            )
        got.append(f"status {answer.status} to {words}")
    return Outcome("pass", "prompts without a token", "an answer or status 4xx", ", ".join(got))


def check_too_long(probe: Probe) -> Outcome:
    """A prompt beyond the context is refused, and not cut silently."""
    probe.need("ids")
    limit = probe.can.limit
    if limit is None:
        raise Unaskable("the server does not say how long a prompt may be (max_model_len)")
    if limit > 20_000:
        raise Unaskable(f"a prompt of more than {limit} tokens is too large for a test")
    ids = probe.can.ids
    prompt = (ids * (limit // len(ids) + 2))[: limit + 1]
    return _refused(f"{limit + 1} ids", probe.ask({"prompt": [list(prompt)], "max_tokens": 1}))


def _refused(sent: str, answer: Answer) -> Outcome:
    """Return the outcome of a request that the server should refuse."""
    if answer.ok or answer.status >= 500:
        said = "an answer" if answer.ok else answer.said
        return Outcome("fail", sent, _EXPECTED, f"status {answer.status}: {said}")
    if not isinstance(answer.error.get("message"), str):
        return Outcome(
            "warn", sent, _EXPECTED, f"status {answer.status} without error.message: {answer.said:.60}"
        )
    return Outcome("pass", sent, _EXPECTED, f"status {answer.status}: {answer.said}")


def _worse(a: Outcome, b: Outcome) -> Outcome:
    """Return the worse of two outcomes; of equal outcomes the first."""
    order = ("pass", "warn", "fail")
    return b if order.index(b.verdict) > order.index(a.verdict) else a
