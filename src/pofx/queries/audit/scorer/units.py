"""The check that a scorer counts in one unit: as many numbers as pieces, and no number of a byte for a whole token."""

from __future__ import annotations

from pofx.lm.scorer import Scorer
from pofx.queries.audit.scorer.fresh import BOUND, gained_on_words
from pofx.queries.audit.scorer.numbers import Numbers
from pofx.queries.audit.scorer.trial import Trial
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun


def units_finding(scorer: Scorer, trial: Trial, heads: list[Numbers], gain: float) -> Finding:
    """Check that each number is of one piece of the text, and that no number of a word is the number of a shorter piece.

    The second check needs no pieces. Random words must cost their entropy, as random letters must. Where the letters cost
    enough and the words do not, the number of a word is the number of a shorter piece, such as its first byte.

    Args:
        scorer: The scorer.
        trial: The texts.
        heads: The numbers of the heads.
        gain: The difference of the entropy of random letters and their cost, nats.
    """
    check = Check.UNITS
    for head, numbers in zip(trial.heads, heads):
        if why := _miscounted(scorer, head, len(numbers.logp)):
            return Finding(check, "fail", float(len(numbers.logp)), None, Measure.NUMBERS, why)
    terms, n_bytes = sum(len(n.logp) for n in heads), sum(len(h.encode()) for h in trial.heads)
    counted = f"{count_noun(terms, 'number')} for {count_noun(n_bytes, 'byte')} of text"
    if scorer.pieces is not None:
        counted += ", and the pieces spell the text"
    words = gained_on_words(scorer, trial)
    if words is None:
        why = f"{counted}. The texts have too few words to say whether words cost what they must."
        return Finding(check, "pass", None, None, Measure.NATS, why)
    if words > BOUND and gain <= BOUND:
        why = (
            f"{counted}. Random letters cost what they must, but random words cost {words:.3g} nats less than they can. So "
            "a number that counts for a whole token is that of a shorter piece, such as the first byte of the token: bytes "
            "and tokens are mixed."
        )
        return Finding(check, "fail", words, BOUND, Measure.NATS, why)
    why = f"{counted}. Random words cost no less than random words must, as random letters do."
    if words > BOUND:
        why = f"{counted}. Random words and random letters both cost less than they can, so no mixture of units shows."
    return Finding(check, "pass", words, None if words > BOUND else BOUND, Measure.NATS, why)


def _miscounted(scorer: Scorer, text: str, terms: int) -> str:
    """Return the reason why the number of numbers does not fit a text; "" where it fits."""
    data = text.encode()
    if scorer.pieces is not None:
        pieces = scorer.pieces(text)
        if len(pieces) != terms:
            return f"A text of {len(pieces)} pieces has {terms} numbers: a number must be of one piece."
        if b"".join(pieces) != data:
            spelled = len(b"".join(pieces))
            return f"The pieces of a text of {len(data)} bytes spell {spelled} bytes, and not this text."
    size = {"byte": len(data), "character": len(text)}.get(scorer.unit or "")
    if size is not None and size != terms:
        return f"A text of {size} {scorer.unit}s has {terms} numbers, where each number is said to be of one {scorer.unit}."
    if terms > len(data):
        return f"A text of {len(data)} bytes has {terms} numbers, so some numbers are of nothing."
    return ""
