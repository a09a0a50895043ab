"""How much of what a model draws is spelled otherwise than its tokenizer spells it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.errors import NotText
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

# The last tokens of a draw that was cut off may only look so: what would have come decides how they are spelled.
OPEN = 2
# Above this share of draws the canonical spelling is the lesser part of a text's probability.
HALF = 0.5


def canonical_finding(lm: LM, draws: Sequence[Ints], behind: int) -> Finding | None:
    """The share of draws whose ids are not those that `encode` gives for what they spell; None where texts have one
    spelling.

    draws: ids, EOS included where they ended, the first `behind` of them given. Log p of a text is that of one
    spelling, a lower bound of the text's own; the share says how much mass lies on the others.
    """
    if lm.vocab.unambiguous or not draws:
        return None
    other = sum(_is_other(lm, d[behind:]) for d in draws)
    share = other / len(draws)
    tokens = sum(len(d) - behind for d in draws)
    why = (
        f"{other} of {count_noun(len(draws), 'draw')} ({count_noun(tokens, 'token')}) {'is' if other == 1 else 'are'} "
        "spelled otherwise than the tokenizer spells their text. "
        "log p of a text is that of its canonical spelling, a lower bound: what the others hold is not in it. "
        "A few draws say no more than that it is a little or a lot; draws that were cut off count without their "
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
