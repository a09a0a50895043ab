"""The n-gram family against slow, independent implementations and against its own definitions."""

from __future__ import annotations

import gzip
import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

import pofx
from pofx.models.ngram import counting
from pofx.models.ngram.arpa import read_arpa, write_arpa
from pofx.models.ngram.model import NgramLM, fit_ngram
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import ByteVocab, CharVocab
from pofx.vocab.words import WordVocab
from toy import ToyVocab, log_string

TEXTS = [
    "the cat sat on the mat",
    "the dog sat",
    "",
    "a cat",
    "the mat",
    "on and on and on",
    "cats and dogs sat on mats",
    "that is that",
    "this is it",
    "the end",
    "it is the end of the cat",
    "oh",
    "ends",
] * 2 + ["the cat sat on it", "so it ends"]


class SlowKneserNey:
    """Interpolated modified Kneser–Ney by dictionaries, written from Chen & Goodman (1999) and nothing else."""

    def __init__(self, texts: list[list], order: int, outcomes: int, begin: bool) -> None:
        self.order, self.outcomes = order, outcomes
        raw: dict[int, Counter] = {k: Counter() for k in range(1, order + 1)}
        for ids in texts:
            sequence = (["<s>"] if begin else []) + ids
            for i in range(1, len(sequence)):
                for k in range(1, order + 1):
                    if i - k + 1 >= 0:
                        raw[k][tuple(sequence[i - k + 1 : i + 1])] += 1
        self.counts: dict[int, Counter] = {}
        starts = {k: {g for g in raw[k] if g[0] == "<s>"} for k in raw}
        # An n-gram may open a document that has no x0: that counts as one more place it was seen behind.
        opening = defaultdict(set)
        if not begin:
            for ids in texts:
                for k in range(2, order):
                    opening[k].add(tuple(ids[:k]))
        for k in range(1, order + 1):
            if k == order:
                self.counts[k] = raw[k]
                continue
            seen = Counter(g[1:] for g in raw[k + 1])
            self.counts[k] = Counter(
                {g: (raw[k][g] if g in starts[k] else seen[g] + (g in opening[k])) for g in raw[k]}
            )
        self.discounts = {k: self._discounts(self.counts[k]) for k in self.counts}

    @staticmethod
    def _discounts(counts: Counter) -> list[float]:
        n = Counter(counts.values())
        out = [0.0]
        for j, fallback in ((1, 0.5), (2, 1.0), (3, 1.5)):
            d = fallback
            if n[1] and n[2] and n[j] and n[j + 1]:
                y = n[1] / (n[1] + 2 * n[2])
                d = j - (j + 1) * y * n[j + 1] / n[j]
            # counts above 4 are no part of the estimate of D3, which uses n3 and n4 alone
            out.append(d if 0.01 <= d < j else fallback)
        return out

    def p(self, token, history: tuple) -> float:
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        k = len(history) + 1
        below = 1 / self.outcomes if not history else self.p(token, history[1:])
        followers = {g[-1]: c for g, c in self.counts[k].items() if g[:-1] == history}
        if not followers:
            return below
        total = sum(followers.values())
        cut = self.discounts[k]
        c = followers.get(token, 0)
        weight = sum(cut[min(c, 3)] for c in followers.values()) / total
        return (c - cut[min(c, 3)]) / total + weight * below


@pytest.mark.parametrize(
    ("order", "begin"), [(1, True), (2, True), (3, True), (4, True), (2, False), (3, False)]
)
def test_kneser_ney_is_what_chen_and_goodman_wrote(order: int, begin: bool) -> None:
    vocab = CharVocab.learn(TEXTS)
    end = vocab.end
    ids = [[*vocab.encode(t), end] for t in TEXTS]
    slow = SlowKneserNey(ids, order, vocab.size, begin)
    lm = fit_ngram(vocab.encode_many(TEXTS), NgramSpec(order=order, begin=begin, vocab=vocab), vocab)
    for text in ["the cat", "zzz"[:0], "oh oh", "mats and", "tttt"]:
        path = [*vocab.encode(text), end]
        found = lm.forward([path], skip=0 if begin else 1).logp[0]
        history = ["<s>"] if begin else []
        expected = [slow.p(v, (*history, *path[:i])) for i, v in enumerate(path)]
        assert np.exp(found) == pytest.approx(expected[0 if begin else 1 :], abs=1e-12)


def test_the_slow_implementation_sums_to_one_itself() -> None:
    vocab = CharVocab.learn(TEXTS)
    slow = SlowKneserNey([[*vocab.encode(t), vocab.end] for t in TEXTS], 3, vocab.size, True)
    for history in [("<s>",), ("<s>", 3), (1, 2), (5, 5), ()]:
        assert math.fsum(slow.p(v, history) for v in range(vocab.size)) == pytest.approx(1, abs=1e-12)


def _loss(lm: NgramLM, paths: list[list[int]]) -> float:
    return -math.fsum(float(a.sum()) for a in lm.forward(paths).logp) / len(paths)


def test_maximum_likelihood_is_the_argmin_of_the_loss() -> None:
    texts = ["abca", "ab", "caab", "", "bb", "abab"]
    vocab = ToyVocab(3)
    lm = fit_ngram(vocab.encode_many(texts), NgramSpec(order=3, smoothing="mle", vocab=vocab), vocab)
    paths = [[*vocab.encode(t), 3] for t in texts]
    best = _loss(lm, paths)
    used: dict[tuple[int, ...], Counter] = defaultdict(Counter)
    for p in paths:
        for i, v in enumerate(p):
            used[tuple([9, 9, *p[:i]][-2:])][v] += 1
    assert best == pytest.approx(
        -sum(c * math.log(c / sum(row.values())) for row in used.values() for c in row.values()) / len(paths),
        abs=1e-12,
    )
    # Move mass between any two outcomes of any row that was used: the loss rises (or stays, where a row is sure).
    rng = np.random.default_rng(0)
    risen = 0
    for history, row in used.items():
        n = sum(row.values())
        p = np.array([row[v] / n for v in range(4)])
        for i, j in itertools.permutations(range(4), 2):
            step = min(1e-3, p[i]) * rng.uniform(0.2, 1)
            if step <= 0:
                continue
            q = p.copy()
            q[i] -= step
            q[j] += step
            before = sum(row[v] * math.log(p[v]) for v in row)
            with np.errstate(divide="ignore"):
                after = sum(row[v] * np.log(q[v]) for v in row)
            assert after < before, (history, i, j)
            risen += 1
    assert risen > 20


def test_the_training_loss_is_minus_the_score() -> None:
    """Law 7: c(hw) log p(w|h) summed over the table is the sum of log_prob over the training texts."""
    texts = ["abca", "ab", "", "caab", "bb"]
    vocab = ToyVocab(3)
    for smoothing in ("kneser-ney", "additive", "mle"):
        lm = fit_ngram(vocab.encode_many(texts), NgramSpec(order=3, smoothing=smoothing, vocab=vocab), vocab)
        total = sum(pofx.log_prob(lm, t) for t in texts)
        counts = counting.count_ngrams([np.array([*vocab.encode(t), 3]) for t in texts], 4, 3, True)
        by_counts = float((counts.events * np.log(_full_order(lm, counts))).sum())
        assert total == pytest.approx(by_counts, abs=1e-9)


def _full_order(lm: NgramLM, counts: counting.Counts) -> np.ndarray:
    """p of the event of each row of the count table, by the law of its own history."""
    out = []
    for row in range(len(counts.table)):
        codes = [int(lm.table.packing.code(counts.table.words[row : row + 1], k)[0]) for k in range(3)]
        if codes[0] == lm.codes.begin:
            out.append(1.0)
            continue
        history = [c - 1 for c in reversed(codes[1:]) if 0 < c < lm.codes.begin]
        has_x0 = lm.codes.begin in codes
        state = lm.extend(lm.start(1), np.array([history]).reshape(1, -1))
        if not has_x0:  # a history from inside a text: longer than the order, whatever came before
            state = lm.extend(lm.start(1), np.array([[0, *history]]))
        out.append(float(np.exp(state.logp[0, codes[0] - 1])))
    return np.array(out)


def test_blocks_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    docs = [rng.integers(0, 4, size=n) for n in (0, 1, 3, 50, 2, 7, 33, 1, 1, 200)]
    for order, begin in [(1, True), (3, True), (3, False), (5, True), (12, False)]:
        whole = counting.count_ngrams(docs, 5, order, begin)
        monkeypatch.setattr(counting, "BLOCK", 16)
        cut = counting.count_ngrams(docs, 5, order, begin)
        monkeypatch.undo()
        assert np.array_equal(whole.table.words, cut.table.words)
        assert np.array_equal(whole.events, cut.events)
        assert (
            (whole.documents, whole.tokens)
            == (cut.documents, cut.tokens)
            == (10, sum(len(d) for d in docs) - (0 if begin else 9))
        )


@pytest.mark.parametrize("order", [7, 8, 13])
def test_long_orders_of_bytes_need_more_than_one_word_and_agree_with_dictionaries(order: int) -> None:
    text = "how much wood would a woodchuck chuck if a woodchuck could chuck wood"
    lm = pofx.fit([text, "a woodchuck would", "wood"], NgramSpec(order=order, smoothing="mle"))
    counts: dict[bytes, Counter] = defaultdict(Counter)
    for t in (text, "a woodchuck would", "wood"):
        padded = b"\x00" + t.encode()
        for i in range(1, len(padded) + 1):
            counts[padded[max(0, i - order + 1) : i]][padded[i] if i < len(padded) else 256] += 1
    expected = sum(
        math.log(counts[h][v] / sum(counts[h].values()))
        for i, v in enumerate([*b"a woodchuck would", 256])
        for h in [(b"\x00" + b"a woodchuck would")[max(0, i + 1 - order + 1) : i + 1]]
    )
    assert pofx.log_prob(lm, "a woodchuck would") == pytest.approx(expected, abs=1e-9)


def test_additive_is_lidstone() -> None:
    lm = pofx.fit(["ab", "ac"], NgramSpec(order=2, smoothing="additive", alpha=0.5, vocab=ToyVocab(3)))
    law = np.exp(lm.extend(lm.start(1), [[0]]).logp[0])
    assert law == pytest.approx([0.5 / 4, 1.5 / 4, 1.5 / 4, 0.5 / 4])
    never_seen = np.exp(lm.extend(lm.start(1), [[3]]).logp[0])
    assert never_seen == pytest.approx([0.25] * 4)


def test_no_x0_raises_a_lesson_and_answers_conditionals() -> None:
    lm = pofx.fit(["abc", "abd"], NgramSpec(order=3, begin=False))
    for ask in (
        lambda: pofx.log_prob(lm, "abc"),
        lambda: pofx.prefix_log_prob(lm, "a"),
        lambda: pofx.sample(lm, 1),
        lambda: pofx.next(lm),
        lambda: pofx.score(lm, [""]),
    ):
        with pytest.raises(pofx.NoBOS, match="begin-of-text symbol x0.*given=.*begin=True"):
            ask()
    assert math.isfinite(pofx.log_prob(lm, "bc", given="a"))
    assert pofx.sample(lm, 2, given="a", seed=0, max_tokens=5)
    assert pofx.next(lm, "a").top[0].bytes == b"b"


def test_no_eos_raises_a_lesson_and_offers_prefixes() -> None:
    lm = pofx.fit(["abc", "abd"], NgramSpec(order=3, end=False))
    with pytest.raises(pofx.NoEOS, match="prefix_log_prob.*end=True"):
        pofx.log_prob(lm, "abc")
    assert math.isfinite(pofx.prefix_log_prob(lm, "abc"))
    draw = pofx.sample(lm, 1, seed=0, max_tokens=7)[0]
    assert not draw.ended
    assert len(draw.tokens) == 7


@pytest.mark.parametrize("smoothing", ["kneser-ney", "additive", "mle"])
@pytest.mark.parametrize("order", [1, 3, 8])
def test_a_corpus_without_a_single_event_leaves_the_uniform_law(order: int, smoothing: str, tmp_path) -> None:
    lm = pofx.fit([""], NgramSpec(order=order, smoothing=smoothing, begin=False, end=False))
    pofx.save(lm, tmp_path / "nothing")
    for same in (lm, pofx.load(tmp_path / "nothing")):
        assert same.forward([np.array([97, 98, 99])], skip=1).logp[0] == pytest.approx([-math.log(256)] * 2)
        law = same.extend(same.start(1), [[97]]).logp[0]
        assert law == pytest.approx(np.full(256, -math.log(256)))


def test_probability_zero() -> None:
    lm = pofx.fit(["ab"], NgramSpec(order=2, smoothing="mle"))
    assert pofx.log_prob(lm, "ab") == pytest.approx(0.0)
    assert pofx.log_prob(lm, "ba") == -math.inf
    assert pofx.score(lm, ["zz"])[0].total == -math.inf
    with pytest.raises(pofx.Impossible, match="'ba'.*P = 0"):
        pofx.log_prob(lm, "x", given="ba")
    with pytest.raises(pofx.Impossible):
        pofx.given(lm, "ba")


def test_save_and_load_give_the_same_bits(tmp_path) -> None:
    for k, spec in enumerate(
        [
            NgramSpec(),
            NgramSpec(order=2, smoothing="additive", vocab="chars"),
            NgramSpec(order=9, begin=False, end=False),
            NgramSpec(order=3, vocab="bpe:280", smoothing="mle"),
        ]
    ):
        lm = pofx.fit(TEXTS, spec)
        pofx.save(lm, tmp_path / str(k))
        again = pofx.load(tmp_path / str(k))
        given = "" if spec.begin else "t"
        for a, b in zip(pofx.score(lm, TEXTS, given), pofx.score(again, TEXTS, given)):
            assert np.array_equal(a.logp, b.logp)
        assert again.begin == lm.begin
        assert again.vocab.end == lm.vocab.end


# ---------------------------------------------------------------- ARPA


@pytest.mark.parametrize("name", ["x.arpa", "x.arpa.gz"])
@pytest.mark.parametrize(
    ("vocab", "read_as"),
    [("bytes", None), ("chars", "chars"), (WordVocab(["the", "cat", "sat", "on", "mat", "dog"]), None)],
)
def test_arpa_round_trip(tmp_path, name, vocab, read_as) -> None:
    texts = ["the cat sat on the mat", "the dog sat", "", "the the cat"]
    for spec in (
        NgramSpec(order=3, vocab=vocab),
        NgramSpec(order=2, vocab=vocab, begin=False),
        NgramSpec(order=3, smoothing="mle", vocab=vocab),
    ):
        lm = pofx.fit(texts, spec)
        write_arpa(lm, tmp_path / name)
        again = read_arpa(tmp_path / name, read_as)
        assert again.vocab.token_bytes == lm.vocab.token_bytes
        given = "" if spec.begin else "the"
        tests = ["the cat", "the mat sat"] if spec.begin else []
        for text in tests:
            a, b = pofx.score(lm, [text], given)[0], pofx.score(again, [text], given)[0]
            assert b.logp == pytest.approx(a.logp, abs=1e-8)
        rows = np.exp(again.extend(again.start(1), [[0, 1]]).logp)
        assert rows.sum() == pytest.approx(1, abs=1e-6)


TOY_ARPA = """
\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-99 <s> -0.3010300
-0.5228787\ta\t-0.2218487
-0.5228787\tb\t0
-0.6989700\t<unk>
-0.6989700\t</s>

\\2-grams:
-0.1549020\t<s> a\t-0.2
-0.3010300\ta b\t-0.1
-0.4771213\tb </s>
-0.6\tb a\t-0.05

\\3-grams:
-0.2\t<s> a b

\\end\\
"""


def test_arpa_is_katz_back_off_by_hand(tmp_path) -> None:
    path = tmp_path / "toy.arpa"
    path.write_text(TOY_ARPA)
    lm = pofx.load(path)
    assert lm.vocab.token_bytes == (b" a", b" b", None, None)
    log10 = [-0.1549020, -0.2, (-0.1) + (-0.4771213)]  # a|<s>; b|<s> a; </s>|a b: backs off from "a b" to "b"
    assert pofx.log_prob(lm, "a b") == pytest.approx(sum(log10) * math.log(10), abs=1e-6)
    # b|<s>: no such 2-gram; a|<s> b: "<s> b" is no history; </s>|b a: back-off of "b a" and of "a"
    log10 = [-0.3010300 - 0.5228787, -0.6, -0.05 - 0.2218487 - 0.6989700]
    assert pofx.log_prob(lm, "b a") == pytest.approx(sum(log10) * math.log(10), abs=1e-6)
    with pytest.raises(pofx.NotText, match="'dog'"):
        pofx.log_prob(lm, "a dog")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("ngram 2=4", "ngram 2=5", "promised"),
        ("ngram 2=4", "ngram 2=x", "COUNT"),
        ("\\end\\", "", "end"),
        ("\\data\\", "hello", "data"),
        ("\\2-grams:", "\\3-grams:", "section 2"),
        ("-0.6\tb a", "0.6\tb a", "log10 p"),
        ("-0.6\tb a", "nan\tb a", "log10 p"),
        ("-0.6\tb a", "-0.6\tb z", "'z'"),
        ("-0.6\tb a", "-0.3\ta b", "repeated"),
        ("-0.6\tb a", "-0.6\tb a a a a", "2 tokens"),
    ],
)
def test_a_bad_arpa_file_is_refused_in_one_line(tmp_path, old, new, line) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(TOY_ARPA.replace(old, new))
    with pytest.raises(pofx.BadSource, match=line) as e:
        pofx.load(path)
    assert "\n" not in str(e.value)
    assert "bad.arpa" in str(e.value)


def test_truncated_and_binary_arpa_files(tmp_path) -> None:
    whole = gzip.compress(TOY_ARPA.encode() * 1)
    (tmp_path / "cut.arpa.gz").write_bytes(whole[:-20])
    (tmp_path / "no.arpa.gz").write_bytes(b"plain text")
    (tmp_path / "binary.arpa").write_bytes(bytes(range(256)))
    (tmp_path / "empty.arpa").write_bytes(b"")
    for name in ("cut.arpa.gz", "no.arpa.gz", "binary.arpa", "empty.arpa", "missing.arpa"):
        with pytest.raises(pofx.BadSource, match=name.replace(".", r"\.")):
            pofx.load(tmp_path / name)


def test_additive_smoothing_has_no_arpa_form(tmp_path) -> None:
    lm = pofx.fit(TEXTS, NgramSpec(order=3, smoothing="additive"))
    with pytest.raises(pofx.BadValue, match="kneser-ney"):
        write_arpa(lm, tmp_path / "x.arpa")
    assert not (tmp_path / "x.arpa").exists()


def test_a_pruned_arpa_file_backs_off_through_what_is_missing(tmp_path) -> None:
    pruned = TOY_ARPA.replace("ngram 2=4", "ngram 2=3").replace("-0.3010300\ta b\t-0.1\n", "")
    (tmp_path / "p.arpa").write_text(pruned)
    lm = pofx.load(tmp_path / "p.arpa")
    # b|<s> a is the 3-gram; </s>|a b: "a b" is gone, so straight to "b </s>"
    assert pofx.log_prob(lm, "a b") == pytest.approx((-0.1549020 - 0.2 - 0.4771213) * math.log(10), abs=1e-6)


def test_strings_of_the_ngram_are_what_the_enumerator_says() -> None:
    lm = pofx.fit(["ab", "b", "bab"], NgramSpec(order=3, vocab=ToyVocab(2)))
    for text in ["", "a", "ab", "bab", "aaaa"]:
        assert pofx.log_prob(lm, text) == pytest.approx(log_string(lm, lm.vocab.encode(text)), abs=1e-12)


def test_bytes_take_anything() -> None:
    lm = pofx.fit([b"\x00\xff\xfe", "caf\u00e9\r\n", ""])
    for data in (b"", b"\x00" * 5, b"\xff\xfe", "e\u0301\r\n\U0001f600", "</s><s>"):
        assert math.isfinite(pofx.log_prob(lm, data))
    with pytest.raises(pofx.NotText, match=r"U\+D800"):
        pofx.log_prob(lm, "a\ud800")
    assert lm.vocab.encode(b"</s>") == list(b"</s>")
    assert isinstance(lm.vocab, ByteVocab)


def test_long_texts_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.models.ngram import model as ngram

    lm = pofx.fit(TEXTS, NgramSpec(order=4))
    want = pofx.Want(entropy=True, rank=True)
    whole = pofx.score(lm, TEXTS, want=want)
    for size in (1, 5, 37):
        monkeypatch.setattr(ngram, "POSITIONS", size)
        cut = pofx.score(lm, TEXTS, want=want)
        assert all(
            np.array_equal(a.logp, b.logp) and np.array_equal(a.rank, b.rank) for a, b in zip(whole, cut)
        )


@pytest.mark.parametrize("smoothing", ["kneser-ney", "mle"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_survival_by_back_off_is_that_of_the_whole_chain(order: int, smoothing: str) -> None:
    from pofx.algorithms.statistics.absorbing_chains import survival
    from pofx.models.ngram.chain import build_chain
    from pofx.models.ngram.survival import survival_by_backoff

    lm = pofx.fit(
        ["abca", "ab", "", "caab", "abcabc", "cccc"], NgramSpec(order, smoothing, vocab=ToyVocab(4))
    )
    lengths = [0, 1, 2, 5, 40]
    chain = build_chain(lm.backoff, lm.vocab.end)
    assert survival_by_backoff(lm.backoff, lm.vocab.end, lengths) == pytest.approx(
        survival(chain, 0, [n + 1 for n in lengths]), abs=1e-14
    )
    by_hand = 1 - math.exp(pofx.log_prob(lm, ""))
    assert lm.termination([0]).alive[0] == pytest.approx(by_hand, abs=1e-14)


def test_survival_of_a_large_table_is_exact_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.models.ngram import chain, survival

    lm = pofx.fit(TEXTS, NgramSpec(3))
    whole = lm.termination([1, 2, 4, 8])
    monkeypatch.setattr(chain, "EDGES", 10)
    assert lm.termination([1, 2, 4, 8]).alive == pytest.approx(whole.alive, abs=1e-12)
    grams = sum(len(lm.table.first(k)) for k in (1, 2, 3))
    monkeypatch.setattr(survival, "WORK", 3 * grams)
    assert lm.termination([1, 2, 4, 8]).alive == pytest.approx(whole.alive[:2], abs=1e-12)
