"""Behind a prefix: what "auto" chooses, what it costs, and a join that is healed in tokens."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

import pofx
from byte_toys import Brute, NoSpace, Pieces, Toy, toy
from pofx.cli.main import pofx as command
from pofx.errors import BadValue
from pofx.lm.trace import Want
from pofx.models.ngram.model import NgramLM
from pofx.queries.sample import sample
from pofx.queries.scoring import joins
from pofx.queries.scoring.joins import choose_joins
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.queries.scoring.stream import score_stream
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.vocab.subwords import SubwordVocab
from toy import ToyLM

# No control tokens, so that nothing is renormalised away.
TOKENS = (b"a", b"b", b"ab", b"ab", b"aba", b"bba", b" a", b" ", None)
LM = toy(TOKENS, 8)
BRUTE = Brute(LM, 5)


def string(x: str, y: str) -> float:
    return math.log(BRUTE.string((x + y).encode()) / BRUTE.prefix(x.encode()))


def test_where_encode_cuts_between_them_it_is_of_tokens_and_else_of_strings() -> None:
    pairs = [("ab", " a"), ("a", "b"), ("ab", "a"), ("b", "ab"), (" ", "ab"), ("", "ab"), (" ", "a")]
    expected = ["token", "exact", "exact", "token", "exact", "", "exact"]
    scored = score(LM, [y for _, y in pairs], [x for x, _ in pairs])
    assert [s.terms.boundary for s in scored] == expected
    for (x, y), s, way in zip(pairs, scored, expected):
        named = score(LM, [y], x, boundary=way or "token")[0]  # type: ignore[arg-type]
        assert s.total == pytest.approx(named.total, abs=1e-12)
        assert (s.text, s.given) == (y, x)
        assert f"{way} join" in str(s.terms) if way else "join" not in str(s.terms)
        if way == "exact":
            assert s.total == pytest.approx(string(x, y), abs=1e-9)
            assert abs(s.total - log_prob(LM, y, x, boundary="token")) > 1e-2
    assert log_prob(LM, "b", given="a") == pytest.approx(string("a", "b"), abs=1e-9)
    assert prefix_log_prob(LM, "b", given="a") == pytest.approx(
        math.log(BRUTE.prefix(b"ab") / BRUTE.prefix(b"a")), abs=1e-9
    )


def test_a_clean_join_costs_no_call_of_the_model() -> None:
    class Counted(Toy):
        calls = 0

        def extend(self, state, ids):
            Counted.calls += 1
            return super().extend(state, ids)

    lm = Counted(Pieces(TOKENS, 8), memory=2)
    score(lm, ["ab"], "b", boundary="token")
    token, Counted.calls = Counted.calls, 0
    score(lm, ["ab"], "b")
    assert Counted.calls == token
    letters = ToyLM()
    assert choose_joins(letters, ["a"], ["b"], "auto") == ["token"]
    assert score(letters, ["a"], "b")[0].terms.boundary == ""


def test_a_long_text_is_healed_at_its_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MOST_EXACT_BYTES", 0)
    want = Want(entropy=True, rank=True, top=2)
    found = 0
    for x, y in [
        ("a", "b"),
        ("ab", "a"),
        ("aab", "ab"),
        (" ", "a"),
        ("b", "ba"),
        ("ab", "ab a"),
        ("a", "bba"),
    ]:
        s = score(LM, [y], x, want)[0]
        if s.terms.boundary != "healed":
            continue
        found += 1
        path = LM.vocab.encode(x + y)
        canonical = sum(LM.row(path[:i])[t] for i, t in enumerate([*path, 8]))
        assert s.total == pytest.approx(canonical - math.log(BRUTE.prefix(x.encode())), abs=1e-9)
        lo, hi = s.interval
        assert lo <= s.total + 1e-12
        assert lo <= string(x, y) <= hi == 0
        assert s.total <= string(x, y) + 1e-9
        assert s.terms.kind == "canonical"
        spelled = b"".join(LM.vocab.token_bytes[int(i)] or b"" for i in s.tokens)
        assert spelled[s.inside :] == y.encode()
        assert [y.encode()[a:b] for a, b in s.spans] == [spelled[s.inside :][a:b] for a, b in s.spans]
        assert s.spans[-1, 1] == len(y)
        assert len(s.logp) == len(s.tokens) + 1 == len(s.entropy) == len(s.rank) == len(s.seen)  # type: ignore[arg-type]
        whole = score(LM, [x + y], want=want)[0]
        np.testing.assert_allclose(s.logp[1:], whole.logp[-len(s.logp) + 1 :])
        np.testing.assert_array_equal(s.rank, whole.rank[-len(s.logp) :])  # type: ignore[index]
        assert s.prefix_total == pytest.approx(s.without_end().prefix_total)
    assert found >= 4
    mixed = score(LM, ["b", "ab", "b"], ["a", "b", ""])
    assert [s.terms.boundary for s in mixed] == ["healed", "token", ""]


def test_an_opening_space_is_no_part_of_a_prefix() -> None:
    lm = Toy(NoSpace((b" ", b" a", b"a", b"b", b" ab", None), 5), memory=2)
    source = bytewise(lm)
    for x, y in [("a", "b"), ("ab", " ab"), ("b", "a"), ("a b", "a")]:
        exact = log_prob(source, x + y) - prefix_log_prob(source, x)
        assert log_prob(lm, y, x, boundary="exact") == pytest.approx(exact, abs=1e-9)
        s = score(lm, [y], x)[0]
        assert s.terms.boundary in ("token", "exact")
        if s.terms.boundary == "exact":
            assert s.total == pytest.approx(exact, abs=1e-9)


def test_half_a_character_joins_the_other_half() -> None:
    vocab = SubwordVocab.learn(["été", "thé"] * 5, 262)
    lm = pofx.fit(["été", "thé", "té"] * 5, pofx.NgramSpec(order=3, vocab=vocab))
    whole = "été".encode()
    s = score(lm, [whole[1:]], whole[:1])[0]
    assert s.terms.boundary == "exact"
    strings = bytewise(lm)
    assert s.total == pytest.approx(log_prob(strings, whole) - prefix_log_prob(strings, whole[:1]), abs=1e-9)


def test_streams_and_draws_take_the_choice() -> None:
    asked = [("b", "a"), ("ab", "b")]
    for boundary, expected in (("auto", ["exact", "token"]), ("token", ["token", "token"])):
        ((*block,),) = score_stream(LM, asked, lambda pair: pair, boundary=boundary)  # type: ignore[arg-type]
        assert [found.terms.boundary for _, found in block] == expected
    ((*block,),) = score_stream(LM, asked, lambda pair: pair, boundary="error")
    assert isinstance(block[0][1], BadValue)
    assert block[1][1].terms.boundary == "token"
    assert {d.terms.boundary for d in sample(LM, 5, "a", seed=1)} == {"exact"}
    assert {d.terms.boundary for d in sample(LM, 5, "a", seed=1, boundary="token")} == {"token"}
    with pytest.raises(BadValue, match="boundary: expected 'exact' or 'token'"):
        sample(LM, 1, "a", boundary="auto")  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="boundary: expected one of 'auto'"):
        score(LM, ["a"], "a", boundary="tokens")  # type: ignore[arg-type]


def test_from_the_command_line(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["the interest", "interesting", "interests the"] * 4
    pofx.save(pofx.fit(lines, pofx.NgramSpec(order=3, vocab=SubwordVocab.learn(lines, 290))), "m")

    def run(*arguments: str):
        return CliRunner().invoke(command, [*arguments, "-m", "m"])

    def first(*arguments: str) -> dict:
        ran = run(*arguments, "--json")
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout.splitlines()[0])

    lm = pofx.load("m")
    text = ("score", "--text", "sting", "--given", "the intere")
    auto, token = first(*text), first(*text, "--boundary", "token")
    assert (auto["terms"]["boundary"], token["terms"]["boundary"]) == ("exact", "token")
    assert auto["total_nats"] == pytest.approx(log_prob(lm, "sting", "the intere"), abs=1e-9)
    assert auto["terms"]["kind"] == "exact"
    assert "interval_nats" not in {*auto, *token}
    monkeypatch.setattr(
        NgramLM, "sufficient", lambda self, state: None
    )  # as of models whose histories never meet
    kept = first(*text)
    assert kept["terms"]["kind"] == "interval"
    assert kept["interval_nats"][0] <= kept["total_nats"] <= kept["interval_nats"][1]
    assert kept["total_nats"] == pytest.approx(auto["total_nats"], abs=1e-6)
    assert "exact join" in " ".join(run(*text).stdout.split())
    assert run(*text, "--boundary", "error").exit_code != 0
    assert "expected after a prefix" in run("score", "--text", "a", "--boundary", "token").output
    assert {first("sample", "--given", "the intere", "--seed", "1")["terms"]["boundary"]} == {"exact"}
    (tmp_path / "a.jsonl").write_text('{"text": "sting", "c": "the intere"}\n{"text": "the", "c": ""}\n')
    ran = run("score", "a.jsonl", "--given-field", "c", "-o", "out.jsonl", "--quiet")
    assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["boundary"] for r in rows] == ["exact", None]
    assert rows[0]["total_nats"] == pytest.approx(auto["total_nats"], abs=1e-9)
