"""Hidden states that are kept, from which the head computes next-token distributions when they are asked for."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.lm.trace import Ints, Want
from pofx.models.pretrained.inference.head import ROWS, Head


class KeptHidden:
    """The distributions at some positions, kept as hidden states: 2 kB a position of SmolLM2 in place of 197 kB.

    Args:
        head: The output layer.
        hidden: `[k, d]`, hidden states.
        place: The row of `hidden` for each position.
    """

    def __init__(self, head: Head, hidden: Tensor, place: Ints) -> None:
        self._head, self._hidden, self._place = head, hidden, place

    def rows(self, lo: int, hi: int, ids: Ints) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the distributions and log p of a token each, as `PathDistributions` says."""
        hidden = self._hidden[torch.from_numpy(self._place[lo:hi])]
        laws: NDArray[np.float32] = self._head.log_softmax(hidden).numpy()
        at = np.arange(hi - lo)
        if self._head.dtype == torch.float32:
            return laws, laws[at, ids].astype(np.float64)
        # A logit in bfloat16 has steps of 0.06, so `read` computes that of the token in float32, as for `forward`.
        parts = [
            self._head.read(
                hidden[k : k + ROWS], at[: len(ids[k : k + ROWS])], ids[k : k + ROWS], Want(), None
            )
            for k in range(0, hi - lo, ROWS)
        ]
        return laws, np.concatenate([np.zeros(0), *(p.logp.numpy() for p in parts)])
