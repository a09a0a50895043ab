"""The checks that a number does not change with the text after its token, nor when the text is scored again."""

from __future__ import annotations

import numpy as np

from pofx.lm.scorer import Scorer
from pofx.queries.audit.scorer.numbers import (
    ROUNDED,
    SAME,
    Numbers,
    graded,
    largest_difference,
    read_numbers,
    shared_length,
)
from pofx.queries.audit.scorer.trial import Trial
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# The number of characters of a block; the blocks of the second half of a text are permuted.
BLOCK = 8


def causal_finding(scorer: Scorer, trial: Trial, seed: int) -> Finding:
    """Check that the numbers of the first half of a text do not depend on the second half.

    The second half is replaced by its own blocks in another order, by random letters, by another text, and by nothing.
    """
    rng = np.random.default_rng([seed, 22])
    worst, what, compared = 0.0, "nothing", 0
    for k, head in enumerate(trial.heads):
        at = head.rfind(" ", 1, len(head) // 2 + 1)
        at = at if at > len(head) // 4 else len(head) // 2
        first, rest = head[:at], head[at:]
        # A tokenizer cuts at white space, so every second half must begin with the same white space.
        space = rest[:1] if rest[:1].isspace() else ""
        blocks = [rest[i : i + BLOCK] for i in range(len(space), len(rest), BLOCK)]
        other = trial.heads[(k + 1) % len(trial.heads)]
        ways = {
            "permuted blocks of the rest": space + "".join(blocks[i] for i in rng.permutation(len(blocks))),
            "random letters": space + trial.random_letters[k % len(trial.random_letters)],
            "another text": space + other.lstrip(),
            "nothing": "",
        }
        base, *found = read_numbers(scorer, [head, *(first + way for way in ways.values())])
        for way, follows, numbers in zip(ways, ways.values(), found):
            n = _steady(scorer, head, first + follows, first, found[-1])
            gap = largest_difference(base.logp[:n], numbers.logp[:n])
            compared += n
            if gap > worst:
                worst, what = gap, way
    why = (
        "log p of a token is given what stands before the token, so what follows must not change it; "
        f"{count_noun(compared, 'number')} were read again before another text, and differ by at most {worst:.2g} nats"
    )
    why += f" (before {what})." if worst > SAME else "."
    if worst > ROUNDED:
        why += " A number that knows what follows is no probability of a next token."
    return Finding(Check.CAUSAL, graded(worst, SAME, ROUNDED), worst, SAME, Measure.NATS, why)


def repeats_finding(scorer: Scorer, trial: Trial, first: list[Numbers]) -> Finding:
    """Check that a text has the same numbers again, alone and among other texts; a scorer that learned has other numbers.

    Args:
        scorer: The scorer.
        trial: The texts.
        first: The numbers of the heads in the first call of the scorer, with one text in a call.
    """
    alone = read_numbers(scorer, trial.heads, together=1)
    among = read_numbers(scorer, trial.heads[::-1])[::-1]
    gaps = [
        (largest_difference(a.logp, b.logp), b.total - a.total)
        for other in (alone, among)
        for a, b in zip(first, other)
    ]
    worst, cheaper = max(gaps)
    why = (
        "A text has one probability, so its numbers are the same when they are asked for again; "
        f"{count_noun(len(first), 'text')} were read three times, alone and among others, and a number differs by at most "
        f"{worst:.2g} nats."
    )
    if worst > ROUNDED and cheaper > 0:
        why += f" A later log p of a text is higher by {cheaper:.3g} nats: the scorer has learned from the text meanwhile."
    return Finding(Check.REPEATS, graded(worst, SAME, ROUNDED), worst, SAME, Measure.NATS, why)


def _steady(scorer: Scorer, head: str, changed: str, first: str, of_first: Numbers) -> int:
    """Return the number of tokens that both texts share within `first`.

    Without pieces, the last token of `first` may differ from the token there in a longer text. With one number for each byte
    or each character it cannot differ.
    """
    shared = shared_length(scorer, head, changed)
    if shared is not None:
        inside = shared_length(scorer, head, first)
        return min(shared, inside if inside is not None else shared)
    n = len(of_first.logp)
    return n if n in (len(first), len(first.encode())) else max(n - 1, 0)
