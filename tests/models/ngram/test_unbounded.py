"""The n-gram of unbounded order against a slow model that counts by searching in the text, and against the laws."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import pofx
from laws import LAWS, laws
from pofx.errors import BadValue
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.ngram.smoothing import discounts_of
from pofx.models.ngram.unbounded import reading
from pofx.models.ngram.unbounded.buckets import BUCKETS, buckets
from pofx.models.ngram.unbounded.contexts import contexts_of
from pofx.models.ngram.unbounded.followers import followers_of
from pofx.models.ngram.unbounded.left_out import left_out_paths
from pofx.models.ngram.unbounded.model import UnboundedLM, fit_unbounded
from pofx.models.ngram.unbounded.smoothed import smoothed
from pofx.models.ngram.unbounded.table import DEEP, context_table
from pofx.models.ngram.unbounded.weights import estimate_weights
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import CharVocab
from toy import ToyVocab

TEXTS = [
    "the cat sat on the mat",
    "the dog sat",
    "",
    "a cat",
    "the mat",
    "on and on and on and on",
    "cats and dogs sat on mats",
    "the cat sat on the mat",
    "oh",
    "ends",
    "aaaaaaa",
]
TOYS = [[0, 1, 0, 1, 2], [0, 1, 0], [], [2, 2, 2, 2], [0, 1, 0, 1, 2], [1], [2, 0, 1, 0, 1]]


class SlowUnbounded:
    """The definition: contexts are found by searching the history in every document."""

    def __init__(
        self,
        documents: list[list[int]],
        size: int,
        begin: bool,
        weights: np.ndarray,
        left_out: int | None = None,
    ) -> None:
        self.size, self.weights = size, weights
        self.lines = [(["<s>"] if begin else []) + d for d in documents]
        # The histories of all events, the last tokens first, and the token of each event.
        self.events = [
            (tuple(reversed(line[:i])), line[i]) for line in self.lines for i in range(1, len(line))
        ]
        if left_out is not None:
            del self.events[left_out]
        self.contexts = {()} | {
            h[:k] for h, _ in self.events for k in range(1, len(h) + 1) if len(self.branches(h[:k])) > 1
        }
        self.discounts = []
        for k in range(DEEP + 1):
            own = [c for c in self.contexts if self.class_of(c) == k]
            found = [n for c in own for n in self.counts(c)[0].values()]
            self.discounts.append(
                [0.0, *discounts_of(np.bincount(np.minimum(found, 5).astype(int), minlength=6))]
            )

    def branches(self, context: tuple) -> list[tuple]:
        """The longer contexts by one token, and one for each history that ends here."""
        k = len(context)
        ending = [("end", i) for i, (h, _) in enumerate(self.events) if h == context]
        return [*{h[k] for h, _ in self.events if h[:k] == context and len(h) > k}, *ending]

    def parent(self, context: tuple) -> tuple | None:
        shorter = [context[:k] for k in range(len(context)) if context[:k] in self.contexts]
        return shorter[-1] if shorter else None

    def class_of(self, context: tuple) -> int:
        return 0 if not context else min(len(self.parent(context)) + 1, DEEP)

    def counts(self, context: tuple) -> tuple[Counter, Counter]:
        """For each token after the context: in how many branches it followed, and how often."""
        k = len(context)
        after = [(i, h, w) for i, (h, w) in enumerate(self.events) if h[:k] == context]
        one_of = {(h[k] if len(h) > k else ("end", i), w) for i, h, w in after}
        return Counter(w for _, w in one_of), Counter(w for _, _, w in after)

    def p(self, token: int, history: list) -> float:
        """p(token | history), by the longest end of the history that some history of the text has as its end."""
        backwards = tuple(reversed(history))
        seen = [k for k in range(len(backwards) + 1) if any(h[:k] == backwards[:k] for h, _ in self.events)]
        return self.after(token, backwards[: max(seen, default=0)])

    def after(self, token: int, match: tuple | None) -> float:
        if match is None or not self.events:
            return 1 / self.size
        whole = [h for h, _ in self.events if h[: len(match)] == match]
        parent = self.parent(match)
        context = match
        if len(whole) > 1:
            # Where the match is followed by one token in all histories, the longer context has the same events.
            while context not in self.contexts:
                context = whole[0][: len(context) + 1]
            branches, events = self.counts(context)
            cut = self.discounts[self.class_of(context)]
        else:
            own = [w for h, w in self.events if h == whole[0]]
            branches, events, cut = Counter(own), Counter(own), [0.0] * 4
        beyond = len(match) - len(parent or ())
        kind = buckets(*map(np.array, (sum(branches.values()), len(branches), len(match), beyond)))
        a, b, c = self.weights[int(kind)]
        kept = sum(n - cut[min(n, 3)] for n in branches.values())
        n = branches[token]
        return (
            a * (n - cut[min(n, 3)]) / kept
            + b * events[token] / sum(events.values())
            + c * self.after(token, parent)
        )


def toy(begin: bool = True, documents: list[list[int]] = TOYS) -> UnboundedLM:
    vocab = ToyVocab()
    return fit_unbounded(
        (np.array(d, dtype=np.int64) for d in documents), NgramSpec(None, begin=begin), vocab
    )


@pytest.mark.parametrize("begin", [True, False])
def test_every_distribution_is_what_searching_in_the_text_gives(begin: bool) -> None:
    vocab = CharVocab.learn(TEXTS)
    documents = [[*vocab.encode(t), vocab.end] for t in TEXTS]
    lm = fit_unbounded(vocab.encode_many(TEXTS), NgramSpec(None, begin=begin, vocab=vocab), vocab)
    slow = SlowUnbounded(documents, vocab.size, begin, lm.numbers.weights)
    head = ["<s>"] if begin else []
    for text in ["the cat sat on the mat", "the cat ate", "on and on", "aaaaaaaaa", "cats sat on mmm", "oh"]:
        path = [*vocab.encode(text), vocab.end]
        skip = 0 if begin else 1
        expected = [slow.p(v, head + path[:i]) for i, v in enumerate(path)][skip:]
        assert np.exp(lm.forward([path], skip=skip).logp[0]) == pytest.approx(expected, abs=1e-12)
        state = lm.extend(lm.start(1), [path[:5]])
        row = [slow.p(v, head + path[:5]) for v in range(vocab.size)]
        assert np.exp(state.logp[0]) == pytest.approx(row, abs=1e-12)


@pytest.mark.parametrize("begin", [True, False])
@pytest.mark.parametrize("documents", [TOYS, [[0, 1]], [[], []], [[0] * 12], [[0, 1, 2]] * 3])
def test_all_laws_hold(begin: bool, documents: list[list[int]]) -> None:
    laws(toy(begin, documents))


@pytest.mark.parametrize("begin", [True, False])
def test_an_event_is_left_out_of_all_counts(begin: bool) -> None:
    vocab, size = ToyVocab(), ToyVocab().size
    documents = [[*d, vocab.end] for d in [*TOYS, [0, 0, 1, 0, 0, 1, 2]]]
    contexts = contexts_of([np.array(d) for d in documents], size, begin)
    followers = followers_of(contexts, size)
    table = context_table(contexts, followers, size)
    # The class of discounts of a context may change where an event is left out, which the fit does not follow.
    table = replace(table, discounts=np.tile([0.0, 0.4, 0.9, 1.3], (DEEP + 1, 1)))
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], BUCKETS)
    n = len(contexts.token)
    p = np.full(n, 1 / size)
    for stage in reversed(list(left_out_paths(contexts, followers, table, np.arange(n)))):
        w = weights[stage.bucket]
        p[stage.event] = w[:, 0] * stage.branches + w[:, 1] * stage.events + w[:, 2] * p[stage.event]
    slow = SlowUnbounded(documents, size, begin, weights)
    expected = []
    for i, (history, token) in enumerate(slow.events):
        without = SlowUnbounded(documents, size, begin, weights, left_out=i)
        without.discounts = table.discounts.tolist()
        expected.append(without.p(token, list(reversed(history))))
    np.testing.assert_allclose(np.sort(p), np.sort(expected), rtol=1e-12)


def test_a_fault_in_the_weights_breaks_the_law_of_sums() -> None:
    lm = toy()
    broken = lm.numbers.weights * 1.01
    numbers = type(lm.numbers)(lm.numbers.table, broken, lm.numbers.prob, lm.numbers.rest)
    with pytest.raises(AssertionError, match="rows sum to 1"):
        LAWS["1 rows"](UnboundedLM(lm.vocab, numbers, True))


def test_the_training_loss_is_minus_the_score_of_the_training_set() -> None:
    lm = pofx.fit(TEXTS, NgramSpec(None))
    total = sum(s.total for s in pofx.score(lm, TEXTS))
    loss = -sum(float(t.sum()) for t in lm.forward([[*t.encode(), 256] for t in TEXTS]).logp) / len(TEXTS)
    assert loss == pytest.approx(-total / len(TEXTS), rel=1e-12)


def test_stretches_of_a_text_are_read_as_the_text_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = pofx.fit([*TEXTS, "long passages that are repeated word for word " * 9], NgramSpec(None))
    texts = ["the cat sat on the mat and on " * 7, "passages that are repeated word for word " * 9, "x"]
    paths = [[*t.encode(), 256] for t in texts]
    whole = lm.forward(paths, Want(entropy=True))
    monkeypatch.setattr(reading, "SHORTEST", 3)
    monkeypatch.setattr(reading, "LEAD", 2)
    monkeypatch.setattr(reading, "ROWS", 5)
    cut = lm.forward(paths, Want(entropy=True))
    for a, b in zip((*whole.logp, *(whole.entropy or ())), (*cut.logp, *(cut.entropy or ()))):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_bound_on_nested_contexts_keeps_the_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab, size = ToyVocab(), ToyVocab().size
    whole = [np.array([*d, vocab.end]) for d in [*TOYS, [0] * 20, [0, 1] * 9, [0] * 15]]
    contexts = contexts_of(whole, size, True, longest=3)
    assert contexts.tree.depth.max() == 3
    followers = followers_of(contexts, size, longest=3)
    table = context_table(contexts, followers, size)
    weights = estimate_weights(contexts, followers, table, size)
    lm = UnboundedLM(vocab, smoothed(table, weights, followers), True)
    laws(lm)
    paths = [[0] * 17 + [1, 0, 0, 0, 2], [0, 1] * 8]
    whole_texts = lm.forward(paths).logp
    monkeypatch.setattr(reading, "SHORTEST", 3)
    monkeypatch.setattr(reading, "LEAD", 2)
    for a, b, c in zip(whole_texts, lm.forward(paths).logp, forward_by_extension(lm, paths, Want()).logp):
        np.testing.assert_allclose(a, b, rtol=1e-12)
        np.testing.assert_allclose(a, c, rtol=1e-12)


def test_repeated_passages_are_predicted_better_than_by_any_bounded_order() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 3)) for _ in range(40)]
    passage = " ".join(rng.choice(words, 60))
    texts = [" ".join(rng.choice(words, 12)) for _ in range(80)] + [passage, passage]
    held = passage + " " + words[0]
    unbounded = pofx.log_prob(pofx.fit(texts, NgramSpec(None)), held)
    bounded = max(pofx.log_prob(pofx.fit(texts, NgramSpec(order=k)), held) for k in range(3, 9))
    assert unbounded > bounded + 10


def test_a_spec_without_a_bound_takes_no_other_smoothing() -> None:
    with pytest.raises(BadValue, match=r"smoothing: expected 'kneser-ney'"):
        NgramSpec(None, "additive")
    with pytest.raises(BadValue, match="order"):
        NgramSpec(17)
    with pytest.raises(BadValue, match="prune"):
        NgramSpec(None, prune=(0, 1))
    with pytest.raises(BadValue, match="quantize"):
        NgramSpec(None, quantize=8)


@pytest.mark.parametrize("vocab", ["bytes", "chars", "chars+bytes", "bpe:300"])
def test_any_vocabulary_will_do(vocab: str, tmp_path) -> None:
    texts = TEXTS * 3
    lm = pofx.fit(texts, NgramSpec(None, vocab=vocab))
    pofx.save(lm, tmp_path / "model")
    again = pofx.load(tmp_path / "model")
    for text in ("the cat sat", "on and on and on"):
        assert pofx.log_prob(again, text) == pofx.log_prob(lm, text)
        assert math.isfinite(pofx.log_prob(lm, text))
    assert again.fitted[0].documents == len(texts)
    assert again.portable().fingerprint == lm.portable().fingerprint
