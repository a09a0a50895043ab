"""What a report shows is what the records hold, whatever the texts are."""

from __future__ import annotations

import io
import json
import math
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from pofx.lm.trace import Want
from pofx.models.ngram.model import NgramLM, fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.findings import Audit, BeginEvidence, Finding, Series
from pofx.queries.next_unit.next import next_token
from pofx.queries.sample import sample
from pofx.queries.scoring.score import Scored, score
from pofx.report import heat
from pofx.report.chain import factors, total
from pofx.report.html import charts
from pofx.report.html import page as html
from pofx.report.html.heat_text import LIMIT, heat_html
from pofx.report.html.score import ROWS, chain_table_html
from pofx.report.numerals import fixed_point, probability, significant_digits, trim_zeros, typeset
from pofx.report.pieces import character_ends, pieces
from pofx.report.terminal.audit import audit_headline, audit_table
from pofx.report.terminal.draws import draws_table
from pofx.report.terminal.next_unit import next_table
from pofx.report.terminal.score import chain_table, heat_text, legend, score_panel
from pofx.report.visible import visible, visible_bytes
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab
from pofx.vocab.words import WordVocab

TEXTS = ["the cat sat on the mat", "a cat sat", "the mat\nsat", "naïve 🙂 cat", "the the cat"]
ALL = Want(entropy=True, rank=True, top=5)
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]> \"'`&amp; javascript:"
    "\x00\x01\x1b[31m\u202eevil\u2066\u200b\ufeff שלום e\u0301 \t\r\n[red]markup[/red] http://x.test//y"
)
NAN, INF = math.nan, math.inf


def fitted(vocab: Vocab, **spec: object) -> NgramLM:
    texts = [vocab.encode_array(t) for t in TEXTS]
    return fit_ngram(texts, NgramSpec(order=3, end=vocab.end is not None, **spec), vocab)  # type: ignore[arg-type]


LM = fitted(ByteVocab())
ENDLESS = fitted(ByteVocab(end=False))


def scored(text: str | bytes, lm: NgramLM = LM, want: Want = ALL, given: str = "") -> Scored:
    return score(lm, [text], given, want)[0]


AUDIT = Audit(
    "improper",
    "Some texts never end.",
    BeginEvidence("<s>", "trained", 3.9, 8.0, 5.6, 0.06, 512),
    (
        Finding("rows sum to 1", "pass", 2.4e-13, 1e-9, "|1 − Σ p|", "Every row must be a law. " * 4),
        Finding(
            "texts end",
            "warn",
            0.0039,
            0.001,
            "P(length > 1,000)",
            "Mass on texts that never end.",
            Series("alive", "share", "line", (("0", 1.0), ("10", NAN), ("20", 0.1))),
        ),
        Finding("forward equals extend", "fail", INF, 1e-4, "nats a text", "The same number either way."),
        Finding("no number", "pass", None, None, "", "Nothing to measure."),
    ),
    512,
    3,
)


class Reader(HTMLParser):
    """Every tag, attribute and piece of text; text of scripts and styles apart."""

    VOID = frozenset(("meta", "br", "img", "link", "input", "hr", "rect", "line", "circle", "polyline"))

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[tuple[str, str]] = []
        self.stack: list[tuple[str, str]] = []
        self.raw: list[tuple[str, str]] = []
        self.pieces: list[str] = []
        self.all_text: list[str] = []
        self.feed(page)
        self.close()
        assert not self.stack, f"not closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(k for k, _ in attrs)
        self.values += [(k, v or "") for k, v in attrs]
        if tag not in self.VOID:
            self.stack.append((tag, dict(attrs).get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = [c for _, c in self.stack]
        if self.stack and self.stack[-1][0] in ("script", "style"):
            self.raw.append((self.stack[-1][0], data))
            return
        self.all_text.append(data)
        if "tokens" in inside and not any(c.startswith("eos") for c in inside):
            self.pieces.append(data)


KNOWN_TAGS = frozenset(
    re.findall(
        r"\S+",
        """
    html head meta title style body header h1 h2 h3 p nav ol ul li a main section article div span b i
    small var sub script figure figcaption svg rect line circle polyline text table thead tbody tfoot
    tr th td bdi details summary footer code pre blockquote
    """,
    )
)
KNOWN_ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        """
    lang charset http-equiv content name id aria-labelledby aria-label aria-hidden class dir translate
    hidden type tabindex role scope colspan open href viewbox width height preserveaspectratio x y x1
    x2 y1 y2 cx cy r points
    """,
    )
)


def show(item: RenderableType, width: int = 80) -> str:
    console = Console(
        width=width, file=io.StringIO(), record=True, color_system="truecolor", force_terminal=True
    )
    console.print(item)
    return console.export_text()


def full_page(text: str | bytes = HOSTILE) -> str:
    wild = str(text)
    audit = replace(
        AUDIT,
        reason=wild,
        begin=BeginEvidence(wild, "declared", NAN, 8.0, INF, 0.1, 1),
        findings=(
            Finding(wild, "fail", NAN, -INF, wild, wild, Series(wild, wild, "bars", ((wild, 1.0),))),
            Finding("line", "warn", 1.0, 2.0, "", "", Series(wild, wild, "line", ((wild, 1.0), (wild, 2.0)))),
        ),
    )
    return html.page(
        wild,
        [
            html.prose_section(wild, [wild, html.code(wild, wild), html.quote(wild, wild), "`<b>` " + wild]),
            html.score_section([scored(text), scored(text, ENDLESS), scored("", given="the ")], wild),
            html.draws_section(sample(LM, 2, seed=1, max_tokens=9), wild),
            html.audit_section(audit, wild),
            html.table_section(wild, [wild, "n"], [(wild, 1), (b"\xff<i>", 2.5), (None, NAN)], wild),
        ],
        wild,
    )


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
    # The page keeps line ends, and draws ⏎ by its style sheet.
    assert "".join(Reader(heat_html(s)).pieces) == shown.replace("⏎", "\n")
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
    assert "".join(Reader(heat_html(s)).pieces) == "the cat sat"


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
    page = chain_table_html(s)
    assert f"{typeset(fixed_point(value))}</td>" in page.split("<tfoot>")[1]
    assert ('<tr class="eos">' in page) == s.terms.end
    assert page.count("<tr") == 2 + min(length, ROWS) + s.terms.end + (length > ROWS)
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
    assert ">rank<" not in page
    data = json.loads(next(body for kind, body in Reader(page).raw if kind == "script"))
    assert set(data) == {"token", "size", "logp", "outcomes", "names"}
    half = scored("the cat", want=Want(rank=True))
    assert "rank" in show(chain_table(half))


def test_hover_data_is_the_record() -> None:
    s = scored("the 🙂\n")
    data = json.loads(next(body for kind, body in Reader(heat_html(s)).raw if kind == "script"))
    assert sum(data["size"]) == len(s.logp) == len(data["logp"]) == len(data["token"])
    np.testing.assert_allclose(data["logp"], s.logp, rtol=1e-4)
    assert data["rank"] == s.rank.tolist()  # type: ignore[union-attr]
    assert [data["names"][i] for i in data["token"]][:4] == ["t", "h", "e", "␣"]
    assert data["names"][data["token"][-1]] == "EOS"
    best = [data["names"][row[0]] for row in data["top"]]
    assert best[1] == LM.vocab.show(int(s.top_ids[1, 0]))  # type: ignore[index]


def test_impossible_texts() -> None:
    s = scored("zzz", fitted(ByteVocab(), smoothing="mle"))
    assert s.total == -INF
    assert "-∞" in show(chain_table(s))
    page = html.page("x", [html.score_section([s, s])])
    assert "−∞" in page
    json.loads(next(body for kind, body in Reader(page).raw if kind == "script"))
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
    assert "…" not in re.sub(r"\n\s*…\s+11,440 hidden\s*\n", "\n", shown)


def test_no_information_in_colour_alone() -> None:
    audit = show(audit_table(AUDIT))
    for mark in ("✓ pass", "! warn", "✗ fail"):
        assert mark in audit
    head = show(audit_headline(AUDIT))
    assert "✗ improper" in head
    assert "2 pass, 1 warn, 1 fail on 512 documents; seed 3" in head
    assert "1.70 ± 0.060" in head
    page = html.page("a", [html.audit_section(AUDIT, "toy")])
    text = " ".join("".join(Reader(page).all_text).split())
    assert "✗ improper" in text
    assert "! warn" in text
    assert "bound 1e−9" in text


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
    assert page.count("<b>cut off</b>") == sum(not d.ended for d in draws)
    assert all(fixed_point(d.total) in shown for d in draws)


def test_next_sums_to_one() -> None:
    law = next_token(LM, "the ", k=3)
    shown = show(next_table(law))
    assert f"{law.n_rest} others" in shown
    assert all(probability(a.logp) in shown for a in law.top)
    assert "others" not in show(next_table(next_token(LM, "the ", k=257)))


@pytest.mark.parametrize("kind", ["bars", "line"])
@pytest.mark.parametrize(
    "values",
    [
        (),
        (1.0,),
        (NAN,),
        (INF, -INF),
        (1.0, NAN, 2.0, INF, 3.0),
        (0.0, 0.0),
        (-1.0, 2.0),
        (-3.0,),
        (1e300, -1e300),
    ],
)
def test_charts_of_any_numbers(kind: str, values: tuple[float, ...]) -> None:
    for names in ([str(k) for k in range(len(values))], [f'<n{k}>&"' for k in range(len(values))]):
        drawn = charts.chart(Series("t<", "u&", kind, tuple(zip(names, values))))  # type: ignore[arg-type]
        read = Reader(drawn)
        assert read.tags <= KNOWN_TAGS
        for name, value in read.values:
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
                assert math.isfinite(float(value))
            if name == "width":
                assert float(value) >= 0
            if name == "points":
                assert all(math.isfinite(float(v)) for v in re.split("[ ,]", value))
    if any(math.isinf(v) for v in values):
        assert "∞" in drawn


def test_surprisal_bars_are_bounded() -> None:
    few = charts.surprisals(np.array([-1.0, -np.inf, -0.5]), np.array([1.0, NAN, 0.2]), True)
    assert few.count("<rect") == 3
    assert "1 of them ∞" in few
    many = charts.surprisals(np.full(100_000, -1.0), None, False)
    assert many.count("<rect") <= charts.BARS
    assert "mean of every 417 tokens" in many
    assert charts.surprisals(np.array([]), None, False) == ""


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
    assert len(page.encode()) < 3_000_000
    assert page.count('<span class="h') <= LIMIT
    left = n - sum(json.loads(next(b for k, b in Reader(page).raw if k == "script"))["size"])
    assert f"{left:,} more tokens of {n:,} not shown" in page
    assert typeset(fixed_point(s.total)) in page
    assert "more" in heat_text(s).plain


def test_behind_a_given_text() -> None:
    s = scored(" sat", given="the cat")
    assert total(s).name == "log p(x | given)"
    page = html.page("g", [html.score_section([s])])
    assert "behind: the cat" in page
    assert "given" in show(score_panel(s))


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


@pytest.mark.parametrize(
    ("x", "shown"),
    [(0.0123, "0.0123"), (41.23, "41.2"), (9.996, "10.0"), (999.6, "1,000"), (1.2345e-7, "1.23e-7"), (0.0, "0"),
     (-2.5, "-2.50"), (NAN, "nan"), (INF, "∞"), (-INF, "-∞"), (None, ""), (1e-4, "0.000100"), (1e12, "1.00e12")],
)  # fmt: skip
def test_three_significant_digits(x: float | None, shown: str) -> None:
    assert significant_digits(x) == shown


def test_numbers() -> None:
    assert fixed_point(-0.0001) == "0.000"
    assert fixed_point(-1.5) == "-1.500"
    assert probability(-INF) == "0"
    assert probability(0.0) == "1.00"
    assert probability(-1000 * math.log(10) + math.log(2.5)) == "2.50e-1000"
    assert trim_zeros(0.001) == "0.001"
    assert trim_zeros(1000.0) == "1,000"
    assert visible("a\x1b\u202e\n b") == "a\\x1b\\u202e⏎ b"
