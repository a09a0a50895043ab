"""A value in a cell of a notebook: its frame draws the components of the record, and without scripts a plain table."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

sys.path.append(str(Path(__file__).parents[1] / "interactive"))

from shown_values import values

# What each record is drawn by, beside the tables.
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
}
TABLES = ["LM", "Marginal", "Compression", "Posterior", "Joint", "GenerativeClassifier"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page that stands for a notebook: the HTML of every value, one after the other."""
    shown = {name: values()[name] for name in [*DRAWN, *TABLES]}
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
    expect(frames).to_have_count(len(DRAWN) + len(TABLES))
    for k, name in enumerate([*DRAWN, *TABLES]):
        frame = frames.nth(k).content_frame
        expect(frame.locator("body")).to_have_class("compact")
        expect(frame.locator(DRAWN.get(name, "main table tbody tr")).first).to_be_attached()
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
    for k in range(len(DRAWN) + len(TABLES)):
        table = frames.nth(k).content_frame.locator("#page > table")
        expect(table).to_be_visible()
        assert re.search(r"\d", table.inner_text())
    context.close()
