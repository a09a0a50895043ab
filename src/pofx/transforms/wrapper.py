"""The base of transforms that keep most of another model and change the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pofx.lm.continuation_tree import Branches
from pofx.lm.info import Info
from pofx.lm.model import LM, Warping, set_info
from pofx.lm.state import State
from pofx.lm.trace import Ints


class LMWrapper(LM):
    """A model with the distributions of another model, `lm`; a subclass changes some of the distributions.

    `start`, `extend`, `branches`, `seen` and `sufficient` are passed on to `lm`. `bare` and `warping` return models of
    `lm` inside the same transform. `forward`, `portable`, `parts` and `termination` are the defaults of `LM`.

    Args:
        lm: The model inside.
        info: The description of the wrapper, if it differs from the model's description: `dataclasses.replace(lm.info, …)`,
            which names the changed fields and passes on the others.
    """

    def __init__(self, lm: LM, info: Info | None = None) -> None:
        self.lm = lm
        set_info(self, lm.info if info is None else info)

    @abstractmethod
    def over(self, lm: LM) -> LM:
        """Return the same transform of another model, which has the same vocabulary and context."""

    def start(self, n: int) -> State:
        """Return the state of the model at the start."""
        return self.lm.start(n)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the extended state of the model."""
        return self.lm.extend(state, ids)

    def branches(self, state: State) -> Branches:
        """Return the branches of the model."""
        return self.lm.branches(state)

    def seen(self, n: int) -> Ints:
        """Return the effective context of the model."""
        return self.lm.seen(n)

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """Return the sufficient statistic of the model."""
        return self.lm.sufficient(state)

    def bare(self) -> LM | None:
        """Return the same transform of the model without its x0."""
        core = self.lm.bare()
        return None if core is None else self.over(core)

    def warping(self) -> Warping | None:
        """Return the warping of the model; the model before warping gets the same transform."""
        warping = self.lm.warping()
        return None if warping is None else Warping(self.over(warping.lm), warping.text)
