"""The check of `usage`, the object in an answer that has the numbers of tokens of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pofx.server_check.choice import Choice
from pofx.server_check.finding import Outcome, quoted
from pofx.server_check.probe import Probe, Prompt, completion_fields, in_words

FIELDS = ("prompt_tokens", "completion_tokens", "total_tokens")


def check_usage(probe: Probe) -> Outcome:
    """`usage` counts the tokens of all prompts, the generated tokens, and their sum."""
    prompt, got = probe.prompt, ""
    few = max(1, min(3, probe.room - len(prompt)))
    echo = not probe.can.missing.get("echo")
    for prompts, echoed, most in (
        ([prompt], echo, 1),
        ([prompt], False, few),
        ([prompt, prompt[: max(2, len(prompt) // 2)]], echo, 1),
    ):
        asked = completion_fields(prompts, max_tokens=most, echo=echoed)
        sent = in_words(prompts, asked)
        choices = probe.many(prompts, max_tokens=most, echo=echoed)
        found = usage_in(probe.ask(asked).json)
        if found is None:
            return Outcome("warn", sent, "an object usage", "none")
        if wrong := wrong_usage(found, right_counts(prompts, choices, echo=echoed)):
            return Outcome("fail", sent, *wrong)
        got = usage_in_words(found)
    return Outcome("pass", sent, "the numbers of tokens", got)


def usage_in(answer: Any) -> Mapping[str, Any] | None:
    """Return the object `usage` of an answer; None for an answer without this object."""
    found = answer.get("usage") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else None


def wrong_usage(found: Mapping[str, Any], known: Mapping[str, range]) -> tuple[str, str] | None:
    """Return the expected and the received number of tokens where a number is wrong; None where all are right.

    Args:
        found: The object `usage`.
        known: The right numbers, by the name of their field; a field that `known` lacks may have any number.
    """
    for name in FIELDS:
        value, right = found.get(name), known.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            return f"a whole number {name}", quoted(value, 20)
        if right is not None and value not in right:
            return f"{name} {' or '.join(map(str, right))}", f"{value}"
    if found["total_tokens"] != found["prompt_tokens"] + found["completion_tokens"]:
        return "total_tokens that is the sum of the two other numbers", usage_in_words(found)
    return None


def usage_in_words(found: Mapping[str, Any]) -> str:
    """Return the three numbers, such as "prompt_tokens 15, completion_tokens 1, total_tokens 16"."""
    return ", ".join(f"{name} {quoted(found.get(name), 20)}" for name in FIELDS)


def right_counts(prompts: Sequence[Prompt], choices: Sequence[Choice], *, echo: bool) -> dict[str, range]:
    """Return the right numbers of tokens of an answer.

    Args:
        prompts: The prompts. The number of tokens of a text without `echo` is not known.
        choices: The answer's choice of each prompt, with log-probabilities; with `echo` one token is generated.
        echo: Whether the prompts are echoed.

    Returns:
        The right numbers, by the name of their field. A log-probability at index 0 of an echo shows a BOS before the prompt
        that is not echoed, which a server may count or not. A server may also count an EOS that the arrays leave out.
    """
    ended = sum(c.finish_reason == "stop" for c in choices)
    lengths = [len(p) if not isinstance(p, str) else len(c.tokens) - 1 for p, c in zip(prompts, choices)]
    drawn = sum(len(c.tokens) for c in choices) - echo * sum(lengths)
    known = {"completion_tokens": range(drawn, drawn + ended + 1)}
    if echo:
        silent = sum(bool(c.logprobs) and c.logprobs[0] is not None for c in choices)
        known["prompt_tokens"] = range(sum(lengths), sum(lengths) + silent + 1)
    elif not any(isinstance(p, str) for p in prompts):
        known["prompt_tokens"] = range(sum(lengths), sum(lengths) + len(prompts) + 1)
    return known
