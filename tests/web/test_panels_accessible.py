"""axe-core finds no serious fault in the panels that compare, draw, and show how texts begin."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from conftest import Opened


def compare(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Which words decide")).to_be_visible()


def compare_texts(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("two texts under one model").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Which words decide")).to_be_visible()


def beginnings(page: Page) -> None:
    page.get_by_role("tab", name="Beginnings").click()
    page.get_by_role("button", name="Try each x0").click()
    expect(page.get_by_role("table")).to_be_visible()


def draw(page: Page) -> None:
    page.get_by_role("tab", name="Draw").click()
    page.get_by_label("Prefix (empty").fill("Time ")
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_role("button", name="Draw from q").click()
    page.get_by_role("button", name="Grow the tree").click()
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.locator(".draws li")).to_have_count(6)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("panel", [compare, compare_texts, beginnings, draw])
def test_no_serious_fault(opened: Opened, panel: object, width: int, scheme: str) -> None:
    assert callable(panel)
    page = opened(width=width, scheme=scheme)
    panel(page)
    found = Axe().run(page).response["violations"]
    serious = [
        (v["id"], [n["html"][:200] for n in v["nodes"]][:3])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []
