"""A report as one self-contained page, which needs no network and no other file.

    page("A title", [prose_section(…), score_section(…), audit_section(…)])

`fragment` is the same page for a cell of a notebook.
"""

from __future__ import annotations

from pofx.report.html.amount_blocks import (
    class_posterior_blocks,
    compression_block,
    joint_block,
    marginal_block,
)
from pofx.report.html.blocks import (
    Block,
    Numeral,
    Section,
    code,
    paragraph,
    prose_section,
    quote,
    table,
    table_section,
)
from pofx.report.html.curve_block import curve_block
from pofx.report.html.difference_sections import comparisons_block, difference_sections
from pofx.report.html.document import page
from pofx.report.html.evaluation_sections import choice_sections, group_sections, pair_sections
from pofx.report.html.filter_sections import filter_sections
from pofx.report.html.frame import fragment
from pofx.report.html.made import Made, ModelNote, model_note
from pofx.report.html.model_block import model_block
from pofx.report.html.record_blocks import (
    Row,
    audit_block,
    audit_section,
    audits_section,
    chart_block,
    conditioned_block,
    corpus_block,
    draws_block,
    draws_section,
    evaluation_block,
    next_block,
    posterior_block,
    score_block,
    score_section,
    words_block,
)

__all__ = [
    "Block",
    "Made",
    "ModelNote",
    "Numeral",
    "Row",
    "Section",
    "audit_block",
    "audit_section",
    "audits_section",
    "chart_block",
    "choice_sections",
    "class_posterior_blocks",
    "code",
    "comparisons_block",
    "compression_block",
    "conditioned_block",
    "corpus_block",
    "curve_block",
    "difference_sections",
    "draws_block",
    "draws_section",
    "evaluation_block",
    "filter_sections",
    "fragment",
    "group_sections",
    "joint_block",
    "marginal_block",
    "model_block",
    "model_note",
    "next_block",
    "page",
    "pair_sections",
    "paragraph",
    "posterior_block",
    "prose_section",
    "quote",
    "score_block",
    "score_section",
    "table",
    "table_section",
    "words_block",
]
