"""An append-only buffer of tensors, which several states share without copies."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from pofx.errors import require

require("torch", "torch", "a transformer")

from torch import Tensor

T = TypeVar("T", Tensor, list[Tensor])


class SharedBuffer(Generic[T]):
    """The data that a state and its extensions share: a tensor, or one tensor a layer.

    Each state holds a version of the buffer. The state with the newest version may append in place, and takes the next
    version. A state with an older version must copy the data first. So 200 extensions in a row copy nothing, and no
    sibling changes.

    Args:
        data: The tensor or tensors.
    """

    def __init__(self, data: T) -> None:
        self.data: T = data
        self.version = 0
        self._lock = threading.Lock()

    def claim(self, version: int) -> bool:
        """Claim the right to append for the holder of `version`; only one holder of a version gets it."""
        with self._lock:
            if self.version != version:
                return False
            self.version += 1
            return True
