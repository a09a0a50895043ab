"""Checks that each row of log-probabilities is the next-token distribution of its position."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pofx.server_check.choice import NAMED, Row
from pofx.server_check.closeness import verdict_of
from pofx.server_check.finding import Broken, Outcome, Unaskable, quoted
from pofx.server_check.probe import Probe, Prompt, in_words

# A sum of float32 exponentials over 260,000 tokens is off by at most 1e-4, a sum of bfloat16 rows by 1e-3.
_SLACK = 1e-3
# The numbers at which servers cut `logprobs` without an error.
_CUTS = (1, 2, 5, 8, 10, 20, 50, 100, 1000)


def check_rows_differ(probe: Probe) -> Outcome:
    """Each position has a row of its own; some servers repeat one row of logits for all positions."""
    probe.need("echo")
    k = min(5, probe.can.rows)
    sent = in_words([probe.prompt], {"echo": True, "logprobs": k, "max_tokens": 1})
    rows = [row for row in probe.one(probe.prompt, logprobs=k).top if row]
    if len(rows) < 4:
        return Outcome("fail", sent, "a row at each position", f"{len(rows)} rows")
    numbers = {tuple(sorted(row.values(), reverse=True)[:k]) for row in rows}
    if len(numbers) > 1:
        return Outcome("pass", sent, "rows that differ", f"{len(numbers)} rows of {len(rows)} differ")
    asked = [probe.one(p, logprobs=k, echo=False).top for p in _prefixes(probe)]
    if len({tuple(sorted(t[0].values())) for t in asked if t and t[0]}) > 1:
        return Outcome("fail", sent, "a row for each position", f"one row, {len(rows)} times")
    return Outcome("warn", sent, "rows that differ", "one row for all, so the model depends on no history")


def check_echo_is_next(probe: Probe) -> Outcome:
    """The row of a position in an echoed prompt is the row of a token generated at that position."""
    probe.need("echo", "ids")
    ids, k = probe.can.ids, probe.can.rows
    places = sorted({1, len(ids) // 2, len(ids) - 1})
    sent = f"{len(ids)} ids with echo, and generation after {', '.join(map(str, places))} of them"
    echoed = probe.one(ids, logprobs=k).whole(len(ids) + 1, sent)
    worst = 0.0
    for i in places:
        row, following = echoed.top[i], probe.one(ids[:i], logprobs=k, echo=False).top
        if row is None or not following or following[0] is None:
            raise Broken(sent, "a row at each position", f"no row at index {i}")
        worst = max(worst, _row_gap(row, following[0]))
    return Outcome(verdict_of(worst), sent, "the same rows", f"differences up to {worst:.2g} nats")


def check_greedy(probe: Probe) -> Outcome:
    """With temperature 0 the likeliest token comes, and a log-probability has one value wherever it stands.

    Clients call a token greedy where its log-probability equals the largest one of its row, to the last bit.
    """
    prompt, echo = probe.prompt, not probe.can.missing.get("echo")
    sent = in_words([prompt], {"echo": echo, "logprobs": 1, "max_tokens": 1}) + ", temperature 0"
    for k in sorted({1, probe.can.rows}):
        choice = probe.one(prompt, logprobs=k, echo=echo)
        if not choice.tokens:
            return Outcome("fail", sent, "the generated token", "empty arrays")
        for i, (name, x, row) in enumerate(zip(choice.tokens, choice.logprobs, choice.top)):
            if x is None or not row:
                continue
            best = max(row.values())
            generated = i == len(choice.tokens) - 1
            if generated and x != best:
                return Outcome("fail", sent, f"the likeliest token, {best!r}", f"{quoted(name, 20)} of {x!r}")
            if x > best:
                return Outcome(
                    "fail", sent, f"at most the largest of the row, {best!r}", f"{x!r} at index {i}"
                )
            if name in row and row[name] != x:
                got = f"{x!r} and {row[name]!r} at index {i}"
                return Outcome("fail", sent, f"one number for {quoted(name, 20)}", got)
    return Outcome(
        "pass", sent, "the largest of its row", f"{choice.logprobs[-1]!r} for {quoted(choice.tokens[-1], 20)}"
    )


def check_keys(probe: Probe) -> Outcome:
    """Each token of a row has a key of its own, also where tokens are parts of one character."""
    k = probe.can.rows
    if k < 2:
        raise Unaskable("the server gives one log-probability a row")
    prompt: Prompt = probe.can.multibyte or probe.prompt
    echo = not probe.can.missing.get("echo")
    for few in sorted({min(5, k), min(20, k), k}):
        sent = in_words([prompt], {"echo": echo, "logprobs": few, "max_tokens": 1})
        rows = [row for row in probe.one(prompt, logprobs=few, echo=echo).top if row is not None]
        sizes = [len(row) for row in rows]
        # OpenAI adds the token itself where the token is not among the first k.
        most = min(few, max(sizes, default=0))
        # A row may leave out tokens without probability.
        short = [len(row) for row in rows if len(row) < most and _sum(row) < 1 - _SLACK]
        if most == 0 or short:
            got = f"{min(short, default=0)} keys in one{_unnamed(rows)}"
            return Outcome("fail", sent, f"{max(most, 1)} keys in each row", got)
    if unnamed := _unnamed(rows):
        return Outcome(
            "warn", sent, "keys that name one token", f"{min(sizes)} to {max(sizes)} keys{unnamed}"
        )
    return Outcome("pass", sent, "a key for each token", f"{min(sizes)} to {max(sizes)} keys in a row")


def check_sums(probe: Probe) -> Outcome:
    """The probabilities of a row sum to at most 1, and those of a whole distribution to 1."""
    k, prompt = probe.can.rows, probe.prompt
    echo = not probe.can.missing.get("echo")
    sent = in_words([prompt], {"echo": echo, "logprobs": k, "max_tokens": 1})
    choice = probe.one(prompt, logprobs=k, echo=echo, return_tokens_as_token_ids=True)
    sums = [_sum(row) for row in choice.top if row]
    if not sums:
        return Outcome("fail", sent, "a row", "no row")
    if max(sums) > 1 + _SLACK:
        return Outcome("fail", sent, "sums of at most 1", f"a sum of {max(sums):.6g}")
    size = max(len(row) for row in choice.top if row)
    whole = _whole_distribution(probe, size)
    if not whole:
        return Outcome("pass", sent, "sums of at most 1", f"sums from {min(sums):.6g} to {max(sums):.6g}")
    got = f"sums from {min(sums):.6g} to {max(sums):.6g} over {size} tokens"
    if min(sums) >= 1 - _SLACK:
        return Outcome("pass", sent, "sums of 1, since each row has every token", got)
    return Outcome(
        "fail" if whole == "known" else "warn", sent, "sums of 1, since each row has every token", got
    )


def _sum(row: Row) -> float:
    """Return the sum of the probabilities of a row; a large finite number where the numbers are no logarithms."""
    return math.fsum(math.exp(min(x, 600.0)) for x in row.values())


def _unnamed(rows: Sequence[Row]) -> str:
    """Return a remark where a key is U+FFFD, which stands for any part of a character; "" where each part has a name.

    U+FFFD itself is also a character, which texts hold and some tokens spell.
    """
    names = {name for row in rows for name in row}
    if any(name.startswith(NAMED) for name in names) or not any("�" in name for name in names):
        return ""
    return "; U+FFFD is a key, and many tokens print as U+FFFD"


def _whole_distribution(probe: Probe, size: int) -> str:
    """Return whether a row of this size is the whole distribution: "known", "likely", or "" for no."""
    told = probe.can.special.get("vocab_size")
    whole = probe.reference.vocab.size if probe.reference is not None else told
    if isinstance(whole, int) and not isinstance(whole, bool):
        return "known" if whole <= size else ""
    return "likely" if size < probe.can.rows and size not in _CUTS else ""


def _prefixes(probe: Probe) -> Sequence[Prompt]:
    """Return three beginnings of the prompt."""
    ids, text = probe.can.ids, probe.can.text
    places = (2, 5, 7)
    return [ids[:i] for i in places] if ids else [text[:i] for i in places]


def _row_gap(a: Row, b: Row) -> float:
    """Return the largest difference of two rows in nats.

    Two rows of the k likeliest tokens may differ in their last entries, where numbers are all but equal. So a token of one
    row only is compared with the smallest number of the other row.
    """
    gaps = [abs(a[name] - b[name]) for name in a.keys() & b.keys()]
    lowest = max(min(a.values()), min(b.values()))
    gaps += [max(0.0, a[name] - lowest) for name in a.keys() - b.keys()]
    gaps += [max(0.0, b[name] - lowest) for name in b.keys() - a.keys()]
    return max(gaps, default=0.0)
