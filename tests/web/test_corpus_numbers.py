"""The tab *Corpus*, number by number: heads, bars, points and sides are those of the rows, and nothing of a file is markup."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from looking import percent, significant
from playwright.sync_api import Locator, Page, expect

ERROR = "expected a text, got <i>x</i>\u202e"
# 44 texts with a number, a column whose name is markup, no column `bytes`; three texts without a number, one impossible.
TEXTS: list[dict[str, Any]] = [
    {"id": f"n{k}", "text": "é" * (1 + k % 7), "bits_per_byte": (1 + 7 * k % 44) / 10, "<b>x</b>": k}
    for k in range(44)
]
OTHERS: list[dict[str, Any]] = [
    {"id": "e1", "text": "", "bits_per_byte": None},
    {"id": "e2", "text": "x", "bits_per_byte": None, "error": ERROR},
    {"id": "e3", "text": "", "bits_per_byte": None},
    {"id": "never", "text": "zzz", "bits_per_byte": "inf"},
]
BITS = sorted(float(t["bits_per_byte"]) for t in TEXTS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("numbered") / "numbered.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in OTHERS[:2] + TEXTS + OTHERS[2:]))
    return file


@pytest.fixture
def panel(page: Page, rows: Path) -> Locator:
    """The tab with the file."""
    page.get_by_role("tab", name="Corpus").click()
    page.get_by_label("Rows of texts").set_input_files(rows)
    page.locator(".histogram").wait_for()
    return page.get_by_role("tabpanel")


def by_bits(ids: list[str]) -> list[str]:
    return [f"{significant(t['bits_per_byte'], 4)} {t['id']}" for i in ids for t in TEXTS if t["id"] == i]


def listed(panel: Locator) -> list[str]:
    """Each text of the list, by its bits per byte and its id."""
    bits, ids = (panel.locator(f".texts .{name}").all_inner_texts() for name in ("bits", "id"))
    return [f"{b} {i}" for b, i in zip(bits, ids, strict=True)]


def test_the_head_counts_what_is_drawn_and_names_what_is_not(panel: Locator) -> None:
    expect(panel.locator(".total")).to_have_text(
        f"44 texts median {significant(statistics.median_low(BITS), 4)} bits per byte, "
        f"from {significant(BITS[0], 4)} to {significant(BITS[-1], 4)}"
    )
    note = panel.locator(".total + .note")
    expect(note).to_contain_text(
        "numbered.jsonl; 3 without a number (empty texts and errors); 1 of probability 0"
    )
    expect(note).to_contain_text("e2: expected a text, got <i>x</i>\\u202e")


def test_shares_lists_and_ids_are_of_the_texts_on_either_side(page: Page, panel: Locator) -> None:
    panel.get_by_label("Threshold", exact=True).fill("60")
    threshold = float(
        (panel.get_by_label("Threshold", exact=True).get_attribute("aria-valuetext") or "").split()[0]
    )
    order = sorted(TEXTS, key=lambda t: t["bits_per_byte"])
    below = [t["id"] for t in order if t["bits_per_byte"] <= threshold]
    above = [t["id"] for t in order if t["bits_per_byte"] > threshold]
    assert 0 < len(below) < 20 < len(above)
    cells = [" ".join(t.split()) for t in panel.locator("td.n").all_inner_texts()]
    assert cells == [
        f"{len(below)} texts", percent(len(below) / 44), f"{len(above)} texts", percent(len(above) / 44),
    ]  # fmt: skip
    assert listed(panel) == by_bits(below)
    panel.get_by_label("above it").check()
    more = panel.get_by_role("button", name="more of")
    expect(more).to_have_text(f"Show {min(20, len(above) - 20)} more of {len(above)}")
    assert listed(panel) == by_bits(above[::-1])[:20]
    more.click()
    assert listed(panel) == by_bits(above[::-1])[:40]
    for side, ids in (("at most", below), ("above", above)):
        with page.expect_download() as saved:
            panel.get_by_role("button", name=f"Save the ids {side} the threshold").click()
        lines = [json.loads(line) for line in Path(saved.value.path()).read_text().splitlines()]
        assert [line["id"] for line in lines] == ids


def test_bars_and_points_stand_where_their_numbers_are(panel: Locator) -> None:
    panel.get_by_label("Threshold", exact=True).fill("100")
    bars = panel.locator(".histogram button").evaluate_all(
        "all => all.map(b => [b.ariaLabel, b.firstElementChild.getBoundingClientRect().height])"
    )
    counts = [int(label.split(": ")[1]) for label, _ in bars]
    tallest = max(height for _, height in bars)
    for count, (_, height) in zip(counts, bars, strict=True):
        assert height / tallest == pytest.approx(count / max(counts), abs=0.02)
    # The threshold is a quarter of the way, in the bars as among the points.
    box = panel.locator(".histogram").bounding_box()
    line = panel.locator(".histogram .threshold").bounding_box()
    assert box is not None and line is not None
    assert (line["x"] - box["x"]) / box["width"] == pytest.approx(0.25, abs=0.01)
    at = float(panel.locator(".points line").get_attribute("y1") or "")
    dots = panel.locator(".points circle[role=option]").evaluate_all(
        "all => all.map(c => [c.classList.contains('below'), c.cy.baseVal.value])"
    )
    assert len(dots) == 44 and {below for below, _ in dots} == {True, False}
    assert all(below == (y >= at) for below, y in dots)


def test_keys_walk_bars_and_points_and_a_cell_is_text(page: Page, panel: Locator) -> None:
    bars = panel.locator(".histogram button")
    bars.nth(3).click()
    page.keyboard.press("ArrowLeft")
    expect(bars.nth(2)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(bars.nth(4)).to_have_attribute("aria-pressed", "true")
    plot = panel.get_by_role("listbox")
    plot.press("End")
    plot.press("ArrowLeft")
    plot.press(" ")
    text = sorted(TEXTS, key=lambda t: t["bits_per_byte"])[-2]
    point = panel.locator(".point")
    expect(point.locator("pre")).to_have_text(text["text"])
    expect(point.locator("dt").last).to_have_text("<b>x</b>")
    expect(point.locator("dd").last).to_have_text(str(text["<b>x</b>"]))
    # Without a column of bytes the length is that of the text in UTF-8.
    here = plot.get_by_role("option", selected=True)
    expect(here).to_have_attribute(
        "aria-label", f"{significant(text['bits_per_byte'], 4)} bits per byte, {2 * len(text['text'])} bytes"
    )


def test_a_file_that_is_refused_leaves_the_view(page: Page, panel: Locator, tmp_path: Path) -> None:
    bar = panel.locator(".histogram button").nth(3)
    bar.click()
    before = listed(panel)
    (tmp_path / "notes.txt").write_text("no rows")
    page.get_by_label("Rows of texts").set_input_files(tmp_path / "notes.txt")
    expect(panel.get_by_role("alert")).to_contain_text("expected a file")
    expect(bar).to_have_attribute("aria-pressed", "true")
    assert listed(panel) == before


def test_a_file_can_be_dropped(page: Page, rows: Path) -> None:
    page.get_by_role("tab", name="Corpus").click()
    data = page.evaluate_handle(
        """text => { const all = new DataTransfer();
                     all.items.add(new File([text], 'dropped.jsonl'));
                     return all; }""",
        rows.read_text(),
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": data})
    expect(page.locator(".total").last).to_contain_text("44 texts")
    expect(page.get_by_role("tabpanel")).to_contain_text("dropped.jsonl")
