"""The pages of pofx evaluate, opened from disk: their numbers are those of the reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from looking import fixed
from playwright.sync_api import Browser, Page, expect

import pofx
from conftest import DOCS, PATIENCE, Watched
from pofx.cli.main import pofx as cli

JOBS = DOCS / "jobs"
Opened = Callable[[str], Page]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("evaluate")
    lines = (JOBS / "training.txt").read_text().splitlines()
    for name, order in (("model", 3), ("other", 1)):
        pofx.save(pofx.fit(lines, pofx.NgramSpec(order=order)), home / name)
    # The string of a choice is shown as text.
    rows = [json.loads(line) for line in (JOBS / "questions.jsonl").read_text().splitlines()][:12]
    rows[0]["context"] = "<b>naïve</b> 🙂 " + rows[0]["context"]
    (home / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for items, page in ((home / "questions.jsonl", "q.html"), (JOBS / "pairs.jsonl", "p.html")):
            arguments = ["evaluate", str(items), "-m", "model", "--against", "other", "--html", page]
            found = CliRunner().invoke(cli, arguments)
            assert found.exit_code == 0, found.output
    return home


@pytest.fixture(params=[(1100, "light"), (360, "dark")], ids=["wide", "narrow"])
def opened(browser: Browser, home: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a page, which may not complain, and may ask for nothing."""
    seen = Watched("file://", allowed=[])
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    seen.watch(page)

    def open_page(name: str) -> Page:
        page.goto((home / name).as_uri())
        page.locator("main").wait_for()
        return page

    yield open_page
    context.close()
    assert seen.wrong == []


def fits_and_is_accessible(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_questions_show_the_numbers_of_the_reports(opened: Opened, home: Path) -> None:
    page = opened("q.html")
    rows = [json.loads(line) for line in (home / "questions.jsonl").read_text().splitlines()]
    own, other = (pofx.evaluate_choices(pofx.load(home / n), rows) for n in ("model", "other"))
    main = page.locator("main")
    for report in (own, other):
        expect(main).to_contain_text(f"{100 * report.rules[0].accuracy:.1f}")
    # Every item on which the models differ is listed, and a context is text and no markup.
    assert (own.right != other.right).any()
    for k in (own.right != other.right).nonzero()[0]:
        expect(main).to_contain_text(f"questions.jsonl:{k + 1}")
    expect(main).to_contain_text("<b>naïve</b> 🙂")
    assert page.locator("main b", has_text="naïve").count() == 0
    fits_and_is_accessible(page)


def test_pairs_show_the_numbers_of_the_reports(opened: Opened, home: Path) -> None:
    page = opened("p.html")
    rows = [json.loads(line) for line in (JOBS / "pairs.jsonl").read_text().splitlines()]
    pairs = [pofx.Pair(r["good"], r["bad"]) for r in rows]
    lm = pofx.load(home / "model")
    own = pofx.evaluate_pairs(lm, pairs)
    main = page.locator("main")
    expect(main).to_contain_text(f"{100 * own.whole.accuracy:.1f}")
    wrong = [pairs[k] for k in range(len(pairs)) if not own.right[k]]
    assert wrong
    for pair in wrong:
        expect(main).to_contain_text(pair.bad)
        expect(main).to_contain_text(fixed(pofx.log_prob(lm, pair.bad)))
    fits_and_is_accessible(page)
