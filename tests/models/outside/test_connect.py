"""A model of a server: an LM where whole distributions are shown, else a scorer; and the audit of both."""

from __future__ import annotations

import json

import numpy as np
import pytest
from letter_server import LetterServer, serving

import pofx
from pofx.cli.main import main
from pofx.errors import BadSource, BadValue, NotText
from pofx.queries.findings import Audit

TEXTS = ["abc", "aab", "edcba", "ba", "cab", "dead", "bed", "ace", "bad", "cabbed"] * 3


def red(a: Audit) -> set[str]:
    return {f.check for f in a.findings if f.verdict == "fail"}


def test_whole_distributions_make_an_lm() -> None:
    server = LetterServer()
    with serving(server) as url:
        lm = pofx.connect(url)
        assert isinstance(lm, pofx.LM)
        assert (lm.vocab.size, lm.vocab.end, str(lm.begin), lm.context) == (6, 5, "<s> (declared)", 64)
        for text in ("", "abc", "dead"):
            assert pofx.log_prob(lm, text) == pytest.approx(pofx.log_prob(server.lm, text), abs=1e-12)
        assert lm.own_draws([0], 70, 1).shape == (70,)
        with pytest.raises(NotText):
            lm.vocab.encode("xyz")
        assert [lm.vocab.token_bytes[i] for i in lm.vocab.encode("ace")] == [b"a", b"c", b"e"]


def test_few_log_probabilities_make_a_scorer() -> None:
    server = LetterServer(most=3)
    with serving(server) as url:
        scorer = pofx.connect(url, "others")
        assert isinstance(scorer, pofx.Scorer)
        assert scorer.name == "others"
        (found,) = scorer.score(["dead"])
        assert found == pytest.approx(server.lm.forward([server.lm.vocab.encode("dead")]).logp[0])
        assert scorer.pieces is not None
        assert scorer.pieces("dead") == [b"d", b"e", b"a", b"d"]


def test_a_line_end_stands_before_texts_where_nothing_else_can() -> None:
    server = LetterServer(fault="lines")
    with serving(server) as url:
        scorer = pofx.connect(url)
        assert isinstance(scorer, pofx.Scorer)
        ids = server.lm.vocab.encode("adead")
        assert scorer.score(["dead"])[0] == pytest.approx(server.lm.forward([ids], skip=1).logp[0])
        assert scorer.pieces is not None
        assert scorer.pieces("dead") == [b"d", b"e", b"a", b"d"]
        assert {"", "a", "c"} < set(scorer.sample("a", 70, 0)) <= {"", *"abcde"}


def test_without_a_tokenizer_texts_are_strings() -> None:
    # The first number is null, and the line end that is put before texts is no letter of this server.
    with (
        serving(LetterServer(fault="no-tokenizer")) as url,
        pytest.raises(BadSource, match="status 400: no letter"),
    ):
        pofx.connect(url).score(["abc"])


@pytest.mark.thorough
def test_the_audit_of_an_honest_server() -> None:
    with serving(LetterServer()) as url:
        a = pofx.audit(pofx.connect(url), TEXTS)
        assert not {"rows sum to 1", "its own sampler", "extend = forward", "batch invariance"} & red(a)
        assert {f.check for f in a.findings} >= {"its own sampler"}


@pytest.mark.thorough
def test_the_audit_of_an_honest_server_that_shows_few_tokens() -> None:
    with serving(LetterServer(most=3)) as url:
        a = pofx.audit(pofx.connect(url), TEXTS)
        assert (a.verdict, red(a)) == ("scores-only", set())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("most", "fault", "check"),
    [
        (100, "cold", "its own sampler"),
        (100, "moody", "extend = forward"),
        (100, "shifted", "extend = forward"),
        (3, "scaled", "next tokens sum to at most 1"),
        (3, "cold", "its own sampler"),
        (3, "moody", "same text, same numbers"),
    ],
)
def test_the_audit_of_a_faulty_server(most: int, fault: str, check: str) -> None:
    server = LetterServer(most=most)
    with serving(server) as url:
        model = pofx.connect(url)
        server.fault = fault
        a = pofx.audit(model, TEXTS)
        assert a.verdict == "improper"
        assert check in red(a)


def test_rows_that_do_not_sum_to_one_are_not_whole() -> None:
    with serving(LetterServer(fault="scaled")) as url:
        assert isinstance(pofx.connect(url), pofx.Scorer)


def test_refusals() -> None:
    with serving(LetterServer(key="k")) as url:
        with pytest.raises(BadSource, match="status 401"):
            pofx.connect(url)
        assert isinstance(pofx.connect(url, api_key="k"), pofx.LM)
        with pytest.raises(BadSource, match=r"expected a model of the server \(letters, others\), got 'x'"):
            pofx.connect(url, "x", api_key="k")
        with pytest.raises(BadValue, match="begin: expected the name or the id of a token, got -1"):
            pofx.connect(url, api_key="k", begin=-1)
        with pytest.raises(BadValue, match="'abc', which is 3 tokens"):
            pofx.connect(url, api_key="k", begin="abc")
        lm = pofx.connect(url, api_key="k", begin="a")
        assert str(lm.begin) == "a (assumed)"
        assert np.exp(lm.start(1).logp).sum() == pytest.approx(1)
    with serving(LetterServer(most=3, fault="no-echo")) as url, pytest.raises(BadSource, match="status 400"):
        pofx.connect(url).score(["abc"])


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["audit", *arguments])
    return int(caught.value.code or 0)


@pytest.mark.thorough
def test_the_verb_audits_a_model_of_a_server(tmp_path, capsys) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS[:8]))
    server = LetterServer(most=3)
    with serving(server) as url:
        arguments = ["-m", url, "--served", "letters", "--test", str(texts)]
        assert run(*arguments, "--json") == 0
        assert json.loads(capsys.readouterr().out)["verdict"] == "scores-only"
        server.fault = "scaled"
        assert run(*arguments) == 1
        assert capsys.readouterr().out.startswith("✗ improper")


def test_the_verb_hands_on_the_key(capsys) -> None:
    with serving(LetterServer(key="k")) as url:
        assert run("-m", url, "--api-key", "x", "--served", "letters") == 2
        assert "status 401: a key, please" in capsys.readouterr().err
        assert run("-m", url, "--api-key", "k", "--served", "x") == 2
        assert "expected a model of the server (letters, others), got 'x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--served", "x", "-m", "builtin"], "--served: expected only with -m URL"),
        (["-m", "http://127.0.0.1:9", "--dtype", "bfloat16"], "--dtype: expected a model that pofx loads"),
        (["-m", "http://127.0.0.1:9"], "http://127.0.0.1:9: expected a server"),
    ],
)
def test_what_the_verb_refuses(arguments: list[str], message: str, capsys) -> None:
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
