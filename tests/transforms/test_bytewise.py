"""The byte-level law of a token model, against the sum over all token sequences."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from byte_toys import END, OPENING, TOKENS, Brute, NoSpace, Pieces, Toy, leave_unread, toy
from laws import LAWS, Broken, laws
from pofx.algorithms.byte_ranges import BLOCK, ByteRanges, expand_ranges, logsumexp_runs
from pofx.errors import BadValue, Impossible, NoBOS, TooLong
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.next_unit.next import next_token
from pofx.queries.sample import sample
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.bytewise.reserve import UNREAD
from pofx.transforms.bytewise.sorted_tokens import Tokens
from pofx.transforms.given import given as behind
from pofx.transforms.given_string import given_string
from pofx.transforms.mixture import mixture
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.subwords import SubwordVocab
from pofx.vocab.vocabulary import ByteVocab
from pofx.vocab.words import WordVocab
from toy import ToyLM

LONGEST = 4
BRUTE = Brute(toy(), LONGEST)
TEXTS = [bytes(t) for n in range(LONGEST + 1) for t in itertools.product(b"abc", repeat=n)]
TEXTS += [
    "é".encode(),
    b"\xc3",
    b"\xa9",
    "aé".encode(),
    "éb".encode(),
    b"a\xc3",
    b"\xc3\xc3",
    b"bcd",
    b"bcda",
    b"x",
]


def near(found: float, p: float, tolerance: float = 1e-9) -> bool:
    return abs(math.exp(found) - p) < tolerance * max(p, 1e-300) + 1e-15 * (p == 0)


# ------------------------------------------------------------------------------------------------- brute force


def test_brute_force_agrees_with_itself() -> None:
    for x in [b"", b"a", b"ab", b"b"]:
        parts = BRUTE.string(x) + sum(BRUTE.prefix(x + bytes([b])) for b in range(256))
        assert parts == pytest.approx(BRUTE.prefix(x), abs=1e-12)


def test_prefixes_and_strings_are_the_sum_over_all_token_sequences() -> None:
    scored = score(bytewise(toy()), TEXTS)
    for x, s in zip(TEXTS, scored):
        assert near(s.prefix_total, BRUTE.prefix(x)), x
        assert near(s.total, BRUTE.string(x)), x
    assert sum(s.total > -math.inf for s in scored) > 30


def test_the_law_of_the_next_byte() -> None:
    lm = bytewise(toy())
    for x in [x for x in TEXTS if len(x) < LONGEST and BRUTE.prefix(x) > 0]:
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
    some = [x for x in TEXTS if BRUTE.string(x) > 0]
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
    monkeypatch.setattr(Tokens, "spelling", lambda self, logp, rows: np.zeros(len(rows)))
    with pytest.raises(Broken):
        laws(bytewise(toy()))


# ------------------------------------------------------------------------------------------------------- beams


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("beam", "lazy"), [(1, False), (2, False), (3, False), (1, True), (3, True)])
def test_bounds_hold(beam: int, seed: int, lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if lazy:
        leave_unread(monkeypatch)
    exact, lm = bytewise(toy(seed=seed)), bytewise(toy(seed=seed), beam)
    assert lm.interval
    wide = 0
    for a, b in zip(score(exact, TEXTS), score(lm, TEXTS)):
        assert b.terms.kind == "interval"
        for value, mine, (lo, hi) in (
            (a.total, b.total, b.interval),
            (a.prefix_total, b.prefix_total, b.prefix_interval),
        ):
            assert lo <= value + 1e-12
            assert value <= hi + 1e-12
            assert lo <= mine <= hi
            wide += hi - lo > 1e-6
        assert a.interval == (a.total, a.total)
        assert b.without_end().prefix_interval == b.prefix_interval
    assert wide > 8


@settings(max_examples=40, deadline=None)
@given(
    x=st.text("abé", max_size=5),
    y=st.text("abé", max_size=4),
    beam=st.integers(1, 6),
    seed=st.integers(0, 10),
)
def test_bounds_hold_behind_a_prefix(x: str, y: str, beam: int, seed: int) -> None:
    exact, lm = bytewise(toy(seed=seed)), bytewise(toy(seed=seed), beam)
    joint = log_prob(exact, x + y) - prefix_log_prob(exact, x)
    a, b = score(exact, [y], x)[0], score(lm, [y], x)[0]
    assert a.total == pytest.approx(joint, abs=1e-9)
    lo, hi = b.interval
    assert lo <= joint + 1e-12 <= hi + 2e-12
    assert lo <= b.total <= hi


def test_a_wide_beam_is_exact() -> None:
    exact, lm = bytewise(toy()), bytewise(toy(), 1000)
    for a, b in zip(score(exact, TEXTS), score(lm, TEXTS)):
        assert b.total == a.total
        assert b.interval == pytest.approx((a.total, a.total), abs=1e-12)
    narrow = [s.interval for s in score(bytewise(toy(), 2), ["abab"])]
    wider = [s.interval for s in score(bytewise(toy(), 4), ["abab"])]
    assert narrow[0][1] - narrow[0][0] > wider[0][1] - wider[0][0] > 0


def test_a_beam_of_one_makes_nothing_impossible() -> None:
    """Behind the heaviest hypothesis "ab…" no "x" comes; behind the closed one it does."""
    tokens = (b"a", b"b", b"x", b"abb", b"abbb", None)
    lm = toy(tokens, 5, memory=1)
    weights = np.log([0.01, 0.01, 0.01, 0.6, 0.27, 0.1])
    lm.row = lambda history: weights
    assert prefix_log_prob(bytewise(lm, 1), "abx") > -math.inf
    # The law had no more than a uniform share for "ab" in two tokens, which it kept unread beside "abb…".
    trace = bytewise(lm, 1).forward([[*b"abx"]])
    kept, spare = 0.87, 0.01**2
    assert trace.logp[0][2] == pytest.approx(np.log(UNREAD * spare / (kept + spare) / 257))
    # It is read now: the bounds reach from the law's value to the exact one, of what is left.
    assert trace.low is not None
    assert trace.high is not None
    assert trace.low[0].sum() == pytest.approx(trace.logp[0].sum())
    assert trace.high[0].sum() == pytest.approx(prefix_log_prob(bytewise(lm), "abx"))


# ---------------------------------------------------------------------------------------------- control tokens


def test_the_leak_is_reported() -> None:
    lm = toy()
    s = score(bytewise(lm), [b"\xa9", b""])
    silent = [1, 12]
    # One token spells it: two laws are read, the first and the one behind it.
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


def test_bounds_pass_through_windows_and_prefixes() -> None:
    exact, lm = bytewise(toy()), bytewise(toy(), 1)
    for wrap in (lambda m: windowed(m, 4, 2), lambda m: behind(m, "ab")):
        a, b = score(wrap(exact), ["ababab"])[0], score(wrap(lm), ["ababab"])[0]
        lo, hi = b.interval
        assert lo <= a.total <= hi
        assert lo < b.total < hi
    assert next_token(behind(lm, "ab"), "a").terms.kind == "interval"


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
    with pytest.raises(TooLong, match="keep the heaviest: bytewise\\(lm, beam=5\\)"):
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
    assert state.carry.inner.n <= 16  # one by one they were 18,000 after 40 of 255 bytes


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


def test_a_long_text_is_walked_in_bounded_memory() -> None:
    lm = bytewise(toy(memory=1), 2)
    state = lm.start(1)
    for _ in range(3):
        state = lm.extend(state, [list(b"abab" * 50)])
        # Two histories, each open and closed, by two tokens at most.
        assert len(state.carry.row) <= 6
        assert state.carry.inner.n <= 6


# ------------------------------------------------------------------------------------------------ byte ranges

STRINGS = st.lists(
    st.one_of(st.none(), st.binary(max_size=4), st.sampled_from([b"a", b"ab", b"abc"])), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(strings=STRINGS, prefix=st.binary(max_size=3) | st.sampled_from([b"a", b"ab", b"abc"]))
def test_a_prefix_is_a_range(strings: list[bytes | None], prefix: bytes) -> None:
    ranges = ByteRanges(strings)
    lo, hi = np.array([0]), np.array([ranges.size])
    for depth, byte in enumerate(prefix):
        lo, hi = ranges.narrow(lo, hi, np.array([depth]), np.array([byte]))
    expected = {i for i, b in enumerate(strings) if b and b.startswith(prefix)}
    assert set(ranges.ids[lo[0] : hi[0]].tolist()) == expected
    same = {i for i, b in enumerate(strings) if b == prefix and b}
    k = int(ranges.count_closed(lo, hi, np.array([len(prefix)]))[0])
    assert set(ranges.ids[lo[0] : lo[0] + k].tolist()) == same
    logp = np.log(np.random.default_rng(1).random((2, len(strings))))
    mass = ranges.mass(logp, np.array([1]), lo, hi)[0]
    assert math.exp(mass) == pytest.approx(sum(math.exp(logp[1, i]) for i in expected))
    by_byte = np.exp(ranges.next_bytes(logp, np.array([1]), lo + k, hi, np.array([len(prefix)]))[0])
    for b in range(256):
        longer = [i for i, s in enumerate(strings) if s and s.startswith(prefix + bytes([b]))]
        assert by_byte[b] == pytest.approx(sum(math.exp(logp[1, i]) for i in longer))


def test_blocks_are_no_part_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ranges = ByteRanges([bytes(rng.integers(97, 100, size=rng.integers(1, 4))) for _ in range(50)])
    logp = rng.normal(size=(5, 50))
    lo = rng.integers(0, 50, size=20)
    hi = np.minimum(lo + rng.integers(0, 20, size=20), 50)
    row, depth = rng.integers(0, 5, size=20), np.zeros(20, dtype=np.int64)
    full = np.zeros(20, dtype=np.int64), np.full(20, 50)
    whole = ranges.mass(logp, row, lo, hi), ranges.next_bytes(logp, row, *full, depth)
    assert BLOCK > 50
    monkeypatch.setattr("pofx.algorithms.byte_ranges.BLOCK", 7)
    for a, b in zip(whole, (ranges.mass(logp, row, lo, hi), ranges.next_bytes(logp, row, *full, depth))):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_runs() -> None:
    which, at = expand_ranges(np.array([3, 5, 5, 0]), np.array([5, 5, 4, 1]))
    assert which.tolist() == [0, 0, 3]
    assert at.tolist() == [3, 4, 0]
    out = logsumexp_runs(np.array([0.0, 0.0, -np.inf, -np.inf]), np.array([0, 2, 2]))
    assert out.tolist() == [-np.inf, math.log(2), -np.inf]


def test_tiny_ranges_do_not_cancel() -> None:
    ranges = ByteRanges([b"a", b"b", b"c"])
    mass = ranges.mass(np.log([[0.5, 1e-40, 0.5]]), np.array([0]), np.array([1]), np.array([2]))
    assert mass[0] == pytest.approx(math.log(1e-40))


# -------------------------------------------------------------------------------------------------------- joins


def test_a_join_is_the_difference_of_strings() -> None:
    """Every x and y that make a text, cut mid-token and mid-character."""
    lm, narrow = toy(), 0
    for whole in [x for x in TEXTS if x and BRUTE.string(x) > 0]:
        for at in range(1, len(whole) + 1):
            x, y = whole[:at], whole[at:]
            s = score(lm, [y], x, boundary="exact")[0]
            value = math.log(BRUTE.string(whole)) - math.log(BRUTE.prefix(x))
            lo, hi = s.interval
            assert lo - 1e-9 <= value <= hi + 1e-9
            if hi - lo < 1e-9:
                narrow += 1
                assert s.total == pytest.approx(value, abs=1e-9)
            value = math.log(BRUTE.prefix(whole)) - math.log(BRUTE.prefix(x))
            assert s.prefix_interval[0] - 1e-9 <= value <= s.prefix_interval[1] + 1e-9
            assert (s.text, s.given, s.terms.boundary, s.terms.given_bytes) == (y, x, "exact", at)
    assert narrow > 60


WORDS = (
    b"free",
    b" free",
    b" soft",
    b"ware",
    b" software",
    b" ",
    b"s",
    b"o",
    b"f",
    b"t",
    b" the",
    b"e",
    None,
)


@pytest.mark.parametrize("begin", [True, False])
def test_words_that_no_token_straddles_are_read_as_tokens(begin: bool, monkeypatch) -> None:
    monkeypatch.setattr("pofx.transforms.given_string.TAIL", 16)
    assert given_string(toy(WORDS, 12), "free free soft").head == b""
    assert given_string(toy(WORDS, 12), "free free soft the soft").head == b"free"
    monkeypatch.setattr("pofx.transforms.given_string.TAIL", 1)
    lm = toy(WORDS, 12, begin=begin)
    join = given_string(lm, "free free soft")
    assert (join.head, join.tail) == (b"free free", b" soft")
    assert given_string(lm, "free soft").tail == b" soft"
    assert given_string(lm, " soft").tail == (b" soft" if begin else b"")
    found = log_prob(lm, "ware the", given="free soft", boundary="exact")
    source = bytewise(behind(lm, "free"))
    by_hand = log_prob(source, " software the") - prefix_log_prob(source, " soft")
    assert found == pytest.approx(by_hand, abs=1e-9)
    assert abs(found - log_prob(lm, "ware the", given="free soft", boundary="token")) > 1e-3
    # Behind "free free" what follows " the" begins anew, so there is nothing to heal but " the" itself.
    assert given_string(lm, "free the").tail == b" the"


def test_joins_in_a_batch() -> None:
    lm = toy(WORDS, 12)
    texts = ["ware", " the", "ware", "free"]
    prefixes = ["free soft", "free", b"free soft", ""]
    scored = score(lm, texts, prefixes, boundary="exact")
    for s, text, prefix in zip(scored, texts, prefixes):
        assert (s.text, s.given) == (text, prefix)
        assert s.total == pytest.approx(log_prob(lm, text, prefix, boundary="exact"), abs=1e-12)
    assert [s.terms.boundary for s in scored] == ["exact", "exact", "exact", ""]
    assert scored[3].terms.kind == "canonical"


def test_joins_that_are_none() -> None:
    lm = toy(WORDS, 12)
    with pytest.raises(BadValue, match="boundary='exact'"):
        score(lm, ["ware"], "free soft", boundary="error")
    clean = score(lm, [" the"], "free", boundary="error")[0]
    assert clean.total == log_prob(lm, " the", "free")
    assert clean.terms.boundary == "token"
    assert "exact join" not in str(clean.terms)
    assert "exact join" in str(score(lm, [" the"], "free", boundary="exact")[0].terms)
    letters = ToyLM()
    for boundary in ("token", "exact", "error"):
        s = score(letters, ["ab"], "c", boundary=boundary)[0]
        assert s.total == log_prob(letters, "ab", "c")
        assert s.terms.boundary == ""
    assert score(letters, ["ab"])[0].terms.boundary == ""
    with pytest.raises(NoBOS):
        score(toy(WORDS, 12, begin=False), ["ware"], "", boundary="exact")


@settings(max_examples=60, deadline=None)
@given(strings=STRINGS, text=st.binary(max_size=6) | st.text("abc", max_size=6).map(str.encode))
def test_reach(strings: list[bytes | None], text: bytes) -> None:
    found = ByteRanges(strings).reach(text).tolist()
    for i, reach in enumerate(found):
        most = max(
            (d for d in range(len(text) - i + 1) for b in strings if b and b.startswith(text[i : i + d])),
            default=0,
        )
        assert reach == most


# No control tokens: tokens drawn behind a cover are those of the strings.
PLAIN = (b"a", b"b", b"ab", b"ab", b"aba", b"ba", b"bb", None)


@pytest.mark.parametrize("prefix", [b"a", b"ab", b"abb"])
def test_draws_behind_a_string_begin_inside_it(prefix: bytes) -> None:
    lm, n = toy(PLAIN, 7), 2000
    brute = Brute(lm, 5)
    draws = sample(lm, n, prefix, max_tokens=6, seed=5, boundary="exact")
    seen = Counter(d.bytes for d in draws if d.ended)
    chi = cells = 0
    for y in [bytes(t) for k in range(3) for t in itertools.product(b"ab", repeat=k)]:
        p = brute.string(prefix + y) / brute.prefix(prefix)
        assert abs(seen[y] - n * p) < 5 * math.sqrt(n * p * (1 - p)) + 1, (y, seen[y], n * p)
        chi, cells = chi + (seen[y] - n * p) ** 2 / (n * p), cells + 1
    assert chi < cells + 5 * math.sqrt(2 * cells)
    token = Counter(d.bytes for d in sample(lm, n, prefix, max_tokens=6, seed=5, boundary="token") if d.ended)
    assert max(abs(token[y] - seen[y]) for y in seen) > 50  # cut into tokens by itself it is another law


def test_a_draw_behind_a_string_says_how_likely_it_was() -> None:
    lm = toy(PLAIN, 7)
    brute = Brute(lm, 5)
    inside = 0
    for d in sample(lm, 200, "ab", max_tokens=3, seed=1, boundary="exact"):
        # Σ over the tokenisations of the head: each draw's log p is that of its own tokens behind one of them.
        assert d.total <= 1e-12
        spelled = lm.vocab.decode(d.tokens)
        assert spelled.endswith(d.bytes)
        depth = len(spelled) - len(d.bytes)
        inside += depth > 0
        heads = {0: [(0, 1), (2,), (3,)], 1: [(0,)], 2: [()]}[depth]
        path = [*d.tokens, *([7] if d.ended else [])]
        values = [sum(lm.row((*h, *path[:i]))[t] for i, t in enumerate((*h, *path)[len(h) :])) for h in heads]
        values = [v + sum(lm.row(h[:i])[t] for i, t in enumerate(h)) for v, h in zip(values, heads)]
        assert any(d.total == pytest.approx(v - math.log(brute.prefix(b"ab")), abs=1e-9) for v in values)
        assert (d.terms.boundary, d.terms.given_bytes, d.terms.bytes) == ("exact", 2, len(d.bytes))
        assert d.ended or len(d.tokens) == 3
    assert 20 < inside < 180
    many, few = (sample(lm, n, "ab", max_tokens=3, seed=1, boundary="exact") for n in (300, 4))
    assert [d.bytes for d in many[:4]] == [d.bytes for d in few]
    assert [d.bytes for d in sample(lm, 5, "", seed=2, boundary="exact")] == [
        d.bytes for d in sample(lm, 5, seed=2)
    ]


def test_draws_behind_what_cannot_be() -> None:
    with pytest.raises(Impossible):
        sample(toy(), 1, "bcb", boundary="exact")
    assert all(d.bytes.startswith(b"d") for d in sample(toy(), 5, "bc", boundary="exact", seed=0))
    with pytest.raises(Impossible):
        score(toy(), ["a"], "ba\xa9", boundary="exact")
