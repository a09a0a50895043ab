"""An ARPA file with a class of unknown words: KenLM's numbers, asked for by name, and what is said of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from kenlm_numbers import ARPA, SAID
from pofx.cli.main import main
from pofx.errors import BadValue, NotText
from pofx.queries.scoring.peers import as_peer

LN10 = math.log(10)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arpa") / "own.arpa"
    path.write_text(ARPA)
    return path


@pytest.mark.parametrize("text", SAID)
def test_every_term_is_that_of_kenlm(file: Path, text: str) -> None:
    lm = pofx.load(file, unknown="class")
    (found,) = pofx.score(lm, [text])
    assert found.logp / LN10 == pytest.approx([p for p, _ in SAID[text]], abs=5e-6)
    # The tool itself is named, so that no option is needed.
    peer = as_peer(pofx.load(file), text, "kenlm")
    assert peer.value == pytest.approx(sum(p for p, _ in SAID[text]), abs=5e-6)
    unknown = len({"whales", "eels", "squid"} & set(text.split()))
    assert ("read as <unk>" in peer.note) == bool(unknown)
    assert (found.terms.kind, found.terms.unknown) == ("class" if unknown else "exact", unknown)


def test_kenlm_cuts_at_any_white_space(file: Path) -> None:
    """`kenlm.Model.score` splits its argument as bytes are split."""
    expected = sum(p for p, _ in SAID["the harbour"])
    assert as_peer(pofx.load(file), "  the\tharbour\n", "kenlm").value == pytest.approx(expected, abs=5e-6)


def test_an_unknown_word_is_refused_unless_it_is_asked_for(file: Path) -> None:
    with pytest.raises(
        NotText, match=r"the word 'whales'; score the word as one of <unk> \(unknown='class'\)"
    ):
        pofx.log_prob(pofx.load(file), "whales past")
    lm = pofx.load(file, unknown="class")
    with pytest.raises(NotText, match="two spaces in a row"):
        pofx.log_prob(lm, "whales  past")
    # No string has this number alone, so whoever asks for a law of strings is refused as before.
    for ask in (lambda: pofx.words(lm, ["whales past"]), lambda: pofx.marginal(lm, "whales past")):
        with pytest.raises(NotText, match="'whales'"):
            ask()
    with pytest.raises(BadValue, match="unknown: expected 'refuse' or 'class'"):
        pofx.load(file, unknown="yes")
    with pytest.raises(BadValue, match="unknown: expected a model of words"):
        pofx.load("builtin", unknown="class")


def test_a_file_without_the_class_has_none_to_score(tmp_path: Path) -> None:
    lines = "".join(x + "\n" for x in ARPA.splitlines() if "<unk>" not in x)
    lines = (
        lines.replace("ngram 1=13", "ngram 1=12")
        .replace("ngram 2=12", "ngram 2=10")
        .replace("ngram 3=7", "ngram 3=6")
    )
    (tmp_path / "closed.arpa").write_text(lines)
    with pytest.raises(BadValue, match="expected a class of unknown words"):
        pofx.load(tmp_path / "closed.arpa", unknown="class")
    with pytest.raises(NotText, match="normalise the text"):
        as_peer(pofx.load(tmp_path / "closed.arpa"), "whales", "kenlm")


def test_the_record_of_a_text_with_unknown_words(file: Path) -> None:
    lm = pofx.load(file, unknown="class")
    (found,) = pofx.score(lm, ["whales past the eels"])
    assert found.spans.tolist() == [[0, 6], [6, 11], [11, 15], [15, 20]]
    assert [lm.vocab.show(int(i)) for i in found.tokens] == ["<unk>", "␣past", "␣the", "<unk>"]
    assert "class: 2 words read as <unk>, so of no text alone" in str(found.terms)
    # Two texts with unknown words in the same places have one number: it is that of all such texts together.
    assert found.total == pofx.log_prob(lm, "squid past the herring")
    (behind,) = pofx.score(lm, ["past the eels"], given="whales")
    assert behind.logp == pytest.approx(found.logp[1:], abs=1e-12)
    assert behind.terms.unknown == 2
    assert pofx.score(lm, ["past the"])[0].terms.kind == "exact"


def test_classes_are_a_distribution_of_their_own(tmp_path: Path) -> None:
    """A file that sums to 1: Σ over all sequences of words and the class, so the class has what words leave."""
    text = (
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-99 <s>\n-0.30103 a\n-0.60206 <unk>\n-0.60206 </s>\n\n\\end\\\n"
    )
    (tmp_path / "one.arpa").write_text(text)
    lm = pofx.load(tmp_path / "one.arpa", unknown="class")
    total = sum(math.exp(pofx.log_prob(lm, t)) for t in ("", "a", "x", "a a", "a x", "x a", "x x"))
    # p(EOS) = 1/4, so P(length ≤ 2) = 1 − (3/4)³.
    assert total == pytest.approx(1 - 0.75**3, abs=1e-5)


def test_on_the_command_line(file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["score", *arguments, "-m", str(file)])
        return caught.value.code, *capsys.readouterr()

    text = "whales past eels past gulls fog gulls"
    code, _, err = run("--text", text)
    assert (code, "--unknown class" in err) == (2, True)
    code, out, _ = run("--text", text, "--unknown", "class", "--json")
    record = json.loads(out)
    assert code == 0
    assert record["total_nats"] / LN10 == pytest.approx(sum(p for p, _ in SAID[text]), abs=5e-6)
    assert (record["terms"]["kind"], record["terms"]["unknown"]) == ("class", 2)
    code, out, _ = run("--text", text, "--as", "kenlm")
    assert code == 0
    assert "read as <unk>" in " ".join(out.split())


def test_a_word_of_the_class_is_no_boundary_between_texts(file: Path) -> None:
    lm = pofx.load(file, unknown="class")
    both = pofx.score(lm, ["whales past", "past", "eels"])
    alone = [pofx.score(lm, [t])[0] for t in ("whales past", "past", "eels")]
    assert all(np.array_equal(a.logp, b.logp) for a, b in zip(both, alone))
