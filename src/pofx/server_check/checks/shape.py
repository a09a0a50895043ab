"""Checks of the arrays: lengths, the number of generated tokens, nulls, and numbers that are no log-probabilities."""

from __future__ import annotations

from pofx.server_check.choice import choices_of, shown_lengths
from pofx.server_check.finding import Outcome, Unaskable, quoted
from pofx.server_check.probe import Probe, Prompt, in_words


def check_echo(probe: Probe) -> Outcome:
    """The answer to `echo` holds the prompt and its log-probabilities."""
    text = probe.can.text
    fields = {"echo": True, "logprobs": 1, "max_tokens": 1}
    sent = in_words([text], fields)
    if why := probe.can.missing.get("echo"):
        answer = probe.ask({"prompt": text, "temperature": 0, **fields})
        raise Unaskable(f"{why} (status {answer.status}: {answer.said:.100})")
    choice = probe.one(text)
    least = max(2, len(probe.can.ids) if probe.can.learned else 2)
    if not choice.text.startswith(text) and len(choice.tokens) < least:
        return Outcome("fail", sent, "the prompt in the answer", quoted(choice.text, 40))
    if all(x is None for x in choice.logprobs[1:-1]):
        return Outcome("fail", sent, "log-probabilities of the prompt", "null for every token")
    return Outcome(
        "pass", sent, "log-probabilities of the prompt", f"arrays of length {len(choice.logprobs)}"
    )


def check_lengths(probe: Probe) -> Outcome:
    """Each array has one entry for each token of the prompt and one for the generated token."""
    probe.need("echo")
    for prompt in _both(probe):
        sent = in_words([prompt], {"echo": True, "max_tokens": 1})
        choice = probe.one(prompt)
        n = probe.length(choice, prompt)
        if set(choice.lengths) != {n} or n < 2:
            return Outcome(
                "fail", sent, f"arrays of length {n}", f"arrays of length {shown_lengths(choice.lengths)}"
            )
    return Outcome("pass", sent, f"arrays of length {n}", f"arrays of length {n}")


def check_max_tokens_0(probe: Probe) -> Outcome:
    """With `max_tokens` 0 the arrays hold the prompt, and no more."""
    probe.need("echo")
    prompt, expected = probe.prompt, "the prompt's numbers and no more"
    fields = {"max_tokens": 0, "temperature": 0, "echo": True, "logprobs": 1}
    sent = in_words([prompt], fields)
    answer = probe.ask({"prompt": prompt if isinstance(prompt, str) else [list(prompt)], **fields})
    if not answer.ok:
        refused = f"status {answer.status}: {answer.said}"
        return Outcome("fail" if answer.status >= 500 else "warn", sent, expected, refused)
    zero = choices_of(answer, 1, sent)[0]
    n = len(probe.one(prompt).tokens) - 1 if isinstance(prompt, str) else len(prompt)
    zero.whole(n, sent)
    return Outcome("pass", sent, expected, f"arrays of length {n}")


def check_max_tokens_1(probe: Probe) -> Outcome:
    """With `max_tokens` 1 exactly one token is generated, whether or not the prompt is echoed."""
    prompt = probe.prompt
    sent = in_words([prompt], {"max_tokens": 1})
    alone = probe.one(prompt, echo=False)
    if alone.finish_reason != "stop" or alone.tokens:
        alone.whole(1, sent, first=0)
    return Outcome("pass", sent, "one token", f"{len(alone.tokens)} token, {quoted(alone.finish_reason, 20)}")


def check_nulls(probe: Probe) -> Outcome:
    """Null stands at index 0 only, since a client that sums the numbers stops at any other null."""
    probe.need("echo")
    for prompt in _both(probe):
        sent = in_words([prompt], {"echo": True, "max_tokens": 1})
        choice = probe.one(prompt)
        choice.whole(len(choice.tokens), sent)
    first = "null" if choice.logprobs[0] is None else "a number"
    return Outcome("pass", sent, "null at index 0 at most", f"{first} at index 0, numbers after it")


def check_numbers(probe: Probe) -> Outcome:
    """Log-probabilities are finite numbers of at most 0, written as JSON has numbers."""
    prompt, k = probe.prompt, probe.can.rows
    echo = not probe.can.missing.get("echo")
    sent = in_words([prompt], {"echo": echo, "logprobs": k, "max_tokens": 1})
    # choices_of raises for NaN, Infinity, 1e999 and numbers in strings
    choice = probe.one(prompt, logprobs=k, echo=echo)
    numbers = [*choice.logprobs, *(x for row in choice.top if row is not None for x in row.values())]
    most = max((x for x in numbers if x is not None), default=0.0)
    return Outcome(
        "pass" if most <= 1e-6 else "fail", sent, "finite numbers of at most 0", f"numbers up to {most:.3g}"
    )


def _both(probe: Probe) -> list[Prompt]:
    """Return the text, and the ids if the server reads ids."""
    return [probe.can.text, *([probe.can.ids] if probe.can.ids else [])]
