"""The laws of a model as they are: what a transform is that changes only how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pofx.branches import Branches
from pofx.lm import LM
from pofx.state import State
from pofx.trace import Ints


class Unchanged(LM):
    """Another LM, law by law; a subclass says what is different about it."""

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self.vocab, self.context, self.begin, self.window = lm.vocab, lm.context, lm.begin, lm.window
        self.dtype, self.fingerprint, self.positive = lm.dtype, lm.fingerprint, lm.positive
        self.work = lm.work
        self.memory, self.interval = lm.memory, lm.interval

    def start(self, n: int) -> State:
        """As the model itself."""
        return self.lm.start(n)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """As the model itself."""
        return self.lm.extend(state, ids)

    def branches(self, state: State) -> Branches:
        """As the model itself."""
        return self.lm.branches(state)

    def seen(self, n: int) -> Ints:
        """As the model itself."""
        return self.lm.seen(n)

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """As the model itself."""
        return self.lm.sufficient(state)
