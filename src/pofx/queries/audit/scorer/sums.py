"""The check that numbers sum to at most 1: over the tokens that may come next, and over all strings of one length."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from pofx.lm.scorer import Scorer
from pofx.queries.audit.scorer.numbers import (
    EXACT,
    NEARLY,
    ROUNDED,
    Numbers,
    graded,
    largest_difference,
    read_numbers,
    shared_length,
)
from pofx.queries.audit.scorer.trial import Trial
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# Prefixes after which all candidates are tried, and the characters of each: a cache may have seen little or much by then.
CUTS = (0, 3, 20, 60, 120, 200)
# Strings that are enumerated: of so many letters, up to so long.
FEW, LONGEST = 4, 4
# Standard errors that an estimated sum must be above 1 by.
SIGMAS = 4.0


def next_sums_finding(scorer: Scorer, trial: Trial) -> Finding:
    """Check Σ_v p(v | x) ≤ 1 over candidates v that are one token more than the prefix x.

    The numbers of different next tokens are of events that exclude each other, so any of them sum to at most 1. Of a large
    alphabet a random part is read, and the sum of all is estimated.
    """
    worst, where, read, most = 0.0, "", 0, -np.inf
    least = np.inf
    surely = -np.inf
    for k, size in enumerate(CUTS):
        prefix = _cut(trial.heads[k % len(trial.heads)], size)
        (before,) = read_numbers(scorer, [prefix])
        most = max(most, float(before.logp.max(initial=-np.inf)))
        after = read_numbers(scorer, [prefix + v for v in trial.candidates])
        one_more = [
            b.logp[-1] for v, b in zip(trial.candidates, after) if _is_next(scorer, prefix, v, before, b)
        ]
        if not one_more:
            continue
        p = np.exp(np.array(one_more))
        ending = 0.0 if before.end is None else float(np.exp(before.end))
        total, error = float(p.sum()) + ending, 0.0
        if scorer.alphabet and not trial.whole:
            scale = len(scorer.alphabet) / len(trial.candidates)
            total, error = scale * float(p.sum()) + ending, scale * float(p.std()) * float(np.sqrt(len(p)))
        sure = total - SIGMAS * error
        if sure > surely:
            surely, worst, where, read = sure, total, prefix, len(p)
        if trial.whole and len(p) == len(trial.candidates):
            least = min(least, total)
    check = Check.NEXT_SUMS
    if most > EXACT:
        why = f"A number of {most:.3g} nats is log p of no token: p would be {np.exp(most):.3g}."
        return Finding(check, "fail", float(np.exp(most)), 1.0, Measure.PROBABILITY, why)
    if not read:
        why = (
            "No candidate is one token more than its prefix with the numbers of the prefix unchanged, so no sum over next "
            "tokens could be made. Name the tokens by alphabet or pieces."
        )
        return Finding(check, "warn", None, 1.0, Measure.PROBABILITY, why)
    of = (
        f"all {read:,} next tokens"
        if trial.whole and read == len(trial.candidates)
        else f"{count_noun(read, 'possible next token')}"
        + (f" of {len(scorer.alphabet):,}, scaled up," if scorer.alphabet else "")
    )
    why = (
        f"Different next tokens exclude each other, so their probabilities sum to at most 1; after {_shown(where)} the "
        f"numbers of {of} sum to {worst:.6g}. "
    )
    verdict = graded(surely - 1.0, EXACT, NEARLY)
    if verdict == "fail":
        lower = float(np.log(worst))
        why += (
            "Numbers that sum to more than 1 are no probabilities; divided by their sum, each of these is "
            f"{lower:.3g} nats lower."
        )
    elif least < 1.0 - NEARLY:
        verdict = "warn"
        why += f"After another prefix all next tokens sum to {least:.6g} only, so some mass is on nothing."
    return Finding(check, verdict, worst, 1.0, Measure.PROBABILITY, why)


def string_sums_finding(scorer: Scorer, trial: Trial) -> Finding:
    """Check Σ P(x) ≤ 1 over all strings x of n letters, for n from 1 to 4.

    No string of n letters begins with another one, so the prefixes exclude each other, whatever the tokens are.
    """
    letters = [c for c, _ in Counter("".join(trial.heads)).most_common() if c in set(trial.letters)][:FEW]
    worst, longest, texts = 0.0, 1, 0
    for n in range(1, LONGEST + 1):
        strings = ["".join(x) for x in itertools.product(letters, repeat=n)]
        with np.errstate(over="ignore"):
            total = float(np.sum(np.exp([found.total for found in read_numbers(scorer, strings)])))
        texts += len(strings)
        if total > worst:
            worst, longest = total, n
    why = (
        f"No string of n letters begins with another one, so all strings of n letters together have at most the mass 1; of "
        f"{texts:,} strings of the letters {' '.join(letters)} those of {count_noun(longest, 'letter')} have {worst:.6g}."
    )
    return Finding(
        Check.STRING_SUMS, graded(worst - 1.0, EXACT, NEARLY), worst, 1.0, Measure.PROBABILITY, why
    )


def _is_next(scorer: Scorer, prefix: str, v: str, before: Numbers, after: Numbers) -> bool:
    """Return whether `v` is one token after the prefix: one number more, and the tokens of the prefix are as they were."""
    n = len(before.logp)
    if len(after.logp) != n + 1:
        return False
    shared = shared_length(scorer, prefix, prefix + v)
    if shared is not None:
        return shared == n
    return largest_difference(before.logp, after.logp[:-1]) <= ROUNDED


def _cut(head: str, size: int) -> str:
    """Return the beginning of a text of about `size` characters, up to a space where there is one."""
    at = head.rfind(" ", 1, size + 1)
    return head[: at if at > size // 2 else size]


def _shown(prefix: str) -> str:
    return repr(prefix[-20:]) if prefix else "the empty text"
