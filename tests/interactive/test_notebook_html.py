"""The HTML of each value in a notebook: its data are the record's, and no text of a user is markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shown_values import OTHERS, values

import pofx
from pofx.classification.bayes import Posterior
from pofx.report.html.notebook import _DRAWN, MOST, ROWS, TOKENS
from pofx.report.json_records import plain, scored_record
from pofx.report.one_line import _LINES
from small_models import BYTES

ROOT = Path(__file__).parents[2]
NAMES = sorted(set(values()) - {"Trace"})


def data_of(shown: str) -> Any:
    """The data of the page within a frame."""
    frame = re.fullmatch(
        r"""<iframe srcdoc='([^']*)' sandbox="allow-scripts" title="[^"<>]*" [^<>']*></iframe>""", shown
    )
    assert frame is not None
    page = html.unescape(frame[1])
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_one_frame(name: str) -> None:
    shown = values()[name]._repr_html_()
    (section,) = data_of(shown)["sections"]
    assert section["blocks"]
    assert data_of(shown)["compact"] is True
    height = re.search(r'height="(\d+)"', shown)
    assert height is not None
    assert 100 <= int(height[1]) <= MOST
    title = re.search(r'title="([^"]*)"', shown)
    assert title is not None
    assert name == "GenerativeClassifier" or html.unescape(title[1]) == repr(values()[name])
    assert len(shown.encode()) < 60_000


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_the_text(name: str) -> None:
    shown = OTHERS[name]()._repr_html_()
    data_of(shown)
    assert "<script>" not in shown


def packed_of(shown: str) -> tuple[str, str, str]:
    """The policy of the page within a frame, its style sheet and its script."""
    page = html.unescape(re.findall(r"srcdoc='([^']*)'", shown)[0])
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    packed = re.findall(r'id="packed">([^<]*)<', page)[0]
    style, script = gzip.decompress(base64.b64decode(packed)).decode().split("\0")
    return policy, style, script


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_runs_the_built_files_and_no_others(name: str) -> None:
    policy, style, script = packed_of(values()[name]._repr_html_())
    built_files = [p.read_text() for p in (ROOT / "src/pofx/web_pages/notebook").iterdir()]
    assert {style, script} <= set(built_files)
    for source in (style, script):
        assert base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_a_browser_without_scripts_shows_a_table(name: str) -> None:
    value = values()[name] if name in values() else OTHERS[name]()
    page = html.unescape(re.findall(r"srcdoc='([^']*)'", value._repr_html_())[0])
    still = page.partition('<div id="page">')[2].partition("</div>")[0]
    assert set(re.findall(r"<(\w+)", still)) <= {"p", "table", "tr", "th", "td"}
    assert html.escape(repr(value)) in still or name == "GenerativeClassifier"
    assert still.count("<tr>") > 1


def test_the_table_of_a_text_has_its_sum() -> None:
    scored = pofx.score(BYTES, ["the cat sat"])[0]
    page = html.unescape(scored._repr_html_())
    cells = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td></tr>", page)
    name, total = cells[0]
    assert (name, total) == ("Σ", f"−{-scored.total:.3f}")
    assert len(cells) == len(scored.logp) + 1
    assert sum(Decimal(x.replace("−", "-")) for _, x in cells[1:]) == Decimal(f"{scored.total:.3f}")


def test_the_numbers_are_those_of_the_record() -> None:
    scored = pofx.score(BYTES, ["the cat sat"])[0]
    (text,) = data_of(scored._repr_html_())["sections"][0]["blocks"][0]["texts"]
    want = plain(scored_record(scored, tokens=False))
    assert {k: text["score"][k] for k in want} == want


def test_a_long_text_has_its_line_alone() -> None:
    long = pofx.score(BYTES, ["a" * (TOKENS + 1)])[0]
    assert long._repr_html_() is None
    assert pofx.words(BYTES, ["a " * (TOKENS // 2 + 1)])[0]._repr_html_() is None
    assert len(pofx.score(BYTES, ["a" * TOKENS])[0]._repr_html_()) < 900_000


def test_every_type_with_html_has_a_line() -> None:
    assert set(_DRAWN) <= set(_LINES)


def test_a_value_without_html_is_shown_by_its_line() -> None:
    assert values()["Trace"]._repr_html_() is None


def test_a_long_table_says_that_it_goes_on() -> None:
    p = np.full((ROWS + 7, 2), 0.5)
    shown = Posterior(np.log(p), np.zeros(len(p)))._repr_html_()
    (block,) = data_of(shown)["sections"][0]["blocks"]
    assert len(block["amounts"]) == ROWS
    assert block["note"] == "And 7 more texts."


def test_a_classifier_shows_its_classes_once_it_is_fitted() -> None:
    fitted = values()["GenerativeClassifier"]
    assert data_of(fitted._repr_mimebundle_()["text/html"])
    assert fitted._repr_mimebundle_()["text/plain"].startswith("GenerativeClassifier(2 classes")
    unfitted = pofx.GenerativeClassifier(em=3)
    assert "iframe" not in unfitted._repr_mimebundle_()["text/html"]
    assert unfitted._repr_mimebundle_()["text/plain"] == "GenerativeClassifier(em=3)"
