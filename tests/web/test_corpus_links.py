"""A permalink of the tab *Corpus*: threshold and view come back with the file, which the link names and does not hold."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from looking import copied
from playwright.sync_api import Page, expect

from conftest import Opened

ROWS = 30


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty texts that need more and more bits per byte."""
    file = tmp_path_factory.mktemp("linked") / "my rows.jsonl"
    lines = [
        {"id": f"n{k}", "text": f"text {k} " + "é" * k, "bits_per_byte": 1 + 0.1 * k} for k in range(ROWS)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def chosen_view(page: Page) -> dict[str, object]:
    """All that a reader has chosen, as the page shows it."""
    pressed = page.locator(".histogram button[aria-pressed=true]")
    return {
        "threshold": page.get_by_label("Threshold", exact=True).get_attribute("aria-valuetext"),
        "bar": pressed.get_attribute("aria-label") if pressed.count() else None,
        "list": page.locator("input[type=radio]:checked").evaluate("e => e.parentElement.textContent.trim()"),
        "point": page.locator(".point pre").all_inner_texts(),
        "texts": page.locator(".texts summary").all_inner_texts(),
    }


def chosen(page: Page, rows: Path) -> str:
    """Open the file, choose a threshold, a bar and a point; the hash of the link."""
    page.get_by_role("tab", name="Corpus").click()
    page.get_by_label("Rows of texts").set_input_files(rows)
    page.locator(".histogram button").nth(3).click()
    page.get_by_role("listbox").press("End")
    page.get_by_role("listbox").press("Enter")
    page.get_by_label("Threshold", exact=True).fill("137")
    return copied(page)


def test_a_link_names_its_file_and_applies_threshold_and_view_when_the_file_is_opened(
    opened: Opened, rows: Path, tmp_path: Path
) -> None:
    page = opened()
    link = chosen(page, rows)
    expect(page.get_by_role("banner")).to_contain_text("does not hold it")
    before = chosen_view(page)
    assert before["point"] and before["bar"] and before["list"] == "in the chosen bar"
    assert len(link) < 300

    other = opened(link)
    said = other.locator(".which")
    hash = hashlib.sha256(rows.read_bytes()).hexdigest()[:12]
    expect(said).to_contain_text(
        re.compile(rf"belongs to\s+my rows\.jsonl \(30 rows, SHA-256 {hash}….*open it here", re.S)
    )
    renamed = tmp_path / "renamed.jsonl"
    renamed.write_bytes(rows.read_bytes())
    other.get_by_label("Rows of texts").set_input_files(renamed)
    expect(said).to_contain_text("The file of the link is open")
    assert chosen_view(other) == before


def test_a_reload_keeps_the_view_and_asks_for_the_file(opened: Opened, rows: Path) -> None:
    page = opened()
    chosen(page, rows)
    before = chosen_view(page)
    page.get_by_label("above it").check()
    after = chosen_view(page)
    assert after["list"] == "above it" and after["texts"] != before["texts"]
    page.wait_for_url(re.compile("corpus.list=above"))
    page.reload()
    expect(page.locator(".which")).to_contain_text("my rows.jsonl")
    page.get_by_label("Rows of texts").set_input_files(rows)
    expect(page.locator(".which")).to_contain_text("The file of the link is open")
    assert chosen_view(page) == after


def test_another_file_is_said_to_be_another_and_has_a_view_of_its_own(
    opened: Opened, rows: Path, tmp_path: Path
) -> None:
    link = chosen(opened(), rows)
    file = tmp_path / "my rows.jsonl"
    file.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))
    page = opened(link)
    page.get_by_label("Rows of texts").set_input_files(file)
    said = page.locator(".which")
    expect(said).to_contain_text("This is another file")
    expect(said).to_contain_text("29 rows")
    view = chosen_view(page)
    assert view["bar"] is None and view["point"] == [] and view["list"] == "at most the threshold"
    # The address names the file that is open, and the file of the link still brings its view.
    assert "corpus.rows=29" in copied(page)
    page.get_by_label("Rows of texts").set_input_files(rows)
    expect(said).to_contain_text("The file of the link is open")
    assert chosen_view(page)["list"] == "in the chosen bar"
