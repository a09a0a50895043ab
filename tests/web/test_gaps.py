"""The tab *Gaps*: what may stand between two texts, with weights and the effective number of draws."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from conftest import Opened
from served import Server

ASKED: dict[str, Any] = {"model": "english", "given": "Time ", "suffix": " money.", "n": 16, "max_tokens": 4}


def open_gaps(page: Page, model: str = "english") -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name="Gaps").click()
    page.get_by_label("After the gap").fill(ASKED["suffix"])
    page.get_by_label("Before the gap").fill(ASKED["given"])
    page.get_by_label("Draws").select_option("16")
    page.get_by_label("Longest gap").select_option("4")


def fill(page: Page) -> None:
    page.get_by_role("button", name="Fill the gap").click()
    page.locator(".ess").wait_for()


def shares(page: Page) -> list[float]:
    rows = page.get_by_role("tabpanel").locator("ol.outcomes").first.locator("li:not(.rest) > .p")
    return [float(t.split("%")[0]) / 100 for t in rows.all_inner_texts()]


@pytest.mark.parametrize("model", ["english", "tiny"])
def test_the_middles_are_those_of_the_server(page: Page, site: Server, model: str) -> None:
    open_gaps(page, model)
    if model == "tiny":
        page.get_by_label("After the gap").fill("t")
        page.get_by_label("the text may go on").check()
    fill(page)
    asked = {**ASKED, "model": model} | ({"suffix": "t", "open": True} if model == "tiny" else {})
    found = site.post("/v1/infill", asked).json()
    assert shares(page) == pytest.approx([o["p"] for o in found["outcomes"][:10]], rel=6e-3)
    shown = page.get_by_role("tabpanel")
    expect(shown).to_contain_text(f"log P = {found['log_evidence_nats']:.3f}".replace("-", "−"))
    if found["method"] == "smc":
        expect(shown.locator(".ess")).to_contain_text("effective sample size, ESS")
    else:
        expect(shown.locator(".ess")).to_contain_text("independent")


def test_a_mark_parts_the_text_and_the_keyboard_fills_the_gap(page: Page) -> None:
    open_gaps(page)
    before = page.get_by_label("Before the gap")
    before.focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("Time ▢ money.")
    expect(before).to_have_value("Time ")
    expect(page.get_by_label("After the gap")).to_have_value(" money.")
    for _ in range(6):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fill the gap")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator(".ess").wait_for()
    first = shares(page)
    page.get_by_role("button", name="Draw with another seed").click()
    expect(page.get_by_label("Seed")).to_have_value("1")
    assert first


def test_a_gap_that_nothing_fills_is_refused_with_advice(page: Page) -> None:
    open_gaps(page, "plain")
    page.get_by_label("Before the gap").fill("")
    page.get_by_role("button", name="Fill the gap").click()
    expect(page.get_by_role("alert")).to_contain_text("Refused")
    expect(page.get_by_role("alert").get_by_role("listitem").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_gaps_are_accessible_and_fit(opened: Opened, scheme: str, width: int) -> None:
    page = opened(width=width, scheme=scheme)
    open_gaps(page)
    fill(page)
    found = Axe().run(page).response["violations"]
    assert [v for v in found if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
