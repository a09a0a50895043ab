"""Records as blocks of a page: a kind, and the JSON that `--json` gives of the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pofx.report.html.blocks import Block, Section
from pofx.report.json_records import audit_record, draw_record, scored_record
from pofx.report.verdicts import GLOSS, begin_evidence
from pofx.report.x0_tables import END_NOTE, candidates_note

if TYPE_CHECKING:
    from pofx.queries.findings import Audit, Series
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored


def score_block(scored_list: Sequence[Scored]) -> Block:
    """Each text with its total, its heat text, its surprisals as bars, and its chain of factors.

    Several texts have a table before them that compares their totals, and whose rows lead to the texts.

    Args:
        scored_list: The texts. Entropy, rank and likeliest tokens are shown where the records have them.
    """
    return Block("scores", {"texts": [_scored(s) for s in scored_list]})


def score_section(scored_list: Sequence[Scored], title: str = "log p(x), term by term") -> Section:
    """Return a section that is one `score_block`.

    Args:
        scored_list: The texts.
        title: The heading of the section.
    """
    return Section(title, (score_block(scored_list),))


def draws_block(draws: Sequence[Draw]) -> Block:
    """Every draw with its log p, its bits per byte, and whether EOS ended it; draws from a warped q are called so."""
    return Block("draws", {"draws": [draw_record(d) for d in draws]})


def draws_section(draws: Sequence[Draw], title: str = "Draws") -> Section:
    """Return a section that is one `draws_block`.

    Args:
        draws: The draws.
        title: The heading of the section.
    """
    return Section(title, (draws_block(draws),))


def audit_block(audit: Audit) -> Block:
    """The verdict of an audit, its reason, the evidence for x0, the candidates, and the findings with their charts."""
    evidence = begin_evidence(audit.begin) if audit.begin is not None and not audit.candidates else ""
    data: dict[str, Any] = {"audit": audit_record(audit), "gloss": GLOSS[audit.verdict], "evidence": evidence}
    if audit.candidates:
        data["candidates_note"] = candidates_note(audit)
    if audit.endings:
        data["endings_note"] = END_NOTE
    return Block("audit", data)


def audit_section(audit: Audit, name: str) -> Section:
    """Return a section that is one `audit_block`.

    Args:
        audit: The audit.
        name: The name of the model.
    """
    return Section(f"Audit of {name}", (audit_block(audit),))


def chart_block(series: Series) -> Block:
    """A chart of a series: bars, each with its name and its value, or a line."""
    return Block("chart", {"series": asdict(series)})


def _scored(scored: Scored) -> dict[str, Any]:
    return {"score": scored_record(scored, tokens=True, top=scored.top_ids is not None)}
