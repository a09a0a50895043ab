"""The verdict on a candidate for x0: whether the candidate stood before texts in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.queries.audit.begin.openings import FEWEST, material
from pofx.queries.findings import BeginCandidate, CheckVerdict, Measure

# The share of p(x1|x0) that the model also gives after arbitrary tokens; from this share on, x0 makes no difference.
# SmolLM2 has 0.74 to 0.96 for all candidates on eight kinds of documents: "-" has p = 0.4 after every token. Gemma 3 270M
# has 0.07 to 0.12 for <bos>.
SAME = 0.5
# The bits that each further token may cost more than after another candidate. Gemma without its <bos> costs 2 to 8 more. On
# proverbs, a newline as x0 of SmolLM2 costs up to 1.0 less than any control token. x0 twice costs Gemma 0.1 to 0.4 more.
REST = 1.0
# The roles of an x0 that the model's files do not declare, and that an audit may nevertheless find trained.
ADOPTED = ("bos", "separator", "eos", "unk")


@dataclass(frozen=True)
class Judged:
    """The verdict on a candidate, and the number that decided it.

    Attributes:
        verdict: Whether the candidate stood before texts in training.
        value: The number that decided.
        bound: The bound for the number.
        unit: The unit of both.
        why: The verdict in a sentence.
    """

    verdict: CheckVerdict
    value: float
    bound: float
    unit: Measure
    why: str


def judge_candidate(
    row: BeginCandidate,
    token: NDArray[np.float64],
    byte: NDArray[np.float64],
    over: NDArray[np.float64],
    junk: bool,
    least: str,
) -> Judged:
    """Return the verdict on a candidate.

    Args:
        row: The numbers of the candidate.
        token: `[n]`, bits gained over the uniform distribution on the first token of each document.
        byte: `[n]`, bits gained over the uniform distribution on the first byte of each document.
        over: `[n]`, bits gained over the model's average next-token distribution on the first token.
        junk: Whether the distribution after arbitrary tokens predicts openings worse than chance.
        least: The candidate after which the rest of documents costs the fewest bits.
    """
    nan = float("nan")
    if row.role == "none":
        return Judged("fail", nan, nan, Measure.NONE, "without an x0 there is no p(x1).")
    if row.role == "twice":
        return Judged("fail", row.behind, REST, Measure.BITS_EACH, "x0 stands before a text once.")
    anyway = (
        f"{100 * row.same:.0f} % of p(x1|{row.name}) is what the model says after any token that stands first"
    )
    if row.same >= SAME and junk:
        said = ", ".join(f'"{token}" {p:.2f}' for token, p in row.top[:3])
        return Judged("fail", row.same, SAME, Measure.SHARE, f"{anyway} ({said}), and texts do not begin so.")
    if row.behind > REST and row.behind > 2 * row.rest_se:
        why = (
            f"after {row.name} the rest of a document costs {row.behind:.1f} ± {row.rest_se:.1f} bits a token more "
            f"than after {least}, which no x0 of the training texts does."
        )
        return Judged("fail", row.behind, REST, Measure.BITS_EACH, why)
    if row.n < FEWEST:
        why = f"{row.name} was tried on {row.n} documents only, of at least {FEWEST} that are needed."
        return Judged("warn", nan, nan, Measure.BITS, why)
    ways = [
        (mean(gain), max(2 * standard_error(gain), material(uniform)), unit)
        for gain, uniform, unit in (
            (token, row.uniform_bits, Measure.BITS_OPENING),
            (byte, row.uniform_byte_bits, Measure.BITS_FIRST_BYTE),
        )
    ]
    gain, bound, unit = max(ways, key=lambda w: w[0] / w[1])
    found = (
        f"after {row.name} the first token of {row.n:,} documents costs {row.first_bits:.2f} bits (uniform distribution "
        f"{row.uniform_bits:.2f}), its first byte {row.byte_bits:.2f} ({row.uniform_byte_bits:.2f})"
    )
    if gain <= bound:
        return Judged("fail", gain, bound, unit, f"{found}, no better than chance.")
    more, enough = mean(over), max(2 * standard_error(over), material(row.uniform_bits))
    if row.same >= SAME and more <= enough:
        why = (
            f"{anyway}. Over the average distribution inside texts it gains {more:.2f} bits on the beginnings of "
            "documents: it was trained as one token among others."
        )
        return Judged("fail", more, enough, Measure.BITS_OPENING, why)
    if row.role not in ("begin", *ADOPTED):
        return Judged("warn", gain, bound, unit, f"{found}; but after a {row.role} more than texts begins.")
    if ways[0][0] <= 0:
        found += " (the gain is in letters, not in words)"
    return Judged("pass", gain, bound, unit, f"{found}; {anyway}.")


def mean(a: NDArray[np.float64]) -> float:
    """Return the mean; nan of no numbers."""
    return float(a.mean()) if len(a) else float("nan")


def standard_error(a: NDArray[np.float64]) -> float:
    """Return the standard error of the mean; nan of fewer than two numbers."""
    return float(a.std(ddof=1) / np.sqrt(len(a))) if len(a) > 1 else float("nan")
