"""Every view: no serious finding of axe, no width that the window lacks, light and dark, small and large, zoomed."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from looking import type_text
from playwright.sync_api import Page, Route, expect

from conftest import Opened

TEXT = "A stitch in time saves nine.\n\nBetter late than never, naïve 🙂 " + "x" * 300


def views(page: Page) -> list[str]:
    """The names of the tabs."""
    return page.get_by_role("tab").all_inner_texts()


def settle(page: Page, name: str) -> None:
    """Wait for what a view asks of itself, and for the frame that shows the answer."""
    if name == "Draw":
        expect(page.get_by_role("tabpanel").get_by_role("table").first).to_be_visible()
    expect(page.locator(".busy:visible")).to_have_count(0)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical, with the elements."""
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes']][:4]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Opened, scheme: str) -> None:
    page = opened(scheme=scheme, reduced_motion="reduce")
    type_text(page, TEXT, "english")
    page.get_by_role("listbox").first.get_by_role("option").nth(3).click()
    page.locator(".alternatives button").first.click()
    page.get_by_text("Paste log-probabilities of another server").click()
    for name in views(page):
        page.get_by_role("tab", name=name, exact=True).click()
        settle(page, name)
        assert serious(page) == [], name


@pytest.mark.parametrize(("width", "scale"), [(360, 1), (550, 2), (1100, 1), (2560, 1)])
def test_no_view_is_wider_than_the_window(opened: Opened, width: int, scale: int) -> None:
    # A window of 1,100 pixels at 200 % is one of 550 with two dots a pixel.
    page = opened(width=width, device_scale_factor=scale)
    type_text(page, TEXT, "english")
    page.get_by_role("listbox").first.get_by_role("option").nth(3).click()
    page.locator(".alternatives button").first.click()
    page.get_by_text("Paste log-probabilities of another server").click()
    for name in views(page):
        page.get_by_role("tab", name=name, exact=True).click()
        settle(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_motion_is_reduced_where_the_reader_asks(opened: Opened) -> None:
    page = opened(reduced_motion="reduce")
    page.route("**/v1/score", lambda _: None)
    page.get_by_role("button", name="Score", exact=True).click()
    assert page.locator(".busy").first.evaluate("(e) => getComputedStyle(e).animationName") == "none"


@pytest.mark.parametrize("width", [360, 600, 900, 1100])
def test_a_long_name_of_a_model_leaves_the_button_beside_the_heading(opened: Opened, width: int) -> None:
    page = opened(width=width)
    page.locator("#model option").first.evaluate("(e) => { e.textContent = 'm'.repeat(90); }")
    heading = page.locator("header h1").bounding_box()
    button = page.get_by_role("button", name="Copy link").bounding_box()
    assert heading is not None
    assert button is not None
    assert button["y"] < heading["y"] + heading["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 390, 1100])
@pytest.mark.parametrize("name", ["", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "x" * 90])
def test_the_button_stays_in_place_when_x0_comes_late(opened: Opened, width: int, name: str) -> None:
    page = opened("#model=tiny" if name else "", width=width)

    def renamed(route: Route) -> None:
        route.fulfill(
            json={**route.fetch().json(), **({"bos_token": name, "eos_token": name} if name else {})}
        )

    page.route("**/tokenizer_info*", renamed)
    page.reload()
    button = page.get_by_role("button", name="Score", exact=True)
    expect(page.locator(".model code")).to_have_count(2)
    if name:
        expect(page.locator(".model")).to_contain_text("context")
        assert name in (page.locator(".model span").first.get_attribute("title") or "")
    settle(page, "Text")
    full = button.bounding_box()
    page.route("**/tokenizer_info*", lambda _: None)
    page.reload()
    button.wait_for()
    expect(page.locator(".model select")).to_be_visible()
    expect(page.locator(".model code")).to_have_count(0)
    assert button.bounding_box() == full
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("width", [360, 550, 1100])
def test_the_table_of_bayes_rule_shows_its_last_column(opened: Opened, width: int) -> None:
    page = opened(width=width)
    page.get_by_role("tab", name="Classes").click()
    page.get_by_role("tabpanel").get_by_role("textbox", name="Text").fill(TEXT[:30])
    page.get_by_role("button", name="Classify").click()
    cells = page.get_by_role("tabpanel").locator("tbody tr td:last-child")
    expect(cells).to_have_count(2)
    for cell in cells.all():
        box = cell.bounding_box()
        assert box is not None and box["width"] > 20
        assert box["x"] + box["width"] <= width
