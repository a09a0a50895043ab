"""A record as HTML for a cell of a notebook: the components of a page, in a frame of their own.

A cell's output carries the script of its components, 32 to 51 kB, so that a notebook shows it offline and years later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pofx.report.html.blocks import Block, Cell, Numeral, Section, table
from pofx.report.html.frame import fragment
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
from pofx.report.numerals import fixed_point, probability, significant_digits, typeset
from pofx.report.one_line import one_line
from pofx.report.sums import addends

if TYPE_CHECKING:
    from pofx.classification.bayes import Posterior
    from pofx.classification.evaluation import Evaluation
    from pofx.lm.model import LM
    from pofx.queries.compression.compress import Compression
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.findings import Audit
    from pofx.queries.marginal.marginal import Marginal
    from pofx.queries.next_unit.next import Next
    from pofx.queries.posterior import MixturePosterior
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored
    from pofx.queries.words.words import Worded

# Heights of a frame, pixels, measured in a cell of 860 px. A higher page scrolls within its frame.
ROW, HEAD, LEAST, MOST = 30, 80, 110, 640
# The most tokens of a text with a frame, which a notebook file then holds: 10,000 tokens take 0.6 MB.
TOKENS = 10_000
# The most rows of a table.
ROWS = 50


def notebook_html(record: Any) -> str | None:
    """Return a frame for a cell; None for a type that this module does not draw."""
    for kind in type(record).__mro__:
        draw = _DRAWN.get(f"{kind.__module__}.{kind.__qualname__}")
        if draw is not None:
            found = draw(record)
            if found is None:
                return None
            block, height = found
            return fragment(
                [Section("", (block,))], round(max(LEAST, min(MOST, height))), one_line(record) or ""
            )
    return None


Drawn = tuple[Block, float]


def _rows(headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = "") -> Drawn:
    more = f"and {len(rows) - ROWS:,} more rows" if len(rows) > ROWS else ""
    block = table(headings, rows[:ROWS], "; ".join(n for n in (note, more) if n))
    return block, HEAD + ROW * min(len(rows), ROWS) + 24 * (bool(note) + len(note) // 110)


def _lines(text: str | bytes, width: int) -> int:
    return 1 + len(text) // width


def _nats(x: float | None) -> Numeral:
    return Numeral(fixed_point(x))


def _lm(lm: LM) -> Drawn | None:
    vocab = getattr(lm, "vocab", None)
    if vocab is None:
        return None
    rows: list[tuple[str, Cell]] = [
        ("model", type(lm).__name__),
        ("x0", str(lm.begin) if lm.begin.text else lm.begin.known),
        ("EOS", "none: texts never end" if vocab.end is None else vocab.show(vocab.end)),
        ("vocabulary", f"{vocab.size:,} tokens"),
        ("window rule", str(lm.window)),
        ("arithmetic", lm.dtype),
    ]
    if lm.fitted:
        documents = sum(f.documents for f in lm.fitted)
        rows.append(("fitted on", f"{documents:,} documents"))
    return _rows(("", ""), rows)


def _scored(s: Scored) -> Drawn | None:
    if s.terms.tokens > TOKENS:
        return None
    return score_block([s]), max(475 if s.top_ids is not None else 420, 330 + 28 * _lines(s.text, 45))


def _draw(d: Draw) -> Drawn | None:
    if d.terms.tokens > TOKENS:
        return None
    return draws_block([d]), 90 + 26 * _lines(d.text, 90)


def _audit(a: Audit) -> Drawn:
    return audit_block(a), MOST


def _worded(w: Worded) -> Drawn | None:
    if w.terms.tokens > TOKENS:
        return None
    return words_block([w]), 200 + 53 * _lines(w.text, 65)


def _next(n: Next) -> Drawn:
    bounded = n.unit in ("word", "character")  # a row has its bounds in a second line
    return next_block(n), 155 + (45 if bounded else 29) * (len(n.top) + 1)


def _marginal(m: Marginal) -> Drawn:
    low, high = m.interval
    rows: list[tuple[str, Cell]] = [
        ("log p, nats", _nats(m.total)),
        ("95 % interval, nats", typeset(f"{fixed_point(low)} to {fixed_point(high)}")),
        ("canonical tokenisation, nats", _nats(m.canonical)),
        ("gap, bits", Numeral(significant_digits(m.gap_bits))),
        ("tokenisations that were summed", m.found),
    ]
    return _rows(("", m.kind), rows, str(m.terms))


def _conditioned(c: Conditioned) -> Drawn:
    return conditioned_block(c), 310 + 25 * min(len(c.outcomes), 10)


def _mixture_posterior(m: MixturePosterior) -> Drawn:
    names = [f"model {k}" for k in range(len(m.prior))]
    return posterior_block([m], names), 415 + 57 * len(names)


def _compression(c: Compression) -> Drawn:
    size = 8 * len(c.blob)
    coded = (c.ideal_bits, c.lane_bits, c.quantisation_bits)
    ideal, lanes, quantisation = addends(coded, size - c.escape_bits - c.header_bits, 1)
    rows: list[tuple[str, Cell]] = [
        ("−log2 p of the texts", Numeral(ideal)),
        ("parallel streams", Numeral(lanes)),
        ("quantisation", Numeral(quantisation)),
        ("coded without the model", c.escape_bits),
        ("header", c.header_bits),
        ("the file", size),
    ]
    return _rows(("part", "bits"), rows, f"{c.bytes:,} bytes to {len(c.blob):,}")


def _corpus(c: CorpusReport) -> Drawn:
    return corpus_block(c), MOST


def _posterior(p: Posterior) -> Drawn:
    n_classes = p.log_p.shape[1]
    rows: list[Sequence[Cell]] = [
        (i, *(Numeral(probability(float(x))) for x in row), _nats(float(e)))
        for i, (row, e) in enumerate(zip(p.log_p, p.log_evidence))
    ]
    return _rows(("text", *(f"P(class {c})" for c in range(n_classes)), "log p(text), nats"), rows)


def _evaluation(e: Evaluation) -> Drawn:
    return evaluation_block(e, [f"class {c}" for c in range(len(e.confusion))]), MOST


def _joint(j: Any) -> Drawn:
    # The record is a `Joint`, whose module fits models, so `report` must not import its type.
    rows: list[Sequence[Cell]] = [
        (str(c), float(n), Numeral(probability(float(p)))) for c, n, p in zip(j.classes, j.count, j.log_prior)
    ]
    return _rows(("class", "documents", "P(class)"), rows, f"p(text | class): {j.lms[0].window}")


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
    "pofx.classification.estimator.GenerativeClassifier": _classifier,
}
