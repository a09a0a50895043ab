"""Adaptation: the form of a model that goes on learning along the prefix that it is conditioned on."""

from __future__ import annotations

import sys

from pofx.errors import BadValue
from pofx.lm.model import LM


def adapt(lm: LM) -> LM:
    """Let a mixing model go on learning along the prefix that it is conditioned on.

        p(x) = Π_i p(x_i | x_<i, θ(x_<i)),   θ(x_<i): the numbers of the fit, after learning from x_1 to x_(i−1)

    Each text begins with the numbers of the fit. So p(x_i | x_<i) depends on the model and on x_<i alone, and a text has
    one probability, whatever was read before it.

    Args:
        lm: A mixing model, which `fit` returned or `load` read. It stays as it is.

    Returns:
        The adaptive model. It keeps a copy of the tables of the fit, in which it learns.

    Raises:
        BadValue: The model is no mixing model.

    Right: `pofx.given(pofx.adapt(lm), "a text")`. Wrong: `pofx.adapt(pofx.given(lm, "a text"))`, since a transform does
    not learn.
    """
    # A mixing model exists only where its module is loaded, so this test does not load numba.
    mixing = sys.modules.get("pofx.models.mixing.model")
    if mixing is None or not isinstance(lm, mixing.MixingLM):
        raise BadValue(
            f"expected a mixing model, got {type(lm).__name__}",
            "fit a mixing model, or use the model as it is",
            argument="adapt",
        )
    from pofx.models.mixing.adaptive import AdaptiveMixingLM

    return AdaptiveMixingLM(lm)
