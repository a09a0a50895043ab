"""The text in shades, the chosen token and its alternatives: by pointer and by keyboard alone; each number is the API's."""

from __future__ import annotations

import base64
import math
import re

import pytest
from looking import asked, expect_facts, fixed, score, shown_p, tokens, type_text
from playwright.sync_api import Page, expect

from pofx.report import heat
from pofx.report.numerals import significant_digits, typeset
from served import Server

TEXT = "A stitch in time saves nine.\nBetter late than never, naïve 🙂"


def test_each_token_is_in_the_shade_of_its_surprisal(page: Page, site: Server) -> None:
    type_text(page, "Time flies.", "tiny")
    record = asked(site, "Time flies.", "tiny")
    shades = [f"h{heat.shade(-t['nats'])}" for t in record["tokens"]]
    found = [re.search(r"\bh\d\b", s.get_attribute("class") or "") for s in tokens(page).all()]
    assert [f[0] for f in found if f] == shades
    assert page.locator(".total").inner_text().startswith(f"log p(x) = {fixed(record['total_nats'])} nats")


@pytest.mark.parametrize("unit", ["tokens", "words", "bytes"])
@pytest.mark.parametrize("model", ["english", "tiny"])
def test_a_text_is_spelled_once_in_every_unit(page: Page, unit: str, model: str) -> None:
    type_text(page, TEXT, model)
    page.get_by_label("by", exact=True).select_option(unit)
    if unit == "words":
        expect(page.locator(".sentence .word > span")).to_have_text(TEXT.split())
        return
    spelled = "".join(o.text_content() or "" for o in tokens(page).all()[:-1])
    if unit == "bytes":
        assert bytes.fromhex(spelled).decode() == TEXT
    else:
        assert spelled == TEXT


def test_scales_are_named_and_shade_by_rank_and_deviation(page: Page, site: Server) -> None:
    type_text(page, TEXT, "english")
    page.get_by_label("shade by").select_option("rank")
    record = asked(site, "abc", "english")
    type_text(page, "abc")
    steps = [
        0 if t["rank"] <= 10 else 2 if t["rank"] <= 100 else 4 if t["rank"] <= 1000 else 7
        for t in record["tokens"]
    ]
    classes = [s.get_attribute("class") or "" for s in tokens(page).all()]
    assert [int(re.findall(r"\bh(\d)\b", c)[0]) for c in classes][:-1] == steps[:-1]
    expect(page.locator(".legend")).to_contain_text("rank")
    page.get_by_label("shade by").select_option("deviation")
    expect(page.locator(".legend")).to_contain_text("mean ± 2.5σ")
    expect(page.locator(".legend li")).to_have_count(8)


def test_the_pointer_shows_the_numbers_of_a_token_and_a_click_keeps_them(page: Page, site: Server) -> None:
    type_text(page, "Time flies.", "tiny")
    record = asked(site, "Time flies.", "tiny")
    own = record["tokens"]
    whole = [k for k, t in enumerate(own[:-1])]
    for k in (whole[0], whole[-1]):
        tokens(page).nth(k).hover()
        expect_facts(
            page,
            {
                "p": shown_p(own[k]["nats"]),
                "log p": fixed(own[k]["nats"]),
                "rank": f"{own[k]['rank']:,}",
                "entropy": fixed(own[k]["entropy_nats"]),
                "context": f"{own[k]['seen']:,}",
            },
        )
    tokens(page).nth(0).click()
    tokens(page).nth(1).hover()
    expect_facts(page, {"log p": fixed(own[0]["nats"])})
    page.keyboard.press("Escape")
    tokens(page).nth(2).hover()
    expect_facts(page, {"log p": fixed(own[2]["nats"])})


def test_the_bars_hold_the_likeliest_the_token_that_came_and_the_rest(page: Page, site: Server) -> None:
    type_text(page, "Time Zflies.", "english")
    own = asked(site, "Time Zflies.", "english")["tokens"]
    k = max(range(len(own) - 1), key=lambda i: own[i]["rank"])
    assert own[k]["rank"] > 8
    tokens(page).nth(k).click()
    rows = page.locator(".alternatives li")
    shares = [typeset(significant_digits(100 * math.exp(t["nats"]))) + " %" for t in [*own[k]["top"], own[k]]]
    assert rows.locator(".p").all_inner_texts()[:-1] == shares
    rest = 1 - sum(math.exp(t["nats"]) for t in [*own[k]["top"], own[k]])
    expect(rows.last).to_contain_text("everything else")
    assert rows.last.locator(".p").inner_text() == typeset(significant_digits(100 * rest)) + " %"
    expect(rows.nth(8)).to_contain_text(f"rank {own[k]['rank']:,}")


def test_an_alternative_is_scored_beside_the_text(page: Page, site: Server) -> None:
    type_text(page, "A cat.", "english")
    first = asked(site, "A cat.", "english")
    tokens(page).nth(2).click()
    instead = next(t for t in first["tokens"][2]["top"] if t["id"] != first["tokens"][2]["id"] and t["bytes"])
    page.locator(".alternatives button", has_text=instead["token"]).first.click()
    text = "A " + base64.b64decode(instead["bytes"]).decode() + "at."
    second = asked(site, text, "english")
    totals = page.locator(".counterfactual .total")
    expect(totals).to_have_count(2)
    expect(totals.nth(0)).to_contain_text(fixed(first["total_nats"]))
    expect(totals.nth(1)).to_contain_text(fixed(second["total_nats"]))
    apart = round(second["total_nats"], 3) - round(first["total_nats"], 3)
    expect(page.locator(".difference")).to_contain_text(fixed(apart))
    page.get_by_role("button", name="Take the changed text").click()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value(text)
    expect(page.locator(".total").first).to_contain_text(fixed(second["total_nats"]))


def test_keys_alone_write_score_choose_and_change(page: Page, site: Server) -> None:
    page.get_by_role("textbox", name="Text", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("A cat.")
    with page.expect_response("**/v1/score"):
        page.keyboard.press("Control+Enter")
    first = asked(site, "A cat.", "english")
    expect(page.locator(".total").first).to_contain_text(fixed(first["total_nats"]))
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "option":
            break
    page.keyboard.press("Home")
    for k in (0, 1, 2):
        expect(tokens(page).nth(k)).to_be_focused()
        expect(tokens(page).nth(k)).to_have_attribute(
            "aria-label", re.compile(re.escape(fixed(first["tokens"][k]["nats"])))
        )
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(tokens(page).last).to_be_focused()
    expect_facts(page, {"log p": fixed(first["tokens"][-1]["nats"])})
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(page.locator(".alternatives button").first).to_be_focused()
    with page.expect_response("**/v1/score"):
        page.keyboard.press("Enter")
    expect(page.locator(".difference")).to_be_visible()


def test_given_and_the_switch_of_eos_change_the_number(page: Page, site: Server) -> None:
    page.get_by_label("Given (a prefix)").fill("Better late ")
    type_text(page, "than never.")
    with_end = asked(site, "than never.", given="Better late ")
    expect(page.locator(".total")).to_contain_text(f"log p(x | given) = {fixed(with_end['total_nats'])}")
    page.get_by_label("EOS ends the text").uncheck()
    score(page)
    without = asked(site, "than never.", given="Better late ", prefix=True)
    expect(page.locator(".total")).to_contain_text(f"log P(x | given) = {fixed(without['prefix_nats'])}")
    expect(page.get_by_role("option", name="EOS")).to_have_count(0)


def test_the_strip_chooses_a_token(page: Page, site: Server) -> None:
    type_text(page, "A stitch in time saves nine.", "english")
    record = asked(site, "A stitch in time saves nine.")
    track = page.locator(".strip .track").first
    size = track.bounding_box()
    assert size is not None
    k = 10
    track.click(position={"x": size["width"] * (k + 0.5) / len(record["tokens"]), "y": 10})
    expect_facts(page, {"log p": fixed(record["tokens"][k]["nats"])})


HOSTILE = {
    "script": "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "override": "abc\u202edef\u2066ghi",
    "word": "x" * 10_000,
    "nul": "a\x00b\x1b[31mred",
    "combining": "e\u0301\u0301\u0301\u0301 \u0301",
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_text_is_shown_as_text(page: Page, site: Server, name: str) -> None:
    text = HOSTILE[name]
    type_text(page, text, "english")
    expect(page.locator(".total")).to_contain_text(fixed(asked(site, text)["total_nats"]))
    assert "owned" not in page.title()
    assert page.locator(".tokens script, .tokens img").count() == 0
    shown = page.get_by_role("listbox").first.text_content() or ""
    assert not set("\u202e\u2066\x00\x1b") & set(shown)
    if name == "override":
        assert "abc\\u202edef\\u2066ghiEOS" in shown
    if name == "nul":
        assert "a\\x00b\\x1b[31m" in shown
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_lone_surrogate_is_refused_with_a_message(page: Page) -> None:
    page.evaluate(
        """() => { const box = document.querySelector('#text'); box.value = 'a\\ud800b';
                   box.dispatchEvent(new Event('input', { bubbles: true })); }"""
    )
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("lone surrogate")
