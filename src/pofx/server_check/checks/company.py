"""Checks that an answer depends on its prompt alone: not on neighbours, on their order, or on earlier requests."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pofx.server_check.choice import Row
from pofx.server_check.closeness import largest_gap, same_numbers
from pofx.server_check.finding import Outcome, Refused, Unaskable
from pofx.server_check.probe import Probe, Prompt, in_words

# Caches of servers keep whole blocks of tokens: 16 tokens in vLLM, up to 128 tokens in TensorRT-LLM.
_SHARED = 300


def check_batch(probe: Probe) -> Outcome:
    """Prompts of unequal lengths have the same numbers in one request as each alone."""
    probe.need("echo")
    prompts = _prompts(probe)
    sent = f"{len(prompts)} prompts in one request, and each alone"
    worst = 0.0
    for prompt, together in zip(prompts, probe.many(prompts)):
        alone = probe.one(prompt)
        n = probe.length(alone, prompt)
        alone.whole(n, in_words([prompt], {"echo": True, "max_tokens": 1}))
        together.whole(n, sent)
        worst = max(worst, largest_gap(alone.logprobs, together.logprobs))
    return same_numbers(sent, worst)


def check_order(probe: Probe) -> Outcome:
    """The order of the prompts of a request changes no number."""
    probe.need("echo")
    prompts = _prompts(probe)
    sent = f"{len(prompts)} prompts in one request, then in reverse"
    there, back = probe.many(prompts), probe.many(prompts[::-1])[::-1]
    for a, b in zip(there, back):
        b.whole(len(a.tokens), sent)
        a.whole(len(a.tokens), sent)
    return same_numbers(sent, max(largest_gap(a.logprobs, b.logprobs) for a, b in zip(there, back)))


def check_concurrent(probe: Probe) -> Outcome:
    """Requests at one time have the same numbers as requests in sequence; clients send several at one time."""
    probe.need("echo")
    prompts = _prompts(probe)
    sent = f"{len(prompts)} requests at one time, and one after the other"
    alone = [probe.one(p) for p in prompts]
    with ThreadPoolExecutor(len(prompts)) as pool:
        together = list(pool.map(probe.one, prompts))
    for a, b in zip(alone, together):
        b.whole(len(a.tokens), sent)
        a.whole(len(a.tokens), sent)
    return same_numbers(sent, max(largest_gap(a.logprobs, b.logprobs) for a, b in zip(alone, together)))


def check_twice(probe: Probe) -> Outcome:
    """A prompt has the same answer twice, with another prompt between; the second answer may come from a cache."""
    probe.need("echo")
    prompt, *others = _prompts(probe)
    sent = f"{in_words([prompt], {'echo': True})}, twice"
    first, _, second = probe.one(prompt), probe.one(others[-1]), probe.one(prompt)
    second.whole(len(first.tokens), sent)
    first.whole(probe.length(first, prompt), sent)
    return same_numbers(sent, largest_gap(first.logprobs, second.logprobs))


def check_shared_prefix(probe: Probe) -> Outcome:
    """A long prefix has the same numbers before another ending, and each ending has its own numbers."""
    probe.need("echo")
    one, other, shared = _endings(probe)
    sent = f"a prefix of {shared} {'tokens' if probe.can.ids else 'characters'} with two endings, the first one again"
    k = min(5, probe.can.rows)
    try:
        a, b, again = (probe.one(p, logprobs=k) for p in (one, other, one))
    except Refused as e:
        raise Unaskable(f"the server refuses so long a prefix ({e})") from None
    for choice, prompt in ((a, one), (b, other), (again, one)):
        choice.whole(probe.length(choice, prompt), sent)
    again.whole(len(a.tokens), sent)
    same = shared if probe.can.ids else _alike(a.tokens, b.tokens)
    worst = largest_gap(a.logprobs[:same], b.logprobs[:same])
    if probe.can.ids and a.top[shared + 1 :] == b.top[shared + 1 :] and _mostly_differ(a.top):
        return Outcome("fail", sent, "rows of each ending", "the rows of one ending for both")
    return same_numbers(sent, max(worst, largest_gap(a.logprobs, again.logprobs)))


def _mostly_differ(rows: Sequence[Row | None]) -> bool:
    """Return whether the model depends on the history, since most of its first rows differ."""
    few = rows[:24]
    return 2 * len({tuple(sorted(r.values())) for r in few if r}) > len(few)


def _prompts(probe: Probe) -> list[Prompt]:
    """Return four prompts of unequal lengths."""
    ids, text = probe.can.ids, probe.can.text
    n = len(ids or text)
    if ids:
        return [ids, ids[: n // 2], ids[: max(2, n // 4)], (ids + ids[: n // 3])[: probe.room]]
    return [text, text[: n // 2], text[: max(2, n // 4)], text + text[: n // 3]]


def _endings(probe: Probe) -> tuple[Prompt, Prompt, int]:
    """Return two prompts with a common prefix, and the length of the prefix."""
    ids, text = probe.can.ids, probe.can.text
    times = -(-_SHARED // len(ids or text))
    if ids:
        shared = (ids * times)[: probe.room - 3]
        return shared + ids[:3], shared + ids[1:4], len(shared)
    prefix = f"{text} " * times if " " in text else text * times
    return prefix + text[:6], prefix + text[6:12], len(prefix)


def _alike(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the common prefix of two answers in tokens, less the last token, whose cut may differ."""
    n = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return max(0, n - 1)
