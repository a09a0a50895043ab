"""Sums in one order: what is computed here does not hang on how many threads there are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, if a model has loaded it; as many as before afterwards.

    A product over two threads is summed in another order than over one, and a code of 24 bits a token knows the difference.
    """
    torch: Any = sys.modules.get("torch")
    before = 1 if torch is None else torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
