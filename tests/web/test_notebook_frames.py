"""A value in a cell of a notebook: its frame draws the components of the record, and without scripts a plain table.

The frames fit their cells at 360 and at 1,100 pixels; only audits scroll.
"""

from __future__ import annotations

import math
import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

import pofx

sys.path.append(str(Path(__file__).parents[1] / "interactive"))

from shown_values import values

from conftest import DOCS
from small_models import NO_BEGIN, NO_END

# The elements that draw each record.
DRAWN = {
    "Scored": ".tokens [role=option]",
    "Worded": ".sentence .word",
    "Next": ".track",
    "Draw": "ol.draws li",
    "Audit": ".findings li",
    "CorpusReport": ".findings li",
    "Conditioned": ".outcomes li",
    "MixturePosterior": ".models li",
    "Evaluation": "[aria-label='confusion matrix']",
    "LM": ".factors dt",
    "Marginal": ".amounts li",
    "Compression": ".amounts li",
    "Posterior": ".amounts li",
    "Joint": ".amounts li",
    "GenerativeClassifier": ".amounts li",
    "LearningCurve": "svg .training",
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page that stands for a notebook: the HTML of every value, one after the other."""
    shown = {name: values()[name] for name in DRAWN}
    html = [
        v._repr_mimebundle_()["text/html"] if hasattr(v, "_repr_mimebundle_") else v._repr_html_()
        for v in shown.values()
    ]
    file = tmp_path_factory.mktemp("notebook") / "cells.html"
    file.write_text("<!doctype html><meta charset=utf-8>" + "\n".join(html))
    return file.as_uri()


def test_every_frame_draws_its_components_and_breaks_no_policy(browser: Browser, cells: str) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto(cells)
    frames = page.locator("iframe")
    expect(frames).to_have_count(len(DRAWN))
    for k, name in enumerate(DRAWN):
        frame = frames.nth(k).content_frame
        expect(frame.locator("body")).to_have_class("compact")
        expect(frame.locator(DRAWN[name]).first).to_be_attached()
        expect(frame.locator("#page > table")).to_have_count(0)
        assert frame.locator("body").evaluate("(b) => getComputedStyle(b).paddingLeft") == "4px"
    # Chromium says of a meta element that the directive for frames is ignored there; nothing else is said.
    assert wrong == []
    page.close()


def test_without_scripts_every_frame_shows_a_table(browser: Browser, cells: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(cells)
    frames = page.locator("iframe")
    for k in range(len(DRAWN)):
        table = frames.nth(k).content_frame.locator("#page > table")
        expect(table).to_be_visible()
        assert re.search(r"\d", table.inner_text())
    context.close()


# The height of a frame is chosen before a browser lays it out; audits are long, and the browser scrolls them.
SCROLLED = ("Audit", "CorpusReport")


@pytest.mark.parametrize("width", [360, 720, 1100])
def test_a_frame_is_as_high_and_as_wide_as_its_record(browser: Browser, cells: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark")
    page.goto(cells)
    for k, (name, drawn) in enumerate(DRAWN.items()):
        frame = page.locator("iframe").nth(k).content_frame
        expect(frame.locator(drawn).first).to_be_attached()
        high, room, wide, across = frame.locator("body").evaluate(
            "(b) => [b.scrollHeight, innerHeight, document.documentElement.scrollWidth, innerWidth]"
        )
        assert wide <= across, name
        assert high <= room or name in SCROLLED, (name, high, room)
        assert room - high < 150 or room <= 130, (name, high, room)
    page.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str]:
    """Records whose heights depend on what they hold: their names, and the address of a page of their frames."""
    proverbs = (DOCS / "proverbs.txt").read_text().splitlines()
    lm = pofx.fit(proverbs[:180], pofx.NgramSpec(order=4))
    endless = pofx.fit(proverbs[:180], pofx.NgramSpec(order=4, end=False))
    shown: dict[str, Any] = {
        f"{repeats} times, {k} likeliest": pofx.score(
            lm, ["Time is gold. " * repeats], want=pofx.Want(True, True, k)
        )[0]
        for repeats in (1, 20)
        for k in (1, 3, 5, 8, 20)
    }
    shown |= {
        "audit that passes": pofx.audit(lm, proverbs[180:]),
        "audit that warns": pofx.audit(endless, proverbs[180:]),
        "corpus that passes": pofx.corpus_report(random.Random(0).sample(proverbs, len(proverbs))),
        "corpus that fails": pofx.corpus_report(sorted(proverbs)),
    }
    file = tmp_path_factory.mktemp("reports") / "cells.html"
    frames = "\n".join(v._repr_html_() for v in shown.values())
    file.write_text("<!doctype html><meta charset=utf-8>" + frames)
    return list(shown), file.as_uri()


@pytest.mark.parametrize("width", [360, 876, 1100])
def test_frames_of_reports_fit_what_they_hold(
    browser: Browser, reports: tuple[list[str], str], width: int
) -> None:
    names, address = reports
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    for k, name in enumerate(names):
        frame = page.locator("iframe").nth(k).content_frame
        expect(frame.locator("main p").first).to_be_attached()
        high, room = frame.locator("body").evaluate("(b) => [b.scrollHeight, innerHeight]")
        assert high <= room or room >= (1150 if "likeliest" in name else 560), (name, high, room)
        assert room - high < 150, (name, high, room)
    page.close()


def test_parts_of_a_frame_have_names(browser: Browser, cells: str) -> None:
    page = browser.new_page()
    page.goto(cells)
    names = list(DRAWN)

    def snapshot(name: str) -> str:
        return page.locator("iframe").nth(names.index(name)).content_frame.locator("main").aria_snapshot()

    for k in range(len(names)):
        title = page.locator("iframe").nth(k).get_attribute("title")
        assert title and "(" in title
    assert 'list "The bits of the file"' in snapshot("Compression")
    assert 'list "P(class) before the text is read"' in snapshot("Joint")
    assert 'list "The likeliest class of each text"' in snapshot("Posterior")
    assert 'img "learning curve: training from ' in snapshot("LearningCurve")
    assert "✓" in snapshot("LM") and "EOS ends a text." in snapshot("LM")
    page.close()


def test_a_model_without_x0_or_eos_says_what_is_missing(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "cells.html"
    file.write_text("<!doctype html><meta charset=utf-8>" + NO_BEGIN._repr_html_() + NO_END._repr_html_())
    page = browser.new_page()
    page.goto(file.as_uri())
    begin, end = (page.locator("iframe").nth(k).content_frame.locator("main") for k in range(2))
    expect(begin).to_contain_text("continues texts, and gives no whole text a probability")
    expect(begin.locator(".missing")).to_contain_text("There is no x0")
    expect(end.locator(".missing")).to_contain_text("No token ends a text")
    expect(end).to_contain_text("never ends one")
    page.close()


def test_a_fragment_draws_in_its_frame(browser: Browser, tmp_path: Path) -> None:
    from pofx.report.html.page import draws_section, fragment

    lm = pofx.fit(["a cat", "a mat"], pofx.NgramSpec(order=2))
    draws = pofx.sample(lm, 2, seed=1)
    (tmp_path / "cell.html").write_text(fragment([draws_section(draws, "")], height=240))
    page = browser.new_page()
    page.goto((tmp_path / "cell.html").as_uri())
    frame = page.frame_locator("iframe")
    expect(frame.locator("ol.draws li")).to_have_count(2)
    expect(frame.locator("header, footer")).to_have_count(0)
    assert math.isclose(page.locator("iframe").bounding_box()["height"], 240, abs_tol=6)  # type: ignore[index]
    page.close()
