"""The line that stands for a value in a Python session: the name of its type, its numbers, and some of its text.

    Scored(log p = -13.126 nats, 1.46 bits per byte, 13 tokens and EOS, 'Time is gold.')

Arrays are left out: a record of a text of 2,000 tokens would otherwise fill 60 lines of a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pofx.report.numerals import fixed_point, probability, significant_digits
from pofx.report.verdicts import outcomes
from pofx.units import bits, bits_per_byte, count_noun

if TYPE_CHECKING:
    from pofx.classification.bayes import Posterior
    from pofx.classification.evaluation import Evaluation
    from pofx.evaluation.choice_report import ChoiceReport
    from pofx.evaluation.pairs import PairReport
    from pofx.lm.model import LM
    from pofx.lm.trace import Trace
    from pofx.queries.compression.compress import Compression
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.difference.diff import Difference
    from pofx.queries.findings import Audit
    from pofx.queries.marginal.marginal import Marginal
    from pofx.queries.next_unit.next import Next
    from pofx.queries.posterior import MixturePosterior
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored
    from pofx.queries.words.words import Worded
    from pofx.stimuli.predictive_power import PredictivePower
    from pofx.stimuli.stimulus_table import StimulusTable

# The longest line, characters, which a terminal of 100 columns shows unbroken.
WIDTH = 98
# The most classes, models or outcomes that a line names.
FEW = 3

Parts = Iterable[str]


def one_line(record: Any) -> str | None:
    """Return the line of a value, at most `WIDTH` characters; None for a type that this module does not know."""
    for kind in type(record).__mro__:
        describe = _LINES.get(f"{kind.__module__}.{kind.__qualname__}")
        if describe is not None:
            parts = describe(record)
            return None if parts is None else _joined(type(record).__name__, *parts)
    return None


def quoted(text: str | bytes, room: int) -> str:
    r"""Return a text in quotes, as Python writes it, cut to `room` characters; control characters are escapes (`\n`).

    Args:
        text: The text.
        room: The most characters, quotes included; at least 4.
    """
    whole = repr(text[: room + 1])
    if len(text) <= room and len(whole) <= room:
        return whole
    for n in range(min(len(text), room), 0, -1):
        cut = repr(text[:n])
        if len(cut) < room:
            return f"{cut[:-1]}…{cut[-1]}"
    return "…"


def _joined(name: str, parts: Parts, text: str | bytes | None = None) -> str:
    inner = ", ".join(p for p in parts if p)
    if text is not None and (room := WIDTH - len(name) - len(inner) - 4) >= 4:
        inner = ", ".join(p for p in (inner, quoted(text, room)) if p)
    line = f"{name}({inner})"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 2].rstrip(' ,')}…)"


def _nats(x: float) -> str:
    return f"{fixed_point(x)} nats"


def _log_p(total: float, whole: bool, given: bool = False) -> str:
    return f"log {'p' if whole else 'P'}{'(x | given)' if given else ''} = {_nats(total)}"


def _per_byte(rate: float) -> str:
    return "" if math.isnan(rate) else f"{fixed_point(rate, 2)} bits per byte"


def _lm(lm: LM) -> tuple[Parts] | None:
    vocab = getattr(lm, "vocab", None)
    if vocab is None:  # a subclass whose __init__ has not ended
        return None
    begin = "no x0" if lm.begin.known == "none" else f"x0 {lm.begin}" if lm.begin.text else f"{lm.begin}"
    return ([begin, "no EOS" if vocab.end is None else "EOS", f"{vocab.size:,} tokens", _clause(lm.window)],)


def _clause(window: object) -> str:
    """Return the first clause of a window rule."""
    return str(window).partition(";")[0].partition(": every token")[0]


def _scored(s: Scored) -> tuple[Parts, str | bytes]:
    total = s.total if s.terms.end else s.prefix_total
    return [
        _log_p(total, s.terms.end, s.terms.given_bytes > 0),
        _per_byte(bits_per_byte(-total, s.terms.bytes)),
        count_noun(s.terms.tokens, "token") + (" and EOS" if s.terms.end else ""),
    ], s.text


def _trace(t: Trace) -> tuple[Parts]:
    total = math.fsum(float(p.sum()) for p in t.logp)
    asked = [n for n in ("entropy", "rank", "top_ids", "end", "masses", "low", "leak") if getattr(t, n)]
    return (
        [
            f"Σ log p = {_nats(total)}",
            count_noun(len(t.logp), "path"),
            count_noun(sum(map(len, t.logp)), "token"),
            *asked,
        ],
    )


def _worded(w: Worded) -> tuple[Parts, str | bytes]:
    surprisals = [x.surprisal for x in w.words if x.index is not None]
    mean = (
        f"{fixed_point(bits(math.fsum(surprisals)) / len(surprisals), 2)} bits a word" if surprisals else ""
    )
    return [
        _log_p(w.total, w.terms.end, w.terms.given_bytes > 0),
        count_noun(len(surprisals), "word"),
        mean,
    ], w.text


def _next(n: Next) -> tuple[Parts]:
    first = [f"p = {probability(a.logp)} {quoted(a.shown, 14)}" for a in n.top[:FEW]]
    unit = n.unit if len(n.top) == 1 else f"{n.unit}s"
    return ([*first, f"{unit} after {quoted(n.given, 20)}" if n.given else unit],)


def _draw(d: Draw) -> tuple[Parts, str | bytes]:
    return [
        _log_p(d.total, d.ended, d.terms.given_bytes > 0),
        _per_byte(bits_per_byte(-d.total, d.terms.bytes)),
        d.warp,
        "EOS" if d.ended else "cut off",
    ], d.text


def _audit(a: Audit) -> tuple[Parts]:
    gain = None if a.begin is None else a.begin.average_bits - a.begin.bits
    known = gain is not None and not math.isnan(gain)
    return (
        [
            a.verdict,
            outcomes(a.findings),
            f"x0 gains {significant_digits(gain)} bits" if known else "",
            count_noun(a.documents, "document"),
        ],
    )


def _corpus(c: CorpusReport) -> tuple[Parts]:
    return (
        [
            c.verdict,
            outcomes(c.findings),
            f"{significant_digits(c.effective, 4)} of {count_noun(c.documents, 'document')} effective",
            f"L(θ) = {_nats(c.loss.value)}",
        ],
    )


def _marginal(m: Marginal) -> tuple[Parts, str | bytes]:
    error = "" if not m.se else f" ± {significant_digits(m.se, 2)}"
    return [
        f"log p {'≥' if m.kind == 'lower' else '='} {fixed_point(m.total)}{error} nats",
        m.kind,
        f"gap {significant_digits(m.gap_bits)} bits",
        count_noun(m.found, "tokenisation"),
    ], m.text


def _conditioned(c: Conditioned) -> tuple[Parts, str]:
    error = "" if not c.se else f" ± {significant_digits(c.se, 2)}"
    first = [f"p = {significant_digits(o.p)} {quoted(o.text, 20)}" for o in c.outcomes[:1]]
    return [f"log P = {fixed_point(c.log_evidence)}{error} nats", *first, c.method], c.on


def _mixture_posterior(m: MixturePosterior) -> tuple[Parts, str | bytes]:
    shown = [probability(float(p)) for p in m.posterior[:FEW]] + ["…"] * (len(m.posterior) > FEW)
    return [f"p = {' '.join(shown)}", _log_p(m.total, m.terms.end)], m.text


def _compression(c: Compression) -> tuple[Parts]:
    rate = [f"{fixed_point(8 * len(c.blob) / c.bytes)} bits a byte"] if c.bytes else []
    return (
        [
            f"{count_noun(c.bytes, 'byte')} to {len(c.blob):,}",
            *rate,
            f"ideal {fixed_point(c.ideal_bits, 0)} bits" if c.ideal_bits < 1e6 else "",
            count_noun(c.tokens, "token"),
        ],
    )


def _posterior(p: Posterior) -> tuple[Parts]:
    n, classes = p.log_p.shape
    mean = [f"mean log p(x) = {_nats(float(p.log_evidence.mean()))}"] if n else []
    return ([count_noun(n, "text"), count_noun(classes, "class", "classes"), *mean],)


def _evaluation(e: Evaluation) -> tuple[Parts]:
    return (
        [
            f"accuracy {fixed_point(100 * e.accuracy, 2)} %",
            f"log-loss {fixed_point(e.log_loss, 4)} nats",
            f"calibration error {fixed_point(e.calibration_error)}",
            count_noun(e.n, "text"),
        ],
    )


def _choices(r: ChoiceReport) -> tuple[Parts]:
    return (
        [
            *(f"{found.rule} {fixed_point(100 * found.accuracy, 1)} % right" for found in r.rules),
            count_noun(len(r.items), "item"),
        ],
    )


def _difference(d: Difference) -> tuple[Parts]:
    return (
        [
            f"{significant_digits(d.per_text.value)} nats a text",
            *([f"KL {significant_digits(d.kl_a_token)} nats a token"] if d.tokens.any() else []),
            count_noun(len(d.log_a), "text"),
        ],
    )


def _pairs(r: PairReport) -> tuple[Parts]:
    whole = r.whole
    return (
        [
            f"{fixed_point(100 * whole.accuracy, 1)} % right",
            f"mean margin {fixed_point(whole.margin)} nats",
            count_noun(whole.n, "pair"),
        ],
    )


def _stimuli(s: StimulusTable) -> tuple[Parts]:
    rows = len(s.columns[0].cells)
    models = [count_noun(len(s.measured), "model")] if len(s.measured) > 1 else []
    return ([count_noun(rows, "row"), count_noun(len(s.texts), "text"), *models],)


def _power(p: PredictivePower) -> tuple[Parts]:
    named = [
        f"{m.name + ' ' if m.name else ''}Δ = {significant_digits(m.gain, 3)} nats a row"
        for m in p.models[:FEW]
    ]
    return ([*named, count_noun(p.rows, "row"), count_noun(p.n_items, "item")],)


def _learning_curve(c: Any) -> tuple[Parts]:
    # The record is a `LearningCurve`, whose module belongs to a family, so `report` must not import its type.
    found = c.validation_bits_per_byte
    best = f"best validation {fixed_point(float(found.min()))} bits per byte" if len(found) else ""
    read = [f"{fixed_point(float(c.passes[-1]), 2)} passes", f"{fixed_point(float(c.seconds[-1]), 1)} s"]
    return ([best, *read] if len(c.passes) else [],)


def _joint(j: Any) -> tuple[Parts]:
    # The record is a `Joint`, whose module fits models, so `report` must not import its type.
    shown = [f"{quoted(str(c), 16)[1:-1]} {probability(float(p))}" for c, p in zip(j.classes, j.log_prior)]
    prior = " ".join(shown[:FEW] + ["…"] * (len(shown) > FEW))
    return ([count_noun(len(shown), "class", "classes"), f"P(t): {prior}", _clause(j.lms[0].window)],)


def _classifier(c: Any) -> tuple[Parts] | None:
    joint = getattr(c, "joint_", None)
    return None if joint is None else _joint(joint)


_LINES: dict[str, Callable[[Any], tuple[Parts] | tuple[Parts, str | bytes] | None]] = {
    "pofx.lm.model.LM": _lm,
    "pofx.lm.trace.Trace": _trace,
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
    "pofx.evaluation.choice_report.ChoiceReport": _choices,
    "pofx.evaluation.pairs.PairReport": _pairs,
    "pofx.stimuli.predictive_power.PredictivePower": _power,
    "pofx.stimuli.stimulus_table.StimulusTable": _stimuli,
    "pofx.queries.difference.diff.Difference": _difference,
    "pofx.models.transformer.learning_curve.LearningCurve": _learning_curve,
    "pofx.classification.estimator.GenerativeClassifier": _classifier,
}
