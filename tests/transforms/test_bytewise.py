"""The distribution over bytes of a token model, against the sum over all token sequences."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import pofx
from byte_toys import (
    END,
    LONGEST,
    OPENING,
    SHORT_TEXTS,
    TOKENS,
    Brute,
    NoSpace,
    Pieces,
    Toy,
    leave_unread,
    toy,
)
from laws import LAWS, Broken, laws
from pofx.errors import BadValue, NoBOS, TooLong
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.next_unit.next import next_token
from pofx.queries.sample import sample
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.bytewise.sorted_tokens import SortedVocabulary
from pofx.transforms.given import given as behind
from pofx.transforms.mixture import mixture
from pofx.transforms.with_begin import with_begin
from pofx.vocab.subwords import SubwordVocab
from pofx.vocab.vocabulary import ByteVocab
from pofx.vocab.words import WordVocab
from toy import ToyLM

BRUTE = Brute(toy(), LONGEST)


def near(found: float, p: float, tolerance: float = 1e-9) -> bool:
    return abs(math.exp(found) - p) < tolerance * max(p, 1e-300) + 1e-15 * (p == 0)


# ------------------------------------------------------------------------------------------------- brute force


def test_brute_force_agrees_with_itself() -> None:
    for x in [b"", b"a", b"ab", b"b"]:
        parts = BRUTE.string(x) + sum(BRUTE.prefix(x + bytes([b])) for b in range(256))
        assert parts == pytest.approx(BRUTE.prefix(x), abs=1e-12)


def test_prefixes_and_strings_are_the_sum_over_all_token_sequences() -> None:
    scored = score(bytewise(toy()), SHORT_TEXTS)
    for x, s in zip(SHORT_TEXTS, scored):
        assert near(s.prefix_total, BRUTE.prefix(x)), x
        assert near(s.total, BRUTE.string(x)), x
    assert sum(s.total > -math.inf for s in scored) > 30


def test_the_law_of_the_next_byte() -> None:
    lm = bytewise(toy())
    for x in [x for x in SHORT_TEXTS if len(x) < LONGEST and BRUTE.prefix(x) > 0]:
        law = np.exp(lm.extend(lm.start(1), [list(x)]).logp[0])
        assert law.sum() == pytest.approx(1, abs=1e-12)
        for b in range(256):
            assert law[b] == pytest.approx(BRUTE.prefix(x + bytes([b])) / BRUTE.prefix(x), rel=1e-9)
        assert law[256] == pytest.approx(BRUTE.string(x) / BRUTE.prefix(x), rel=1e-9)


def test_without_eos_there_are_prefixes() -> None:
    tokens = tuple(b for i, b in enumerate(TOKENS) if i != END)
    brute, lm = Brute(toy(tokens, None), 3), bytewise(toy(tokens, None))
    assert lm.vocab.size == 256
    for x in [b"", b"a", b"ab", b"aba", b"bcd"]:
        assert near(prefix_log_prob(lm, x), brute.prefix(x))


def test_the_string_is_likelier_than_its_canonical_spelling() -> None:
    token, byte = toy(), bytewise(toy())
    some = [x for x in SHORT_TEXTS if BRUTE.string(x) > 0]
    gaps = [log_prob(byte, x) - log_prob(token, x) for x in some if x]
    assert all(g > -2 for g in gaps)
    # Without control tokens nothing is renormalised, and canonical ≤ marginal ≤ prefix mass.
    tokens = (b"a", b"b", b"ab", b"ab", b"aba", None)
    token, byte = toy(tokens, 5), bytewise(toy(tokens, 5))
    found = []
    for x in (b"", b"a", b"ab", b"abab", b"baba", b"aabba"):
        canonical, marginal = log_prob(token, x), log_prob(byte, x)
        assert canonical <= marginal + 1e-12 <= prefix_log_prob(byte, x) + 2e-12
        found.append(marginal - canonical)
    assert max(found) > 0.1


# --------------------------------------------------------------------------------------------------- all laws


SOME = ["1 rows", "3 forward", "4 given", "6 values"]  # the others walk the 257 outcomes of every prefix


@pytest.mark.thorough
def test_laws_of_the_exact_sum() -> None:
    laws(bytewise(toy()))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "lm",
    [
        lambda: bytewise(toy(tuple(b for i, b in enumerate(TOKENS) if i != END), None)),
        lambda: bytewise(behind(toy(begin=False), "ab")),
        lambda: bytewise(with_begin(toy(begin=False), 1)),
        lambda: mixture([bytewise(toy(seed=1)), bytewise(toy(seed=2))]),
        lambda: behind(bytewise(toy()), b"\xc3"),
        lambda: bytewise(Toy(NoSpace(OPENING, 5), memory=2)),
    ],
    ids=["no EOS", "given", "begun", "mixture", "behind half a character", "opening space"],
)
def test_laws(lm) -> None:
    for name in SOME:
        LAWS[name](lm())


@pytest.mark.thorough
@pytest.mark.parametrize(("beam", "lazy"), [(1, False), (3, False), (1, True), (3, True)])
def test_laws_with_a_beam(beam: int, lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if lazy:
        leave_unread(monkeypatch)
    lm = bytewise(toy(), beam)
    for name in SOME:
        LAWS[name](lm)


def test_laws_catch_control_tokens_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SortedVocabulary, "spelling", lambda self, logp, rows: np.zeros(len(rows)))
    with pytest.raises(Broken):
        laws(bytewise(toy()))


# ---------------------------------------------------------------------------------------------- control tokens


def test_the_leak_is_reported() -> None:
    lm = toy()
    s = score(bytewise(lm), [b"\xa9", b""])
    silent = [1, 12]
    # One token spells it: two laws are read, the first and the one after it.
    first, second = (np.exp(lm.row(h))[silent].sum() for h in ((), (10,)))
    assert s[0].terms.leak == pytest.approx(1 - (1 - first) * (1 - second), abs=1e-12)
    assert s[1].terms.leak == pytest.approx(first, abs=1e-12)
    assert "leak" in str(s[0].terms)
    assert score(lm, ["a"])[0].terms.leak == 0
    assert score(bytewise(toy((b"a", b"aa", None), 2)), ["aaa"])[0].terms.leak == 0


def test_almost_all_mass_on_control_tokens() -> None:
    lm = toy((b"a", b"ab", None, None), 2)
    weights = np.array([-50.0, -51.0, -52.0, 0.0])
    lm.row = lambda history: weights
    odds = np.exp(weights[:3]) / np.exp(weights[:3]).sum()
    law = np.exp(bytewise(lm).start(1).logp[0])
    assert law[ord("a")] == pytest.approx(odds[0] + odds[1], rel=1e-12)
    assert law[256] == pytest.approx(odds[2], rel=1e-12)


def test_nothing_but_control_tokens() -> None:
    lm = toy((b"a", None, None), 1)
    lm.row = lambda history: np.array([-np.inf, -np.inf, 0.0])
    law = np.exp(bytewise(lm).start(1).logp[0])
    assert law.sum() == pytest.approx(1)
    with pytest.raises(BadValue, match="spells something|control tokens only"):
        bytewise(toy((None, None), 1))


# ------------------------------------------------------------------------------------------------------ queries


def test_draws_follow_the_strings() -> None:
    lm = bytewise(toy())
    draws = sample(lm, 3000, max_tokens=LONGEST + 1, seed=3)
    seen = Counter(d.bytes for d in draws if d.ended)
    for x in (b"", b"a", b"b", b"ab", "é".encode(), b"bcd", b"aba"):
        p = BRUTE.string(x)
        assert abs(seen[x] - 3000 * p) < 5 * math.sqrt(3000 * p * (1 - p)) + 1, (x, seen[x], 3000 * p)
    assert sum(seen.values()) > 500


def test_next_byte() -> None:
    found = next_token(bytewise(toy(), 2), "a", k=3)
    assert found.terms.kind == "interval"
    assert sum(math.exp(a.logp) for a in found.top) + math.exp(found.rest) == pytest.approx(1)


@pytest.mark.parametrize("beam", [None, 2])
def test_forward_reports_what_is_wanted(beam: int | None) -> None:
    lm = bytewise(toy(), beam)
    rng = np.random.default_rng(0)
    paths = [[*rng.choice([97, 98], size=n), 256][: n + int(n % 2)] for n in rng.integers(0, 9, size=100)]
    skips = [len(p) // 3 for p in paths]
    want = Want(entropy=True, rank=True, top=3, end=True, masses=rng.random((2, 257)) < 0.5)
    fast, slow, plain = (
        lm.forward(paths, want, skips),
        forward_by_extension(lm, paths, want, skips),
        lm.forward(paths, skip=skips),
    )
    for name in ("logp", "entropy", "rank", "top_ids", "top_logp", "end", "masses"):
        for a, b in zip(getattr(fast, name), getattr(slow, name)):
            np.testing.assert_allclose(a, b, atol=1e-11)
    for a, b in zip(plain.logp, slow.logp):
        np.testing.assert_allclose(a, b, atol=1e-11)
    with pytest.raises(IndexError, match="below 257"):
        lm.forward([[300]])
    with pytest.raises(IndexError, match="below 257"):
        lm.extend(lm.start(1), [[-1]])


# -------------------------------------------------------------------------------------------------- the model


class Counting(Toy):
    """Counts calls and rows."""

    calls, rows = 0, 0
    context = None

    def extend(self, state, ids):
        self.calls += 1
        self.rows += state.n
        return super().extend(state, ids)


def test_one_call_a_byte_and_each_history_once() -> None:
    lm = Counting(Pieces(), memory=2)
    bytewise(lm, 3).forward([[*b"abab"]] * 50)
    assert lm.calls <= 4
    assert lm.rows <= 4 * 4  # 50 equal texts cost what one does


def test_exact_sums_that_grow_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.transforms.bytewise.expansion.MOST", 1000)
    with pytest.raises(TooLong, match="keep the heaviest histories \\(bytewise\\(lm, beam=5\\)\\)"):
        log_prob(bytewise(toy()), "ab" * 30)
    assert math.isfinite(log_prob(bytewise(toy(), 5), "ab" * 30))


def test_histories_that_end_alike_are_one() -> None:
    """Of an n-gram the exact sum grows with the text, and not with its spellings; `marginal` sums them in another way."""
    documents = ["Time flies.", "Time is money.", "A friend in need is a friend indeed."]
    lm = pofx.fit(documents, NgramSpec(order=3, vocab="bpe:280"))
    text = " ".join(documents * 4)
    found = score(bytewise(lm), [text])[0]
    assert found.terms.kind == "exact"
    assert found.total == pytest.approx(pofx.marginal(lm, text).total, abs=1e-9)
    state = bytewise(lm).extend(bytewise(lm).start(1), [[*text.encode()]])
    assert state.carry.histories.n <= 16  # one by one they were 18,000 after 40 of 255 bytes


def test_a_model_without_x0_has_no_law_of_bytes() -> None:
    with pytest.raises(NoBOS, match="given="):
        bytewise(toy(begin=False))


def test_arguments() -> None:
    for beam in (0, -1, 2.0, True):
        with pytest.raises(BadValue, match="beam"):
            bytewise(toy(), beam)


def test_bytes_are_bytes_already() -> None:
    lm = ToyLM(ByteVocab())
    assert bytewise(lm, 3) is lm


def test_positive_where_every_byte_has_a_token() -> None:
    vocab = SubwordVocab.learn(["abab", "aba"] * 3, 260)
    lm = fit_ngram(vocab.encode_many(["abab", "aba", "bab"]), NgramSpec(order=3, vocab=vocab), vocab)
    lm.positive = True
    assert bytewise(lm, 2).positive
    assert not bytewise(toy(), 2).positive
    assert log_prob(bytewise(lm), "abab") >= log_prob(lm, "abab")
    assert log_prob(bytewise(lm, 1), b"\xff\x00q") > -math.inf


def test_words_that_open_with_a_space() -> None:
    vocab = WordVocab(["the", "cat", "there"])
    lm = fit_ngram(vocab.encode_many(["the cat", "there", "the the"]), NgramSpec(order=2, vocab=vocab), vocab)
    for text in ("the cat", "", "there", "the there"):
        assert log_prob(bytewise(lm), text) == pytest.approx(log_prob(lm, text), abs=1e-12)
    p = math.exp(prefix_log_prob(bytewise(lm), "the"))
    assert p == pytest.approx(math.exp(prefix_log_prob(lm, "the")) + math.exp(prefix_log_prob(lm, "there")))


def test_an_opening_space_is_no_part_of_the_text() -> None:
    lm = Toy(NoSpace(OPENING, 5), memory=2)
    brute = Brute(lm, 5)
    for x in (b"", b"a", b"ab", b"aba", b" a", b"a a", b"b a"):
        p = brute.string(b" " + x) + (0 if x.startswith(b" ") else brute.string(x))
        assert near(log_prob(bytewise(lm), x), p), x
        assert lm.vocab.decode(lm.vocab.encode(x)) == x
