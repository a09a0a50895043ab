"""The object `usage` of an answer, and which numbers of tokens it may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pofx.server_check.choice import Choice
from pofx.server_check.finding import quoted
from pofx.server_check.probe import Prompt

FIELDS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_in(answer: Any) -> Mapping[str, Any] | None:
    """The object `usage` of an answer; None where it has none."""
    found = answer.get("usage") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else None


def wrong_usage(found: Mapping[str, Any], known: Mapping[str, range]) -> tuple[str, str] | None:
    """What was expected and got, where a number of tokens is wrong; None where all are right.

    Args:
        found: The object `usage`.
        known: Which numbers are right, by the name of their field; a field that it lacks may have any.
    """
    for name in FIELDS:
        value, right = found.get(name), known.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            return f"a whole number {name}", quoted(value, 20)
        if right is not None and value not in right:
            return f"{name} {' or '.join(map(str, right))}", f"{value}"
    if found["total_tokens"] != found["prompt_tokens"] + found["completion_tokens"]:
        return "total_tokens that is the sum of the two others", usage_in_words(found)
    return None


def usage_in_words(found: Mapping[str, Any]) -> str:
    """The three numbers, such as "prompt_tokens 15, completion_tokens 1, total_tokens 16"."""
    return ", ".join(f"{name} {quoted(found.get(name), 20)}" for name in FIELDS)


def right_counts(prompts: Sequence[Prompt], choices: Sequence[Choice], *, echo: bool) -> dict[str, range]:
    """Which numbers of tokens are right for an answer.

    Args:
        prompts: The prompts. Of a text without `echo` nobody says how many tokens it has.
        choices: The answer's choice of each prompt, with log-probabilities; with `echo` one token is generated.
        echo: Whether the prompts are echoed.

    Returns:
        The right numbers, by the name of their field. A number at index 0 of an echo shows a BOS before the prompt that is
        not echoed, and may be counted or not. Servers count an EOS that they leave out of the arrays, or do not count it.
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
