"""Words: their surprisals add up, and are what enumeration says, whatever the tokens are."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

import pofx
from enumerated import Pieces
from pofx.errors import BadValue, NoBOS, NoEOS, PofxError
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.queries.segmentation.word_rule import PUNCTUATION, WordRule
from pofx.queries.words.boundaries import BoundaryTokens
from pofx.queries.words.words import Word, Worded
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.vocabulary import ByteVocab, Vocab
from toy import ToyLM, log_prefix, log_string

SINGLE = Pieces(b"a", b"b", b" ", b".")
WORD_BEGINS = Pieces(b"a", b"b", b" a", b" b", b"ab", b" ab", b".", b" ")
WORD_ENDS = Pieces(b"a ", b"b ", b"aa ", b"ab ", b"ba ")
MIXED = Pieces(b"a", b"b", b"a ", b" b", b"b a", b"a b a", b"ab", b".", b". ", b" ", b"b.")
WIDE = Pieces(b"a", b"b", b" ", b".", b"\xe3", b"\x80", b"a\xe3", "\u3000b".encode(), "\u2019".encode())
VOCABS = {"single": SINGLE, "word begins": WORD_BEGINS, "mixed": MIXED}


def lm_of(vocab: Vocab, seed: int = 0, memory: int = 3) -> ToyLM:
    return ToyLM(vocab, seed=seed, memory=memory)


def separators(punctuation: str) -> str:
    return " " if punctuation == "attached" else " ."


def nats_before(lm: LM, text: str, at: int, bounded: bool, boundary: str) -> float:
    """log F(at) by the definition: the tokens of the text that end at or before `at`, and any one token after them."""
    ids = lm.vocab.encode(text)
    ends = [len(lm.vocab.decode(ids[:k])) for k in range(len(ids) + 1)]
    kept = ids[: max(k for k, e in enumerate(ends) if e <= at)]
    spelled = lm.vocab.decode(kept)
    wanted = [text[:at].encode() + (c.encode() if bounded else b"") for c in (boundary if bounded else " ")]
    if not bounded and len(spelled) == at:
        return log_prefix(lm, kept)
    total = 0.0
    for v in range(lm.vocab.size):
        behind = lm.vocab.token_bytes[v]
        is_end = behind is None and len(spelled) == at and bounded
        if is_end or (behind is not None and any((spelled + behind).startswith(w) for w in wanted)):
            total += math.exp(log_prefix(lm, [*kept, v]))
    return math.log(total)


def covers(lm: LM, data: bytes, behind: tuple[int, ...] = ()) -> float:
    """P(a text begins with `data`), of all tokenisations: every sequence of tokens whose last one reaches its end."""
    if not data:
        return math.exp(log_prefix(lm, behind))
    total = 0.0
    for v, spelled in enumerate(lm.vocab.token_bytes):
        if spelled and (spelled.startswith(data) or data.startswith(spelled)):
            total += covers(lm, data[len(spelled) :], (*behind, v))
    return total


def spellings(lm: LM, data: bytes, behind: tuple[int, ...] = ()) -> float:
    """p(data), complete, of all tokenisations."""
    if not data:
        return math.exp(log_string(lm, behind))
    return sum(
        spellings(lm, data[len(b) :], (*behind, v))
        for v, b in enumerate(lm.vocab.token_bytes)
        if b and data.startswith(b)
    )


def summed(found: Worded) -> float:
    return math.fsum(w.surprisal for w in found.words)


def all_texts(letters: str, longest: int) -> Iterator[str]:
    for n in range(longest + 1):
        yield from ("".join(t) for t in itertools.product(letters, repeat=n))


# --- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("punctuation", PUNCTUATION)
@pytest.mark.parametrize("name", VOCABS)
def test_every_word_is_the_difference_of_two_boundaries(name: str, punctuation: str) -> None:
    lm = lm_of(VOCABS[name], seed=len(name))
    texts = list(all_texts("ab .", 4))
    for text, found in zip(texts, pofx.words(lm, texts, punctuation=punctuation)):
        before = 0.0
        for word in found.words[:-1]:
            now = nats_before(lm, text, word.end, word.bounded, separators(punctuation))
            assert word.surprisal == pytest.approx(before - now, abs=1e-9)
            before = now
        last = found.words[-1]
        assert last.surprisal == pytest.approx(before - log_string(lm, lm.vocab.encode(text)), abs=1e-9)
        now = nats_before(lm, text, last.end, last.bounded, separators(punctuation))
        assert last.surprisal - last.ending == pytest.approx(before - now, abs=1e-9)


def test_words_that_begin_with_a_space_are_those_of_pimentel_and_meister() -> None:
    lm = lm_of(WORD_BEGINS)
    ids = lm.vocab.encode("ab b abb")
    assert [lm.vocab.show(i) for i in ids] == ["ab", "␣b", "␣ab", "b"]
    opens = [i for i, b in enumerate(lm.vocab.token_bytes) if b is None or b.startswith(b" ")]

    def begin_of_word(behind: Sequence[int]) -> float:
        return math.log(sum(math.exp(log_prefix(lm, [v], behind)) for v in opens))

    first, second, third = pofx.words(lm, ["ab b abb"])[0].words
    assert first.surprisal == pytest.approx(-log_prefix(lm, ids[:1]) - begin_of_word(ids[:1]))
    of_b = log_prefix(lm, ids[1:2], ids[:1]) + begin_of_word(ids[:2]) - begin_of_word(ids[:1])
    assert second.surprisal == pytest.approx(-of_b)
    of_abb = log_prefix(lm, ids[2:], ids[:2]) + begin_of_word(ids) - begin_of_word(ids[:2])
    assert third.surprisal - third.ending == pytest.approx(-of_abb)
    assert third.ending == pytest.approx(begin_of_word(ids) - log_prefix(lm, [lm.vocab.end], ids))


def test_words_that_end_with_a_space_are_the_product_of_their_tokens() -> None:
    lm = lm_of(WORD_ENDS)
    text = "a ab b "
    ids = lm.vocab.encode(text)
    found = pofx.words(lm, [text])[0].words
    for k, word in enumerate(found):
        assert word.surprisal - word.ending == pytest.approx(-log_prefix(lm, ids[k : k + 1], ids[:k]))
    assert found[-1].ending == pytest.approx(-log_prefix(lm, [lm.vocab.end], ids))


@pytest.mark.parametrize(("vocab", "letters"), [(SINGLE, "ab "), (WORD_ENDS, "ab ")])
def test_where_a_text_has_one_spelling_it_is_the_probability_of_the_string(
    vocab: Vocab, letters: str
) -> None:
    assert vocab.unambiguous
    lm = lm_of(vocab, seed=5)
    texts = []
    for text in all_texts(letters, 6 if vocab is WORD_ENDS else 4):
        try:
            vocab.encode(text)
        except PofxError:
            continue
        texts.append(text)
    assert len(texts) > 10
    for text, found in zip(texts, pofx.words(lm, texts)):
        assert found.terms.kind == "exact"
        before = 1.0
        for word in found.words[:-1]:
            up_to = text[: word.end].encode()
            now = covers(lm, up_to + b" ") + spellings(lm, up_to)
            assert math.exp(-word.surprisal) == pytest.approx(now / before, abs=1e-9)
            before = now
        assert math.exp(-found.words[-1].surprisal) * before == pytest.approx(
            spellings(lm, text.encode()), abs=1e-9
        )


@pytest.mark.parametrize("vocab", [WORD_BEGINS, MIXED])
def test_where_it_has_many_it_is_no_more_than_that(vocab: Vocab) -> None:
    lm = lm_of(vocab, seed=5)
    less = 0
    for text, found in zip(texts := ["ab b", "a b a", "ab. b", "b ab"], pofx.words(lm, texts)):
        assert found.terms.kind == "canonical"
        word = found.words[0]
        up_to = text[: word.end].encode()
        exact = covers(lm, up_to + b" ") + spellings(lm, up_to)
        assert math.exp(-word.surprisal) <= exact + 1e-12
        less += math.exp(-word.surprisal) < exact - 1e-9
    assert less


@pytest.mark.parametrize("punctuation", ["attached", "own"])
def test_the_words_that_can_stand_at_a_place_sum_to_one(punctuation: str) -> None:
    # All words of up to L letters, and what is longer; a word of punctuation alone is whole where it is its own.
    lm, longest = lm_of(SINGLE, seed=2), 5
    letters = "ab." if punctuation == "attached" else "ab"
    texts = ["".join(t) for n in range(1, longest + 1) for t in itertools.product(letters, repeat=n)]
    first = [found.words[0] for found in pofx.words(lm, texts, punctuation=punctuation)]
    mass = math.fsum(math.exp(w.ending - w.surprisal) for w in first)
    longer = sum(
        math.exp(log_prefix(lm, SINGLE.encode("".join(t))))
        for t in itertools.product(letters, repeat=longest + 1)
    )
    others = [v for v, b in enumerate(SINGLE.token_bytes) if b is None or b.decode() not in letters]
    assert mass + longer + sum(math.exp(log_prefix(lm, [v])) for v in others) == pytest.approx(1, abs=1e-9)


@settings(max_examples=150, deadline=None)
@over(
    st.lists(st.sampled_from(["a", "b", " ", ".", "\u3000", "\u2019", "b a", "ab"]), max_size=9),
    st.sampled_from([WIDE, MIXED, SINGLE, WORD_BEGINS, ByteVocab()]),
    st.sampled_from(PUNCTUATION),
    st.integers(0, 3),
)
def test_surprisals_add_up_and_none_is_negative(
    parts: list[str], vocab: Vocab, punctuation: str, seed: int
) -> None:
    text = "".join(parts)
    try:
        vocab.encode(text)
    except PofxError:
        return
    lm = lm_of(vocab, seed)
    for units in ("words", re.compile(r"ab?"), [[(0, 1)] if text else []]):
        if units != "words" and punctuation != "attached":
            continue
        (found,) = pofx.words(lm, [text], units=units, punctuation=punctuation)
        total = pofx.log_prob(lm, text)
        assert found.total == pytest.approx(total, abs=1e-9)
        assert summed(found) == pytest.approx(-total, abs=1e-9)
        assert all(w.surprisal > -1e-9 and -1e-9 < w.ending <= w.surprisal + 1e-9 for w in found.words)
        assert sum(w.tokens for w in found.words) == found.terms.tokens == len(vocab.encode(text))


def test_behind_a_prefix_they_add_up_to_the_conditional() -> None:
    lm = lm_of(WORD_BEGINS)
    texts, prefixes = [" b ab", "a", ""], ["ab", "", "ab a"]
    for text, prefix, found in zip(texts, prefixes, pofx.words(lm, texts, given=prefixes)):
        assert summed(found) == pytest.approx(-pofx.log_prob(lm, text, given=prefix), abs=1e-9)
        assert found.given == prefix
    alone = pofx.words(lm, texts, given="ab")
    assert [summed(a) for a in alone] == pytest.approx([-pofx.log_prob(lm, t, given="ab") for t in texts])


def test_any_company_and_many_passes_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = lm_of(MIXED)
    texts = list(all_texts("ab .", 3))
    together = pofx.words(lm, texts)
    monkeypatch.setattr("pofx.queries.words.words.ENTRIES", 1)  # a set a pass
    apart = [pofx.words(lm, [t])[0] for t in texts]
    for a, b in zip(together, apart):
        assert [w.surprisal for w in a.words] == pytest.approx([w.surprisal for w in b.words], abs=1e-12)


def test_in_windows_the_same_law_is_read() -> None:
    bare = ToyLM(SINGLE, begin=False)
    lm = windowed(with_begin(bare, 2, known="assumed"), context=6, stride=3)
    text = "ab ba aab b a bb aba"
    (found,) = pofx.words(lm, [text])
    assert summed(found) == pytest.approx(-pofx.log_prob(lm, text), abs=1e-9)
    assert max(w.seen for w in found.words) <= 6


def test_what_is_impossible_is_infinite_and_never_nan() -> None:
    lm = pofx.fit(["a b", "a a"], pofx.NgramSpec(order=3, smoothing="mle"))
    (found,) = pofx.words(lm, ["a c b"])
    assert found.total == -math.inf
    assert found.words[1].surprisal == math.inf
    assert not any(math.isnan(w.surprisal) for w in found.words)
    assert found.words[0].surprisal == pytest.approx(0, abs=1e-9)


def test_the_surprisal_of_graphemes_is_that_of_prefixes() -> None:
    lm = pofx.fit(["日本語", "日本"], pofx.NgramSpec(order=4))
    (found,) = pofx.words(lm, ["日本語"], units="graphemes")
    assert [(w.text, w.start, w.end_byte, w.tokens) for w in found.words] == [
        ("日", 0, 3, 3), ("本", 1, 6, 3), ("語", 2, 9, 3),
    ]  # fmt: skip
    for k, word in enumerate(found.words[:2]):
        before, now = (pofx.prefix_log_prob(lm, "日本語"[:n]) for n in (k, k + 1))
        assert word.surprisal == pytest.approx(before - now)


def test_regions_and_what_lies_between_them() -> None:
    lm = lm_of(MIXED)
    text = "ab a. b ab"
    (found,) = pofx.words(lm, [text], units=[[(0, 4), (8, 9)]])
    assert [(w.index, w.text, w.bounded) for w in found.words] == [
        (0, "ab a", False), (None, ". b", True), (1, "a", False), (None, "b", True),
    ]  # fmt: skip
    before = 0.0
    for word in found.words[:-1]:
        now = nats_before(lm, text, word.end, word.bounded, " ")
        assert word.surprisal == pytest.approx(before - now, abs=1e-9)
        before = now
    (same,) = pofx.words(lm, [text], units=re.compile("ab a|a(?=b$)"))
    assert same.words == found.words


def test_positions_in_characters_and_bytes_and_forms() -> None:
    lm = pofx.fit(["Zoë “sat”."], pofx.NgramSpec(order=3))
    (found, raw) = pofx.words(lm, ["Zoë “sat”.", b"a\xffb \xe9"])
    first, second = found.words
    assert (first.start, first.end, first.start_byte, first.end_byte) == (0, 3, 0, 4)
    assert (second.start, second.end, second.start_byte, second.end_byte) == (4, 10, 5, 15)
    assert (first.form, second.form) == ("zoë", "sat")
    assert (first.seen, second.seen) == (1, 2)
    assert first.bits == pytest.approx(first.surprisal / math.log(2))
    law = np.exp(lm.start(1).logp[0])
    assert first.entropy == pytest.approx(-np.sum(law * np.log(law)))
    assert [(w.text, w.start_byte, w.end_byte) for w in raw.words] == [("a\\xffb", 0, 3), ("\\xe9", 4, 5)]


def test_a_text_without_words_has_one_row_for_its_end() -> None:
    lm = lm_of(SINGLE)
    for text in ("", "  "):
        (found,) = pofx.words(lm, [text])
        (only,) = found.words
        assert only.index is None
        assert only.surprisal == pytest.approx(-pofx.log_prob(lm, text))
    assert pofx.words(lm, []) == []


def test_boundaries_are_made_of_bytes() -> None:
    vocab = Pieces(b" a", b"a ", b"\n", "\u3000x".encode(), b"\xe3", b"\xe3\x81", b"a", b".", "—".encode())
    assert BoundaryTokens(vocab, WordRule()).at_boundary.tolist() == [1, 0, 1, 1, 1, 0, 0, 0, 0, 1]
    assert BoundaryTokens(vocab, WordRule(punctuation="own")).at_boundary.tolist() == [
        1,
        0,
        1,
        1,
        1,
        0,
        0,
        1,
        1,
        1,
    ]
    assert BoundaryTokens(vocab, WordRule()).continuing(b"a", True).tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert BoundaryTokens(vocab, WordRule()).continuing(b"a", False).tolist() == [
        0,
        1,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
    ]


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"texts": "a b"}, "got one text"),
        ({"units": "letters"}, "got 'letters'"),
        ({"units": re.compile(b"a")}, "over bytes"),
        ({"punctuation": "none"}, "got 'none'"),
        ({"units": "graphemes", "punctuation": "own"}, "for other units than 'words'"),
        ({"units": [[(0, 1)], []]}, "got 2"),
        ({"units": [[(0, 9)]]}, "(0, 9)"),
        ({"units": [[(1, 1)]]}, "(1, 1)"),
        ({"units": [[(0, 2), (1, 3)]]}, "after 2"),
        ({"given": ["a", "b"]}, "got 2"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(BadValue, match=re.escape(says)):
        pofx.words(lm_of(SINGLE), **{"texts": ["a b"], **arguments})  # type: ignore[arg-type]


def test_models_that_cannot_answer() -> None:
    with pytest.raises(NoBOS):
        pofx.words(ToyLM(SINGLE, begin=False), ["a b"])
    with pytest.raises(NoEOS, match="end"):
        pofx.words(pofx.fit(["a b"], pofx.NgramSpec(order=2, end=False)), ["a b"])
    assert Begin("none").known == "none"


def test_records_are_values() -> None:
    word = pofx.words(lm_of(SINGLE), ["a"])[0].words[0]
    assert isinstance(word, Word)
    with pytest.raises(AttributeError):
        word.surprisal = 0.0  # type: ignore[misc]
