"""Prefixes that are strings: tokens may begin inside the prefix and end in the text after it."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest

from byte_toys import LONGEST, SHORT_TEXTS, Brute, toy
from pofx.errors import BadValue, Impossible, NoBOS
from pofx.queries.sample import sample
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.given import given as behind
from pofx.transforms.given_string import given_string
from toy import ToyLM

BRUTE = Brute(toy(), LONGEST)


def test_a_join_is_the_difference_of_strings() -> None:
    """Every x and y that make a text, cut mid-token and mid-character."""
    lm, narrow = toy(), 0
    for whole in [x for x in SHORT_TEXTS if x and BRUTE.string(x) > 0]:
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
        # Σ over the tokenisations of the head: each draw's log p is that of its own tokens after one of them.
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
