"""The tree of the likeliest continuations: by keys and by pointer, with the probability of each path."""

from __future__ import annotations

import math
from typing import Any

from looking import fixed, percent, shown_p
from playwright.sync_api import Locator, Page, expect

from served import Server

ASKED: dict[str, Any] = {"model": "english", "given": "Time ", "k": 3}


def grow(page: Page, levels: int = 3) -> Locator:
    """Open the tab, grow the tree by keyboard, and return its rows."""
    page.get_by_label("Model", exact=True).select_option("english")
    page.get_by_role("tab", name="Draw").click()
    page.get_by_label("Prefix (empty").fill("Time ")
    page.get_by_label("levels").fill(str(levels))
    page.get_by_role("button", name="Grow the tree").press("Enter")
    items = page.get_by_role("treeitem")
    expect(items.first).to_be_visible()
    return items


def nodes(site: Server, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.post("/v1/tree", ASKED | options).json()["nodes"]
    return found


def numbers(row: Locator) -> list[str]:
    return row.locator(".p").all_inner_texts()


def test_by_keyboard_alone(page: Page, site: Server) -> None:
    items = grow(page)
    items.first.focus()
    found = nodes(site, depth=3)
    first = next(k for k, n in enumerate(found) if n["parent"] == 0)
    second = next(n for n in found if n["parent"] == first)
    page.keyboard.press("ArrowRight")
    focused = page.locator("[role=treeitem]:focus")
    expect(focused).to_have_attribute("aria-level", "2")
    expect(page.locator(".path")).to_contain_text(f"{fixed(second['path_nats'])} nats")
    assert numbers(focused) == [percent(math.exp(second["nats"])), shown_p(second["path_nats"])]
    expect(focused).to_have_attribute("aria-posinset", "1")
    expect(focused).to_have_attribute("aria-setsize", "4")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("aria-posinset", "1")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-level", "1")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-expanded", "true")
    page.keyboard.press(" ")
    expect(focused).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("End")
    expect(focused).to_contain_text(f"everything else ({found[0]['rest_tokens']:,} tokens)")
    page.keyboard.press("Home")
    expect(focused).to_have_attribute("aria-posinset", "1")
    expect(focused).to_have_attribute("aria-level", "1")


def test_everything_else_is_the_share_of_its_branch(page: Page, site: Server) -> None:
    items = grow(page, levels=2)
    items.first.focus()
    found = nodes(site, depth=2)
    branch = next(n for n in found if n["parent"] == 0)
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    rest = page.locator("[role=treeitem]:focus")
    expect(rest).to_contain_text("everything else")
    expect(rest).to_have_attribute("aria-level", "2")
    expect(rest).to_have_attribute("aria-posinset", "4")
    shares = [percent(math.exp(branch["rest_nats"] - branch["path_nats"])), shown_p(branch["rest_nats"])]
    assert numbers(rest) == shares
    expect(rest).to_have_attribute(
        "aria-label",
        f"everything else ({branch['rest_tokens']:,} tokens), p {shares[0]}, path {shares[1]}",
    )
    expect(page.locator(".path")).to_contain_text(f"{fixed(branch['rest_nats'])} nats")


def test_a_branch_grows_after_the_prefix_of_its_tree_and_goes_on_as_a_prefix(
    page: Page, site: Server
) -> None:
    items = grow(page, levels=1)
    expect(items).to_have_count(4)
    token = items.first.locator("bdi").inner_text()
    # A prefix that is typed later is that of the next tree.
    page.get_by_label("Prefix (empty").fill("Another ")
    first = nodes(site, depth=1)[1]
    with page.expect_request("**/v1/tree") as sent:
        items.first.click()
    asked = {**ASKED, "after": [first["id"]], "depth": 1}
    assert sent.value.post_data_json == asked
    expect(items).to_have_count(8)
    expect(items.nth(1)).to_have_attribute("aria-level", "2")
    grown = site.post("/v1/tree", asked).json()["nodes"][1]
    total = shown_p(first["path_nats"] + grown["path_nats"])
    assert numbers(items.nth(1)) == [percent(math.exp(grown["nats"])), total]
    page.get_by_role("button", name="Go on from here").click()
    expect(page.get_by_label("Prefix (empty")).to_have_value("Time " + token)
