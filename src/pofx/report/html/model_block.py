"""A model as a block: which factors of p(x) it has, the kept verdict of an audit, and its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pofx.errors import BadSource
from pofx.files.pins import find_pin
from pofx.report.html.blocks import Block
from pofx.report.html.made import end_name
from pofx.report.verdicts import GLOSS
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.lm.model import LM


def model_block(lm: LM) -> Block:
    """Return a block of a model. No next-token distribution is computed, since that of a server is a request.

    Args:
        lm: The model.
    """
    facts = [("vocabulary", f"{lm.vocab.size:,} tokens"), ("arithmetic", lm.dtype)]
    if lm.fitted:
        documents = sum(f.documents for f in lm.fitted)
        facts.append(("fitted on", f"{count_noun(documents, 'document')}"))
    if lm.fingerprint:
        facts.append(("fingerprint", lm.fingerprint[:12]))
    begin = {"text": lm.begin.text, "known": lm.begin.known, "note": lm.begin.note}
    end = None if lm.vocab.end is None else end_name(lm.vocab)
    model = {"name": type(lm).__name__, "begin": begin, "end": end, "window": str(lm.window), "facts": facts}
    return Block("model", {"model": {**model, "verdict": _kept_verdict(lm)}})


def _kept_verdict(lm: LM) -> dict[str, str] | None:
    """Return the verdict that an audit kept for these weights, x0 and EOS; None without one, or where it is damaged."""
    try:
        pin = find_pin(lm.fingerprint) if lm.fingerprint else None
    except BadSource:  # a display must not fail; loading the model has told of the file
        return None
    if pin is None or (pin.begin, pin.end) != (lm.begin.id, lm.vocab.end):
        return None
    return {
        "verdict": pin.verdict,
        "gloss": GLOSS[pin.verdict],
        "reason": pin.reason,
        "date": pin.date,
    }
