"""Whether a classifier still gives the probabilities that it gave when the server started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.classification.bayes import bayes
from pofx.classification.joint import Joint
from pofx.server.batching.calls import computed_afresh
from pofx.server.running.golden import LENGTH, moved_by

# Of so many draws the longest is the golden text: one draw alone is empty where EOS comes first.
DRAWS = 4


@dataclass(frozen=True)
class GoldenText:
    """A text, and what a classifier said of it when the server started.

    Attributes:
        text: A text that the first class can produce.
        tokens: How many tokens the text has in the first model, EOS included.
        said: log p(x | t) and log P(t | x) for each class, `[2, C]`, nats.
    """

    text: str
    tokens: int
    said: NDArray[np.float64]

    def distance(self, joint: Joint) -> float:
        """Return the largest difference from the start, over log p(x | t) and log P(t | x) of all classes, nats a token."""
        return moved_by(_said(joint, self.text), self.said) / self.tokens


def golden_text(joint: Joint) -> GoldenText:
    """Draw a short text of the first class, and classify it.

    A draw is possible under its own class. A text of our own could be impossible under all, and would then tell nothing.
    """
    draws = joint.sample(joint.classes[0], DRAWS, max_tokens=LENGTH, seed=0)
    # A draw that is cut inside a character has U+FFFD there, which a vocabulary of words does not have.
    text = max((d.text.replace("\ufffd", "") for d in draws), key=len)
    return GoldenText(text, 1 + int(joint.likelihoods([text]).tokens[0]), _said(joint, text))


def _said(joint: Joint, text: str) -> NDArray[np.float64]:
    with computed_afresh():
        likelihood = joint.log_likelihood([text])
    if np.isneginf(likelihood).all():
        return np.concatenate([likelihood, likelihood])  # no posterior
    return np.concatenate([likelihood, bayes(likelihood, joint.log_prior, joint.power).log_p])
