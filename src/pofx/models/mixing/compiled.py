"""Compilation of a function by numba, with the result stored beside the source if possible."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
STAMP = hashlib.sha256(b"\0".join(path.read_bytes() for path in _SOURCES)).hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function, to be compiled at its first call."""
    try:
        made = numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)
    # numba takes a stored function for current while the function's own file is unchanged. The functions call those of other
    # files, which are compiled into them, so a change of any file of this directory counts.
    made._cache._cache_file._source_stamp = STAMP
    return made
