"""By words: the surprisals are those of the server, which counts every token that may end a word."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from looking import fixed, settle, type_text
from playwright.sync_api import Page, expect

from conftest import Opened
from pofx.report.numerals import fixed_point, typeset
from pofx.report.sums import addends
from served import Server

TEXT = "The cattle sat,  naïve 🙂 cat."


def words_of(site: Server, model: str, text: str, given: str = "") -> dict[str, Any]:
    found = site.post("/v1/words", {"model": model, "texts": [text], "given": given}).json()["texts"][0]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("model", ["english", "tiny"])
def test_the_words_are_those_of_the_server(page: Page, site: Server, model: str) -> None:
    type_text(page, TEXT, model)
    page.get_by_label("by", exact=True).select_option("words")
    found = words_of(site, model, TEXT)
    expect(page.locator(".sentence .word small")).to_have_text(
        [typeset(fixed_point(w["surprisal_nats"], 2)) for w in found["words"]]
    )
    page.get_by_text("The words, one by one").click()
    rows = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="entropy")).first
    total = fixed(-found["total_nats"])
    surprisals = [w["surprisal_nats"] for w in found["words"]]
    nats, bits = (rows.locator(f"tbody td:nth-child({k})") for k in (4, 5))
    expect(nats).to_have_text([typeset(x) for x in addends(surprisals, -found["total_nats"])])
    assert sum(map(Decimal, nats.all_inner_texts())) == Decimal(total)
    assert sum(map(Decimal, bits.all_inner_texts())) == Decimal(fixed(-found["total_nats"] / math.log(2)))
    expect(page.get_by_text(f"The surprisals add up to {total} nats.")).to_be_visible()
    expect(page.locator(".total")).to_contain_text(f"log p(x) = −{total} nats")
    expect(page.get_by_text("The head says")).to_have_count(0)


def test_a_sum_that_differs_from_the_head_is_explained(opened: Opened, site: Server) -> None:
    page = opened("#tab=text&model=english&text.eos=no&text.unit=words&text=A+cat.")
    expect(page.get_by_text("because it leaves EOS out")).to_be_visible()
    # A token may reach over the end of the prefix: the head adds up the spellings, the words have one of them.
    page = opened("#tab=text&model=tiny&text.unit=words&given=the+&text=a%00b")
    sum_of_words = fixed(-words_of(site, "tiny", "a\0b", "the ")["total_nats"])
    expect(page.get_by_text(f"The surprisals add up to {sum_of_words} nats.")).to_be_visible()
    expect(page.get_by_text("it adds up all spellings after the prefix")).to_be_visible()


def test_a_model_that_knows_no_words_says_so(page: Page, site: Server) -> None:
    settle(page)
    page.route("**/v1/words", lambda route: route.fulfill(json={"model": "english", "texts": [REFUSED]}))
    page.get_by_label("by", exact=True).select_option("words")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("no words")
    expect(alert.get_by_role("listitem")).to_have_text("do this")
    page.get_by_label("by", exact=True).select_option("tokens")
    expect(page.get_by_role("listbox").first).to_be_visible()


REFUSED = {"text": "", "error": {"message": "no words", "code": "words", "advice": ["do this"]}}


def test_words_follow_the_text_by_keys_alone(page: Page, site: Server) -> None:
    page.get_by_label("by", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("by", exact=True)).to_have_value("words")
    page.get_by_role("textbox", name="Text", exact=True).fill("A cat <b>sat</b>.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sentence .word > span")).to_have_text(["A", "cat", "<b>sat</b>."])


@pytest.mark.parametrize("width", [360, 1100])
def test_words_are_no_wider_than_the_window(opened: Opened, width: int) -> None:
    page = opened("#text.unit=words&text=" + "w" * 3000 + "+x", width=width)
    expect(page.locator(".sentence .word")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
