"""Draws as they come, the next token under p and q, and the tree of continuations."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from looking import fixed, significant
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
    rest = rows.last
    expect(rest.locator("th")).to_have_text(f"everything else ({p['rest']['tokens']:,} tokens)")
    listed = {o["id"] for o in p["top"]}
    # Of q everything else is what q gives to the tokens that are no rows, whichever q likes best.
    q_rest = 1 - sum(o["p"] for o in q["top"] if o["id"] in listed)
    assert len({o["id"] for o in q["top"]} & listed) == 10
    assert [number(x) for x in rest.locator("td.n").all_inner_texts()] == pytest.approx(
        [100 * p["rest"]["p"], 100 * q_rest], rel=6e-3
    )
    foot = table.locator("tfoot td.n").all_inner_texts()
    assert [number(x) for x in foot] == pytest.approx([p["entropy_nats"], q["entropy_nats"]], abs=6e-4)


def facts(draw: dict[str, Any]) -> str:
    """What the page says below a draw."""
    ended, warped, n = draw["ended"], "model_nats" in draw, draw["tokens"]
    p = draw["model_nats" if warped else "nats"]
    q = f"log {'q' if ended else 'Q'} = {fixed(draw['nats'])} nats " if warped else ""
    rate = significant(-p / math.log(2) / len(base64.b64decode(draw["bytes"])))
    end = "ended by EOS" if ended else "cut off: a draw of a prefix, not of p"
    return (
        f"{q}log {'p' if ended else 'P'} = {fixed(p)} nats {rate} bits per byte "
        f"{n} {'token' if n == 1 else 'tokens'} {end}"
    )


@pytest.mark.parametrize("temperature", [None, 0.7])
def test_draws_of_a_seed_are_those_of_the_server(page: Page, site: Server, temperature: float | None) -> None:
    open_panel(page)
    page.get_by_label("seed").fill("7")
    page.get_by_label("draws", exact=True).fill("12")
    page.get_by_label("tokens at most").fill("28")
    page.get_by_label("top-p").fill("" if temperature is None else "0.95")
    page.get_by_label("Temperature").fill(str(temperature or 1))
    with page.expect_request("**/v1/sample") as sent:
        page.get_by_role("button", name="Draw from").click()
    shown = page.locator(".draws li")
    expect(shown).to_have_count(12)
    warp = {"temperature": temperature, "top_k": None, "top_p": temperature and 0.95}
    asked = {"model": "english", "given": "Time ", "n": 12, "seed": 7, "max_tokens": 28, **warp}
    assert sent.value.post_data_json == asked | {"stream": True}
    found = site.post("/v1/sample", asked).json()["draws"]
    assert {d["ended"] for d in found} == {True, False}
    read = [" ".join(text.split()) for text in shown.locator(".facts").all_inner_texts()]
    assert sorted(read) == sorted(facts(d) for d in found)
    expect(page.locator(".note", has_text="The seed was")).to_have_count(0)


def test_the_seed_that_nobody_chose_is_said(page: Page) -> None:
    open_panel(page)
    with page.expect_request("**/v1/sample") as sent:
        page.get_by_role("button", name="Draw from p").click()
    expect(
        page.get_by_text(f"The seed was {sent.value.post_data_json['seed']}; the link keeps it.")
    ).to_be_visible()


def test_hostile_draws_are_text(page: Page) -> None:
    spelled = base64.b64encode(b"<b>x</b>\xff\xe2\x80\xaeevil").decode()
    draw = {"text": "", "bytes": spelled, "nats": -2.0, "ended": False, "tokens": 1, "ids": [1], "terms": {}}
    events = f"data: {json.dumps({'index': 0, 'draw': draw})}\n\ndata: [DONE]\n\n"
    page.route("**/v1/sample", lambda r: r.fulfill(body=events, content_type="text/event-stream"))
    open_panel(page)
    page.get_by_role("button", name="Draw from p").click()
    expect(page.locator(".draws .draw")).to_have_text("<b>x</b>\\xff\\u202eevil")


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
