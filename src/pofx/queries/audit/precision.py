"""The check of the difference that another precision of the arithmetic makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.findings import Check, Finding, Measure
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin

# The largest average difference that passes, nats a token. SmolLM2 in bfloat16 is off by 0.03, Gemma 3 270M by 0.02.
BOUND = 0.1


def precision_finding(
    lm: LM, coarse: LM, paths: Sequence[Ints], plain: Sequence[NDArray[np.float64]], free: int
) -> Finding:
    """Check |Δ log p| of a token between two precisions of one model, mean and worst, nats; warns above 0.1 on average.

    Args:
        lm: The model.
        coarse: The same model in another precision.
        paths: The texts, as token ids.
        plain: log p of the paths under `lm`, without the first `free` positions.
        free: Positions at the start that are not compared.

    Returns:
        The finding.
    """
    rough = _after_x0_of(lm, coarse).forward(paths, skip=free).logp
    gaps = np.concatenate([np.abs(a - b) for a, b in zip(plain, rough)] or [np.zeros(0)])
    sums = [abs(float((a - b).sum())) for a, b in zip(plain, rough)]
    mean = float(gaps.mean()) if len(gaps) else 0.0
    why = (
        f"In {coarse.dtype} log p of a token is off by {mean:.2g} nats on average and by {gaps.max(initial=0):.2g} at "
        f"worst, and log p of a text by up to {max(sums, default=0.0):.2g}, relative to {lm.dtype}."
    )
    return Finding(Check.PRECISION, "pass" if mean <= BOUND else "warn", mean, BOUND, Measure.NATS_EACH, why)


def _after_x0_of(lm: LM, coarse: LM) -> LM:
    """Put the x0 of one model before the other, since an audit may have changed the x0."""
    core = coarse.bare()
    if core is None or lm.begin.id is None:
        return coarse
    return windowed(with_begin(core, lm.begin.id), lm.context)
