"""A record as HTML for a cell of a notebook: the components of a page, in a frame of their own.

A cell's output carries the whole script, about 80 kB, so that a notebook shows it offline and years later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pofx.report.html.blocks import Block, Cell, Numeral, Section, table
from pofx.report.html.document import fragment
from pofx.report.html.record_blocks import audit_block, draws_block, score_block
from pofx.report.numerals import fixed_point, probability, significant_digits

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

# Heights of a frame, pixels. A row of a table has 30 px, and a line of heat text holds about 70 characters.
ROW, HEAD, LEAST, MOST = 30, 90, 120, 620
# The most rows of a table.
ROWS = 50


def notebook_html(record: Any) -> str | None:
    """Return a frame for a cell; None for a type that has no picture here."""
    for kind in type(record).__mro__:
        draw = _DRAWN.get(f"{kind.__module__}.{kind.__qualname__}")
        if draw is not None:
            found = draw(record)
            if found is None:
                return None
            block, height = found
            return fragment([Section("", (block,))], round(max(LEAST, min(MOST, height))))
    return None


Drawn = tuple[Block, float]


def _rows(headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = "") -> Drawn:
    more = f"and {len(rows) - ROWS:,} more rows" if len(rows) > ROWS else ""
    block = table(headings, rows[:ROWS], "; ".join(n for n in (note, more) if n))
    return block, HEAD + ROW * min(len(rows), ROWS) + 24 * (bool(note) + len(note) // 110)


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


def _scored(s: Scored) -> Drawn:
    return score_block([s]), 430 + 26 * (len(s.text) / 70)


def _draw(d: Draw) -> Drawn:
    return draws_block([d]), 150 + 26 * (len(d.text) / 70)


def _audit(a: Audit) -> Drawn:
    return audit_block(a), MOST


def _worded(w: Worded) -> Drawn:
    rows: list[Sequence[Cell]] = [
        (x.text, Numeral(fixed_point(x.bits, 2)), x.tokens, x.seen) for x in w.words
    ]
    note = f"log p = {fixed_point(w.total)} nats; {w.terms}"
    return _rows(("word", "surprisal, bits", "tokens", "context, tokens"), rows, note)


def _next(n: Next) -> Drawn:
    rows: list[Sequence[Cell]] = [(a.shown, Numeral(probability(a.logp)), _nats(a.logp)) for a in n.top]
    rows.append(("all others", Numeral(probability(n.rest)), _nats(n.rest)))
    note = (
        f"entropy {'≥ ' if math.isinf(n.entropy_high) else ''}{fixed_point(n.entropy)} nats; {n.terms.common}"
    )
    return _rows((f"next {n.unit}", "p", "log p, nats"), rows, note)


def _marginal(m: Marginal) -> Drawn:
    low, high = m.interval
    rows: list[tuple[str, Cell]] = [
        ("log p, nats", _nats(m.total)),
        ("95 % interval, nats", f"{fixed_point(low)} to {fixed_point(high)}"),
        ("canonical tokenisation, nats", _nats(m.canonical)),
        ("gap, bits", Numeral(significant_digits(m.gap_bits))),
        ("tokenisations that were summed", m.found),
    ]
    return _rows(("", m.kind), rows, str(m.terms))


def _conditioned(c: Conditioned) -> Drawn:
    rows: list[Sequence[Cell]] = [
        (o.text, Numeral(significant_digits(o.p)), Numeral(significant_digits(o.se, 2))) for o in c.outcomes
    ]
    error = "" if c.exact else f" ± {significant_digits(c.se, 2)}"
    note = f"{c.on}: log P = {fixed_point(c.log_evidence)}{error} nats; {c.method}"
    return _rows(("text", "p given the condition", "standard error"), rows, note)


def _mixture_posterior(m: MixturePosterior) -> Drawn:
    rows: list[Sequence[Cell]] = [
        (f"model {k}", _nats(float(prior)), _nats(float(likelihood)), Numeral(probability(float(p))))
        for k, (prior, likelihood, p) in enumerate(zip(m.prior, m.evidence, m.posterior))
    ]
    note = f"log p(x) = {fixed_point(m.total)} nats; {m.terms}"
    return _rows(("model", "log prior, nats", "log p(x | model), nats", "posterior"), rows, note)


def _compression(c: Compression) -> Drawn:
    rows: list[tuple[str, Cell]] = [
        ("−log2 p of the texts", Numeral(fixed_point(c.ideal_bits, 1))),
        ("parallel streams", Numeral(fixed_point(c.lane_bits, 1))),
        ("quantisation", Numeral(fixed_point(c.quantisation_bits, 1))),
        ("coded without the model", c.escape_bits),
        ("header", c.header_bits),
        ("the file", 8 * len(c.blob)),
    ]
    return _rows(("part", "bits"), rows, f"{c.bytes:,} bytes to {len(c.blob):,}")


def _corpus(c: CorpusReport) -> Drawn:
    rows: list[Sequence[Cell]] = [(f.verdict, str(f.check), f.value, str(f.unit), f.why) for f in c.findings]
    note = f"{c.documents:,} documents, of which {significant_digits(c.effective, 4)} are effective"
    block, height = _rows(("verdict", "check", "value", "unit", "why"), rows, note)
    return block, 2 * height


def _posterior(p: Posterior) -> Drawn:
    n_classes = p.log_p.shape[1]
    rows: list[Sequence[Cell]] = [
        (i, *(Numeral(probability(float(x))) for x in row), _nats(float(e)))
        for i, (row, e) in enumerate(zip(p.log_p, p.log_evidence))
    ]
    return _rows(("text", *(f"P(class {c})" for c in range(n_classes)), "log p(text), nats"), rows)


def _evaluation(e: Evaluation) -> Drawn:
    rows: list[Sequence[Cell]] = [
        (
            f"{b.low:.1f} to {b.high:.1f}",
            b.n,
            Numeral(fixed_point(b.confidence)),
            Numeral(fixed_point(b.accuracy)),
        )
        for b in e.bins
    ]
    note = (
        f"accuracy {fixed_point(100 * e.accuracy, 2)} %, log-loss {fixed_point(e.log_loss, 4)} nats, calibration error "
        f"{fixed_point(e.calibration_error)}; {e.n:,} texts"
    )
    return _rows(("posterior of the best class", "texts", "mean posterior", "accuracy"), rows, note)


def _joint(j: Any) -> Drawn:
    # A `Joint`. Its module fits models, which `report` knows nothing of.
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
