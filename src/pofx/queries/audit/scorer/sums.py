"""The check that numbers sum to at most 1: over the tokens that may come next, and over all strings of one length."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

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

# The number of characters of each prefix after which all candidates are tried; a scorer's cache is nearly empty after short
# prefixes.
CUTS = (0, 3, 20, 60, 120, 200)
# The number of letters and the greatest length of the enumerated strings.
FEW, LONGEST = 4, 4
# The number of standard errors by which an estimated sum must exceed 1.
SIGMAS = 4.0


@dataclass(frozen=True)
class _NextSum:
    """The sum of the numbers of next tokens after one prefix.

    Attributes:
        prefix: The prefix.
        total: Σ_v p(v | prefix) over the candidates that are one token more, EOS included; scaled up to a large alphabet.
        error: The standard error of `total`; 0 where `total` is not scaled up.
        read: The number of candidates that were one token more.
        whole: Whether these candidates are all next tokens.
        scaled: Whether `total` is scaled up.
    """

    prefix: str
    total: float
    error: float
    read: int
    whole: bool
    scaled: bool

    @property
    def surely(self) -> float:
        """A lower bound of the sum, which is wrong with probability 1/30,000."""
        return self.total - SIGMAS * self.error


def next_sums_finding(scorer: Scorer, trial: Trial) -> Finding:
    """Check Σ_v p(v | x) ≤ 1 over candidates v that are one token more than the prefix x.

    Different next tokens are events that exclude each other, so their probabilities sum to at most 1. If the alphabet is
    large, a random part of it is read, and the sum over the alphabet is estimated.
    """
    prefixes = [_cut(trial.heads[k % len(trial.heads)], size) for k, size in enumerate(CUTS)]
    before = read_numbers(scorer, prefixes, together=1)
    most = max((float(found.logp.max()) for found in before if len(found.logp)), default=0.0)
    if most > EXACT:
        why = f"A number of {most:.3g} nats is log p of no token: p would be {np.exp(most):.3g}."
        return Finding(Check.NEXT_SUMS, "fail", float(np.exp(most)), 1.0, Measure.PROBABILITY, why)
    found = [_sum_after(scorer, trial, prefix, numbers) for prefix, numbers in zip(prefixes, before)]
    sums = [s for s in found if s.read]
    if not sums:
        why = (
            "No candidate is one token more than its prefix with the numbers of the prefix unchanged, so no sum over next "
            "tokens could be made. Name the tokens by alphabet or pieces."
        )
        return Finding(Check.NEXT_SUMS, "warn", None, 1.0, Measure.PROBABILITY, why)
    worst = max(sums, key=lambda s: s.surely)
    verdict = graded(worst.surely - 1.0, EXACT, NEARLY)
    why = (
        "Different next tokens exclude each other, so their probabilities sum to at most 1; after "
        f"{_shown(worst.prefix)} the numbers of {_counted(scorer, worst)} sum to {worst.total:.6g}. "
    )
    least = min((s.total for s in sums if s.whole), default=1.0)
    if verdict == "fail":
        why += (
            "Numbers that sum to more than 1 are no probabilities; divided by their sum, each of these is "
            f"{float(np.log(worst.total)):.3g} nats lower."
        )
    elif least < 1.0 - NEARLY:
        verdict = "warn"
        why += f"After another prefix all next tokens sum to {least:.6g} only, so some mass is on nothing."
    return Finding(Check.NEXT_SUMS, verdict, worst.total, 1.0, Measure.PROBABILITY, why.rstrip())


def _sum_after(scorer: Scorer, trial: Trial, prefix: str, before: Numbers) -> _NextSum:
    after = read_numbers(scorer, [prefix + v for v in trial.candidates])
    logs = [b.logp[-1] for v, b in zip(trial.candidates, after) if _is_next(scorer, prefix, v, before, b)]
    p = np.exp(np.array(logs, dtype=np.float64))
    ending = 0.0 if before.end is None else float(np.exp(before.end))
    if not scorer.alphabet or trial.whole:
        whole = trial.whole and len(p) == len(trial.candidates)
        return _NextSum(prefix, float(p.sum()) + ending, 0.0, len(p), whole, False)
    scale = len(scorer.alphabet) / len(trial.candidates)
    error = scale * float(p.std()) * float(np.sqrt(len(p))) if len(p) else 0.0
    return _NextSum(prefix, scale * float(p.sum()) + ending, error, len(p), False, True)


def _counted(scorer: Scorer, found: _NextSum) -> str:
    if found.whole:
        return f"all {found.read:,} next tokens"
    of = f" of {len(scorer.alphabet):,}, scaled up," if found.scaled else ""
    return f"{count_noun(found.read, 'possible next token')}{of}"


def string_sums_finding(scorer: Scorer, trial: Trial) -> Finding:
    """Check Σ P(x) ≤ 1 over all strings x of n letters, for n from 1 to 4.

    No string of n letters begins with another such string, so the prefixes exclude each other, for any tokens.
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
    """Return whether `v` is one token after the prefix: there is one more number, and the prefix has the same tokens."""
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
