"""What a condition means: characters, tokens, prefixes, seeds, refusals; the definition by enumeration."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from condition_sets import MIXED, MOST, SETS, SMALL, TEXTS, law

import pofx
from enumerated import Forgetful, Pieces, complete, covered, open_ended, variation
from pofx import Contains, Length, Matches
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.conditioning.conditions import Condition
from toy import ToyLM, ToyVocab, log_string


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("lm", [ToyLM(seed=3), ToyLM(MIXED, seed=1)], ids=["letters", "mixed"])
def test_enumeration_is_the_definition(lm: LM, name: str) -> None:
    on, inside = SETS[name]
    most = 4
    truth = complete(lm, most, inside)
    found = pofx.condition(lm, on, max_tokens=most)
    assert found.method == "enumeration" and found.exact and found.se == 0 and found.ess is None
    assert found.log_evidence == pytest.approx(math.log(math.fsum(truth.values())), abs=1e-9)
    z = math.exp(found.log_evidence)
    assert law(found) == pytest.approx({w: p / z for w, p in truth.items()}, abs=1e-9)
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
@pytest.mark.parametrize(
    "vocab", [ToyVocab(), MIXED, ToyVocab(end=False)], ids=["letters", "mixed", "no EOS"]
)
def test_open_ended_the_first_beginning_counts(
    how: str, vocab: ToyVocab | Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = ToyLM(vocab, seed=2)
    if how == "smc":
        lm = Forgetful(lm)
    most = 5 if vocab.size < 6 else 4
    for on, inside in (SETS["contains"], SETS["matches"], SETS["length"]):
        truth = open_ended(lm, most, inside)
        z = math.fsum(truth.values())
        found = pofx.condition(lm, on, n=2000, max_tokens=most, ends=False, seed=3)
        assert found.method == how
        assert found.log_evidence == pytest.approx(
            math.log(z), abs=1e-9 if how != "smc" else 4 * found.se + 1e-9
        )
        assert set(law(found)) <= set(truth)
        assert (
            variation(law(found), truth) < {"enumeration": 1e-9, "forward-backward": 0.06, "smc": 0.02}[how]
        )
        assert not any(d.ended or d.terms.end for d in found.draws)


def test_so_many_tokens() -> None:
    lm = ToyLM(MIXED, seed=5)
    up_to = [math.fsum(complete(lm, n, lambda w: True).values()) for n in (2, 3)]
    z = up_to[1] - up_to[0]
    found = pofx.condition(lm, Length(3, "tokens"))
    assert found.log_evidence == pytest.approx(math.log(z), abs=1e-9)
    assert {len(d.tokens) for d in found.draws} == {3} and found.max_tokens == 3
    begun = pofx.condition(lm, Length(2, "tokens") & Contains("ab"), ends=False)
    assert all(len(d.tokens) == 2 for d in begun.draws)
    with pytest.raises(pofx.Impossible):
        pofx.condition(lm, Length(3, "tokens") & Length(4, "tokens"))


def test_characters_are_those_of_utf8() -> None:
    lm = pofx.fit(["é", "éa", "aé", "aa", "a"], pofx.NgramSpec(order=2, smoothing="additive", alpha=0.01))
    found = pofx.condition(lm, Length(2, "characters"), n=300, max_tokens=8, seed=1)
    assert found.exact
    assert all(len(o.bytes.decode()) == 2 for o in found.outcomes)
    assert "éa" in {o.text for o in found.outcomes}
    fewer = pofx.condition(lm, Length(3, "bytes") & Length(2), max_tokens=8)
    assert fewer.log_evidence < found.log_evidence


def test_behind_a_prefix() -> None:
    lm = ToyLM(MIXED, seed=5)
    truth = complete(lm, 4, SETS["contains"][1], lm.vocab.encode("ca"))
    found = pofx.condition(lm, Contains("ab"), given="ca", boundary="token", max_tokens=4)
    assert found.given == "ca" and found.log_evidence == pytest.approx(
        math.log(math.fsum(truth.values())), abs=1e-9
    )
    assert all(d.terms.given_bytes == 2 and not d.terms.first for d in found.draws)
    whole = complete(lm, 3, lambda w: w.startswith(b"ca") and b"ab" in w[2:])
    exact = pofx.condition(lm, Contains("ab"), given="ca", max_tokens=2)
    z = math.fsum(whole.values()) / covered(lm, b"ca")
    assert exact.log_evidence == pytest.approx(math.log(z), abs=1e-9)
    assert law(exact) == pytest.approx(
        {w[2:]: p / math.fsum(whole.values()) for w, p in whole.items()}, abs=1e-9
    )
    with pytest.raises(pofx.BadValue, match="boundary='token'"):
        pofx.condition(lm, Length(2, "tokens"), given="ca")
    bare = ToyLM(seed=1, begin=False)
    assert math.isfinite(pofx.condition(bare, Contains("ab"), given="a", max_tokens=4).log_evidence)
    with pytest.raises(pofx.NoBOS):
        pofx.condition(bare, Contains("ab"), max_tokens=4)


def test_a_space_that_opens_texts_is_no_part_of_them() -> None:
    vocab = pofx.WordVocab(["the", "cat", "sat", "a"])
    lm = pofx.fit(["the cat sat", "a cat", "the cat"], pofx.NgramSpec(order=2, vocab=vocab))
    texts = {b" ".join(w): p for w, p in _word_texts(lm, 3)}
    for on, inside in (
        (Matches("the( .*)?"), lambda w: w == b"the" or w.startswith(b"the ")),
        (Length(5), lambda w: len(w) == 5),
        (Contains(" cat"), lambda w: b" cat" in w),
    ):
        truth = {w: p for w, p in texts.items() if inside(w)}
        found = pofx.condition(lm, on, max_tokens=3)
        assert found.log_evidence == pytest.approx(math.log(math.fsum(truth.values())), abs=1e-9)
        assert set(law(found)) <= set(truth)
    # Behind a prefix, too, a text of this vocabulary is words with a space between them.
    behind = pofx.infill(lm, "the", "sat", max_tokens=1)
    assert {o.text for o in behind.outcomes} == {"", "the ", "cat ", "sat ", "a "}


def _word_texts(lm: LM, most: int) -> list[tuple[list[bytes], float]]:
    words = [b.strip() for b in lm.vocab.token_bytes if b]
    paths = [p for n in range(most + 1) for p in itertools.product(range(len(words)), repeat=n)]
    return [([words[i] for i in p], math.exp(log_string(lm, p))) for p in paths]


@pytest.mark.usefixtures("never_enumerated")
def test_same_seed_same_answer() -> None:
    lm = Forgetful(ToyLM(seed=4))
    a, b, c = (pofx.condition(lm, Contains("ab"), n=64, max_tokens=MOST, seed=s) for s in (1, 1, 2))
    assert a.runs == b.runs and [d.bytes for d in a.draws] == [d.bytes for d in b.draws]
    assert a.runs != c.runs


EVERY_LM: dict[str, Callable[[], LM]] = {
    "bytes": lambda: pofx.fit(TEXTS, pofx.NgramSpec(order=3)),
    "bpe": lambda: pofx.fit(TEXTS, pofx.NgramSpec(order=2, vocab=pofx.SubwordVocab.learn(TEXTS, 270))),
    "warp": lambda: pofx.warp(pofx.fit(TEXTS, pofx.NgramSpec(order=3)), temperature=0.7),
    "mixture": lambda: pofx.mixture([pofx.fit(TEXTS[:2], SMALL), pofx.fit(TEXTS[2:], SMALL)]),
    "interpolate": lambda: pofx.interpolate(
        [pofx.fit(TEXTS[:2], SMALL), pofx.fit(TEXTS[2:], SMALL)], [0.5, 0.5]
    ),
    "bytewise": lambda: pofx.bytewise(EVERY_LM["bpe"](), beam=4),
    "windowed": lambda: pofx.windowed(pofx.fit(TEXTS, SMALL), context=6),
    "given": lambda: pofx.given(pofx.fit(TEXTS, SMALL), "the "),
    "deterministic": lambda: pofx.deterministic(pofx.fit(TEXTS, SMALL)),
    "transformer": lambda: pofx.fit(
        TEXTS, pofx.TransformerSpec(layers=1, width=16, heads=2, context=32, vocab="bytes", epochs=1, seed=0)
    ),
}


@pytest.mark.parametrize("name", EVERY_LM)
def test_every_lm_can_be_conditioned(name: str) -> None:
    lm = EVERY_LM[name]()
    found = pofx.condition(lm, Matches("[a-z ]*at[a-z ]*"), n=32, max_tokens=12, seed=1)
    assert math.isfinite(found.log_evidence) and found.log_evidence < 0
    assert all(re.fullmatch(r"[a-z ]*at[a-z ]*", o.text) for o in found.outcomes)
    scored = pofx.score(lm, [d.bytes for d in found.draws[:5]])
    for d, s in zip(found.draws, scored):
        # d is one spelling of the text: as likely as the canonical one only if it is that one
        if name != "bytewise" and d.tokens.tolist() == s.tokens.tolist():
            assert d.total == pytest.approx(s.total, abs=1e-3)
    whole = (
        found.method != "forward-backward" or not lm.vocab.unambiguous
    )  # else what was not drawn is missing
    assert sum(o.p for o in found.outcomes) <= 1 + 1e-9
    assert not whole or sum(o.p for o in found.outcomes) == pytest.approx(1)


@pytest.mark.parametrize("on", [Contains("x"), Length(99), Matches("a") & Matches("b"), Matches("x+")])
def test_a_condition_of_probability_zero_is_an_error(on: Condition) -> None:
    for lm in (ToyLM(seed=1), Forgetful(ToyLM(seed=1)), ToyLM(MIXED, seed=1)):
        with pytest.raises(
            pofx.Impossible, match=r"expected a condition of positive probability, got P = 0"
        ) as e:
            pofx.condition(lm, on, max_tokens=5)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
def test_so_is_one_to_which_the_model_gives_nothing(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = pofx.fit(["ab", "abab"], pofx.NgramSpec(order=2, smoothing="mle", vocab="chars"))
    if how == "smc":
        lm = pofx.windowed(lm, context=3)
    assert math.isfinite(pofx.condition(lm, Contains("ab"), max_tokens=6).log_evidence)
    with pytest.raises(pofx.Impossible):
        pofx.condition(lm, Contains("ba") & Matches("b.*"), max_tokens=6)


class Trap(LM):
    """Sixteen letters by a fair coin; only after sixteen b's can the text end."""

    def __init__(self) -> None:
        self.vocab, self.begin = ToyVocab(2), Begin("trained")

    def start(self, n: int) -> State:
        return self._state(np.full(n, -1), np.zeros(n, dtype=np.int64))

    def _state(self, first: np.ndarray, length: np.ndarray) -> State:
        law = np.full((len(first), 3), -np.inf)
        with np.errstate(divide="ignore"):
            for k, (f, n) in enumerate(zip(first, length)):
                law[k] = np.log([0.5, 0.5, 0] if n < 16 else [0, 0, 1] if f else [0.5, 0.5, 0])
        return State(law, (first, length))

    def extend(self, state: State, ids: object) -> State:
        first, length = state.carry
        new = np.asarray(ids, dtype=np.int64).reshape(state.n, -1)
        for token in new.T:  # one a is one too many
            first = np.where((length == 0) | (first == 1), token, first)
            length = length + 1
        return self._state(first, length)


def test_no_particle_alive_is_not_the_same_as_impossible() -> None:
    lm = Trap()
    with pytest.raises(
        pofx.Unreached,
        match=r"got none among 16; take more particles, since some text may meet the condition",
    ) as e:
        pofx.condition(lm, Length(16), n=16, max_tokens=16)
    assert "\n" not in str(e.value) and not isinstance(e.value, pofx.Impossible)
    with pytest.raises(pofx.Impossible):  # every branch was followed
        pofx.condition(Trap(), Contains("a") & Length(8), max_tokens=8)


def test_arguments_outside_their_domain() -> None:
    lm = ToyLM(seed=1)
    for wrong, match in (
        ({"n": 3}, "n: expected"),
        ({"runs": 2}, "runs: expected a whole number of at least 8"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens: expected at most 100,000"),
        ({"seed": -1}, "seed"),
        ({"boundary": "none"}, "boundary"),
    ):
        with pytest.raises(pofx.BadValue, match=match):
            pofx.condition(lm, Contains("a"), **wrong)  # type: ignore[arg-type]
    with pytest.raises(pofx.BadValue, match="on: expected a condition"):
        pofx.condition(lm, "a")  # type: ignore[arg-type]
    with pytest.raises(pofx.BadValue, match="length"):
        Length(-1)
    with pytest.raises(pofx.BadValue, match="unit"):
        Length(1, "words")  # type: ignore[arg-type]
    with pytest.raises(pofx.NotText):
        Contains("\ud800")
    with pytest.raises(pofx.NoEOS, match="ends=False"):
        pofx.condition(ToyLM(ToyVocab(end=False)), Contains("a"))


def test_conditions_are_values() -> None:
    assert Contains("a") == Contains("a") and hash(Length(2)) == hash(Length(2, "characters"))
    assert str(Contains("a\n") & Length(1, "bytes")) == "contains 'a⏎' and is 1 byte long"
