"""The check of a long prompt, whose arrays have an entry and a number for every token."""

from __future__ import annotations

from pofx.server_check.choice import choices_of
from pofx.server_check.finding import Outcome, Unaskable
from pofx.server_check.probe import Probe, Prompt, in_words

# Evaluation clients send up to 2,047 tokens by default.
_LONG, _SHORTEST = 2000, 250


def check_long_prompt(probe: Probe) -> Outcome:
    """A prompt of 2,000 tokens, or of the longest length that the server names, has a number for each token."""
    probe.need("echo")
    ids, text = probe.can.ids, probe.can.text
    n = first = min(_LONG, probe.room)
    refused = ""
    while n >= min(first, _SHORTEST // 2):
        prompt: Prompt = (ids * (n // len(ids) + 1))[:n] if ids else text * (n // len(text) + 1)
        fields = {"echo": True, "logprobs": 1, "max_tokens": 1}
        sent = in_words([prompt], fields)
        answer = probe.ask(
            {"prompt": prompt if isinstance(prompt, str) else [list(prompt)], "temperature": 0, **fields}
        )
        if answer.status >= 500:
            got = f"status {answer.status}: {answer.said}"
            return Outcome("fail", sent, "an answer, or status 4xx", got)
        if answer.ok:
            choice = choices_of(answer, 1, sent)[0]
            choice.whole(probe.length(choice, prompt), sent)
            if not refused:
                return Outcome(
                    "pass", sent, "a number for each token", f"arrays of length {len(choice.tokens)}"
                )
            got = f"arrays of length {len(choice.tokens)}; {refused}"
            return Outcome("warn" if n < _SHORTEST else "pass", sent, "a number for each token", got)
        refused = f"a longer prompt is refused (status {answer.status}: {answer.said:.60})"
        n //= 2
    raise Unaskable(refused or "the context of the model is short")
