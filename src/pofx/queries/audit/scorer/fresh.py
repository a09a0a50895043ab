"""The check that random text costs its entropy: who pays less has seen the text before it was scored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pofx.lm.scorer import Scorer
from pofx.queries.audit.scorer.numbers import read_numbers
from pofx.queries.audit.scorer.trial import LETTERS, WORDS, Trial
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# Of n random texts Σ log p + their entropy is above t nats with probability e^−t at most: one false alarm in a million.
BOUND = math.log(1e6)


def gained_on(scorer: Scorer, texts: Sequence[str], choices: int, each: int) -> float:
    """Return how much less random texts cost than their entropy, nats.

        G = Σ_texts (log P(text) + each · log choices),   P(G > t) ≤ e^−t for every distribution P

    Args:
        scorer: The scorer.
        texts: Texts of `each` independent draws from `choices` equally likely parts; none begins with another one.
        choices: How many parts there are to draw from.
        each: How many draws make a text.

    Returns:
        The gain in nats. A distribution that knows how the texts are drawn has a gain of 0; others have a negative one.

    Right: texts that nobody could have seen. Wrong: texts of a corpus, whose entropy is not known.
    """
    return sum(found.total + each * math.log(choices) for found in read_numbers(scorer, texts))


def fresh_finding(scorer: Scorer, trial: Trial) -> tuple[Finding, float]:
    """Check texts of random letters, no letter of which can be known before it is read; also return the gain, nats."""
    m = len(trial.letters)
    gain = gained_on(scorer, trial.random_letters, m, LETTERS)
    n = len(trial.random_letters) * LETTERS
    cost = math.log(m) - gain / n
    why = (
        f"Each of {m} letters that are equally likely costs log {m} = {math.log(m):.3g} nats, and no rule that scores a "
        f"letter before it has read it can pay less; {count_noun(n, 'random letter')} cost {cost:.3g} nats each."
    )
    if gain > BOUND:
        why += (
            f" They cost {gain:.3g} nats less than they can: the letters were read before they were scored, or the numbers "
            "do not sum to 1."
        )
    return Finding(Check.FRESH, "pass" if gain <= BOUND else "fail", gain, BOUND, Measure.NATS, why), gain


def gained_on_words(scorer: Scorer, trial: Trial) -> float | None:
    """Return how much less random words cost than their entropy, nats; None where the documents have too few words."""
    if not trial.words:
        return None
    return gained_on(scorer, trial.random_words, len(trial.words), WORDS)
