"""A reader of pages, which finds every tag, attribute and text, and a page that holds each kind of section."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from report_samples import AUDIT, ENDLESS, HOSTILE, INF, LM, NAN, scored

from pofx.queries.findings import BeginEvidence, Finding, Series
from pofx.queries.sample import sample
from pofx.report.html import page as html


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
        self.pieces: list[str] = []
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
        inside = [c for _, c in self.stack]
        if self.stack and self.stack[-1][0] in ("script", "style"):
            self.raw.append((self.stack[-1][0], data))
            return
        self.all_text.append(data)
        if "tokens" in inside and not any(c.startswith("eos") for c in inside):
            self.pieces.append(data)


KNOWN_TAGS = frozenset(
    re.findall(
        r"\S+",
        """
    html head meta title style body header h1 h2 h3 p nav ol ul li a main section article div span b i
    small var sub script figure figcaption svg rect line circle polyline text table thead tbody tfoot
    tr th td bdi details summary footer code pre blockquote
    """,
    )
)


KNOWN_ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        """
    lang charset http-equiv content name id aria-labelledby aria-label aria-hidden class dir translate
    hidden type tabindex role scope colspan open href viewbox width height preserveaspectratio x y x1
    x2 y1 y2 cx cy r points
    """,
    )
)


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
        ],
        wild,
    )
