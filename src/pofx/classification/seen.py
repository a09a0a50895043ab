"""What a classifier says where texts are ones that it was fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from pofx.classification.joint import Joint


def warn_seen(joint: Joint, texts: Sequence[str | bytes]) -> None:
    """`UserWarning` if some texts are ones that a class's model was fitted on, or that its weights were chosen by."""
    fitted, chosen = int(joint.fitted_on(texts).sum()), int(joint.chosen_by(texts).sum())
    told = [f"the classifier was fitted on {fitted:,}"] if fitted else []
    told += [f"its weights were chosen by {chosen:,}"] if chosen else []
    if told:
        warnings.warn(
            f"X: expected texts that the classifier has not seen, found {len(texts):,} of which {' and '.join(told)}, so "
            "the score flatters it; score others",
            UserWarning,
            stacklevel=3,
        )
