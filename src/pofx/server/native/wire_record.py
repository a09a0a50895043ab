"""Records on the wire, where JSON has no infinity: null, and `impossible` beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pofx.vocab.vocabulary import plain_text


def wire_record(x: Any) -> Any:
    """Return a record as strict JSON has it.

    Log 0 is null, and the object that holds it has `"impossible": true`. A null in a list of bounds is a bound that says
    nothing, −∞ or +∞; in a list of log-probabilities it is log 0. A number that does not exist is null, and nothing
    stands beside it.

    Args:
        x: A record of `report.json_records`, before `plain`.
    """
    if isinstance(x, dict):
        out = {k: wire_record(v) for k, v in x.items()}
        if any(isinstance(v, float) and math.isinf(v) for v in x.values()):
            out["impossible"] = True
        return out
    if isinstance(x, list | tuple):
        return [wire_record(v) for v in x]
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, bytes):
        return plain_text(x)
    return None if isinstance(x, float) and not math.isfinite(x) else x
