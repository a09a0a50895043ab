"""The check of `usage`, which has the numbers of tokens of a request."""

from __future__ import annotations

from pofx.server_check.finding import Outcome
from pofx.server_check.probe import Probe, completion_fields, in_words
from pofx.server_check.usage import right_counts, usage_in, usage_in_words, wrong_usage


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
