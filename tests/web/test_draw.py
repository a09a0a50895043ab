"""Draws as they come, the next token under p and q, and the tree of continuations."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import Page, expect

from conftest import Opened
from served import Server


def open_panel(page: Page, model: str = "english", given: str = "Time ") -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name="Draw").click()
    page.get_by_label("Prefix (empty").fill(given)


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace("%", "").replace(",", "").strip())


def test_p_and_q_stand_side_by_side_and_are_those_of_the_server(page: Page, site: Server) -> None:
    open_panel(page)
    table = page.get_by_role("table").first
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    assert table.get_by_role("columnheader").all_inner_texts() == ["next token", "p"]
    page.get_by_label("Temperature").fill("0.5")
    expect(table.get_by_role("columnheader")).to_have_count(3)
    asked = {"model": "english", "given": "Time ", "unit": "token", "k": 10}
    p = site.post("/v1/next", asked).json()
    q = site.post("/v1/next", {**asked, "temperature": 0.5}).json()
    rows = table.locator("tbody tr")
    for row, a, b in zip(rows.all()[:10], p["top"], q["top"], strict=True):
        cells = row.locator("td.n").all_inner_texts()
        assert number(cells[0]) == pytest.approx(100 * a["p"], rel=6e-3)
        assert number(cells[1]) == pytest.approx(100 * b["p"], rel=6e-3)
    assert number(rows.last.locator("td.n").first.inner_text()) == pytest.approx(
        100 * p["rest"]["p"], rel=6e-3
    )
    foot = table.locator("tfoot td.n").all_inner_texts()
    assert [number(x) for x in foot] == pytest.approx([p["entropy_nats"], q["entropy_nats"]], abs=6e-4)


def test_draws_of_a_seed_are_those_of_the_server(page: Page, site: Server) -> None:
    open_panel(page)
    page.get_by_label("seed").fill("7")
    page.get_by_label("draws", exact=True).fill("4")
    page.get_by_role("button", name="Draw from p").click()
    shown = page.locator(".draws li")
    expect(shown).to_have_count(4)
    asked = {"model": "english", "given": "Time ", "n": 4, "seed": 7, "max_tokens": 80}
    found = site.post("/v1/sample", asked).json()["draws"]
    totals = sorted(f"{x['nats']:.3f}".replace("-", "−") for x in found)
    read = [re.search(r"= (\S+) nats", text) for text in shown.all_inner_texts()]
    assert sorted(m[1] for m in read if m) == totals


def test_a_warped_draw_is_called_one(page: Page) -> None:
    open_panel(page)
    expect(page.get_by_role("button", name="Draw from p")).to_be_visible()
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_role("button", name="Draw from q").click()
    expect(page.get_by_text("They are no draws from p.")).to_be_visible()
    page.get_by_role("button", name="Back to p").click()
    expect(page.get_by_role("button", name="Draw from p")).to_be_visible()


# The first draw of a stream comes, and the others never.
HOLD = """() => {
  const real = window.fetch;
  window.fetch = async (path, sent) => {
    const answer = await real(path, sent);
    if (path !== "v1/sample") return answer;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const body = new ReadableStream({
      async start(out) {
        let held = "";
        while (!held.includes("\\n\\n")) held += (await reader.read()).value;
        out.enqueue(held.slice(0, held.indexOf("\\n\\n") + 2));
        sent.signal.addEventListener("abort", () => out.error(sent.signal.reason));
      },
    });
    return new Response(body.pipeThrough(new TextEncoderStream()));
  };
}"""


def test_draws_come_one_by_one_and_can_be_cancelled(page: Page) -> None:
    open_panel(page, "tiny", "")
    page.evaluate(HOLD)
    page.get_by_label("draws", exact=True).fill("64")
    page.get_by_label("tokens at most").fill("1000")
    page.get_by_role("button", name="Draw from p").click()
    expect(page.locator(".draws li")).to_have_count(1)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.locator(".draws li")).to_have_count(1)


def test_the_tree_by_keyboard_alone(page: Page, site: Server) -> None:
    open_panel(page)
    page.get_by_role("button", name="Grow the tree").press("Enter")
    tree = page.get_by_role("tree")
    tree.get_by_role("treeitem").first.focus()
    asked = {"model": "english", "given": "Time ", "k": 3, "depth": 3}
    nodes = site.post("/v1/tree", asked).json()["nodes"]
    first = next(k for k, n in enumerate(nodes) if n["parent"] == 0)
    second = next(n for n in nodes if n["parent"] == first)
    page.keyboard.press("ArrowRight")
    focused = page.locator("[role=treeitem]:focus")
    expect(focused).to_have_attribute("aria-level", "2")
    expect(page.locator(".path")).to_contain_text(f"{second['path_nats']:.3f}".replace("-", "−"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-level", "1")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("End")
    expect(focused).to_contain_text("everything else")
    rest = math.exp(nodes[0]["rest_nats"])
    assert number(focused.locator(".p").first.inner_text()) == pytest.approx(100 * rest, rel=6e-3)


def test_a_branch_grows_where_it_is_opened_and_becomes_the_prefix(page: Page) -> None:
    open_panel(page)
    page.get_by_label("levels").fill("1")
    page.get_by_role("button", name="Grow the tree").click()
    items = page.get_by_role("treeitem")
    expect(items).to_have_count(4)
    token = items.first.locator("bdi").inner_text()
    items.first.click()
    expect(items).to_have_count(8)
    expect(items.nth(1)).to_have_attribute("aria-level", "2")
    page.get_by_role("button", name="Go on from here").click()
    expect(page.get_by_label("Prefix (empty")).to_have_value("Time " + token)


def test_without_x0_the_panel_says_so_and_continues_a_prefix(page: Page) -> None:
    open_panel(page, "plain", "")
    expect(page.get_by_role("alert")).to_contain_text("how texts begin is not known")
    page.get_by_label("Prefix (empty").fill("the")
    expect(page.get_by_role("table").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1100, 2560])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int) -> None:
    page = opened(width=width)
    open_panel(page)
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_role("button", name="Grow the tree").click()
    page.get_by_role("button", name="Draw from q").click()
    expect(page.get_by_role("tree")).to_be_visible()
    expect(page.locator(".draws")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_keeps_the_settings_of_q_and_of_the_draws(opened: Opened) -> None:
    page = opened("#tab=draw&draw.temperature=0.5&draw.topk=4&draw.n=2&draw.seed=3&given=Time+")
    expect(page.get_by_label("Temperature")).to_have_value("0.5")
    expect(page.get_by_label("top-k")).to_have_value("4")
    expect(page.get_by_label("seed")).to_have_value("3")
    page.get_by_role("button", name="Draw from q").click()
    expect(page.locator(".draws li")).to_have_count(2)
    expect(page.get_by_text("temperature 0.5, top-k 4")).to_be_visible()
    page.get_by_role("button", name="Back to p").click()
    expect(page.get_by_label("top-k")).to_have_value("")
