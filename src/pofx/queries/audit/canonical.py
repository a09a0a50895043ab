"""The share of a model's draws that its tokenizer would spell with other tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.errors import NotText
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# The number of last tokens that do not count in a draw that was cut off: later tokens would decide their spelling.
OPEN = 2
# From this share of draws on, a text's canonical spelling has less than half of the text's probability.
HALF = 0.5


def canonical_finding(lm: LM, draws: Sequence[Ints], prefix: int) -> Finding | None:
    """Check the share of draws whose ids differ from `encode` of the text that the draw spells.

    log p of a text is log p of one spelling, a lower bound of the log p summed over all spellings. The share estimates the
    mass of the other spellings.

    Args:
        lm: The model.
        draws: Token ids, EOS included where a draw ended.
        prefix: The number of ids at the front of each draw that the draw is conditioned on.

    Returns:
        The finding; None where every text has one spelling.
    """
    if lm.vocab.unambiguous or not draws:
        return None
    other = sum(_is_other(lm, d[prefix:]) for d in draws)
    share = other / len(draws)
    tokens = sum(len(d) - prefix for d in draws)
    why = (
        f"{other} of {count_noun(len(draws), 'draw')} ({count_noun(tokens, 'token')}) {'is' if other == 1 else 'are'} "
        "spelled otherwise than the tokenizer spells their text. "
        "log p of a text is that of its canonical spelling, a lower bound: it leaves out the mass of other spellings. "
        "A few draws give a rough estimate of this mass only; draws that were cut off count without their "
        f"last {OPEN} tokens."
    )
    return Finding(Check.CANONICAL, "warn" if share > HALF else "pass", share, HALF, Measure.SHARE, why)


def _is_other(lm: LM, ids: Ints) -> bool:
    ended = bool(len(ids)) and ids[-1] == lm.vocab.end
    drawn = ids[:-1] if ended else ids
    try:
        spelled = lm.vocab.encode(lm.vocab.decode(drawn))  # type: ignore[arg-type]
    except NotText:
        return True
    if ended:
        return not np.array_equal(spelled, drawn)
    keep = max(len(drawn) - OPEN, 0)
    return not np.array_equal(spelled[:keep], drawn[:keep])
