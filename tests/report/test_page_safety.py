"""Nothing that a text says becomes markup of a page, and a page names no address outside itself."""

from __future__ import annotations

import json

import pytest
from page_reader import KNOWN_ATTRIBUTES, KNOWN_TAGS, Reader, full_page
from report_samples import HOSTILE, scored

from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.report.html import page as html
from pofx.vocab.words import WordVocab


@pytest.mark.parametrize(
    "text", [HOSTILE, b"\xff\xfe</script>\xe2\x82<img onerror=x>\x00", "", "\n", "a\r\nb"]
)
def test_nothing_a_text_says_becomes_markup(text: str | bytes) -> None:
    page = full_page(text)
    read = Reader(page)
    assert read.tags <= KNOWN_TAGS, read.tags - KNOWN_TAGS
    assert read.attributes <= KNOWN_ATTRIBUTES, read.attributes - KNOWN_ATTRIBUTES
    assert not set(page) & ({chr(c) for c in range(32)} - {"\n", "\t"})
    assert not set(page) & set("\u202e\u2066\u200b\ufeff")
    kinds = [kind for kind, _ in read.raw]
    assert kinds.count("style") == 1
    assert kinds.count("script") == 4  # three heat texts and page.js: none added, none cut short
    for raw in [body for kind, body in read.raw if kind == "script"][:3]:
        json.loads(raw)


def test_no_token_ends_the_data() -> None:
    words = ("</script>", "<!--", "<script>", "&amp;", "\u2028")
    vocab = WordVocab(words)
    lm = fit_ngram([vocab.encode_array(" ".join(words))], NgramSpec(order=2), vocab)
    read = Reader(html.page("x", [html.score_section([scored(" ".join(words), lm)])]))
    assert read.tags <= KNOWN_TAGS
    assert [kind for kind, _ in read.raw] == ["style", "script", "script"]
    assert not set(read.raw[1][1]) & set("<>&")
    assert {*words[:4], "\\u2028", "EOS"} <= {n.lstrip("␣") for n in json.loads(read.raw[1][1])["names"]}


def test_the_reader_would_notice() -> None:
    assert not Reader("<p>fine</p><img src=x onerror=y>").tags <= KNOWN_TAGS
    assert not Reader("<p onclick=1>fine</p>").attributes <= KNOWN_ATTRIBUTES


def test_no_address_outside_the_page() -> None:
    read = Reader(full_page("plain"))
    for name, value in read.values:
        if name == "href":
            assert value.startswith("#")
        assert name not in ("src", "srcset", "style", "action", "data")
        assert name == "content" or "//" not in value
    for _, raw in read.raw:
        assert "http" not in raw
        assert "//" not in raw
        assert "url(" not in raw
        assert "@import" not in raw
    policy = next(v for k, v in read.values if k == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_anchors_meet_their_sections() -> None:
    read = Reader(full_page("plain"))
    ids = [v for k, v in read.values if k == "id"]
    assert len(ids) == len(set(ids))
    assert {v[1:] for k, v in read.values if k == "href"} <= set(ids)


def test_the_title_of_a_page_is_its_heading_once() -> None:
    page = html.page("A title", [html.prose_section("A title", ["a"]), html.prose_section("Another", ["b"])])
    assert page.count(">A title</h") == 1
    assert page.count(">Another</h2>") == 1
