"""The tab *Classes*: posteriors, sliders of the priors, and the arithmetic of Bayes' rule."""

from __future__ import annotations

import math
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from conftest import Opened
from served import Server, serving

TEXT = "Rien ne va plus in the morning."


def classified(site: Server, text: str = TEXT, **fields: Any) -> list[dict[str, Any]]:
    found = site.post("/v1/classify", {"texts": [text], **fields}).json()
    classes: list[dict[str, Any]] = found["posteriors"][0]["classes"]
    return classes


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace("%", "").replace(",", ""))


def shown_rows(page: Page) -> list[list[float]]:
    rows = page.get_by_role("tabpanel").locator("tbody tr").all()
    return [[number(cell) for cell in row.locator("td").all_inner_texts()] for row in rows]


def open_classes(page: Page, text: str = TEXT) -> None:
    page.get_by_role("tab", name="Classes").click()
    page.get_by_role("tabpanel").get_by_role("textbox", name="Text").fill(text)
    page.get_by_role("button", name="Classify").click()
    page.locator(".classes").wait_for()


def check(page: Page, expected: list[dict[str, Any]]) -> None:
    rows = shown_rows(page)
    for row, c in zip(rows, expected, strict=True):
        *terms, total = row
        assert sum(terms) == pytest.approx(total, abs=1e-9)  # to the digit
        assert total == pytest.approx(c["posterior_nats"], abs=5.1e-4)
        assert terms[:2] == pytest.approx([c["prior_nats"], c["likelihood_nats"]], abs=1.6e-3)
    shown = page.locator(".class .p").all_inner_texts()
    assert [number(p) for p in shown] == pytest.approx([c["posterior"] for c in expected], rel=6e-3)


def test_the_numbers_are_those_of_the_server_under_every_prior(page: Page, site: Server) -> None:
    open_classes(page)
    check(page, classified(site))
    page.get_by_role("slider", name="Prior of english").fill("0.99")
    expect(page.locator(".prior .value").nth(1)).to_have_text("1.00 %")
    check(page, classified(site, prior={"english": 0.99, "french": 0.01}))
    page.get_by_role("button", name="Equal priors").click()
    check(page, classified(site, prior="uniform"))
    page.get_by_role("button", name="Priors of the training").click()
    check(page, classified(site))


def test_priors_are_moved_by_the_keyboard_alone(page: Page, site: Server) -> None:
    page.get_by_role("tab").first.focus()
    while page.evaluate("document.activeElement.textContent") != "Classes":
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Classify").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type(TEXT)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".classes").wait_for()
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="Prior of english")
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0 %")
    check_zero = page.get_by_role("tabpanel").locator("tbody tr").first
    expect(check_zero).to_contain_text("−∞")
    page.keyboard.press("End")
    expect(page.get_by_role("slider", name="Prior of french")).to_have_attribute("aria-valuetext", "0 %")


def test_a_hostile_text_is_classified_as_text(page: Page, site: Server) -> None:
    text = "<script>alert(1)</script>\u202e " + "x" * 10_000
    open_classes(page, text)
    assert not any(math.isnan(v) for row in shown_rows(page) for v in row)
    check(page, classified(site, text))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_classes_are_accessible_and_fit(opened: Opened, scheme: str, width: int) -> None:
    page = opened(width=width, scheme=scheme)
    open_classes(page)
    found = Axe().run(page).response["violations"]
    assert [v for v in found if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_a_classifier_the_page_says_how_to_serve_one(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, model_paths: dict[str, str]
) -> None:
    with serving(tmp_path_factory.mktemp("bare"), {"english": model_paths["english"]}) as bare:
        context = browser.new_context()
        page = context.new_page()
        page.goto(bare.url)
        page.get_by_role("tab", name="Classes").click()
        expect(page.get_by_role("tabpanel")).to_contain_text("pofx serve -c languages")
        context.close()
