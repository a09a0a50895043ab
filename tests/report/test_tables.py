"""Tables and panels show what the records hold, at any width and without colours."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from page_reader import blocks_of
from report_samples import AUDIT, ENDLESS, HOSTILE, INF, LM, fitted, scored, show
from rich.cells import cell_len
from rich.console import Console

from pofx.lm.trace import Want
from pofx.models.ngram.model import NgramLM
from pofx.queries.findings import Finding
from pofx.queries.next_unit.next import next_token
from pofx.queries.sample import sample
from pofx.report.chain import factors, total
from pofx.report.html import page as html
from pofx.report.numerals import fixed_point, probability
from pofx.report.terminal.audit import audit_headline, audit_table
from pofx.report.terminal.draws import draws_table
from pofx.report.terminal.next_unit import next_table
from pofx.report.terminal.score import chain_table, heat_text, legend, score_panel
from pofx.vocab.vocabulary import ByteVocab


@pytest.mark.parametrize("lm", [LM, ENDLESS], ids=["EOS", "endless"])
@pytest.mark.parametrize("length", [0, 1, 60, 61, 200, 700])
def test_tables_end_in_the_total(lm: NgramLM, length: int) -> None:
    s = scored(("the cat sat " * 60)[:length], lm)
    value = s.total if s.terms.end else s.prefix_total
    shown = show(chain_table(s))
    assert shown.split()[-1] == fixed_point(value)
    assert ("EOS" in shown) == s.terms.end
    assert ("hidden" in shown) == (length > 60)
    if length > 60:
        assert f"{length - 60:,} hidden" in shown
    rows = re.findall(r"^\s*(\d+) ", shown, flags=re.M)
    assert len(rows) == min(length, 60) + s.terms.end
    assert not rows or (rows[0], rows[-1]) == ("1", str(len(s.logp)))
    if length > 60:
        assert int(rows[40]) == length - 19
    page = html.page("x", [html.score_section([s])])
    score = blocks_of(page)[0]["texts"][0]["score"]
    assert (score["total_nats"] if s.terms.end else score["prefix_nats"]) == value
    assert score["tokens"]["nats"] == s.logp.tolist()
    assert len(score["tokens"]["token"]) == length + s.terms.end
    running = factors(s, range(len(s.logp)))
    assert not running or running[-1].running == pytest.approx(value)
    panel = show(score_panel(s))
    assert fixed_point(value) in panel
    assert ("log p(x)" if s.terms.end else "log P(x)") in panel
    assert "perplexity" not in (panel + shown + page).lower()


def test_absent_columns_are_left_out() -> None:
    bare = scored("the cat", want=Want())
    shown = show(chain_table(bare))
    assert "rank" not in shown
    assert "entropy" not in shown
    page = html.page("bare", [html.score_section([bare])])
    columns = blocks_of(page)[0]["texts"][0]["score"]["tokens"]
    assert set(columns) == {"token", "start", "end", "nats", "seen", "names"}
    half = scored("the cat", want=Want(rank=True))
    assert "rank" in show(chain_table(half))


def test_impossible_texts() -> None:
    s = scored("zzz", fitted(ByteVocab(), smoothing="mle"))
    assert s.total == -INF
    assert "-∞" in show(chain_table(s))
    page = html.page("x", [html.score_section([s, s])])
    assert [t["score"]["total_nats"] for t in blocks_of(page)[0]["texts"]] == ["-inf", "-inf"]
    heat_text(s)


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_overflows(width: int) -> None:
    hostile = scored(HOSTILE * 12)
    long_token = replace(
        AUDIT, findings=(*AUDIT.findings, Finding("w" * 90, "pass", 1.0, 2.0, "u" * 40, "y" * 200))
    )
    for item in (
        chain_table(hostile),
        chain_table(scored("the 🙂 cat")),
        heat_text(hostile),
        legend(),
        score_panel(hostile),
        next_table(next_token(LM, "the ", k=12)),
        draws_table(sample(LM, 4, seed=2, max_tokens=60)),
        audit_table(long_token),
        audit_headline(AUDIT),
    ):
        console = Console(width=width, file=io.StringIO(), color_system="truecolor", force_terminal=True)
        lines = console.render_lines(item, pad=False)
        texts = ["".join(seg.text for seg in line) for line in lines]
        assert max(cell_len(t) for t in texts) <= width
        assert not any(set(t) & set("\x00\x1b\u202e\r\t") for t in texts)


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_are_never_cut(width: int) -> None:
    s = scored("the cat sat on the mat " * 500)
    shown = show(chain_table(s), width)
    assert fixed_point(s.total) in shown
    assert "…" not in re.sub(r"\n\s*…\s+11,440 hidden[-\s\d.]*\n", "\n", shown)


def test_no_information_in_colour_alone() -> None:
    audit = show(audit_table(AUDIT))
    for mark in ("✓ pass", "! warn", "✗ fail"):
        assert mark in audit
    head = show(audit_headline(AUDIT))
    assert "✗ improper" in head
    assert "2 pass, 1 warn, 1 fail on 512 documents; seed 3" in head
    assert "1.70 ± 0.060" in head
    page = html.page("a", [html.audit_section(AUDIT, "toy")])
    found = blocks_of(page)[0]
    assert found["audit"]["verdict"] == "improper"
    assert [f["verdict"] for f in found["audit"]["findings"]] == ["pass", "warn", "fail", "pass"]
    assert found["audit"]["findings"][0]["bound"] == 1e-9
    assert found["evidence"].startswith("x0 <s> (trained)")


def test_markup_of_rich_is_only_text() -> None:
    s = scored("[bold red]x[/] :smile:")
    assert "[bold red]x[/] :smile:" in show(heat_text(s))
    assert "[red]" in show(audit_headline(replace(AUDIT, reason="[red]")))


def test_draws_say_how_they_ended() -> None:
    draws = sample(LM, 20, seed=0, max_tokens=12)
    assert {d.ended for d in draws} == {True, False}
    shown = show(draws_table(draws))
    assert shown.count("cut off") == sum(not d.ended for d in draws)
    page = html.page("d", [html.draws_section(draws, "Draws")])
    assert [d["ended"] for d in blocks_of(page)[0]["draws"]] == [d.ended for d in draws]
    assert all(fixed_point(d.total) in shown for d in draws)


def test_next_sums_to_one() -> None:
    law = next_token(LM, "the ", k=3)
    shown = show(next_table(law))
    assert f"{law.n_rest} others" in shown
    assert all(probability(a.logp) in shown for a in law.top)
    assert "others" not in show(next_table(next_token(LM, "the ", k=257)))


def test_behind_a_given_text() -> None:
    s = scored(" sat", given="the cat")
    assert total(s).name == "log p(x | given)"
    page = html.page("g", [html.score_section([s])])
    assert blocks_of(page)[0]["texts"][0]["score"]["given"] == "the cat"
    assert "given" in show(score_panel(s))
