"""A text after each candidate for x0, and the verdict in words."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from conftest import Opened
from served import Server

TEXT = "the cat"


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace(",", ""))


def try_each(page: Page, model: str, text: str = TEXT) -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name="Beginnings").click()
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    page.get_by_role("button", name="Try each x0").press("Enter")
    expect(page.get_by_role("table")).to_be_visible()


@pytest.mark.parametrize("model", ["english", "tiny", "plain"])
def test_each_row_is_that_of_the_server_and_adds_up(page: Page, site: Server, model: str) -> None:
    try_each(page, model)
    found = site.post("/v1/begins", {"model": model, "text": TEXT}).json()["begins"]
    rows = page.get_by_role("table").locator("tbody tr").all()
    for row, record in zip(rows, found, strict=True):
        cells = row.locator("td.n").all_inner_texts()
        if "error" in record:
            assert cells[0] == cells[2] == "not defined"
            assert number(cells[1]) == pytest.approx(record["rest_nats"], abs=6e-4)
            continue
        shown = [number(c) for c in cells[:3]]
        assert shown == pytest.approx(
            [record["first_nats"], record["rest_nats"], record["total_nats"]], abs=1.6e-3
        )
        assert round(shown[0] + shown[1], 3) == shown[2]


def test_the_empty_text_is_eos_alone(page: Page, site: Server) -> None:
    try_each(page, "english", "")
    (own, _) = site.post("/v1/begins", {"model": "english", "text": ""}).json()["begins"]
    cells = page.get_by_role("table").locator("tbody tr").first.locator("td.n").all_inner_texts()
    assert cells[:3] == [f"{own['total_nats']:.3f}".replace("-", "−"), "–", cells[0]]


def test_no_x0_is_explained_in_words(page: Page) -> None:
    try_each(page, "plain")
    page.get_by_text("What “not defined” means").press("Enter")
    expect(page.get_by_text("there is no such number")).to_be_visible()
    expect(page.get_by_text("The model has no x0")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("english")
    expect(page.get_by_text("The model was trained with <s> before every text")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int) -> None:
    page = opened(width=width)
    try_each(page, "tiny")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
