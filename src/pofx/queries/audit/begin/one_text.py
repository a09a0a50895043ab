"""log p(x) of one text after each candidate for x0, and without x0, which shows how much log p(x) depends on x0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pofx.errors import Impossible, NoBOS, PofxError, TooLong
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM
from pofx.queries.audit.begin.candidates import candidates_for, name_of
from pofx.queries.scoring.score import Scored, score
from pofx.transforms.given import Given
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin


@dataclass(frozen=True, eq=False)
class TextAfter:
    """The score of a text after the tokens that may stand for x0.

    Attributes:
        name: The tokens by name; "none" where no token stands before the text.
        id: The id of the token; None for none.
        role: "begin" for the x0 of the model's training, "bos" as the files declare it, "eos", "unk", "pad", "separator",
            "newline", "none" or "twice".
        current: Whether the model itself scores with this x0.
        scored: The score of the text; None where p(x1) is not defined or the text has no score.
        rest: log P(x2, … | x1), nats, with the EOS term where the model has EOS; defined without p(x1). None where no
            token follows x1.
        error: The reason why there is no score.

    Right: compare `scored.logp[0]`, which is log p(x1). Wrong: take the candidate of the highest total for x0, since a
    newline often has a higher total than the token of the training.
    """

    name: str
    id: int | None
    role: str
    current: bool
    scored: Scored | None
    rest: float | None
    error: PofxError | None


def text_after_each(lm: LM, core: LM | None, text: str) -> tuple[TextAfter, ...]:
    """Score a text after each candidate for x0, and without x0.

    Args:
        lm: The model as it scores.
        core: The model without x0, as `lm.bare()` gives it; None for a model whose training had an x0, which is then the
            only candidate.
        text: The text.

    Returns:
        The candidates: the x0 of the model first, "none" near the end, and x0 twice last.

    Raises:
        NotText: The vocabulary cannot spell the text.
    """
    if core is None:
        none = refuse_unconditional(Begin("none", note="x0 is left out here"))
        own = _scored(lm, text, lm.begin.text or "x0", lm.begin.id, "begin", True)
        return own, TextAfter("none", None, "none", False, None, own.rest, none)
    rows = []
    for role, i, ids in candidates_for(core, lm.begin):
        name, current = name_of(core, ids), role != "twice" and i is not None and i == lm.begin.id
        if current:
            row = _scored(lm, text, name, i, role, True)
        elif i is None:
            row = _without(lm, core, text)
        else:
            row = _scored(_in_windows(lm, _after(core, i, ids, name)), text, name, i, role, False)
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: not row.current))


def models_after_each(lm: LM) -> Iterator[tuple[str, LM]]:
    """Yield the model after each other candidate for x0, with the name of the candidate.

    Args:
        lm: The model as it scores. A model whose training had an x0 has no other candidate.
    """
    core = lm.bare()
    for role, i, ids in () if core is None else candidates_for(core, lm.begin):
        if core is not None and i is not None and role != "twice" and i != lm.begin.id:
            name = name_of(core, ids)
            yield name, _in_windows(lm, _after(core, i, ids, name))


def _after(core: LM, i: int, ids: list[int], name: str) -> LM:
    if len(ids) == 1:
        return with_begin(core, i)
    # `with_begin` puts x0 before a text only once.
    return Given(core, ids, b"", replace(core.info, begin=Begin("assumed", name, i)))


def _in_windows(lm: LM, other: LM) -> LM:
    """Return `other` with a window rule, if `lm` reads texts beyond its context."""
    return windowed(other, lm.context) if lm.window.beyond else other


def _scored(lm: LM, text: str, name: str, i: int | None, role: str, current: bool) -> TextAfter:
    try:
        (scored,) = score(lm, [text])
    except (Impossible, TooLong) as e:
        return TextAfter(name, i, role, current, None, None, e)
    rest = float(scored.logp[1:].sum()) if len(scored.logp) > 1 else None
    return TextAfter(name, i, role, current, scored, rest, None)


def _without(lm: LM, core: LM, text: str) -> TextAfter:
    """Score the text without x0: all factors but the first are defined."""
    own = lm if lm.begin.known == "none" else _in_windows(lm, core)
    rest: float | None = None
    error: PofxError = refuse_unconditional(own.begin)
    try:
        score(own, [text])
    except (NoBOS, Impossible, TooLong) as e:
        error = e
    ids = own.vocab.encode(own.vocab.read(text)[0])
    path = [*ids, *([] if own.vocab.end is None else [own.vocab.end])]
    if ids and len(path) > 1 and isinstance(error, NoBOS):
        try:
            (logp,) = own.forward([np.array(path, dtype=np.int64)], skip=1).logp
            rest = float(logp.sum())
        except TooLong as e:
            error = e
    return TextAfter("none", None, "none", lm.begin.known == "none", None, rest, error)
