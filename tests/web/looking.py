"""What a test does on the page as a person does, and the numbers as the page writes them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from pofx.report.numerals import fixed_point, probability, significant_digits, typeset
from served import Server

# Milliseconds until an answer that does not come is a failure.
PATIENCE = 20_000
FULL = {"rank": True, "entropy": True, "top": 8}


def fixed(x: float | None, digits: int = 3) -> str:
    """A log-probability as the page writes it; null over HTTP is log 0."""
    return typeset(fixed_point(-math.inf if x is None else x, digits))


def shown_p(nats: float | None) -> str:
    return typeset(probability(-math.inf if nats is None else nats))


def significant(x: float, digits: int = 3) -> str:
    return typeset(significant_digits(x, digits))


def percent(p: float) -> str:
    return f"{significant(100 * p)} %"


def asked(site: Server, text: str, model: str = "english", **options: Any) -> dict[str, Any]:
    """The record of a text, from the server."""
    answer = site.post("/v1/score", {"model": model, "texts": [text], **FULL, **options})
    assert answer.status_code == 200, answer.text
    record: dict[str, Any] = answer.json()["scores"][0]
    return record


def type_text(page: Page, text: str, model: str | None = None) -> None:
    """Choose a model, write a text and score it, by pointer."""
    if model is not None:
        page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    score(page)


def score(page: Page) -> None:
    """Press *Score*, and wait for the answer."""
    with page.expect_response("**/v1/score"):
        page.get_by_role("button", name="Score", exact=True).click()
    expect(page.locator(".busy")).to_have_count(0)


def tokens(page: Page) -> Locator:
    """The units of the first heat text."""
    return page.get_by_role("listbox").first.get_by_role("option")


def expect_facts(page: Page, facts: dict[str, str]) -> None:
    """Wait until the chosen token has these numbers, by their names."""
    detail = page.get_by_role("group", name="The chosen token").first
    for name, number in facts.items():
        fact = (
            detail.locator("dt")
            .filter(has_text=re.compile(f"^{name}$"))
            .locator("xpath=following-sibling::dd[1]")
        )
        expect(fact).to_have_text(number)


def until(holds: Callable[[], bool], what: str, page: Page) -> None:
    """Wait until something holds, while the browser goes on; the deadline is a failure."""
    stop = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < stop, f"{what}: never"
        page.wait_for_timeout(20)


def settle(page: Page) -> None:
    """Wait for the answers to all requests of a page that opens: the ends of the model, and the text it begins with."""
    expect(page.locator("header")).to_contain_text("EOS")
    expect(page.locator(".total").first).to_contain_text("log p(x")
    expect(page.locator(".busy:visible")).to_have_count(0)


def copied(page: Page) -> str:
    """The hash that *Copy link* gives."""
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is on the clipboard.")).to_be_visible()
    return "#" + str(page.evaluate("navigator.clipboard.readText()")).partition("#")[2]
