"""The tab *Gaps*: what may stand between two texts, with weights and the effective number of draws."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from looking import fixed, percent, shown_p, significant
from playwright.sync_api import Page, Route, expect

from conftest import Opened
from pofx.report.visible import visible
from served import Server

ASKED: dict[str, Any] = {"model": "english", "given": "Time ", "suffix": " money.", "n": 16, "max_tokens": 4}


def open_gaps(page: Page, model: str = "english") -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name="Gaps").click()
    page.get_by_label("After the gap").fill(ASKED["suffix"])
    page.get_by_label("Before the gap").fill(ASKED["given"])
    page.get_by_label("Draws").select_option("16")
    page.get_by_label("Longest gap").select_option("4")


def fill(page: Page) -> dict[str, Any]:
    """Press *Fill the gap*, wait for the answer, and return what was asked."""
    with page.expect_request("**/v1/infill") as sent:
        page.get_by_role("button", name="Fill the gap").click()
    expect(page.locator(".busy")).to_have_count(0)
    page.locator(".ess").wait_for()
    asked: dict[str, Any] = sent.value.post_data_json
    return asked


@pytest.mark.parametrize("model", ["english", "tiny"])
def test_the_middles_are_those_of_the_server(page: Page, site: Server, model: str) -> None:
    open_gaps(page, model)
    if model == "tiny":
        page.get_by_label("After the gap").fill("t")
        page.get_by_label("the text may go on").check()
    asked = fill(page)
    expected = {**ASKED, "model": model, "seed": 0, "open": model == "tiny"}
    assert asked == (expected | {"suffix": "t"} if model == "tiny" else expected)
    found = site.post("/v1/infill", asked).json()
    rows = page.get_by_role("tabpanel").locator("ol.outcomes").first.locator("li:not(.rest)")
    first = found["outcomes"][:10]
    errors = [f" ± {percent(o['se'])}" if o["se"] else "" for o in first]
    assert rows.locator(".name").all_inner_texts() == [visible(o["text"]) or "(empty)" for o in first]
    assert rows.locator(".p").all_inner_texts() == [percent(o["p"]) + se for o, se in zip(first, errors)]
    shown = page.get_by_role("tabpanel")
    head = shown.locator(".total")
    evidence = found["log_evidence_nats"]
    error = "" if found["exact"] else f" ± {significant(found['se_nats'], 2)}"
    expect(head).to_contain_text(f"log P = {fixed(evidence)}{error} nats")
    expect(head).to_contain_text(f"P = {shown_p(evidence)}")
    if found["method"] == "smc":
        expect(shown.locator(".ess")).to_contain_text("effective sample size, ESS")
    else:
        expect(shown.locator(".ess")).to_contain_text("independent")


def test_another_seed_asks_again_and_its_draws_are_shown(page: Page, site: Server) -> None:
    open_gaps(page, "tiny")
    page.get_by_label("After the gap").fill("t")
    asked = fill(page)
    with page.expect_request("**/v1/infill") as sent:
        page.get_by_role("button", name="Draw with another seed").click()
    expect(page.get_by_label("Seed")).to_have_value("1")
    assert sent.value.post_data_json == asked | {"seed": 1}
    found = site.post("/v1/infill", asked | {"seed": 1}).json()
    expect(page.locator(".total:visible")).to_contain_text(fixed(found["log_evidence_nats"]))
    assert found["log_evidence_nats"] != site.post("/v1/infill", asked).json()["log_evidence_nats"]


# Twelve middles and 25 draws; the first ones are hostile, and one draw is a lone byte.
HOSTILE = ["\u202eevil", "<b>bold</b>", ""]
OUTCOMES = [{"text": HOSTILE[k] if k < 3 else f"m{k}", "p": 0.2 / 2**k, "se": 0.01} for k in range(12)]
DRAWS = [
    {"text": "\\xff", "bytes": base64.b64encode(b"\xff\x1b").decode(), "weight": 1 / 25, "ended": True}
    for _ in range(25)
]
RECORD = {
    "model": "english",
    "on": "the text ends with ' money.'",
    "given": "Time ",
    "log_evidence_nats": -1.5,
    "se_nats": 0.25,
    "runs_nats": [-1.0, -2.0],
    "ess": 7.5,
    "method": "smc",
    "exact": False,
    "max_tokens": 4,
    "calls": 9,
    "outcomes": OUTCOMES,
    "draws": DRAWS,
}


def answer_with_the_record(route: Route) -> None:
    route.fulfill(json=RECORD)


def test_what_is_left_out_is_counted_and_hostile_middles_are_text(page: Page) -> None:
    page.route("**/v1/infill", answer_with_the_record)
    open_gaps(page)
    fill(page)
    panel = page.get_by_role("tabpanel")
    outcomes = panel.locator("ol.outcomes").first
    assert outcomes.locator(".name").all_inner_texts()[:3] == ["\\u202eevil", "<b>bold</b>", "(empty)"]
    ten = sum(float(o["p"]) for o in OUTCOMES[:10])
    rest = outcomes.locator(".rest")
    expect(rest).to_contain_text("everything else: 2 of them drawn")
    expect(rest.locator(".p")).to_have_text(percent(1 - ten))
    panel.get_by_role("button", name="Show 12").click()
    expect(outcomes.locator("li:not(.rest)")).to_have_count(12)
    expect(rest.locator("span").nth(1)).to_have_text("everything else")
    expect(rest.locator(".p")).to_have_text(percent(1 - sum(float(o["p"]) for o in OUTCOMES)))
    expect(panel).to_contain_text("2 runs, 25 weighted draws; effective number (ESS) 7.50 of 25")
    expect(panel.locator(".ess")).to_contain_text(
        "The 25 weighted draws are worth about 7.5 independent draws"
    )
    panel.get_by_text("The heaviest draws and their weights").click()
    draws = panel.locator("details ol.outcomes li")
    expect(draws).to_have_count(20)
    expect(draws.first.locator(".name")).to_have_text("\\xff\\x1b")
    expect(draws.first.locator(".p")).to_have_text(percent(1 / 25))


def test_a_text_that_is_typed_anew_leaves_the_answer_as_it_was(page: Page) -> None:
    page.route("**/v1/infill", answer_with_the_record)
    open_gaps(page)
    fill(page)
    page.get_by_label("After the gap").fill(" gold.")
    page.get_by_label("Before the gap").fill("Word ")
    expect(page.locator(".filled")).to_have_text("Time \\u202eevil money.")


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
