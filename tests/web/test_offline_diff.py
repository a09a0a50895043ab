"""The page of pofx diff, opened from disk: its numbers are those of the data, and the regions of a text add up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from looking import fixed, significant
from playwright.sync_api import Browser, Page, expect

import pofx
from conftest import DOCS, PATIENCE, Watched
from pofx.cli.main import pofx as cli

TEXTS = ["The early bird catches the worm.", "naïve 🙂 café", "<b>Time</b> flies."]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("diff")
    lines = (DOCS / "proverbs.txt").read_text().splitlines()
    for name, vocab in (("bytes", "bytes"), ("pieces", "bpe:300")):
        pofx.save(pofx.fit(lines, pofx.NgramSpec(order=2, vocab=vocab)), home / name)
    (home / "t.txt").write_text("\n".join(TEXTS) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        arguments = ["diff", "t.txt", "-m", "bytes", "-m", "pieces", "--most", "2", "--html", "p.html"]
        found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 0, found.output
    return home / "p.html"


@pytest.fixture(params=[(1100, "light"), (360, "dark")], ids=["wide", "narrow"])
def page(browser: Browser, path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, which may not complain, and may ask for nothing."""
    seen = Watched("file://", allowed=[])
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    seen.watch(page)
    page.goto(path.as_uri())
    page.locator("main").wait_for()
    yield page
    context.close()
    assert seen.wrong == []


def test_the_page_shows_the_numbers_of_its_data(page: Page, path: Path) -> None:
    lms = [pofx.load(path.parent / name) for name in ("bytes", "pieces")]
    found = pofx.diff(lms[0], lms[1], TEXTS, most=2)
    expect(page.locator(".total b").first).to_have_text(significant(found.per_text.value))
    articles = page.locator("article")
    assert articles.count() == 2
    for article, i in zip(articles.all(), found.most(2)):
        text = TEXTS[i]
        regions = article.locator(".regions [role=option]").all_inner_texts()
        assert "".join(regions).rstrip() == text + "EOS"
        totals = [round(s[i], 3) for s in (found.log_a, found.log_b)]
        delta = fixed(totals[0] - totals[1])
        expect(article.locator(".comparison .total b")).to_have_text(delta)
        expect(page.get_by_role("navigation", name="Texts")).to_contain_text(delta)
        expect(article).to_contain_text(f"All differences add up to {delta} nats.")
        assert article.get_by_text("Which model is the text from?").count() == 0
    data = json.loads(page.locator("#data").text_content() or "")
    rows = next(s for s in data["sections"] if s["title"].startswith("The words"))["blocks"][0]["rows"]
    assert [r[3]["number"] for r in rows] == [fixed(p.difference) for p in found.words]


def test_the_page_fits_and_has_no_serious_fault_of_accessibility(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
