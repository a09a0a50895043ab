"""Two models on one text, and two texts under one model: differences by regions, and Bayes' rule."""

from __future__ import annotations

import math
import re

import pytest
from looking import asked, fixed
from playwright.sync_api import Locator, Page, Route, expect

from conftest import Opened
from served import Server

TEXT = "Time flies, and é stays."


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace("%", "").replace(",", "").strip())


def compare(page: Page, other: str, text: str = TEXT) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    page.get_by_label("english against").select_option(other)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Which words decide")).to_be_visible()


def decided(page: Page) -> list[Locator]:
    return page.locator(".comparison section").first.locator("tbody tr").all()


def total(site: Server, model: str, text: str = TEXT) -> float:
    return float(site.post("/v1/score", {"model": model, "texts": [text]}).json()["scores"][0]["total_nats"])


@pytest.mark.parametrize("other", ["french", "tiny"])
def test_the_differences_add_up_to_that_of_the_totals(page: Page, site: Server, other: str) -> None:
    compare(page, other)
    delta = total(site, "english") - total(site, other)
    shown = page.locator(".comparison .total b").inner_text()
    # The difference of the totals as they are shown.
    assert number(shown) == pytest.approx(delta, abs=1.1e-3)
    cells = page.locator(".comparison section").first.locator("tbody td.n:last-child").all_inner_texts()
    assert round(sum(map(number, cells)), 3) == number(shown)
    # The columns of both sides add up to the totals of the head, and in each row Δ is their difference.
    head = re.findall(r"[−+]? ?[−\d.]+", page.locator(".comparison .total span").inner_text())
    sides = [[number(c) for c in row.locator("td.n").all_inner_texts()] for row in decided(page)]
    assert all(round(a - b, 3) == d for a, b, d in sides)
    assert round(sum(a for a, _, _ in sides), 3) == number(head[0])
    assert round(sum(b for _, b, _ in sides), 3) == -number(head[1].replace("+ ", ""))
    assert head[:1] == [fixed(total(site, "english"))] and head[1].removeprefix("+ ") == fixed(
        -total(site, other)
    )
    # The tokens of a region add up to the region.
    for aside in page.get_by_role("group", name="The chosen region").get_by_role("table").all():
        of_region = number(aside.locator("caption").inner_text().rpartition(" ")[2])
        assert round(sum(map(number, aside.locator("td.n").all_inner_texts())), 3) == of_region
    words = page.locator(".regions [role=option]").all_inner_texts()
    assert "".join(words) == TEXT + "EOS"


def test_the_posterior_follows_the_prior(page: Page, site: Server) -> None:
    text = "Le temps"
    compare(page, "french", text)
    english, french = total(site, "english", text), total(site, "french", text)
    for prior in (0.5, 0.9):
        page.get_by_label("Prior of english").fill(str(prior))
        odds = prior / (1 - prior) * math.exp(english - french)
        shown = page.get_by_role("list", name="posterior").get_by_role("listitem").all_inner_texts()
        assert number(shown[0].split()[-2]) == pytest.approx(100 * odds / (1 + odds), rel=6e-3)
        rows = page.get_by_role("table", name="Bayes' rule").locator("tbody tr").all()
        for row, p, evidence in zip(rows[:2], (prior, 1 - prior), (english, french), strict=True):
            cells = [number(c) for c in row.locator("td.n").all_inner_texts()]
            assert cells == pytest.approx([math.log(p), evidence, math.log(p) + evidence], abs=1.6e-3)
            assert round(cells[0] + cells[1], 3) == cells[2]
    same = site.post("/v1/posterior", {"texts": [text], "models": ["english", "french"], "weights": [9, 1]})
    assert same.json()["posteriors"][0]["models"][0]["posterior"] == pytest.approx(
        odds / (1 + odds), rel=1e-9
    )


def test_two_texts_under_one_model_by_keyboard_alone(page: Page, site: Server) -> None:
    page.get_by_role("tab", name="Text").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        if page.get_by_role("tab", name="Compare").get_attribute("aria-selected") == "true":
            break
    page.get_by_label("two models on one text").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("textbox", name="First text").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("Time flies.")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("Time cries.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    first = page.get_by_role("listbox", name="the first text")
    expect(first).to_be_visible()
    delta = total(site, "english", "Time flies.") - total(site, "english", "Time cries.")
    assert number(page.locator(".comparison .total b").inner_text()) == pytest.approx(delta, abs=1.1e-3)
    assert first.locator(".differs").all_inner_texts() == [" flies."]
    first.get_by_role("option", selected=True).focus()
    page.keyboard.press("Home")
    expect(page.locator(".delta")).to_contain_text("0.000")


def test_a_text_that_a_model_refuses(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("english against").select_option("plain")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_contain_text("how texts begin is not known")


HOSTILE = "<script>alert(1)</script> \u202eRTL " + "w" * 3000 + " \x00 end"


@pytest.mark.parametrize("width", [360, 1100, 2560])
def test_hostile_texts_stay_text_and_nothing_is_wider_than_the_window(opened: Opened, width: int) -> None:
    page = opened(width=width)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("textbox", name="Text", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Which words decide")).to_be_visible()
    assert page.locator(".regions script").count() == 0
    expect(page.locator(".regions").first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(".regions").first).to_contain_text("\\u202eRTL")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_keeps_what_is_compared(opened: Opened) -> None:
    page = opened("#tab=compare&compare.kind=texts&compare.second=A+bird.&text=A+worm.")
    expect(page.get_by_role("textbox", name="Second text")).to_have_value("A bird.")
    expect(page.get_by_role("textbox", name="First text")).to_have_value("A worm.")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("regions by").select_option("tokens")
    expect(page.get_by_role("listbox", name="the first text").get_by_role("option").first).to_have_text("A")


def widen(route: Route) -> None:
    """Let the answer be a sum without some of its terms: bounds 1.5 nats apart."""
    body = route.fetch().json()
    for score in body["scores"]:
        score["interval_nats"] = [score["total_nats"], score["total_nats"] + 1.5]
    route.fulfill(json=body)


def test_the_prefix_of_both_is_named_and_so_are_the_bounds_of_each(page: Page, site: Server) -> None:
    page.get_by_label("Given (a prefix)").fill("<b>the </b>")
    page.route("**/v1/score", widen)
    compare(page, "tiny", "the cat")
    note = page.locator(".comparison .total + .note")
    expect(note).to_contain_text("log p(x | given) of english minus that of tiny")
    expect(note.locator("q")).to_have_text("<b>the </b>")
    for name in ("english", "tiny"):
        low = asked(site, "the cat", name, given="<b>the </b>")["total_nats"]
        bounds = f"log p(x | given) of {name} is between {fixed(low)} and {fixed(low + 1.5)}."
        expect(note).to_contain_text(bounds)
    expect(page.get_by_role("columnheader", name="+ log p(x | given)")).to_be_visible()
    page.get_by_role("tab", name="Text").click()
    page.get_by_role("button", name="Score", exact=True).click()
    low = asked(site, "the cat", given="<b>the </b>")["total_nats"]
    expect(page.locator(".total:visible .bounds")).to_have_text(
        f"between {fixed(low)} and {fixed(low + 1.5)}"
    )
    page.unroute("**/v1/score")
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page.locator(".total:visible .bounds")).to_have_count(0)
