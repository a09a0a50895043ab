"""The step of a beam over one byte of a text, and the terms of log P that follow from the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pofx.lm.running_bounds import terms_of_bounds
from pofx.transforms.bytewise.reserve import uniform_share, with_uniform
from pofx.transforms.bytewise.sorted_tokens import Logs


class Step(NamedTuple):
    """The masses of a beam before and after one byte.

    Attributes:
        total: log of the mass of the hypotheses before the byte, nats.
        spare: log of the mass in reserve before the byte, nats.
        after: log of the mass of the candidates after the byte, nats: a lower bound of log P(text, byte).
        restarted: Whether no hypothesis went on, so that the reserve was read.
        most: An upper bound of log P(text, byte), nats.
        leak: p(control token | text), the mass of control tokens after the histories that end just before the byte.
    """

    total: float
    spare: float
    after: float
    restarted: bool
    most: float
    leak: float


class StepTerms(NamedTuple):
    """The terms of log P of one text, an entry a byte, `[n]` each.

    Attributes:
        logp: log p of the byte under the distribution of the beam, nats.
        low: A lower bound of the term, nats.
        high: An upper bound of the term, nats.
        leak: p(control token | text before the byte).
    """

    logp: Logs
    low: Logs
    high: Logs
    leak: Logs


def read_steps(steps: Sequence[Step], skip: int, size: int) -> StepTerms:
    """Return the terms of a text from its steps, from byte `skip` on.

    Args:
        steps: The steps of the whole text, one a byte.
        skip: The number of first bytes that are not scored.
        size: The number of outcomes at each byte.
    """
    asked = steps[skip:]
    if not asked:
        return StepTerms(*np.zeros((4, 0)))
    logp = _logp(asked, size)
    least, most, leak = np.array([(s.after, s.most, s.leak) for s in asked]).T
    low, high = terms_of_bounds(least, most, steps[skip - 1].most if skip else 0.0, logp)
    return StepTerms(logp, low, high, leak)


def _logp(steps: Sequence[Step], size: int) -> Logs:
    """Return log p of each byte under the distribution of the beam, `[n]`, nats.

    Where the reserve was read, the probability of the byte is the uniform share alone. After a text of no mass all
    bytes are equally likely.
    """
    total, spare, after, restarted, _, _ = np.array(steps, dtype=np.float64).T
    dead = np.isneginf(total)
    kept = np.where(restarted > 0, -np.inf, after - np.where(dead, 0.0, total))
    logp: Logs = np.where(dead, -np.log(size), with_uniform(kept, uniform_share(total, spare), size))
    return logp
