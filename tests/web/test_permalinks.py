"""A permalink shows what it links on every tab: the question of the link is asked without a click."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from looking import copied, fixed
from playwright.sync_api import Page, expect

from conftest import Opened
from served import Server


def linked(tab: str, **options: str) -> str:
    return "#" + urlencode({"tab": tab, **{k.replace("_", "."): v for k, v in options.items()}})


def totals_of_draws(page: Page) -> list[str]:
    shown = page.locator(".draws li").all_inner_texts()
    return sorted(m[1] for text in shown if (m := re.search(r"= (\S+) nats", text)))


def test_beginnings(opened: Opened, site: Server) -> None:
    page = opened(linked("x0", model="tiny", text="the cat"))
    table = page.get_by_role("tabpanel").get_by_role("table")
    found = site.post("/v1/begins", {"model": "tiny", "text": "the cat"}).json()["begins"]
    expect(table.locator("tbody tr")).to_have_count(len(found))
    expect(table.locator("tbody tr").first.locator("td.n").nth(2)).to_have_text(fixed(found[0]["total_nats"]))


@pytest.mark.parametrize("kind", ["models", "texts"])
def test_a_comparison(opened: Opened, site: Server, kind: str) -> None:
    page = opened(
        linked(
            "compare",
            model="french",
            compare_kind=kind,
            compare_against="tiny",
            compare_second="A bird.",
            compare_by="tokens",
            compare_prior="0.25",
            text="A worm.",
        )
    )
    asked = [("french", "A worm."), ("tiny", "A worm.") if kind == "models" else ("french", "A bird.")]
    a, b = (
        site.post("/v1/score", {"model": m, "texts": [t]}).json()["scores"][0]["total_nats"] for m, t in asked
    )
    total = page.locator(".comparison .total b")
    expect(total).to_be_visible()
    assert float(total.inner_text().replace("−", "-")) == pytest.approx(a - b, abs=1e-3)
    expect(page.get_by_label("regions by")).to_have_value("tokens")
    if kind == "models":
        expect(page.get_by_label("Prior of french")).to_have_value("0.25")


def test_draws_of_a_seed_and_the_tree(opened: Opened, site: Server) -> None:
    page = opened(
        linked("draw", given="Time ", draw_n="3", draw_seed="7", draw_children="2", draw_levels="1")
    )
    expect(page.locator(".draws li")).to_have_count(3)
    asked = {"model": "english", "given": "Time ", "n": 3, "seed": 7, "max_tokens": 80}
    found = site.post("/v1/sample", asked).json()["draws"]
    assert totals_of_draws(page) == sorted(fixed(d["nats"]) for d in found)
    expect(page.get_by_role("treeitem")).to_have_count(3)


def test_draws_without_a_chosen_seed_are_the_same_in_the_link(opened: Opened) -> None:
    page = opened()
    page.get_by_role("tab", name="Draw").click()
    page.get_by_label("draws", exact=True).fill("3")
    page.get_by_role("button", name="Draw from p").click()
    expect(page.locator(".draws li")).to_have_count(3)
    other = opened(copied(page))
    expect(other.locator(".draws li")).to_have_count(3)
    assert totals_of_draws(other) == totals_of_draws(page)
    expect(other.get_by_label("seed")).to_have_value("")


def test_classes_with_their_priors(opened: Opened) -> None:
    page = opened()
    page.get_by_role("tab", name="Classes").click()
    page.get_by_role("tabpanel").get_by_role("textbox", name="Text").fill("Rien ne va plus.")
    page.get_by_role("button", name="Classify").click()
    page.get_by_role("slider", name="Prior of english").fill("0.985")
    other = opened(copied(page))
    expect(other.get_by_role("slider", name="Prior of english")).to_have_value("0.985")
    for shown in (".class .p", "tbody td"):
        numbers = page.get_by_role("tabpanel").locator(shown).all_inner_texts()
        assert len(numbers) >= 2
        expect(other.get_by_role("tabpanel").locator(shown)).to_have_text(numbers)


def test_a_gap(opened: Opened, site: Server) -> None:
    gap = {
        "gaps_before": "Time ",
        "gaps_after": " money.",
        "gaps_draws": "16",
        "gaps_longest": "4",
        "gaps_seed": "2",
    }
    page = opened(linked("gaps", model="english", **gap))
    asked = {"given": "Time ", "suffix": " money.", "n": 16, "max_tokens": 4, "seed": 2}
    found = site.post("/v1/infill", {"model": "english", **asked}).json()
    expect(page.get_by_role("tabpanel")).to_contain_text(f"log P = {fixed(found['log_evidence_nats'])}")
    expect(page.get_by_label("Seed")).to_have_value("2")


def test_a_link_that_is_followed_leaves_nothing_of_the_page_before(opened: Opened, site: Server) -> None:
    page = opened(linked("text", model="tiny", given="A ", text_unit="bytes", text="cat"))
    expect(page.locator(".total")).to_contain_text("log p(x | given)")
    page.evaluate("hash => { location.hash = hash; }", linked("compare", model="english", text="A cat."))
    expect(page.locator(".comparison .total b")).to_be_visible()
    page.get_by_role("tab", name="Text").click()
    expect(page.get_by_label("Given (a prefix)")).to_have_value("")
    expect(page.get_by_label("by", exact=True)).to_have_value("tokens")


def test_a_link_asks_once_and_typing_asks_nothing(opened: Opened) -> None:
    page = opened(
        linked("gaps", model="english", gaps_before="Time ", gaps_after=" money.", gaps_longest="4")
    )
    page.locator(".ess").wait_for()
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url))
    page.get_by_label("After the gap").fill(" m.")
    page.get_by_label("Before the gap").fill("A ")
    page.get_by_label("Draws").select_option("16")
    page.wait_for_timeout(300)
    assert [url for url in sent if url.endswith("/v1/infill")] == []


def test_a_tab_that_no_link_names_asks_nothing(opened: Opened) -> None:
    page = opened()
    page.get_by_role("tab", name="Compare").click()
    expect(page.get_by_role("button", name="Compare")).to_be_enabled()
    expect(page.locator(".comparison")).to_have_count(0)
    expect(page.get_by_role("tabpanel").locator(".busy")).to_have_count(0)
