"""The tab *Corpus*: a file of rows in every format, its bars, its threshold, and the ids of a side."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from looking import settle, significant
from playwright.sync_api import Page, expect

from conftest import DOCS, Opened, Watched
from pofx.cli.main import pofx as cli


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, model_paths: dict[str, str]) -> Path:
    """Rows of French proverbs by the English model, in every format, and a file of hostile texts."""
    home = tmp_path_factory.mktemp("rows")
    for ending in ("jsonl", "csv", "tsv", "parquet"):
        asked = ["score", str(DOCS / "proverbes.txt"), "-m", model_paths["english"], "--quiet"]
        done = CliRunner().invoke(cli, [*asked, "-o", str(home / f"rows.{ending}")])
        assert done.exit_code == 0, done.output
    (home / "rows.jsonl.gz").write_bytes(gzip.compress((home / "rows.jsonl").read_bytes()))
    texts = ["<script>alert(1)</script>", "\u202eevil", "w" * 10_000, "a\0b", "\\xff", '"quoted"\n, twice']
    lines = [json.dumps({"id": t[:20], "text": t, "bits_per_byte": 1 + k}) for k, t in enumerate(texts)]
    (home / "hostile.jsonl").write_text("\n".join([*lines, "{no json", "[]"]) + "\n")
    (home / "tokens.jsonl").write_text('{"token": "a", "surprisal_bits": 1.0}\n')
    (home / "cut.parquet").write_bytes((home / "rows.parquet").read_bytes()[:-20])
    (home / "notes.txt").write_text("no rows")
    return home


def open_rows(page: Page, file: Path) -> None:
    page.get_by_role("tab", name="Corpus").click()
    page.get_by_label("Rows of texts").set_input_files(file)


def rows_of(files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (files / "rows.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv", "parquet", "jsonl.gz"])
def test_every_format_shows_the_same_texts(page: Page, files: Path, ending: str) -> None:
    open_rows(page, files / f"rows.{ending}")
    rows = rows_of(files)
    expect(page.locator(".total").last).to_contain_text(f"{len(rows)} texts")
    bars = page.get_by_role("group", name="Texts by bits per byte").get_by_role("button")
    total = 0
    for label in [b.get_attribute("aria-label") or "" for b in bars.all()]:
        edges, n = label.split(" bits per byte: ")
        low, high = map(float, edges.split(" to "))
        assert int(n) == sum(low <= r["bits_per_byte"] < high for r in rows)
        total += int(n)
    assert total == len(rows)


def test_a_bar_and_a_text_open_by_a_click(page: Page, files: Path) -> None:
    open_rows(page, files / "rows.jsonl")
    bar = page.get_by_role("group", name="Texts by bits per byte").get_by_role("button").nth(3)
    low, high = map(float, (bar.get_attribute("aria-label") or "").split(" bits")[0].split(" to "))
    bar.click()
    expect(bar).to_have_attribute("aria-pressed", "true")
    inside = sorted(
        (r for r in rows_of(files) if low <= r["bits_per_byte"] < high), key=lambda r: r["bits_per_byte"]
    )
    items = page.locator(".texts li")
    expect(items).to_have_count(min(20, len(inside)))
    items.first.locator("summary").click()
    expect(items.first.locator("pre")).to_have_text(inside[0]["text"])
    expect(items.first).to_contain_text(str(inside[0]["bits_per_byte"]))


def test_a_point_shows_its_text_by_a_click_and_by_keys(page: Page, files: Path) -> None:
    open_rows(page, files / "rows.jsonl")
    rows = sorted(rows_of(files), key=lambda r: r["bits_per_byte"])
    plot = page.get_by_role("listbox", name="Texts by bits per byte and length")
    dots = plot.get_by_role("option")
    expect(dots).to_have_count(len(rows))
    shown = page.locator(".point pre")
    plot.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(shown).to_have_text(rows[-1]["text"])
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(shown).to_have_text(rows[1]["text"])
    last = dots.last.bounding_box()
    assert last is not None
    page.mouse.click(last["x"] + last["width"] / 2, last["y"] + last["height"] / 2)
    expect(shown).to_have_text(rows[-1]["text"])
    name = dots.last.get_attribute("aria-label")
    assert (
        name
        == f"{significant(rows[-1]['bits_per_byte'], 4)} bits per byte, {len(rows[-1]['text'].encode())} bytes"
    )


def test_a_threshold_by_the_keyboard_counts_both_sides_and_saves_their_ids(page: Page, files: Path) -> None:
    open_rows(page, files / "rows.jsonl")
    bits = [r["bits_per_byte"] for r in rows_of(files)]
    group = page.get_by_role("group", name="Texts by bits per byte")
    group.get_by_role("button").first.focus()
    page.keyboard.press("End")
    expect(group.get_by_role("button").last).to_be_focused()
    expect(group.get_by_role("button").last).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox", name="Texts by bits")).to_be_focused()
    page.keyboard.press("Tab")
    slider = page.get_by_label("Threshold", exact=True)
    expect(slider).to_be_focused()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    value = float((slider.get_attribute("aria-valuetext") or "").split()[0])
    counts = [t.split()[0] for t in page.locator("td.n").filter(has_text="text").all_inner_texts()]
    below = sum(b <= value for b in bits)
    assert abs(int(counts[0]) - below) <= 1 and int(counts[0]) + int(counts[1]) == len(
        bits
    )  # value has 4 digits
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the ids above the threshold").press("Enter")
    assert saved.value.suggested_filename == "rows-above.jsonl"
    lines = [json.loads(line) for line in Path(saved.value.path()).read_text().splitlines()]
    assert len(lines) == int(counts[1]) and all(line["bits_per_byte"] > value - 1e-3 for line in lines)
    ids = {r["id"]: r["bits_per_byte"] for r in rows_of(files)}
    assert all(ids[line["id"]] == line["bits_per_byte"] for line in lines)


def test_hostile_texts_are_text_and_bad_lines_are_named(page: Page, files: Path) -> None:
    open_rows(page, files / "hostile.jsonl")
    panel = page.get_by_role("tabpanel")
    expect(panel).to_contain_text("2 lines left out: line 7: no JSON; line 8: no object")
    page.get_by_label("above it").check()
    page.get_by_label("at most the threshold").check()
    first = page.locator(".texts li").first
    expect(first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(".texts li").nth(1)).to_contain_text("\\u202eevil")
    page.locator(".texts li").nth(2).locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tokens.jsonl", "a row a token"),
        ("cut.parquet", "cut off"),
        ("notes.txt", "expected a file that ends in .jsonl"),
    ],
)
def test_a_file_that_is_none_is_refused(page: Page, files: Path, name: str, said: str) -> None:
    open_rows(page, files / name)
    expect(page.get_by_role("alert")).to_contain_text(said)


def test_jsonl_is_sent_nowhere(page: Page, files: Path, watched: Watched) -> None:
    settle(page)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if not r.url.startswith("blob:") else None)
    open_rows(page, files / "rows.jsonl")
    page.locator(".histogram").wait_for()
    assert sent == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_a_corpus_is_accessible_and_fits(opened: Opened, files: Path, scheme: str, width: int) -> None:
    page = opened(width=width, scheme=scheme)
    open_rows(page, files / "rows.jsonl")
    page.locator(".histogram button").nth(2).click()
    page.get_by_role("listbox", name="Texts by bits per byte and length").press("Enter")
    page.locator(".texts summary").first.click()
    found = Axe().run(page).response["violations"]
    assert [v for v in found if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
