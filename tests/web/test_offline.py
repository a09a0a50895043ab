"""Pages of --html, opened from disk: they show the numbers of their data, ask for nothing, and fit a phone."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from looking import fixed, percent, significant
from playwright.sync_api import Browser, Page, expect

import pofx
from conftest import DOCS, PATIENCE, Watched
from pofx.cli.main import pofx as cli
from pofx.report.sums import addends

ROWS = [
    {"key": "a1", "text": "The early bird.\nCatches", "kind": "early", "label": "en"},
    {"key": "b2", "text": "naïve 🙂 café", "kind": None, "label": "en"},
    {"key": "c3", "text": "<b>Qui</b> dort dîne", "kind": "x", "label": "fr"},
]
COMMANDS = {
    "score": "score rows.jsonl --id key --keep kind -m english",
    "words": "words rows.jsonl --id key --keep kind -m english",
    "sample": "sample -m english -n 3 --seed 1 --max-tokens 40",
    "warped": "sample -m english -n 2 --seed 1 --max-tokens 40 --top-k 3",
    "next": "next -m english --unit token -k 5",
    "infill": "infill -m english --suffix bird. -n 16 --max-tokens 6",
    "posterior": "posterior --text Bonjour -m english -m french",
    "audit": "audit -m english",
    "corpus": "corpus proverbs.txt",
    "evaluate": "classify evaluate classes rows.jsonl --label-field label",
}
WIDTHS = (360, 1100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a page of each verb."""
    home = tmp_path_factory.mktemp("pages")
    english, french = ((DOCS / f).read_text() for f in ("proverbs.txt", "proverbes.txt"))
    (home / "proverbs.txt").write_text(english)
    (home / "fr.txt").write_text(french)
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, text in (("english", english), ("french", french)):
            pofx.save(pofx.fit(text.splitlines(), pofx.NgramSpec(order=3)), home / name)
        train = "classify train en=proverbs.txt fr=fr.txt -o classes --order 2"
        assert CliRunner().invoke(cli, train.split()).exit_code == 0
        for name, command in COMMANDS.items():
            arguments = [*command.split(), "--html", f"{name}.html"]
            found = CliRunner().invoke(cli, arguments)
            assert (home / f"{name}.html").exists(), found.output
    return home


Open = Callable[..., Page]


@pytest.fixture
def file_page(browser: Browser, folder: Path) -> Iterator[Open]:
    """Open a page of the folder; at the end of the test no page may have complained, or asked for anything."""
    seen = Watched("file://", allowed=[])
    contexts = []

    def open_page(name: str, width: int = 1100, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        seen.watch(page)
        page.on("dialog", lambda dialog: seen.wrong.append(f"dialog: {dialog.message}"))
        page.goto((folder / f"{name}.html").as_uri())
        page.locator("main").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen.wrong == []


def data(page: Page) -> dict[str, Any]:
    found = json.loads(page.locator("#data").text_content() or "")
    assert isinstance(found, dict)
    return found


def block(page: Page) -> dict[str, Any]:
    """The one block of a page of a verb."""
    found = data(page)["sections"][0]["blocks"][0]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_fits_its_width_and_says_how_it_was_made(file_page: Open, name: str, width: int) -> None:
    page = file_page(name, width, "dark" if width == 360 else "light")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("h1")).to_have_count(1)
    assert page.locator("h2").count() == 0  # the section has the title of the page
    made = data(page)["made"]
    foot = page.locator("footer")
    expect(foot).to_contain_text(f"pofx {made['version']}")
    expect(foot).to_contain_text(f"pofx {COMMANDS[name]}")
    assert made["models"]
    for k, model in enumerate(made["models"]):
        expect(foot).to_contain_text(model["name"])
        expect(foot).to_contain_text(model["fingerprint"])
        ends = foot.locator("dd").nth(k)
        if model["x0"]:  # the model of a report on a corpus is none that a command names
            expect(ends).to_contain_text(f"x0 {model['x0']}")
            expect(ends).to_contain_text("with EOS" if model["eos"] == "EOS" else f"EOS {model['eos']}")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_page_has_a_serious_fault_of_accessibility(file_page: Open, name: str) -> None:
    for scheme in ("light", "dark"):
        found = Axe().run(file_page(name, scheme=scheme)).response["violations"]
        serious = [
            (v["id"], [n["html"][:200] for n in v["nodes"]][:3])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_scores(file_page: Open) -> None:
    page = file_page("score")
    texts = block(page)["texts"]
    assert [t["id"] for t in texts] == [row["key"] for row in ROWS]
    articles = page.locator("article")
    for k, (text, row) in enumerate(zip(texts, ROWS)):
        total = fixed(text["score"]["total_nats"])
        expect(articles.nth(k).locator(".total b").first).to_have_text(total)
        rate = significant(text["score"]["bits_per_byte"])
        expect(articles.nth(k).locator(".total .per b")).to_have_text(rate)
        tokens = f"{text['score']['terms']['tokens']:,}"
        articles.nth(k).get_by_text("The chain rule").click()
        expect(articles.nth(k).locator("tfoot td.n")).to_have_text(total)
        line = page.get_by_role("navigation", name="Texts").get_by_role("listitem").nth(k)
        numbers = [n.split()[-1] for n in line.locator(".numbers > span").all_inner_texts()]
        assert numbers == [total, rate, tokens]
        ranks, rows = text["score"]["tokens"]["rank"], articles.nth(k).locator("tbody tr")
        assert rows.locator("td:nth-child(6)").all_inner_texts() == [f"{r:,}" for r in ranks]
        entropies = text["score"]["tokens"]["entropy"]
        assert rows.locator("td:nth-child(7)").all_inner_texts() == [fixed(h) for h in entropies]
        for shown in (row["key"], f"kind {row['kind'] or '–'}"):
            expect(line).to_contain_text(str(shown))
            expect(articles.nth(k)).to_contain_text(str(shown))
    page.get_by_role("link", name="<b>Qui</b>").click()
    expect(page).to_have_url(re.compile(f"#{articles.nth(2).get_attribute('id')}$"))
    expect(articles.nth(2)).to_be_in_viewport()


def test_words(file_page: Open) -> None:
    page = file_page("words")
    for k, text in enumerate(block(page)["texts"]):
        article = page.locator("article").nth(k)
        shown = article.locator(".sentence .word small").all_inner_texts()
        assert shown == [fixed(w["surprisal_nats"], 2) for w in text["words"]["words"]]
        words = article.locator(".sentence .word > span").all_inner_texts()
        assert words == [w["word"] for w in text["words"]["words"]]
        article.locator("summary").click()
        rows = article.get_by_role("row")
        for unit, column in (("nats", 4), ("bits", 5)):
            shown = rows.locator(f"td:nth-child({column})").all_inner_texts()
            surprisals = [w[f"surprisal_{unit}"] for w in text["words"]["words"]]
            assert shown == addends(surprisals, sum(surprisals))
        total = -text["words"]["total_nats"]
        n = len(text["words"]["words"])
        heads = article.locator(".total b").all_inner_texts()
        bits = total / math.log(2)
        assert heads == [fixed(total), fixed(bits), significant(bits / n)]


@pytest.mark.parametrize("name", ["sample", "warped"])
def test_draws(file_page: Open, name: str) -> None:
    page = file_page(name)
    draws = block(page)["draws"]
    letter = "q" if name == "warped" else "p"
    assert page.locator("h1").inner_text().startswith(f"Draws from {letter}(x)")
    for item, draw in zip(page.locator("ol.draws li").all(), draws, strict=True):
        case = str.lower if draw["ended"] else str.upper
        expect(item).to_contain_text(f"log {case(letter)} = {fixed(draw['nats'])} nats")
        p = draw["model_nats"] if name == "warped" else draw["nats"]
        rate = significant(-p / math.log(2) / len(base64.b64decode(draw["bytes"])))
        expect(item).to_contain_text(f"log {case('p')} = {fixed(p)} nats {rate} bits per byte")
        expect(item).to_contain_text("ended by EOS" if draw["ended"] else "cut off")


def test_next(file_page: Open) -> None:
    page = file_page("next")
    law = block(page)["next"]
    shown = page.locator("ol.outcomes .p").all_inner_texts()
    assert shown == [percent(p) for p in (*(o["p"] for o in law["top"]), law["rest"]["p"])]
    expect(page.locator("ol.outcomes .rest")).to_contain_text(
        f"everything else: {law['rest']['tokens']} tokens"
    )
    nats = page.locator("ol.outcomes .nats").all_inner_texts()
    assert nats == [fixed(o["nats"]) for o in (*law["top"], law["rest"])]
    entropy = law["entropy_nats"]
    expect(page.locator(".note")).to_contain_text(
        f"Entropy: {fixed(entropy)} nats = {significant(entropy / math.log(2))} bits."
    )


def test_infill(file_page: Open) -> None:
    page = file_page("infill")
    found = block(page)
    record = found["conditioned"]
    expect(page.locator(".total b").first).to_have_text(fixed(record["log_evidence_nats"]))
    expect(page.locator("main")).to_contain_text(
        f"{significant(record['ess'])} of {found['counts']['draws']}"
    )
    shown = page.locator("ol.outcomes").first.locator(".p").all_inner_texts()
    assert [s.split(" %")[0] + " %" for s in shown[:5]] == [percent(o["p"]) for o in record["outcomes"][:5]]
    page.get_by_text("The heaviest draws").click()
    weights = page.locator("details ol.outcomes .p").all_inner_texts()
    assert weights == [percent(d["weight"]) for d in record["draws"]]


def test_posterior(file_page: Open) -> None:
    page = file_page("posterior")
    record = block(page)["texts"][0]["posterior"]
    for row, model in zip(page.get_by_role("row").all()[1:], record["models"], strict=True):
        cells = row.get_by_role("cell").all_inner_texts()
        # log p(text) is the same in each row, and the shown terms add up: see `balanced` in web/src/numbers/sums.ts.
        sides = round(model["posterior_nats"], 3) + round(record["total_nats"], 3)
        terms = addends([model["prior_nats"], model["evidence_nats"]], sides)
        assert cells == [
            model["model"],
            *(term.replace("-", "−") for term in terms),
            fixed(record["total_nats"]),
            fixed(model["posterior_nats"]),
            percent(model["posterior"]),
        ]
        arithmetic = model["prior_nats"] + model["evidence_nats"] - record["total_nats"]
        assert arithmetic == pytest.approx(model["posterior_nats"], abs=1e-9)
    # Each line of the path: the posterior of a model after so many tokens, between 0 below and 1 above.
    for k, line in enumerate(page.locator("figure.path polyline").all()):
        points = [p.split(",") for p in (line.get_attribute("points") or "").split()]
        assert [1 - float(y) / 90 for _, y in points] == pytest.approx(
            [math.exp(float(row[k])) for row in record["path_nats"]], abs=1e-3
        )


def test_audit_and_corpus(file_page: Open) -> None:
    for name in ("audit", "corpus"):
        page = file_page(name)
        found = block(page)
        record = found.get("audit") or found["report"]
        expect(page.locator(".badge")).to_contain_text(record["verdict"])
        for item, finding in zip(page.locator(".findings > li").all(), record["findings"], strict=True):
            expect(item).to_contain_text(finding["check"])
            if isinstance(finding["value"], float):
                expect(item.locator(".value")).to_have_text(significant(finding["value"]))
        series = [f["series"] for f in record["findings"] if f["series"]]
        for figure, chart in zip(page.locator("figure.chart").all(), series, strict=True):
            text = " ".join((figure.text_content() or "").split())
            for point, value in chart["points"]:
                assert " ".join(point.split()) in text  # names are never cut
                assert value is None or significant(float(value)) in text
    loss = record["loss"]
    expect(page.locator(".total b")).to_have_text(fixed(loss["value"]))
    expect(page.locator(".total")).to_contain_text(f"{fixed(loss['low'])} to {fixed(loss['high'])}")


def test_evaluation(file_page: Open) -> None:
    page = file_page("evaluate")
    record = block(page)["evaluation"]
    expect(page.locator(".total b").first).to_have_text(f"{fixed(100 * record['accuracy'], 2)} %")
    cells = page.get_by_role("region", name="confusion matrix").locator("tbody tr")
    for row, counts in zip(cells.all(), record["confusion"], strict=True):
        shown = row.locator("td").all_inner_texts()[:-1]
        assert [0 if c == "·" else int(c) for c in shown] == counts
    dots = page.get_by_role("img", name="reliability diagram").locator("circle")
    assert dots.count() == len(record["calibration"])
    shares = [
        ["" if x is None else f"{fixed(100 * x, 1)} %" for x in record[name]]
        for name in ("recall", "precision")
    ]
    classes = page.get_by_role("table", name="classes").locator("tbody tr")
    shown = [classes.locator(f"td:nth-child({k})").all_inner_texts() for k in (3, 4)]
    assert shown == shares and shares[0] != shares[1]
