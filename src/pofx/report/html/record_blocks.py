"""Records become blocks of a page: the kind of the block, and the JSON that `--json` gives of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pofx.report.html.blocks import Block, Section, paragraph
from pofx.report.html.token_columns import token_columns
from pofx.report.json_records import (
    audit_record,
    conditioned_record,
    corpus_record,
    draw_record,
    evaluation_record,
    next_record,
    posterior_record,
    scored_record,
    words_record,
)
from pofx.report.verdicts import CORPUS_GLOSS, GLOSS, begin_evidence
from pofx.report.x0_tables import END_NOTE, candidates_note

if TYPE_CHECKING:
    from pofx.classification.evaluation import Evaluation
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.findings import Audit, Series
    from pofx.queries.next_unit.next import Next
    from pofx.queries.posterior import MixturePosterior
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored
    from pofx.queries.words.words import Worded

# The most outcomes and draws of a conditioned distribution in a page, since 512 draws of 64 tokens take a megabyte.
OUTCOMES, DRAWS = 100, 24


@dataclass(frozen=True)
class Row:
    """The part of a page about the row of a file that a text stood in.

    Attributes:
        id: The id of the row; "" for a text without one.
        kept: The kept fields of the row and their values, as text.
    """

    id: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


def score_block(scored_list: Sequence[Scored], rows: Sequence[Row] = ()) -> Block:
    """Return a block of texts, each with its total, its heat text, its surprisals as bars, and its chain of factors.

    A table before several texts compares their totals, and its rows lead to the texts.

    Args:
        scored_list: The texts. Entropy, rank and likeliest tokens are shown where the records have them.
        rows: The row that each text stood in; () for texts of no file.
    """
    texts = [
        {"score": {**scored_record(s, tokens=False), "tokens": token_columns(s)}, "told": str(s.terms)}
        for s in scored_list
    ]
    return Block("scores", {"texts": _named(texts, rows)})


def score_section(
    scored_list: Sequence[Scored], title: str = "log p(x), term by term", rows: Sequence[Row] = ()
) -> Section:
    """Return a section that is one `score_block`.

    Args:
        scored_list: The texts.
        title: The heading of the section.
        rows: The row that each text stood in; () for texts of no file.
    """
    return Section(title, (score_block(scored_list, rows),))


def words_block(worded_list: Sequence[Worded], rows: Sequence[Row] = ()) -> Block:
    """Return a block of texts, each as a sentence with the surprisal of every word, and as a table of words.

    Args:
        worded_list: The texts.
        rows: The row that each text stood in; () for texts of no file.
    """
    texts = [{"words": words_record(w), "told": str(w.terms)} for w in worded_list]
    return Block("words", {"texts": _named(texts, rows)})


def next_block(following: Next) -> Block:
    """Return a block of a next-unit distribution: the likeliest outcomes as bars, and the mass of all others."""
    return Block("next", {"next": next_record(following), "told": following.terms.common})


def posterior_block(records: Sequence[MixturePosterior], names: Sequence[str]) -> Block:
    """Return a block of the posterior of the models for each text, with the arithmetic of Bayes' rule.

    Args:
        records: A record a text.
        names: The names of the models, in the order of the mixture.
    """
    texts = [{"posterior": posterior_record(r, names)} for r in records]
    return Block("posteriors", {"texts": texts})


def conditioned_block(found: Conditioned, outcome: str = "text", suffix: str | bytes = "") -> Block:
    """Return a block of the likeliest outcomes under a condition, with the evidence and the heaviest draws.

    Args:
        found: The texts under the condition.
        outcome: What an outcome is: "text", or "middle" of an infill.
        suffix: The text after the gap of an infill.
    """
    record = conditioned_record(found)
    record["outcomes"], record["draws"] = record["outcomes"][:OUTCOMES], record["draws"][:DRAWS]
    counts = {"outcomes": len(found.outcomes), "draws": len(found.draws)}
    return Block(
        "conditioned", {"conditioned": record, "counts": counts, "outcome": outcome, "suffix": suffix}
    )


def evaluation_block(evaluation: Evaluation, names: Sequence[str]) -> Block:
    """Return a block of the accuracy of a classifier, its reliability diagram and its confusions.

    Args:
        evaluation: The evaluation.
        names: The names of the classes.
    """
    return Block("evaluation", {"evaluation": evaluation_record(evaluation, names)})


def corpus_block(report: CorpusReport) -> Block:
    """Return a block of the verdict on a corpus, L(θ) with its interval, copies, and the findings with their charts."""
    return Block("corpus", {"report": corpus_record(report), "gloss": CORPUS_GLOSS[report.verdict]})


def draws_block(draws: Sequence[Draw]) -> Block:
    """Return a block of draws, each with its log p, its bits per byte, its end, and whether it is from a warped q."""
    return Block("draws", {"draws": [draw_record(d) for d in draws]})


def draws_section(draws: Sequence[Draw], title: str = "Draws") -> Section:
    """Return a section that is one `draws_block`.

    Args:
        draws: The draws.
        title: The heading of the section.
    """
    return Section(title, (draws_block(draws),))


def audit_block(audit: Audit) -> Block:
    """Return a block of an audit: the verdict, its reason, the evidence for x0, the candidates, and findings with charts."""
    evidence = begin_evidence(audit.begin) if audit.begin is not None and not audit.candidates else ""
    data: dict[str, Any] = {"audit": audit_record(audit), "gloss": GLOSS[audit.verdict], "evidence": evidence}
    if audit.candidates:
        data["candidates_note"] = candidates_note(audit)
    if audit.endings:
        data["endings_note"] = END_NOTE
    return Block("audit", data)


def audits_section(audits: Sequence[tuple[str, Audit]], title: str, lead: str = "") -> Section:
    """Return a section of several audits: a row a model, then the audits, folded after the first one of each verdict.

    Args:
        audits: The name of each model, and its audit.
        title: The heading of the section.
        lead: A paragraph before the audits; "" for none.
    """
    block = Block("audits", {"audits": [{"name": name, **audit_block(found).data} for name, found in audits]})
    return Section(title, (*([paragraph(lead)] if lead else []), block))


def audit_section(audit: Audit, name: str) -> Section:
    """Return a section that is one `audit_block`.

    Args:
        audit: The audit.
        name: The name of the model.
    """
    return Section(f"Audit of {name}", (audit_block(audit),))


def chart_block(series: Series) -> Block:
    """Return a block of a series as a chart: bars, each with its name and its value, or a line."""
    return Block("chart", {"series": asdict(series)})


def _named(texts: Sequence[dict[str, Any]], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the texts with the id and the kept fields of their rows."""
    if not rows:
        return list(texts)
    return [{**t, "id": r.id, "kept": dict(r.kept)} for t, r in zip(texts, rows, strict=True)]
