"""A reader of pages, which finds every tag, attribute and datum, and a page that holds each kind of block."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
from report_samples import AUDIT, ENDLESS, EVALUATION, HOSTILE, INF, LM, NAN, TEXTS, scored

from pofx.classification.joint import Joint
from pofx.cross_fitting.assumptions import corpus_report
from pofx.lm.begin import Begin
from pofx.queries.conditioning.infill import infill
from pofx.queries.findings import BeginEvidence, Finding, Series
from pofx.queries.marginal.marginal import marginal
from pofx.queries.next_unit.next import next_token
from pofx.queries.posterior import posterior
from pofx.queries.sample import sample
from pofx.queries.words.words import words
from pofx.report.html import page as html
from pofx.transforms.mixture import mixture


class Reader(HTMLParser):
    """Every tag, attribute and piece of text; text of scripts and styles apart."""

    VOID = frozenset(("meta", "br", "img", "link", "input", "hr", "rect", "line", "circle", "polyline"))

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[tuple[str, str]] = []
        self.stack: list[tuple[str, str]] = []
        self.raw: list[tuple[str, str]] = []
        self.all_text: list[str] = []
        self.feed(page)
        self.close()
        assert not self.stack, f"not closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(k for k, _ in attrs)
        self.values += [(k, v or "") for k, v in attrs]
        if tag not in self.VOID:
            self.stack.append((tag, dict(attrs).get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1][0] in ("script", "style"):
            self.raw.append((self.stack[-1][0], data))
            return
        self.all_text.append(data)


KNOWN_TAGS = frozenset(("html", "head", "meta", "title", "style", "body", "div", "noscript", "script"))


KNOWN_ATTRIBUTES = frozenset(("lang", "charset", "http-equiv", "content", "name", "id", "type"))


def data_of(page: str) -> dict[str, Any]:
    """Return the JSON that the script of a page draws."""
    raw = [body for kind, body in Reader(page).raw if kind == "script"]
    assert len(raw) == 2 + ('id="packed"' in page)  # a frame packs its own script
    found = json.loads(raw[0])
    assert isinstance(found, dict)
    return found


def blocks_of(page: str) -> list[dict[str, Any]]:
    """Return the blocks of all sections of a page, in order."""
    return [block for section in data_of(page)["sections"] for block in section["blocks"]]


def joint(wild: str) -> Joint:
    return Joint((wild, "b"), (LM, LM), None, np.array([1.0, 2.0]), np.log([0.5, 0.5]))


def full_page(text: str | bytes = HOSTILE) -> str:
    wild = str(text)
    audit = replace(
        AUDIT,
        reason=wild,
        begin=BeginEvidence(wild, "declared", NAN, 8.0, INF, 0.1, 1),
        findings=(
            Finding(wild, "fail", NAN, -INF, wild, wild, Series(wild, wild, "bars", ((wild, 1.0),))),
            Finding("line", "warn", 1.0, 2.0, "", "", Series(wild, wild, "line", ((wild, 1.0), (wild, 2.0)))),
        ),
    )
    return html.page(
        wild,
        [
            html.prose_section(wild, [wild, html.code(wild, wild), html.quote(wild, wild), "`<b>` " + wild]),
            html.score_section([scored(text), scored(text, ENDLESS), scored("", given="the ")], wild),
            html.draws_section(sample(LM, 2, seed=1, max_tokens=9), wild),
            html.audit_section(audit, wild),
            html.table_section(wild, [wild, "n"], [(wild, 1), (b"\xff<i>", 2.5), (None, NAN)], wild),
            html.Section(
                wild,
                (
                    html.words_block(words(LM, [text]), [html.Row(wild, {wild: wild})]),
                    html.next_block(next_token(LM, text, k=3)),
                    html.posterior_block(posterior(mixture([LM, LM]), [text]), [wild, "b"]),
                    html.conditioned_block(infill(LM, "the ", " sat", n=8, max_tokens=3), "middle", text),
                    html.comparisons_block(
                        [(scored(text), scored(text, ENDLESS))], (wild, "b"), [html.Row(wild)]
                    ),
                    html.evaluation_block(EVALUATION, [wild, "b"]),
                    html.corpus_block(corpus_report(TEXTS * 3, held_out=0.4)),
                ),
            ),
            html.Section(
                wild,
                (
                    html.model_block(LM.with_info(begin=Begin("none", wild, None, wild))),
                    html.joint_block(joint(wild)),
                    html.marginal_block(marginal(LM, text)),
                ),
            ),
            html.audits_section([(wild, audit), ("b", AUDIT)], wild, wild),
        ],
        wild,
        html.Made(wild, (html.model_note(wild, LM),)),
    )
