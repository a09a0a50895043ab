"""The head of the page, its tabs, and the states of requests."""

from __future__ import annotations

import re

import pytest
from looking import asked, fixed, settle, until
from playwright.sync_api import Browser, Page, Route, expect

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
    assert error["advice"]
    found, _, listed = error["message"].partition("; " + error["advice"][0])
    assert listed
    expect(alert.locator(".refused")).to_have_text(f"Refused: {found}.")
    for advice in error["advice"]:
        expect(alert.get_by_role("listitem").filter(has_text=advice)).to_be_visible()
        # The message of the server ends with its advice; the page says it once.
        assert alert.inner_text().count(advice) == 1


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


def test_tabs_are_walked_by_arrow_keys(page: Page) -> None:
    tabs = page.get_by_role("tab")
    last = tabs.count() - 1
    tabs.first.focus()
    walk = [("ArrowRight", k) for k in range(1, last + 1)]
    # Both ends lead to each other.
    walk += [("ArrowRight", 0), ("ArrowLeft", last), ("ArrowLeft", last - 1), ("Home", 0), ("End", last)]
    for key, k in walk:
        page.keyboard.press(key)
        expect(tabs.nth(k)).to_be_focused()
        expect(tabs.nth(k)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tab", selected=True)).to_have_count(1)
        panel = page.get_by_role("tabpanel")
        expect(panel).to_have_count(1)
        expect(panel).to_have_accessible_name(tabs.nth(k).inner_text())


def test_the_context_of_a_model_is_that_of_the_server(page: Page, site: Server) -> None:
    bounds = {m["id"]: m["max_model_len"] for m in site.get("/v1/models").json()["data"]}
    assert bounds["tiny"] is not None and bounds["english"] is None
    page.get_by_label("Model", exact=True).select_option("tiny")
    expect(page.locator("header")).to_contain_text(f"context {bounds['tiny']:,}")
    page.get_by_label("Model", exact=True).select_option("english")
    expect(page.locator("header")).to_contain_text("<s>")
    expect(page.locator("header")).not_to_contain_text("context")


def test_a_link_to_a_model_that_is_not_served_says_so(opened: Opened) -> None:
    page = opened("#model=gone%3Cb%3E&text=Time")
    expect(page.locator("header").get_by_role("status").first).to_have_text(
        "This server has no model gone<b>."
    )
    expect(page.get_by_label("Model", exact=True)).to_have_value("english")
    page.evaluate("location.hash = '#model=french&text=Time'")
    expect(page.get_by_label("Model", exact=True)).to_have_value("french")
    expect(page.locator("header")).not_to_contain_text("This server has no model")


def test_a_new_question_drops_the_one_before(page: Page, site: Server) -> None:
    settle(page)
    held: list[Route] = []
    page.route("**/v1/score", lambda route: held.append(route))
    page.get_by_role("textbox", name="Text", exact=True).fill("Time")
    page.get_by_role("button", name="Score", exact=True).click()
    until(lambda: len(held) == 1, "the first question was sent", page)
    with page.expect_event("requestfailed", lambda r: r == held[0].request):
        page.get_by_role("textbox", name="Text", exact=True).fill("Time flies.")
        page.get_by_role("button", name="Score", exact=True).click()
    until(lambda: len(held) == 2, "the second question was sent", page)
    held[1].continue_()
    expect(page.locator(".total")).to_contain_text(fixed(asked(site, "Time flies.")["total_nats"]))
    expect(page.locator(".busy")).to_have_count(0)


def test_the_tab_of_a_link_is_in_view_on_a_narrow_screen(opened: Opened) -> None:
    page = opened("#tab=corpus", width=360)
    tab = page.get_by_role("tab", name="Corpus")
    expect(tab).to_have_attribute("aria-selected", "true")
    expect(tab).to_be_in_viewport(ratio=0.9)
