"""A record as HTML for a cell of a notebook: the components of a page, in a frame of their own.

A cell's output carries the script of its components, 32 to 55 kB, so that a notebook shows it offline and years later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pofx.report.html.amount_blocks import (
    ROWS,
    class_posterior_blocks,
    compression_block,
    joint_block,
    marginal_block,
)
from pofx.report.html.blocks import Block, Section
from pofx.report.html.curve_block import curve_block
from pofx.report.html.frame import fragment
from pofx.report.html.model_block import model_block
from pofx.report.html.record_blocks import (
    audit_block,
    conditioned_block,
    corpus_block,
    draws_block,
    evaluation_block,
    next_block,
    posterior_block,
    score_block,
    words_block,
)
from pofx.report.one_line import one_line

if TYPE_CHECKING:
    from pofx.classification.bayes import Posterior
    from pofx.classification.evaluation import Evaluation
    from pofx.lm.model import LM
    from pofx.queries.compression.compress import Compression
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.findings import Audit, Finding
    from pofx.queries.marginal.marginal import Marginal
    from pofx.queries.next_unit.next import Next
    from pofx.queries.posterior import MixturePosterior
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored
    from pofx.queries.words.words import Worded

# Heights of a frame, pixels, measured in cells of 860 px and of 344 px. A higher page scrolls in its frame, as audits do.
LEAST, MOST, SCROLLED = 110, 1150, 560
# Room for fonts that are taller than those of the measurement.
SLACK = 1.02
# The most tokens of a text with a frame, which a notebook file then holds: 10,000 tokens take 0.6 MB.
TOKENS = 10_000


def notebook_html(record: Any) -> str | None:
    """Return a frame for a cell; None for a type that this module does not draw."""
    for kind in type(record).__mro__:
        draw = _DRAWN.get(f"{kind.__module__}.{kind.__qualname__}")
        if draw is not None:
            found = draw(record)
            if found is None:
                return None
            blocks, *heights = found
            wide, narrow = (round(max(LEAST, min(MOST, h * SLACK))) for h in heights)
            return fragment([Section("", tuple(blocks))], wide, one_line(record) or "", narrow)
    return None


# The blocks, the height of the frame, and its height on a screen of 360 px.
Drawn = tuple[list[Block], float, float]


def _lines(text: str | bytes, width: int) -> int:
    return 1 + len(text) // width


def _findings(findings: Sequence[Finding]) -> tuple[float, float]:
    """Return the heights of the findings that stand open; a cell folds those that passed."""
    reasons = [f.why for f in findings if f.verdict != "pass"]
    return sum(46 + 23 * _lines(r, 62) for r in reasons), sum(75 + 25 * _lines(r, 38) for r in reasons)


def _lm(lm: LM) -> Drawn | None:
    if getattr(lm, "vocab", None) is None:  # a subclass whose __init__ has not ended
        return None
    curve = getattr(lm, "learning_curve", None)
    blocks = [model_block(lm)] if curve is None else [model_block(lm), curve_block(curve)]
    return blocks, 200 + 345 * (len(blocks) - 1), 370 + 415 * (len(blocks) - 1)


def _scored(s: Scored) -> Drawn | None:
    if s.terms.tokens > TOKENS:
        return None
    likeliest = 0 if s.top_ids is None else s.top_ids.shape[1]
    wide = max(
        470, 340 + 28 * _lines(s.text, 45), 400 + 21 * likeliest
    )  # the likeliest stand beside the text
    narrow = 600 + 28 * _lines(s.text, 34) + (80 + 21 * likeliest if likeliest else 0)
    return [score_block([s])], wide, narrow


def _draw(d: Draw) -> Drawn | None:
    if d.terms.tokens > TOKENS:
        return None
    return [draws_block([d])], 90 + 26 * _lines(d.text, 90), 90 + 26 * _lines(d.text, 34)


def _audit(a: Audit) -> Drawn:
    wide, narrow = _findings(a.findings)
    tables = SCROLLED if a.candidates or a.endings else 0
    return [audit_block(a)], min(SCROLLED, 300 + wide + tables), min(SCROLLED, 445 + narrow + tables)


def _worded(w: Worded) -> Drawn | None:
    if w.terms.tokens > TOKENS:
        return None
    return [words_block([w])], 215 + 53 * _lines(w.text, 65), 310 + 53 * _lines(w.text, 24)


def _next(n: Next) -> Drawn:
    bounded = n.unit in ("word", "character")  # a row has its bounds in a second line
    row = 45 if bounded else 30
    return [next_block(n)], 160 + row * (len(n.top) + 1), 215 + row * (len(n.top) + 1)


def _marginal(m: Marginal) -> Drawn:
    return [marginal_block(m)], 200, 290


def _conditioned(c: Conditioned) -> Drawn:
    shown = 25 * min(len(c.outcomes), 10)
    return [conditioned_block(c)], 310 + shown, 430 + shown


def _mixture_posterior(m: MixturePosterior) -> Drawn:
    names = [f"model {k}" for k in range(len(m.prior))]
    return [posterior_block([m], names)], 420 + 57 * len(names), 420 + 205 * len(names)


def _compression(c: Compression) -> Drawn:
    return [compression_block(c)], 225, 330


def _corpus(c: CorpusReport) -> Drawn:
    wide, narrow = _findings(c.findings)
    lists = 35 * (bool(c.copies) + bool(c.midway))
    return [corpus_block(c)], min(SCROLLED, 225 + wide + lists), min(SCROLLED, 345 + narrow + lists)


def _posterior(p: Posterior) -> Drawn:
    blocks = class_posterior_blocks(p)
    shown = min(len(p.log_p), ROWS)
    return (
        blocks,
        90 + 24 * shown + (70 + 30 * shown) * (len(blocks) - 1),
        140 + 24 * shown + (130 * shown + 30) * (len(blocks) - 1),
    )


def _evaluation(e: Evaluation) -> Drawn:
    n = len(e.confusion)
    return [evaluation_block(e, [f"class {c}" for c in range(n)])], 680 + 60 * n, 970 + 60 * n


def _joint(j: Any) -> Drawn:
    return [joint_block(j)], 130 + 24 * min(len(j.classes), ROWS), 205 + 24 * min(len(j.classes), ROWS)


def _learning_curve(c: Any) -> Drawn | None:
    return ([curve_block(c)], 345, 415) if len(c.passes) else None


def _classifier(c: Any) -> Drawn | None:
    joint = getattr(c, "joint_", None)
    return None if joint is None else _joint(joint)


_DRAWN: dict[str, Callable[[Any], Drawn | None]] = {
    "pofx.lm.model.LM": _lm,
    "pofx.queries.scoring.scored.Scored": _scored,
    "pofx.queries.words.word.Worded": _worded,
    "pofx.queries.next_unit.next.Next": _next,
    "pofx.queries.sample.Draw": _draw,
    "pofx.queries.findings.Audit": _audit,
    "pofx.queries.corpus_audit.record.CorpusReport": _corpus,
    "pofx.queries.marginal.marginal.Marginal": _marginal,
    "pofx.queries.conditioning.conditioned.Conditioned": _conditioned,
    "pofx.queries.posterior.MixturePosterior": _mixture_posterior,
    "pofx.queries.compression.compress.Compression": _compression,
    "pofx.classification.bayes.Posterior": _posterior,
    "pofx.classification.evaluation.Evaluation": _evaluation,
    "pofx.classification.joint.Joint": _joint,
    "pofx.models.transformer.learning_curve.LearningCurve": _learning_curve,
    "pofx.classification.estimator.GenerativeClassifier": _classifier,
}
