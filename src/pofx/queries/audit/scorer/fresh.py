"""The check that random text costs its entropy; a lower cost means that the text was read before it was scored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pofx.lm.scorer import Scorer
from pofx.queries.audit.scorer.numbers import read_numbers
from pofx.queries.audit.scorer.trial import LETTERS, WORDS, Trial
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# The largest gain that passes, nats. Under a distribution the gain exceeds t with probability at most e^−t, so there is one
# false alarm in a million.
BOUND = math.log(1e6)


def gained_on(scorer: Scorer, texts: Sequence[str], choices: int, each: int) -> float:
    """Return the difference of the entropy of random texts and their cost, nats.

        G = Σ_texts (log P(text) + each · log choices),   P(G > t) ≤ e^−t for every distribution P

    Args:
        scorer: The scorer.
        texts: Texts of `each` independent draws from `choices` equally likely parts, none of which begins with another.
        choices: The number of parts to draw from.
        each: The number of draws in a text.

    Returns:
        The gain G in nats. The distribution that the texts are drawn from has a gain of 0, other distributions a negative
        gain on average.

    Right: random texts that no model was trained on. Wrong: texts of a corpus, whose entropy is not known.
    """
    return sum(found.total + each * math.log(choices) for found in read_numbers(scorer, texts))


def fresh_finding(scorer: Scorer, trial: Trial) -> tuple[Finding, float]:
    """Check texts of random letters, which no scorer can predict; also return the gain, nats."""
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
    """Return the difference of the entropy of random words and their cost, nats; None where there are too few words."""
    if not trial.words:
        return None
    return gained_on(scorer, trial.random_words, len(trial.words), WORDS)
