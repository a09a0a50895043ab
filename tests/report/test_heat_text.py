"""The heat text shows every character once, in terminal and page, on a shade on which it can be read."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_reader import blocks_of
from report_samples import HOSTILE, INF, NAN, TEXTS, fitted, scored, show

from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.report import heat
from pofx.report.html import page as html
from pofx.report.html.token_columns import WITH_ALTERNATIVES
from pofx.report.json_records import scored_record
from pofx.report.pieces import character_ends, pieces
from pofx.report.terminal.score import chain_table, heat_text
from pofx.report.visible import visible_bytes
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab
from pofx.vocab.words import WordVocab

WEB = Path(__file__).parents[2] / "web" / "src"


def scores_of(page: str) -> list[dict]:
    """The scored texts of a page."""
    return [
        text["score"] for block in blocks_of(page) if block["kind"] == "scores" for text in block["texts"]
    ]


@pytest.mark.parametrize(
    "text", [*TEXTS, HOSTILE, "", "🙂" * 20, b"\xf0\x9f\x99 \x82 \xc3\xa9\xff", "\n\n a\n"]
)
@pytest.mark.parametrize(
    "vocab", [ByteVocab(), CharVocab("".join(TEXTS), escape=True)], ids=["bytes", "chars"]
)
def test_heat_text_has_every_character_once(text: str | bytes, vocab: Vocab) -> None:
    s = scored(text, fitted(vocab))
    data = text if isinstance(text, bytes) else text.encode()
    assert b"".join(p.data for p in pieces(s)) == data
    shown = visible_bytes(data)
    assert heat_text(s).plain == shown.replace("⏎", "⏎\n") + "∎"
    # The page joins the bytes of its tokens.
    columns = scores_of(html.page("x", [html.score_section([s])]))[0]["tokens"]
    spelled = [base64.b64decode(columns["names"][t][2] or "") for t in columns["token"]]
    assert b"".join(spelled) == data
    whole = -sum(p.surprisal for p in pieces(s))
    assert whole == pytest.approx(s.prefix_total)


def test_an_emoji_of_bytes_is_one_piece() -> None:
    s = scored("a🙂é")
    found = pieces(s)
    assert [(p.lo, p.hi, p.data.decode()) for p in found] == [(0, 1, "a"), (1, 5, "🙂"), (5, 7, "é")]
    assert found[1].surprisal == pytest.approx(-s.logp[1:5].sum())
    rows = show(chain_table(s))
    for byte in ("\\xf0", "\\x9f", "\\x99", "\\x82", "\\xc3", "\\xa9"):
        assert byte in rows
    assert "🙂" in heat_text(s).plain


def test_stray_bytes_stand_alone() -> None:
    assert character_ends(b"\xe2\x82a\xc3\xa9").tolist() == [True, True, True, True, False, True]
    s = scored(b"\xe2\x82a")
    assert [p.data for p in pieces(s)] == [b"\xe2", b"\x82", b"a"]


def test_tokens_that_split_or_skip_characters() -> None:
    s = scored("aé")
    spans = np.array([[0, 2], [2, 2], [2, 3]])
    odd = replace(s)
    odd.__dict__["spans"] = spans  # where a property keeps what it has computed
    assert [(p.lo, p.hi, p.data) for p in pieces(odd)] == [(0, 3, "aé".encode())]
    empty_last = replace(s)
    empty_last.__dict__["spans"] = np.array([[0, 1], [1, 3], [3, 3]])
    assert [(p.lo, p.hi) for p in pieces(empty_last)] == [(0, 1), (1, 3)]


def test_words_take_their_spaces_along() -> None:
    vocab = WordVocab(("the", "cat", "sat"))
    lm = fit_ngram([vocab.encode_array("the cat sat")], NgramSpec(order=2), vocab)
    s = scored("the cat sat", lm)
    assert [p.data for p in pieces(s)] == [b"the", b" cat", b" sat"]
    columns = scores_of(html.page("x", [html.score_section([s])]))[0]["tokens"]
    assert list(zip(columns["start"], columns["end"])) == [(0, 3), (3, 7), (7, 11), (11, 11)]


def test_the_columns_of_a_page_are_the_record() -> None:
    s = scored("the 🙂\n")
    columns = scores_of(html.page("x", [html.score_section([s])]))[0]["tokens"]
    record = scored_record(s, tokens=True, top=True)["tokens"]
    for k, token in enumerate(record):
        i, name, spelled = columns["names"][columns["token"][k]]
        assert (i, name, spelled) == (token["id"], token["token"], token["bytes"])
        for column in ("start", "end", "nats", "seen", "rank"):
            assert columns[column][k] == token[column]
        assert columns["entropy"][k] == pytest.approx(token["entropy_nats"], rel=1e-6)
        top = [columns["names"][t][1] for t in columns["top"][k]]
        assert top == [t["token"] for t in token["top"] if t["nats"] > -INF]
        assert columns["top_nats"][k] == pytest.approx(
            [t["nats"] for t in token["top"] if t["nats"] > -INF], rel=1e-6
        )
    assert len(columns["token"]) == len(record)


def test_a_long_text_stays_light() -> None:
    text = ("the cat sat on the mat 🙂\n" * 4000)[:100_000]
    base = scored(text[:3000])
    n = len(text.encode())
    # Scoring is not what is timed here: the numbers of a short text, repeated.
    rng = np.random.default_rng(0)
    s = replace(
        base,
        text=text,
        tokens=np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64),
        logp=-rng.exponential(size=n + 1),
        entropy=rng.random(n + 1),
        rank=rng.integers(1, 257, n + 1),
        top_ids=rng.integers(0, 257, (n + 1, 5)),
        top_logp=-rng.exponential(size=(n + 1, 5)) - 2,
    )
    start = time.perf_counter()
    page = html.page("long", [html.score_section([s])])
    took = time.perf_counter() - start
    assert took < 60  # quadratic work would take hours
    # All tokens are there with their numbers, the alternatives of the first ones alone.
    assert len(page.encode()) < 10_000_000
    score = scores_of(page)[0]
    assert len(score["tokens"]["nats"]) == n + 1
    assert len(score["tokens"]["top"]) == WITH_ALTERNATIVES
    assert score["total_nats"] == s.total
    assert "more" in heat_text(s).plain


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_on_every_shade() -> None:
    assert min(contrast(c, heat.LIGHT_INK) for c in heat.LIGHT) >= 4.5
    assert min(contrast(c, heat.DARK_INK) for c in heat.DARK) >= 4.5
    assert min(contrast(c, heat.TERMINAL_INK) for c in heat.TERMINAL if c) >= 4.5
    assert len(heat.EDGES) + 1 == len(heat.LABELS) == len(heat.LIGHT) == len(heat.DARK) == len(heat.TERMINAL)


def test_the_pages_have_the_same_scale() -> None:
    style = (WEB / "style" / "heat.css").read_text()
    roots = re.findall(r":root \{(.*?)\}", style, flags=re.S)
    for colours, ink, root in zip(
        (heat.LIGHT, heat.DARK), (heat.LIGHT_INK, heat.DARK_INK), roots, strict=True
    ):
        assert dict(re.findall(r"--([\w-]+): (#\w+);", root)) == {
            **{f"h{k}": colour for k, colour in enumerate(colours)},
            "h-ink": ink,
        }
    scale = (WEB / "text" / "scale.ts").read_text()
    edges = re.search(r"EDGES = \[(.*?)\]", scale)
    labels = re.search(r"LABELS = (\[.*?\])", scale)
    assert edges is not None
    assert labels is not None
    assert tuple(map(float, edges[1].split(","))) == heat.EDGES
    assert tuple(json.loads(labels[1])) == heat.LABELS


def test_shades() -> None:
    assert [heat.shade(v) for v in (0.0, 0.49, 0.5, 1.0, 11.9, 12.0, 1e9, INF, NAN)] == [
        0,
        0,
        1,
        2,
        6,
        7,
        7,
        7,
        7,
    ]
