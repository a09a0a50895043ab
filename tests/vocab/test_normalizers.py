"""Texts that a pretrained tokenizer's normalizer changes: refused by its name, or scored as the model reads them.

What a text is read as comes from `unicodedata` and `re`; log-probabilities from the same model asked for that text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
import tiny_checkpoints as tiny
from pofx.cli.main import pofx as command
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

COLLAPSED: dict[str, Any] = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
NORMALIZERS: dict[str, tuple[dict[str, Any], Callable[[str], str]]] = {
    "NFC": ({"type": "NFC"}, lambda t: unicodedata.normalize("NFC", t)),
    "NFKC": ({"type": "NFKC"}, lambda t: unicodedata.normalize("NFKC", t)),
    "Lowercase": ({"type": "Lowercase"}, str.lower),
    "Replace": (COLLAPSED, lambda t: re.sub(" {2,}", " ", t)),
    "Strip": ({"type": "Strip", "strip_left": True, "strip_right": True}, lambda t: t.strip(" \n")),
    "NFD + StripAccents": (
        {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
        lambda t: "".join(c for c in unicodedata.normalize("NFD", t) if not unicodedata.combining(c)),
    ),
}
CHANGED = {
    "NFC": "the re\u0301sume\u0301",
    "NFKC": "the \ufb01t",
    "Lowercase": "The Cat",
    "Replace": "the  cat",
    "Strip": " the cat ",
    "NFD + StripAccents": "the r\u00e9sum\u00e9",
}


def vocab(name: str) -> TokenizerVocab:
    return TokenizerVocab({**tiny.tokenizer(), "normalizer": NORMALIZERS[name][0]}, rows=tiny.ROWS, end=1)


@pytest.mark.parametrize("name", NORMALIZERS)
def test_a_refusal_names_the_normalizer_and_shows_what_is_read(name: str) -> None:
    with pytest.raises(pofx.NotText, match="expected .*got .*normalize=True") as e:
        vocab(name).encode(CHANGED[name])
    assert f"its normalizer is {name})" in str(e.value)
    assert ascii(NORMALIZERS[name][1](CHANGED[name])) in str(e.value)
    assert str(e.value).isprintable()


@pytest.mark.parametrize("name", NORMALIZERS)
@settings(max_examples=50, deadline=None)
@given(text=st.text(st.sampled_from("aA\u0301\u00e9\u0130\ufb01\u212b \n"), max_size=8))
def test_the_text_that_is_read(name: str, text: str) -> None:
    v = vocab(name)
    wanted = NORMALIZERS[name][1](text)
    assert v.read(text) == (text, "")  # unless asked
    read, by = v.normalizing().read(text)
    if wanted == text:
        assert (read, by) == (text, "")
    elif "\u0130" not in text:  # Unicode lower case of it depends on the version
        assert read == wanted
        assert set(by.split(" + ")) <= set(name.split(" + "))
    assert v.normalizing().read(text.encode())[0] == read.encode()  # type: ignore[union-attr]
    assert v.decode(v.encode(read)) == read.encode()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tiny.write(tmp_path_factory.mktemp("lower"), adds="bos")
    lower = {**tiny.tokenizer("bos"), "normalizer": {"type": "Lowercase"}}
    (home / "tokenizer.json").write_text(json.dumps(lower))
    return home


def test_the_form_is_scored_and_the_terms_say_so(home: Path) -> None:
    lm, strict = pofx.load(home, normalize=True), pofx.load(home)
    a, b = pofx.score(lm, ["The Cat", "the cat"])
    assert a.total == pytest.approx(b.total, abs=1e-9)
    assert a.total == pytest.approx(pofx.log_prob(strict, "the cat"), abs=1e-6)
    assert (a.text, a.terms.normalized, b.terms.normalized) == ("the cat", "Lowercase", "")
    assert "of the text as Lowercase left it" in str(a.terms)
    assert "left it" not in str(b.terms)
    word = pofx.words(lm, ["The Cat"])[0]
    assert [w.text for w in word.words] == ["the", "cat"]
    assert word.terms.normalized == "Lowercase"
    behind = pofx.score(lm, [" Cat"], given="THE")[0]
    assert behind.total == pytest.approx(pofx.log_prob(strict, " cat", given="the"), abs=1e-6)
    assert behind.terms.normalized == "Lowercase"
    assert pofx.next(lm, "THE").top == pofx.next(strict, "the").top
    assert pofx.sample(lm, 2, "THE", 4, 0)[1].text == pofx.sample(strict, 2, "the", 4, 0)[1].text
    assert pofx.log_prob(pofx.given(lm, "THE"), " cat") == pytest.approx(
        pofx.log_prob(pofx.given(strict, "the"), " cat"), abs=1e-6
    )
    with pytest.raises(pofx.NotText):
        pofx.score(strict, ["The Cat"])


def test_the_command_line_asks_for_it(home: Path) -> None:
    asked = ["score", "-m", str(home), "--text", "The Cat", "--json"]
    refused = CliRunner().invoke(command, asked)
    assert isinstance(refused.exception, pofx.NotText)
    done = CliRunner().invoke(command, [*asked, "--normalize"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found[0] if isinstance(found, list) else found)["terms"]["normalized"] == "Lowercase"


def test_rows_say_what_was_read(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The Cat\nthe cat\n")
    out = tmp_path / "rows.jsonl"
    asked = ["score", "-m", str(home), str(tmp_path / "a.txt"), "-o", str(out), "--quiet", "--normalize"]
    assert CliRunner().invoke(command, asked).exit_code == 0
    a, b = map(json.loads, out.read_text().splitlines())
    assert a["total_nats"] == pytest.approx(b["total_nats"], abs=1e-9)
    assert (a["normalized"], b["normalized"]) == ("Lowercase", None)


def test_models_that_read_texts_as_they_are() -> None:
    with pytest.raises(pofx.BadValue, match="normalize: expected a pretrained model, got builtin"):
        pofx.load("builtin", normalize=True)
