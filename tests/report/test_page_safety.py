"""Nothing that a text says becomes markup of a page, and a page names no address outside itself."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from page_reader import KNOWN_ATTRIBUTES, KNOWN_TAGS, Reader, blocks_of, data_of, full_page
from report_samples import HOSTILE, LM, scored

from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.sample import sample
from pofx.report.html import page as html
from pofx.vocab.words import WordVocab


@pytest.mark.parametrize(
    "text", [HOSTILE, b"\xff\xfe</script>\xe2\x82<img onerror=x>\x00", "", "\n", "a\r\nb"]
)
def test_nothing_a_text_says_becomes_markup(text: str | bytes) -> None:
    page = full_page(text)
    read = Reader(page)
    assert read.tags == KNOWN_TAGS
    assert read.attributes <= KNOWN_ATTRIBUTES, read.attributes - KNOWN_ATTRIBUTES
    before_script = page[: page.rindex("<script>")]
    assert not set(before_script) & ({chr(c) for c in range(32)} - {"\n", "\t"})
    assert not set(before_script) & set("\u202e\u2066\u200b\ufeff")
    assert [kind for kind, _ in read.raw] == ["style", "script", "script"]  # none added, none cut short
    assert not set(read.raw[1][1]) & set("<>&")
    assert data_of(page)["title"] == str(text)


def test_no_token_ends_the_data() -> None:
    words = ("</script>", "<!--", "<script>", "&amp;", "\u2028")
    vocab = WordVocab(words)
    lm = fit_ngram([vocab.encode_array(" ".join(words))], NgramSpec(order=2), vocab)
    read = Reader(html.page("x", [html.score_section([scored(" ".join(words), lm)])]))
    assert read.tags <= KNOWN_TAGS
    assert [kind for kind, _ in read.raw] == ["style", "script", "script"]
    assert not set(read.raw[1][1]) & set("<>&")
    score = json.loads(read.raw[1][1])["sections"][0]["blocks"][0]["texts"][0]["score"]
    assert {*words[:4], "\\u2028", "EOS"} <= {name.lstrip("␣") for _, name, _ in score["tokens"]["names"]}


def test_the_reader_would_notice() -> None:
    assert not Reader("<p>fine</p><img src=x onerror=y>").tags <= KNOWN_TAGS
    assert not Reader("<div onclick=1>fine</div>").attributes <= KNOWN_ATTRIBUTES


def hashed(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def test_the_policy_allows_the_script_and_the_style_of_the_page_alone() -> None:
    read = Reader(full_page("plain"))
    (_, style), _, (_, script) = read.raw
    policy = next(v for k, v in read.values if k == "content" and "default-src" in v)
    assert policy == (
        f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    for ends in ("</script", "<script", "<!--"):
        assert ends not in script


def test_no_address_outside_the_page() -> None:
    read = Reader(full_page("plain"))
    for name, value in read.values:
        assert name not in ("src", "srcset", "style", "action", "data", "href")
        assert name == "content" or "//" not in value
    (_, style), (_, data), (_, script) = read.raw
    assert "http" not in data
    for raw in (style, data):
        assert "//" not in raw
        assert "url(" not in raw
        assert "@import" not in raw
    # The script names namespaces of SVG and addresses of error messages. It asks for none: the policy allows no request.
    for asks in ("fetch(", "XMLHttpRequest", "WebSocket", "import("):
        assert asks not in script


def test_the_title_of_a_page_is_in_its_data_once() -> None:
    page = html.page("A title", [html.prose_section("A title", ["a"]), html.prose_section("Another", ["b"])])
    assert data_of(page)["title"] == "A title"
    assert [s["title"] for s in data_of(page)["sections"]] == ["A title", "Another"]
    assert page.count("<title>A title</title>") == 1


def test_a_page_says_how_it_was_made() -> None:
    note = html.model_note("toy", LM)
    made = data_of(html.page("t", [], made=html.Made("pofx score --text x", (note,))))["made"]
    assert made["command"] == "pofx score --text x"
    expected = {"name": "toy", "x0": str(LM.begin), "eos": "EOS", "fingerprint": LM.fingerprint}
    assert made["models"] == [expected]


def test_a_fragment_is_the_page_in_a_frame_that_reaches_nothing() -> None:
    draws = sample(LM, 1, seed=1, max_tokens=9)
    found = html.fragment([html.Section("", (html.draws_block(draws), html.paragraph(HOSTILE)))], height=123)
    read = Reader(found)
    assert read.tags == {"iframe"}
    values = dict(read.values)
    assert values["sandbox"] == "allow-scripts"
    assert values["height"] == "123"
    assert data_of(values["srcdoc"])["compact"]
    assert blocks_of(values["srcdoc"])[1]["text"] == HOSTILE
