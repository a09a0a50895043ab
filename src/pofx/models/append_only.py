"""A buffer that grows at its end, shared by the values that hold a part of it."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from pofx.errors import require

require("torch", "torch", "a transformer")

from torch import Tensor

T = TypeVar("T", Tensor, list[Tensor])


class SharedBuffer(Generic[T]):
    """Data shared by the states of one line of descent: a tensor, or one a layer.

    A state may append in place while nobody else has: it holds the buffer's newest version, and takes the
    next. Whoever holds an older one copies first. So 200 extensions copy nothing, and no sibling changes.
    """

    def __init__(self, data: T) -> None:
        self.data: T = data
        self.version = 0
        self._lock = threading.Lock()

    def claim(self, version: int) -> bool:
        """Whether the holder of `version` may write on; only one can."""
        with self._lock:
            if self.version != version:
                return False
            self.version += 1
            return True
