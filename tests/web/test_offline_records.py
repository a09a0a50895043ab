"""A page of --html shows every number of its records, also those that stand beside the main ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from looking import expect_facts, fixed, percent, shown_p, significant
from playwright.sync_api import Browser, Locator, Page, expect

import pofx
from conftest import Watched
from pofx.classification.evaluation import evaluate
from pofx.queries.corpus_audit.record import CorpusReport
from pofx.queries.findings import Audit, BeginEvidence
from pofx.report.html import page as html
from pofx.report.verdicts import CORPUS_GLOSS, GLOSS, begin_evidence
from small_models import BYTES, MLE, NO_BEGIN, NO_END

FULL = pofx.Want(entropy=True, rank=True, top=3)
NATS = math.log(2)  # nats of a bit

Shown = Callable[..., Page]


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Shown]:
    """Open a page of one section with these blocks; at the end of the test it must not have complained."""
    seen = Watched("file://", allowed=[])
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    seen.watch(page)

    def open_blocks(*blocks: html.Block, lead: str = "", made: html.Made | None = None) -> Page:
        file = tmp_path / "page.html"
        file.write_text(html.page("A page", [html.Section("A page", blocks)], lead, made), encoding="utf-8")
        page.goto(file.as_uri())
        page.locator("footer").wait_for()
        return page

    yield open_blocks
    page.close()
    assert seen.wrong == []


def overview(page: Page) -> list[list[str]]:
    """The numbers of each row of the overview, each with its heading."""
    rows = page.locator("main nav li:not(.head)")
    return [
        [" ".join((s.text_content() or "").split()) for s in row.locator(".numbers > span").all()]
        for row in rows.all()
    ]


def words_of(locator: Locator) -> str:
    return " ".join(locator.inner_text().split())


def test_scores_after_a_prefix(shown: Shown) -> None:
    scored = pofx.score(BYTES, [" sat", "s and dogs"], "the cat", FULL)
    page = shown(html.score_block(scored), lead="A lead.")
    expect(page.locator("header p")).to_have_text("A lead.")
    expected = [
        [
            f"log p(x), nats{fixed(s.total)}",
            f"bits per byte{significant(-s.total / NATS / s.terms.bytes)}",
            f"tokens{s.terms.tokens}",
        ]
        for s in scored
    ]
    assert overview(page) == expected
    for s, article in zip(scored, page.locator("article").all(), strict=True):
        expect(article.locator(".terms")).to_have_text(str(s.terms))
        expect(article.locator(".note").first).to_have_text("after: the cat")
        article.get_by_text("The chain rule").click()
        rows = article.locator(".chain tbody tr")
        expect(rows).to_have_count(len(s.logp))
        assert rows.locator("td:nth-child(8)").all_inner_texts() == [f"{n:,}" for n in s.seen]


def test_the_chosen_token_has_its_numbers_and_its_alternatives(shown: Shown) -> None:
    (s,) = pofx.score(BYTES, ["the dog"], "", FULL)
    page = shown(html.score_block([s]))
    assert s.top_ids is not None and s.top_logp is not None and s.rank is not None and s.entropy is not None
    for k in (0, 4, len(s.logp) - 1):
        page.get_by_role("listbox").get_by_role("option").nth(k).click()
        facts = {
            "p": shown_p(s.logp[k]),
            "log p": fixed(s.logp[k]),
            "rank": f"{s.rank[k]:,}",
            "entropy": fixed(s.entropy[k]),
            "context": f"{s.seen[k]:,}",
        }
        expect_facts(page, facts)
        rows = page.locator(".alternatives li")
        masses = [math.exp(x) for x in s.top_logp[k]]
        if [*s.tokens, s.vocab.end][k] not in s.top_ids[k]:
            masses.append(math.exp(s.logp[k]))
        masses.append(1 - sum(masses))
        assert rows.locator(".p").all_inner_texts() == [percent(p) for p in masses]


def test_an_overview_of_posteriors_names_the_likeliest_model_of_each_text(shown: Shown) -> None:
    other = pofx.fit(["zebra", "zoo", "zz"], pofx.NgramSpec(order=2))
    found = pofx.posterior(pofx.mixture([BYTES, other]), ["the cat", "zebra zoo"])
    page = shown(html.posterior_block(found, ["animals", "zs"]))
    best = [int(np.argmax(r.posterior)) for r in found]
    assert best == [0, 1]
    expected = [
        [f"likeliest model{('animals', 'zs')[k]}", f"posterior{percent(math.exp(r.posterior[k]))}"]
        for k, r in zip(best, found)
    ]
    assert overview(page) == expected
    page.get_by_role("navigation", name="Texts").get_by_role("link", name="zebra zoo").click()
    expect(page).to_have_url(re.compile("-2$"))
    assert page.locator("article .answer b").all_inner_texts() == [
        x for (a, b) in expected for x in (a[15:], b[9:])
    ]


def test_several_audits_have_their_own_names_and_verdicts(shown: Shown) -> None:
    begin = BeginEvidence("<s>", "trained", 3.9, 8.0, 5.6, 0.06, 512)
    first = Audit("joint", "all is well.", begin, (), 3, 7)
    audits = [
        ("first", first),
        ("second", replace(first, verdict="improper", reason="some texts never end.")),
    ]
    block = html.Block("audits", {"audits": [{"name": n, **html.audit_block(a).data} for n, a in audits]})
    page = shown(block)
    assert overview(page) == [[f"verdict{a.verdict}"] for _, a in audits]
    assert page.locator("article > h3").all_inner_texts() == ["first", "second"]
    for (_, audit), article in zip(audits, page.locator("article").all(), strict=True):
        text = words_of(article)
        evidence = begin_evidence(begin)
        for part in (GLOSS[audit.verdict], audit.reason, "on 3 documents; seed 7"):
            assert part in text
        assert " ".join(evidence.split()).replace("-", "−")[:20] in text.replace("-", "−")


def test_words_of_several_texts(shown: Shown) -> None:
    worded = pofx.words(BYTES, ["the cat sat", "dogs"])
    page = shown(html.words_block(worded))
    n = [len([w for w in x.words if w.index is not None]) for x in worded]
    assert overview(page) == [
        [
            f"−log p(x), nats{fixed(-x.total)}",
            f"bits a word{significant(-x.total / NATS / k)}",
            f"words{k}",
        ]
        for x, k in zip(worded, n)
    ]
    for x, article in zip(worded, page.locator("article").all(), strict=True):
        article.locator("summary").click()
        rows = article.locator("tbody tr")
        columns = {
            "at": [f"{w.start:,}–{w.end:,}" for w in x.words],
            "end": [fixed(w.ending) if w.ending else "" for w in x.words],
            "entropy": ["" if w.entropy is None else fixed(w.entropy) for w in x.words],
            "tokens": [f"{w.tokens:,}" for w in x.words],
        }
        assert any(columns["end"]) and any(columns["entropy"])
        headings = article.locator("thead th").all_inner_texts()
        for name, cells in columns.items():
            place = headings.index(name) + 1
            assert rows.locator(f"td:nth-child({place}), th:nth-child({place})").all_inner_texts() == cells


def report() -> CorpusReport:
    texts = [
        f"{a} {b} {c} everything." for a in ("It", "We") for b in "abcdefghij" for c in ("has", "saw", "ate")
    ]
    return pofx.corpus_report([*texts, texts[0], texts[1]])


def test_a_report_on_a_corpus(shown: Shown) -> None:
    found = replace(report(), midway=("7", "9"), seed=5)
    assert found.copies
    page = shown(html.corpus_block(found))
    text = words_of(page.locator("main"))
    loss = found.loss
    for part in (
        CORPUS_GLOSS[found.verdict],
        f"{found.documents} documents, {found.bytes:,} bytes",
        f"{found.held_out} held out. As much as {significant(found.effective)} independent documents.",
        f"Scored by {loss.model}: {loss.n} documents in {loss.clusters} clusters.",
        f"{significant(100 * loss.level)} % interval: {fixed(loss.low)} to {fixed(loss.high)}",
        "seed 5",
    ):
        assert part in text
    page.locator("summary", has_text="Copies").click()
    groups = page.locator("details[open] li").all()
    assert [g.locator("code").all_inner_texts() for g in groups] == [list(g) for g in found.copies[:12]]
    page.locator("summary", has_text="start mid-way").click()
    assert page.locator("details[open] > p code").all_inner_texts() == ["7", "9"]


def test_an_evaluation_has_its_loss_and_its_documents(shown: Shown) -> None:
    log_p = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    found = evaluate(log_p, np.array([0, 1, 1]))
    page = shown(html.evaluation_block(found, ["a", "b"]))
    assert [words_of(s) for s in page.locator("p.total > span").all()] == [
        f"{fixed(100 * found.accuracy, 2)} % right",
        f"log-loss {significant(found.log_loss)} nats a document",
        f"calibration error {fixed(100 * found.calibration_error, 2)} %",
        "3 documents",
    ]


def test_draws_have_their_texts_and_their_lengths(shown: Shown) -> None:
    draws = pofx.sample(MLE, 4, seed=2)
    assert len({d.text for d in draws}) > 1
    page = shown(html.draws_block(draws))
    for draw, item in zip(draws, page.locator("ol.draws > li").all(), strict=True):
        n = len(draw.tokens)
        assert item.locator(".draw").inner_text().removesuffix("EOS") == (draw.text or "(empty)")
        expect(item.locator(".facts")).to_contain_text(f"{n} token" if n == 1 else f"{n} tokens")


def test_a_filled_gap(shown: Shown) -> None:
    found = pofx.infill(pofx.mixture([BYTES, MLE]), "the ", " sat", n=64, seed=1, max_tokens=6)
    assert found.method == "smc"
    page = shown(html.conditioned_block(found, "middle", " sat"))
    best = found.outcomes[0]
    assert page.locator("p.filled > *").all_inner_texts() == ["the ", best.text or "·", " sat"]
    heads = [words_of(s) for s in page.locator("p.total > span").all()]
    evidence = f"log P = {fixed(found.log_evidence)} ± {significant(found.se, 2)} nats"
    assert heads == [evidence, f"P = {shown_p(found.log_evidence)}"]
    outcomes = found.outcomes[:10]
    expected = [percent(o.p) + (f" ± {percent(o.se)}" if o.se else "") for o in outcomes]
    rest = 1 - sum(o.p for o in outcomes)
    if rest > 1e-9:
        expected.append(percent(rest))
    rows = page.locator("ol.outcomes").first.locator("li")
    assert [words_of(p) for p in rows.locator(".p").all()] == expected
    assert any(o.se for o in outcomes)


def test_the_next_token_has_its_names(shown: Shown) -> None:
    found = pofx.next(BYTES, "the ", 5)
    page = shown(html.next_block(found))
    assert page.locator("ol.outcomes bdi").all_inner_texts() == [a.shown for a in found.top]
    expect(page.locator(".asked")).to_have_text("the next token after the ")
    expect(page.locator(".terms")).to_have_text(found.terms.common)


def test_the_foot_says_what_a_model_has_not(shown: Shown) -> None:
    notes = tuple(html.model_note(name, lm) for name, lm in (("a", NO_BEGIN), ("b", NO_END), ("c", MLE)))
    page = shown(html.paragraph("Nothing."), made=html.Made("pofx score", notes))
    a, b, c = (words_of(x) for x in page.locator("footer dd").all()[:3])
    assert a.startswith("a no x0") and "EOS" in a and "no EOS" not in a
    assert "no EOS" in b and "no x0" not in b
    assert "no" not in c.split("fingerprint")[0].split()
