"""The base of transforms that keep the laws of a model and change what stands around them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pofx.lm.continuation_tree import Branches
from pofx.lm.model import LM, Info, Warping, set_info
from pofx.lm.state import State
from pofx.lm.trace import Ints


class LMWrapper(LM):
    """Another LM, `lm`, law by law; a subclass says what is different about it.

    `start`, `extend`, `branches`, `seen` and `sufficient` are passed on to `lm`; `bare` and `warping` are those of `lm`
    inside the same transform. `forward`, `portable`, `parts` and `termination` are the defaults of `LM`.

    Args:
        lm: The model inside.
        info: What the wrapper says of itself, where that is not what the model says:
            `dataclasses.replace(lm.info, …)`, which names what is changed and passes everything else on.
    """

    def __init__(self, lm: LM, info: Info | None = None) -> None:
        self.lm = lm
        set_info(self, lm.info if info is None else info)

    @abstractmethod
    def over(self, lm: LM) -> LM:
        """The same transform of another model, which has the same vocabulary and context."""

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

    def bare(self) -> LM | None:
        """The same transform of the model without its x0."""
        core = self.lm.bare()
        return None if core is None else self.over(core)

    def warping(self) -> Warping | None:
        """As the model itself: what was warped is the same transform of the model before it was."""
        found = self.lm.warping()
        return None if found is None else Warping(self.over(found.lm), found.text)
