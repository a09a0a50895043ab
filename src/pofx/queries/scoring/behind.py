"""What a text may be conditioned on, a string or ids, and what its terms say of ids."""

from __future__ import annotations

from dataclasses import replace

from pofx.lm.model import LM
from pofx.queries.scoring.terms import Terms
from pofx.transforms.prefix_ids import Prefix
from pofx.vocab.vocabulary import to_bytes

Behind = str | bytes | Prefix


def behind_ids(lm: LM, terms: Terms, prefix: Prefix) -> Terms:
    """The terms of a text behind a prefix of ids, made of those that the model behind it gave."""
    return replace(
        terms,
        begin=lm.begin.text or ("none" if lm.begin.known == "none" else "x0"),
        begin_known=lm.begin.known,
        first=False,
        given_bytes=len(to_bytes(prefix.text)),
        boundary="token",
    )
