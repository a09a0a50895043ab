"""Token ids that a caller passes, as checked arrays: rows to extend by, and the skip of each path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints


def as_id_rows(ids: Sequence[Sequence[int]] | Ints, n: int) -> Ints:
    """Return the ids that `extend` is called with, as an array `[n, t]`.

    Raises:
        ValueError: The rows differ in length, or there is not one row for each of the n prefixes.
    """
    if not isinstance(ids, np.ndarray) and len({len(row) for row in ids}) > 1:
        sizes = [len(row) for row in ids]
        raise ValueError(
            f"ids: expected rows of one length, got {min(sizes)} to {max(sizes)} ids. Extend rows of one length at a "
            "time, and join the states with cat."
        )
    a = np.asarray(ids, dtype=np.int64)
    if a.size == 0:
        return np.zeros((n, 0), dtype=np.int64)
    if a.ndim != 2 or len(a) != n:
        raise ValueError(
            f"ids: expected [{n}, t], a row for each prefix of the state, got shape {list(a.shape)}"
        )
    return a


def skip_per_path(skip: int | Sequence[int], paths: Sequence[NDArray[Any]]) -> list[int]:
    """Return the argument `skip` as one number a path.

    Raises:
        ValueError: A number is negative or exceeds the length of its path, or the numbers are not as many as the paths.
    """
    skips = [skip] * len(paths) if isinstance(skip, int) else list(skip)
    if len(skips) != len(paths) or any(not 0 <= s <= len(p) for s, p in zip(skips, paths)):
        raise ValueError("skip: expected one number a path, between 0 and the path's length")
    return skips
