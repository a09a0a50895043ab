"""A page of several sections: hostile texts stay texts, audits that agree are folded, minus signs are true ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import pofx
from conftest import Watched
from pofx.queries.findings import Audit, Check, Finding, Measure, Series
from pofx.report.html import page as html
from pofx.report.visible import visible

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]> \"'`&amp; javascript:"
    "\x00\x01\x1b[31m\u202eevil\u2066\u200b\ufeff שלום e\u0301 \t\r\n" + "w" * 10_000
)
LM = pofx.fit(["a cat", "a mat", "the cat sat"], pofx.NgramSpec(order=3))
SERIES = Series("after <s>", "probability", "bars", (("262138 others of the vocabulary", 0.25), ("x", -0.5)))
ALIVE = Series("alive(L)", "share", "line", (("0", 1.0), ("10", float("nan")), ("20", 0.25), ("80", 0.125)))
FINDINGS = (
    Finding(
        Check.ORDER, "pass", -0.013, 1e-9, Measure.SHARE, "after a shuffle -0.013, by 2.4e-13 (-3)", SERIES
    ),
    Finding(Check.ALIVE, "warn", None, None, Measure.NONE, "a byte 5-gram", ALIVE),
)
AUDIT = Audit("joint", "next-token distributions sum to 1 up to 4.4e-16.", None, FINDINGS, 3, 0)


def story() -> str:
    audits = [
        ("first", AUDIT),
        ("second", AUDIT),
        ("third", replace(AUDIT, verdict="conditional")),
        ("fourth", replace(AUDIT, reason=HOSTILE)),
    ]
    scored = pofx.score(LM, ["the cat", HOSTILE[:200]], want=pofx.Want(entropy=True, rank=True, top=5))
    return html.page(
        HOSTILE,
        [
            html.prose_section(
                HOSTILE, ["`code` " + HOSTILE, html.code(HOSTILE, HOSTILE), html.quote(HOSTILE)]
            ),
            html.score_section(scored, "Scores", [html.Row(HOSTILE, {HOSTILE: HOSTILE})] * 2),
            html.audits_section(audits, "Four audits", "Each is measured."),
            html.table_section(
                "A table", [HOSTILE, "b", "c", "d", "e"], [(HOSTILE, 1, 2.5, None, -0.5)], HOSTILE
            ),
            html.Section("Draws", (html.draws_block(pofx.sample(LM, 2, seed=1, max_tokens=9)),)),
        ],
        HOSTILE,
        html.Made("pofx demo", (html.model_note(HOSTILE, LM),)),
    )


@pytest.fixture
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, at the width of the test's parameter."""
    (tmp_path / "story.html").write_text(story(), encoding="utf-8")
    seen = Watched("file://", allowed=[])
    shown = browser.new_page(viewport={"width": getattr(request, "param", 1100), "height": 900})
    seen.watch(shown)
    shown.on("dialog", lambda dialog: seen.wrong.append(f"dialog: {dialog.message}"))
    shown.goto((tmp_path / "story.html").as_uri())
    shown.locator("footer").wait_for()
    yield shown
    shown.close()
    assert seen.wrong == []


@pytest.mark.parametrize("page", [360, 1100], indirect=True)
def test_hostile_texts_are_shown_as_texts(page: Page) -> None:
    assert page.locator("h1").text_content() == visible(HOSTILE)
    assert page.locator("img, main script, main iframe").count() == 0
    everything = page.locator("body").inner_text()
    assert not set(everything) & set("\x00\x01\x1b\u202e\u2066\u200b\ufeff")
    assert "\\u202eevil" in everything
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_audits_that_agree_are_folded_and_their_links_unfold_them(page: Page) -> None:
    audits = page.locator("section", has=page.get_by_role("heading", name="Four audits")).locator("article")
    open_at_first = [a.locator(".badge").first.is_visible() for a in audits.all()]
    assert open_at_first == [True, False, True, False]
    page.get_by_role("navigation", name="Models").get_by_role("link", name="second").click()
    expect(audits.nth(1).locator(".badge")).to_be_visible()
    expect(audits.nth(1)).to_be_in_viewport()


def test_the_contents_lead_to_the_sections(page: Page) -> None:
    links = page.get_by_role("navigation", name="Contents").get_by_role("link")
    # The first section has the title of the page, so it has no heading of its own.
    assert links.all_inner_texts() == ["Scores", "Four audits", "A table", "Draws"]
    assert page.locator("h2").all_inner_texts() == links.all_inner_texts()
    links.last.click()
    expect(page.get_by_role("heading", name="Draws")).to_be_in_viewport()


def test_numbers_have_true_minus_signs_and_names_are_whole(page: Page) -> None:
    audit = page.locator("article", has=page.locator(".badge")).first
    shown = audit.inner_text()
    assert re.findall(r"(?<![\w.])-\d|\de-\d", shown) == []
    for text in (
        "after a shuffle −0.013, by 2.4e−13 (−3)",
        "−0.0130",
        "bound 1e−9",
        "byte 5-gram",
        "4.4e−16",
    ):
        assert text in " ".join(shown.split())
    assert "262138 others of the vocabulary" in shown
    audit.get_by_text("The numbers").click()
    points = audit.locator("figure dl").inner_text().split()
    assert points == ["0", "1.00", "10", "nan", "20", "0.250", "80", "0.125"]
    assert audit.locator("figure polyline").count() == 2  # the line has a gap
