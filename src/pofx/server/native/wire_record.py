"""Records on the wire. JSON has no infinity, so null stands for it, with `impossible` in the same object."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pofx.vocab.vocabulary import plain_text

# Nearly all values are of these types, and a record may have millions: by their exact type they are found fastest.
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))


def wire_record(x: Any) -> Any:
    """Return a record as strict JSON has it.

    Log 0 is null, and the object that holds it has `"impossible": true`. A null in a list of bounds is a bound of −∞ or +∞,
    which says nothing; a null in a list of log-probabilities is log 0. A number that does not exist is null without
    `impossible`.

    Args:
        x: A record of `report.json_records`, before `plain`.
    """
    kind = type(x)
    if kind in _AS_THEY_ARE:
        return x
    if kind is dict:
        out, impossible = {}, False
        for key, value in x.items():
            if type(value) in _AS_THEY_ARE:
                out[key] = value
            else:
                value = value.item() if isinstance(value, np.generic) else value
                out[key] = wire_record(value)
                impossible = impossible or (isinstance(value, float) and math.isinf(value))
        if impossible:
            out["impossible"] = True
        return out
    if kind is list or kind is tuple:
        return [wire_record(value) for value in x]
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, bytes):
        return plain_text(x)
    return None if isinstance(x, float) and not math.isfinite(x) else x
