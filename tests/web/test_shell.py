"""The head of the page, its tabs, and the states of requests."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from conftest import Opened, Watched
from served import Server, serving


def test_the_models_of_the_server_are_listed_with_their_x0_and_eos(page: Page, site: Server) -> None:
    chosen = page.get_by_label("Model", exact=True)
    assert chosen.locator("option").all_inner_texts() == [
        m["id"] for m in site.get("/v1/models").json()["data"]
    ]
    for name in ("english", "plain"):
        chosen.select_option(name)
        names = site.get("/tokenizer_info", params={"model": name}).json()
        x0 = site.post("/v1/audit", {"model": name}).json()["begin"]
        shown = page.locator("header")
        expect(shown).to_contain_text("none" if x0["known"] == "none" else f"({x0['known']})")
        expect(shown).to_contain_text(names["eos_token"])


def test_a_refusal_is_shown_with_its_advice(page: Page, site: Server) -> None:
    page.get_by_label("Model", exact=True).select_option("plain")
    page.get_by_role("button", name="Score", exact=True).click()
    alert = page.get_by_role("alert")
    refused = site.post(
        "/v1/score", {"model": "plain", "texts": [page.get_by_role("textbox", name="Text").input_value()]}
    )
    error = refused.json()["error"]
    expect(alert).to_contain_text(error["message"])
    assert error["advice"]
    for advice in error["advice"]:
        expect(alert.get_by_role("listitem").filter(has_text=advice)).to_be_visible()


def test_a_server_that_is_gone_can_be_asked_again(page: Page, watched: Watched) -> None:
    watched.allowed.append("net::ERR_FAILED")
    page.route("**/v1/score", lambda route: route.abort())
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("the server does not answer")
    page.unroute("**/v1/score")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".total")).to_contain_text("log p(x) =")


def test_a_request_can_be_cancelled_and_sent_again(page: Page) -> None:
    page.route("**/v1/score", lambda _: None)  # never answered
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page.get_by_text(re.compile(r"^\d+ s$"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    page.unroute("**/v1/score")
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".total")).to_contain_text("log p(x) =")


def test_a_server_with_a_key_asks_for_it_once(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, model_paths: dict[str, str]
) -> None:
    home = tmp_path_factory.mktemp("keyed")
    with serving(home, {"english": model_paths["english"]}, "--api-key", "s3cret") as keyed:
        context = browser.new_context()
        page = context.new_page()
        page.goto(keyed.url)
        key = page.get_by_label("The server asks for its key.")
        key.fill("wrong")
        key.press("Enter")
        key = page.get_by_label("The server has another key.")
        key.fill("s3cret")
        key.press("Enter")
        expect(page.get_by_label("Model", exact=True)).to_have_value("english")
        page.reload()
        expect(page.get_by_label("Model", exact=True)).to_have_value("english")
        page.get_by_role("button", name="Score", exact=True).click()
        expect(page.locator(".total")).to_contain_text("log p(x) =")
        context.close()


def test_tabs_are_walked_by_arrow_keys(opened: Opened) -> None:
    page = opened()
    tabs = page.get_by_role("tab")
    tabs.first.focus()
    for k in range(1, tabs.count()):
        page.keyboard.press("ArrowRight")
        expect(tabs.nth(k)).to_be_focused()
        expect(tabs.nth(k)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.keyboard.press("Home")
    expect(tabs.first).to_be_focused()


def test_the_tab_of_a_link_is_in_view_on_a_narrow_screen(opened: Opened) -> None:
    page = opened("#tab=corpus", width=360)
    tab = page.get_by_role("tab", name="Corpus")
    expect(tab).to_have_attribute("aria-selected", "true")
    expect(tab).to_be_in_viewport(ratio=0.9)
