"""One byte of a text as a beam reads it, and the terms of log P that follow from such steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pofx.transforms.bytewise.reserve import uniform_share, with_uniform
from pofx.transforms.bytewise.sorted_tokens import Logs


class Step(NamedTuple):
    """What a beam says of one byte, nats.

    Attributes:
        total: log of the mass of the hypotheses before the byte.
        spare: log of the mass in reserve before the byte.
        after: log of the mass of the hypotheses that the byte is read with: a lower bound of log P(text, byte).
        anew: Whether no hypothesis went on and the reserve was read.
        most: An upper bound of log P(text, byte).
        leak: Mass of control tokens in the laws that are opened before the byte, p(control | text).
    """

    total: float
    spare: float
    after: float
    anew: bool
    most: float
    leak: float


def terms(steps: Sequence[Step], size: int) -> Logs:
    """log p of each byte by the law of the beam, `[n]`; size: how many outcomes that law has.

    Where the reserve was read, the probability of the byte is the uniform share alone. Behind a text of no mass the law is
    uniform.
    """
    total, spare, after, anew, _, _ = np.array(steps, dtype=np.float64).T
    dead = np.isneginf(total)
    kept = np.where(anew > 0, -np.inf, after - np.where(dead, 0.0, total))
    found: Logs = np.where(dead, -np.log(size), with_uniform(kept, uniform_share(total, spare), size))
    return found
