"""Permalinks, and answers of other servers that are pasted."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from looking import asked, fixed, settle, type_text
from playwright.sync_api import Page, expect

from conftest import Opened, Watched
from served import Server


def test_a_link_brings_text_prefix_model_and_view(opened: Opened, site: Server) -> None:
    page = opened()
    page.get_by_label("Given (a prefix)").fill("He said: ")
    type_text(page, "#1 & <b>+\n🙂", "french")
    page.get_by_label("by", exact=True).select_option("words")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is on the clipboard.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(site.url + "/#")
    other = opened(link.removeprefix(site.url + "/"))
    record = asked(site, "#1 & <b>+\n🙂", "french", given="He said: ")
    expect(other.locator(".total")).to_contain_text(f"log p(x | given) = {fixed(record['total_nats'])}")
    expect(other.get_by_label("Model", exact=True)).to_have_value("french")
    expect(other.get_by_label("by", exact=True)).to_have_value("words")


def test_a_link_that_is_followed_on_the_open_page_is_shown(page: Page, site: Server) -> None:
    page.evaluate("location.hash = '#text=Time&model=french'")
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Time")
    expect(page.locator(".total")).to_contain_text(fixed(asked(site, "Time", "french")["total_nats"]))


def test_a_link_is_followed_though_the_address_changes_before_its_event(page: Page, site: Server) -> None:
    # A timer may fire between a click on a link and the event of the click.
    page.evaluate(
        """() => { const before = location.href;
                   location.hash = '#text=Time&model=french';
                   history.replaceState(null, '', before); }"""
    )
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Time")
    expect(page.locator(".total")).to_contain_text(fixed(asked(site, "Time", "french")["total_nats"]))
    expect(page).to_have_url(re.compile("#tab=text&model=french&text=Time$"))


def test_the_timer_of_the_address_leaves_a_link_alone(page: Page) -> None:
    # A listener that is the first one holds the event of a link back.
    page.add_init_script(
        """window.held = new Promise((came) => addEventListener('hashchange', (e) => {
             if (!e.isTrusted) return;
             e.stopImmediatePropagation();
             came(e.newURL);
           }));"""
    )
    page.reload()
    expect(page).to_have_url(re.compile("#tab=text&model=english"))
    # A typed text starts the timer, and the timer is due before the page hears of the link.
    shown = page.evaluate(
        """async () => {
          const box = document.querySelector('#text');
          box.value = 'typed';
          box.dispatchEvent(new Event('input', { bubbles: true }));
          location.hash = '#text=Time&model=french';
          const newURL = await held;
          await new Promise((due) => setTimeout(due, 400));
          const shown = location.hash;
          dispatchEvent(new HashChangeEvent('hashchange', { newURL }));
          return shown;
        }"""
    )
    assert shown == "#text=Time&model=french"
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Time")


def test_a_link_to_a_model_that_is_not_served_says_so(opened: Opened) -> None:
    page = opened("#model=" + quote("<img src=x>"))
    expect(page.get_by_text("This server has no model <img src=x>.")).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_have_value("english")


def test_the_key_of_the_server_is_in_no_link(page: Page) -> None:
    page.evaluate("sessionStorage.setItem('pofx-key', 's3cret')")
    page.reload()
    page.get_by_role("button", name="Copy link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The link is on the clipboard.")).to_be_visible()
    assert "s3cret" not in page.evaluate("location.href")


def paste(page: Page, answer: Any) -> None:
    page.get_by_text("Paste log-probabilities of another server").click()
    page.get_by_label("JSON of OpenAI").fill(answer if isinstance(answer, str) else json.dumps(answer))
    page.get_by_role("button", name="Show").click()


def test_an_answer_of_completions_is_shown_with_what_it_leaves_out(page: Page, site: Server) -> None:
    body = {"model": "tiny", "prompt": "Time flies.", "echo": True, "logprobs": 3, "max_tokens": 0}
    answer = site.post("/v1/completions", body).json()
    paste(page, answer)
    terms = answer["choices"][0]["logprobs"]["token_logprobs"]
    known = [t for t in terms if t is not None]
    pasted = page.get_by_role("region", name="Completion")
    expect(pasted.locator(".chain tfoot td.n").first).to_have_text(fixed(sum(known)))
    expect(pasted.locator(".total")).to_contain_text(fixed(sum(known)))
    expect(pasted.get_by_role("listitem").filter(has_text="EOS: the answer has no term")).to_be_visible()
    expect(
        pasted.get_by_text("The entropy", exact=False).or_(
            pasted.get_by_text("The rank of each token", exact=False)
        )
    ).to_be_visible()
    expect(pasted.locator(".alternatives button")).to_have_count(0)
    # Words are runs of tokens here, since the answer does not say what may end a word.
    expect(pasted.get_by_label("by", exact=True).locator("option").nth(1)).to_have_text("runs of tokens")


def test_an_answer_of_vllm_is_shown_by_keys_alone(page: Page) -> None:
    answer = {
        "choices": [
            {
                "prompt_logprobs": [
                    None,
                    {
                        "900": {"logprob": -3.25, "rank": 5, "decoded_token": " cat"},
                        "7": {"logprob": -1, "rank": 1, "decoded_token": "a"},
                    },
                ]
            }
        ]
    }
    page.get_by_text("Paste log-probabilities of another server").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.insert_text(json.dumps(answer))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    pasted = page.get_by_role("region", name="Prompt")
    expect(pasted.locator(".total")).to_contain_text("log P(x | given) = −3.250")
    expect(pasted.locator(".chain tbody td.n").nth(4)).to_have_text("5")
    # The answer stands above what was pasted: it comes into view, and the keyboard goes on there.
    expect(pasted.get_by_role("heading", name="Prompt")).to_be_in_viewport()
    expect(page.locator(":focus").get_by_role("region", name="Prompt")).to_have_count(1)
    expect(pasted.get_by_text("p(x1): the first token has no log-probability")).to_be_visible()


def test_anything_else_is_refused(page: Page) -> None:
    paste(page, '{"choices": [{"text": "a"}]}')
    expect(page.get_by_role("alert")).to_contain_text("expected an answer with logprobs.content")


def test_a_pasted_answer_is_sent_nowhere(page: Page, watched: Watched) -> None:
    settle(page)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url))
    paste(page, {"tokens": ["<script>alert(1)</script>"], "token_logprobs": [-1]})
    expect(page.get_by_role("region", name="Completion").get_by_role("listbox")).to_contain_text("<script>")
    assert sent == []
