"""The audit: sound models get the right verdict, and every planted fault turns the right finding red."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

import pofx
from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.absorbing_chains import Chain, never_stops, survival
from pofx.errors import BadValue, NotText
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Path, Trace, Want
from pofx.models.ngram.counting import Codes, count_ngrams
from pofx.models.ngram.model import NgramLM, fit_ngram
from pofx.models.ngram.smoothing import smooth
from pofx.models.specs import NgramSpec
from pofx.queries.audit.audit import audit
from pofx.queries.audit.held_out import choose_documents
from pofx.queries.audit.termination import estimate_survival
from pofx.queries.findings import Audit, Finding
from pofx.transforms.given import given
from pofx.vocab.vocabulary import ByteVocab, Vocab
from toy import ToyLM, Walks

LETTERS = "abcde"


class Letters(Vocab):
    """a … e, EOS if `end`, then control tokens."""

    def __init__(self, end: bool = True, control: int = 0) -> None:
        self.size = 5 + end + control
        self.end = 5 if end else None
        self.token_bytes = tuple([c.encode() for c in LETTERS] + [None] * (end + control))

    def encode(self, text: str | bytes) -> list[int]:
        text = text if isinstance(text, str) else text.decode("latin-1")
        if set(text) - set(LETTERS):
            raise NotText("expected a … e")
        return [LETTERS.index(c) for c in text]


def corpus(n: int = 120, seed: int = 0) -> list[str]:
    """Texts that open with a, go on in b, c, d and close with e: an opening and an ending to be learned."""
    rng = np.random.default_rng(seed)
    return ["a" + "".join(rng.choice(list("bcd"), rng.integers(2, 9))) + "e" for _ in range(n)]


TRAIN, HELD = corpus(seed=1), corpus(40, seed=2)


def ngram(
    order: int = 3,
    begin: bool = True,
    end: bool = True,
    smoothing: str = "kneser-ney",
    vocab: Vocab | None = None,
):
    vocab = vocab or Letters(end)
    spec = NgramSpec(order, smoothing, vocab=vocab, begin=begin, end=end)
    return fit_ngram(vocab.encode_many(TRAIN), spec, vocab)


def find(a: Audit, check: str) -> Finding:
    return next(f for f in a.findings if f.check == check)


def red(a: Audit) -> set[str]:
    return {f.check for f in a.findings if f.verdict == "fail"}


class Wrapped(LM):
    """A sound model with one fault; by itself, with none, and known only by the four names of `LM`."""

    def __init__(self, inner: LM) -> None:
        self.inner, self.vocab = inner, inner.vocab

    def start(self, n: int) -> State:
        return self.state(self.inner.start(n))

    def extend(self, state: State, ids: Sequence[Sequence[int]]) -> State:
        return self.state(self.inner.extend(state.carry, ids))

    def state(self, inner: State) -> State:
        return State(lambda: self.law(inner.logp), inner, inner.n)

    def law(self, logp: np.ndarray) -> np.ndarray:
        return logp


# Sound models -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "verdict", "wrong"),
    [
        (True, True, "joint", set()),
        (False, True, "conditional", {"p(x1) is trained"}),
        (True, False, "prefix-only", {"EOS ends texts", "alive(L)"}),
        (False, False, "conditional", {"p(x1) is trained", "EOS ends texts", "alive(L)"}),
    ],
)
def test_ngrams_with_and_without_begin_and_end(begin: bool, end: bool, verdict: str, wrong: set[str]) -> None:
    a = audit(ngram(begin=begin, end=end), HELD)
    assert (a.verdict, red(a)) == (verdict, wrong)
    assert (a.begin is None) == (not begin)
    assert a.reason.endswith(".")
    assert all(f.why for f in a.findings)


def test_begin_evidence_of_a_trained_opening() -> None:
    b = audit(ngram(), HELD).begin
    assert b is not None
    assert (b.known, b.n, b.uniform_bits) == ("trained", 40, math.log2(5))
    assert b.bits < 0.1 < b.uniform_bits < b.average_bits + b.uniform_bits
    # Every text opens with a, and none has another: the law of other positions gives it next to nothing.
    assert b.average_bits > 4


def test_an_assumed_x0_that_knows_nothing_of_openings() -> None:
    a = audit(given(ngram(begin=False), "b"), HELD)
    assert a.verdict == "conditional"
    assert a.begin is not None
    assert a.begin.known == "assumed"
    assert a.begin.bits > a.begin.uniform_bits
    assert "p(x1) is trained" in red(a)


def test_bytes_ngram_and_builtin_documents() -> None:
    docs = [
        f"The {w} of the thing.\n\nIt is {w}, as a rule.\n" for w in ("size", "name", "end", "Müller") * 10
    ]
    vocab = ByteVocab()
    lm = fit_ngram(vocab.encode_many(docs), NgramSpec(4, vocab=vocab), vocab)
    assert audit(lm, docs[:20]).verdict == "joint"
    assert find(audit(lm, docs[:20]), "decode∘encode = id").value == 0


def test_a_users_minimal_model() -> None:
    a = audit(Wrapped(ngram()), HELD)
    assert a.verdict == "joint"
    assert not red(a)
    # Nothing is known exactly of it, so survival is estimated.
    assert "estimated" in find(a, "alive(L)").why
    assert find(a, "strings sum to 1").verdict == "pass"


def test_a_model_without_memory_is_joint_with_warnings() -> None:
    a = audit(ngram(order=1), HELD)
    assert a.verdict == "joint"
    assert find(a, "p(x1) is trained").verdict == find(a, "EOS ends texts").verdict == "warn"


def test_maximum_likelihood_and_impossible_documents() -> None:
    lm = ngram(order=6, smoothing="mle")
    a = audit(lm, [*HELD, "edcba", "dddd", ""])
    assert a.verdict == "joint"
    assert a.begin is not None
    assert a.begin.bits == math.inf
    assert "probability 0" in find(a, "p(x1) is trained").why
    assert find(a, "documents are possible").verdict == "warn"
    assert not any(f.value is not None and math.isnan(f.value) for f in a.findings)


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_audit() -> None:
    lm = Wrapped(ngram())
    assert audit(lm, HELD, seed=3) == audit(lm, HELD, seed=3)
    assert find(audit(lm, HELD, seed=3), "alive(L)").value != find(audit(lm, HELD, seed=4), "alive(L)").value


def test_few_no_and_long_documents() -> None:
    a = audit(ngram(), HELD[:3])
    assert find(a, "p(x1) is trained").verdict == "warn"
    assert "Too few documents" in find(a, "p(x1) is trained").why
    assert audit(ngram(), []).verdict == "joint"
    assert audit(ngram(begin=False), []).verdict == "conditional"
    assert audit(given(ngram(begin=False), "b"), []).verdict == "conditional"
    long = audit(ngram(), ["a" + "bcd" * 500 + "e"] * 9)
    assert "the first 1000 tokens" in find(long, "p(x1) is trained").why
    assert find(long, "EOS ends texts").verdict == "warn"
    mixed = choose_documents(ngram(), [*HELD, "b" * 2000, "xyz"], 0)
    assert len(mixed.paths) == 40
    assert "passing over 1 of more than 1000 tokens, 1 not spelled" in mixed.note
    assert sum(map(len, choose_documents(ngram(), ["b" * 999] * 100, 0).paths)) <= 41_000
    with pytest.raises(BadValue):
        audit(ngram(), "abc")


# Planted faults -----------------------------------------------------------------------------------------------


class Short(Wrapped):
    """Rows sum to 0.9."""

    def law(self, logp: np.ndarray) -> np.ndarray:
        return logp + math.log(0.9)


class OtherForward(Wrapped):
    """The fast pass is a little off in the third token."""

    def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        t = super().forward(paths, want, skip)
        return Trace(tuple(np.where(np.arange(len(x)) == 2, x - 1e-6, x) for x in t.logp), end=t.end)


class Padded(Wrapped):
    """log p depends on the longest text of the batch, as where padding is attended to."""

    def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        t, longest = super().forward(paths, want, skip), max((len(p) for p in paths), default=0)
        return Trace(tuple(x - 1e-5 * (longest - len(p)) for x, p in zip(t.logp, paths)), end=t.end)


class Mutating(Wrapped):
    """`extend` writes into the state it was given."""

    def state(self, inner: State) -> State:
        return State(lambda: self.law(inner.logp), inner.carry, inner.n)

    def extend(self, state: State, ids: Sequence[Sequence[int]]) -> State:
        longer = self.inner.extend(State(np.zeros((state.n, self.vocab.size)), state.carry), ids)
        state.carry[...] = longer.carry
        return self.state(longer)


class Drifting(Wrapped):
    """Hotter the more laws were asked for: what is scored later is not what was drawn."""

    calls = 0

    def law(self, logp: np.ndarray) -> np.ndarray:
        self.calls += 1
        hot = logp / (1 + 1e-3 * self.calls)
        return hot - logsumexp(hot)[:, None]


class Untrained(Wrapped):
    """p(x1|x0) is the model's average law."""

    def __init__(self, inner: LM) -> None:
        super().__init__(inner)
        paths = inner.vocab.encode_many(TRAIN)
        laws = [
            inner.extend(inner.start(1), p[None, :i]).logp[0] for p in paths for i in range(1, len(p) + 1)
        ]
        self.average = np.log(np.mean(np.exp(laws), axis=0))

    def start(self, n: int) -> State:
        return State(np.tile(self.average, (n, 1)), self.inner.start(n))


class FlatEnd(Wrapped):
    """p(EOS) is 0.1 everywhere."""

    def law(self, logp: np.ndarray) -> np.ndarray:
        p = np.exp(logp)
        p[:, 5] = 0
        p *= 0.9 / p.sum(axis=1, keepdims=True)
        p[:, 5] = 0.1
        with np.errstate(divide="ignore"):
            return np.log(p)


class Leaking(Wrapped):
    """1% of every law goes to a control token that spells nothing."""

    def __init__(self, inner: LM) -> None:
        super().__init__(inner)
        self.vocab = Letters(control=1)

    def extend(self, state: State, ids: Sequence[Sequence[int]]) -> State:
        new = np.asarray(ids)
        return super().extend(state, np.where(new == 6, 0, new))

    def law(self, logp: np.ndarray) -> np.ndarray:
        return np.concatenate([logp + math.log(0.99), np.full((len(logp), 1), math.log(0.01))], axis=1)


@pytest.mark.parametrize(
    ("fault", "verdict", "check"),
    [
        (Short, "improper", "rows sum to 1"),
        (OtherForward, "improper", "extend = forward"),
        (Padded, "improper", "batch invariance"),
        (Mutating, "improper", "states are values"),
        (Drifting, "improper", "draws are scored as drawn"),
        (Untrained, "conditional", "p(x1) is trained"),
        (FlatEnd, "prefix-only", "EOS ends texts"),
        (Leaking, "improper", "leak"),
    ],
)
def test_a_planted_fault_is_found(fault: type[Wrapped], verdict: str, check: str) -> None:
    a = audit(fault(ngram()), HELD)
    assert check in red(a)
    assert a.verdict == verdict
    assert a.failed


@pytest.mark.thorough
def test_faults_that_are_alone_are_the_only_red_finding() -> None:
    assert red(audit(Leaking(ngram()), HELD)) == {"leak"}
    assert red(audit(Untrained(ngram()), HELD)) == {"p(x1) is trained"}
    assert red(audit(FlatEnd(ngram()), HELD)) == {"EOS ends texts"}
    assert red(audit(OtherForward(ngram()), HELD)) >= {"extend = forward"}


def test_float32_rounding_is_no_fault() -> None:
    class Single(Wrapped):
        dtype = "float32"

        def law(self, logp: np.ndarray) -> np.ndarray:
            return logp.astype(np.float32)

    assert audit(Single(ngram()), HELD).verdict == "joint"


def test_an_unlikely_eos_that_never_comes() -> None:
    class NoEnd(FlatEnd):
        def law(self, logp: np.ndarray) -> np.ndarray:
            p = np.exp(super().law(logp))
            p[:, :5] /= 0.9
            p[:, 5] = 0
            with np.errstate(divide="ignore"):
                return np.log(p)

    a = audit(NoEnd(ngram()), HELD)
    assert a.verdict == "prefix-only"
    assert find(a, "alive(L)").verdict == "warn"


class Careless(Letters):
    """Reads its own control tokens' names in texts."""

    def encode(self, text: str | bytes) -> list[int]:
        if text == "</s>":
            return [5]
        if text == "<s>":
            raise KeyError(text)
        if text == " ":
            return []
        if text == "\ttab":
            return [-1]
        return super().encode(text)


def test_a_vocabulary_that_yields_control_tokens() -> None:
    f = find(audit(ngram(vocab=Careless()), HELD), "decode∘encode = id")
    assert (f.verdict, f.value) == ("fail", 4)


# How texts end, exactly -----------------------------------------------------------------------------------------


def leaky() -> NgramLM:
    """Maximum likelihood on 'a', EOS and on 'bcbc' that never ended: half of the mass goes to b and never returns."""
    vocab = Letters()
    counts = count_ngrams([np.array([0, 5]), np.array([1, 2, 1, 2])], vocab.size, 2, True)
    spec = NgramSpec(2, "mle", vocab=vocab)
    return NgramLM(
        vocab, counts.table, smooth(counts, vocab.size, "mle", 1.0, Codes(vocab.size).begin), True, spec
    )


def test_an_exact_leak_by_hand() -> None:
    lm = leaky()
    found = lm.termination([0, 1, 2, 8])
    assert found is not None
    assert found.never == pytest.approx(0.5, abs=1e-12)
    assert found.alive == pytest.approx((1.0, 0.5, 0.5, 0.5), abs=1e-12)
    texts = (x for n in range(4) for x in itertools.product(range(5), repeat=n))
    walks = Walks(lm)
    assert math.fsum(math.exp(walks.string(x)) for x in texts) == pytest.approx(0.5)
    a = audit(lm, ["a"] * 9)
    assert a.verdict == "improper"
    assert find(a, "alive(L)").value == pytest.approx(0.5)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "additive", "mle"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_exact_survival_is_the_mass_of_longer_texts(smoothing: str, order: int) -> None:
    lm = ngram(order=order, smoothing=smoothing)
    found = lm.termination([0, 1, 2, 3])
    assert found is not None
    assert found.never == 0
    walks = Walks(lm)
    for length, alive in zip([0, 1, 2, 3], found.alive):
        longer = itertools.product(range(5), repeat=length + 1)
        assert math.fsum(math.exp(walks.prefix(x)) for x in longer) == pytest.approx(alive, abs=1e-12)


def test_termination_where_it_is_not_known() -> None:
    assert ngram(begin=False).termination([1]) is None
    assert ngram(end=False).termination([1]) is None
    assert ToyLM().termination([1]) is None


def test_a_chain_too_large_still_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ngram().termination([1, 2])
    monkeypatch.setattr("pofx.models.ngram.chain.EDGES", 10)
    found = ngram().termination([1, 2])
    assert found is not None
    assert whole is not None
    assert found.alive == pytest.approx(whole.alive, abs=1e-12)
    assert found.never == 0.0
    assert ngram(smoothing="mle").termination([1, 2]) is None
    assert "exact" in find(audit(ngram(), HELD), "alive(L)").why
    additive = find(audit(ngram(smoothing="additive"), HELD), "alive(L)")  # no back-off to follow
    assert "estimated" in additive.why
    assert additive.value == 0


@pytest.mark.parametrize("make", [lambda: ngram(), lambda: ngram(smoothing="mle"), leaky])
def test_the_estimate_agrees_with_the_exact_value(make) -> None:
    lm, lengths = make(), (1, 2, 4, 8, 16)
    means, errors = estimate_survival(lm, lm.start(256), lengths, np.random.default_rng(0))
    exact = lm.termination(lengths)
    assert exact is not None
    for mean, se, alive in zip(means, errors, exact.alive):
        assert abs(mean - alive) <= 4 * se + 1e-12


def test_the_estimate_stops_by_the_clock_and_where_all_is_over() -> None:
    lm = ngram()
    means, _ = estimate_survival(lm, lm.start(8), (1, 2, 4), np.random.default_rng(0), seconds=-1)
    assert means == estimate_survival(lm, lm.start(8), (1, 2, 4), np.random.default_rng(0))[0][:1]
    ends = fit_ngram([np.array([0])] * 3, NgramSpec(2, "mle", vocab=Letters()), Letters())
    assert estimate_survival(ends, ends.start(4), (1, 2, 4), np.random.default_rng(0))[0] == (0.0, 0.0, 0.0)


def chain(p: float, q: float, n: int) -> Chain:
    """A walk on 0 … n − 1 from the middle: up with p, down with q, else stop; 0 stops, n − 1 stays for ever."""
    edges = [(0, 0, 0.0)]
    edges += [(s, s + d, r) for s in range(1, n - 1) for d, r in ((1, p), (-1, q))]
    edges.append((n - 1, n - 1, 1.0))
    source, to, prob = (np.array(c) for c in zip(*edges))
    stop = np.full(n, 1 - p - q)
    stop[0], stop[-1] = 1.0, 0.0
    return Chain(source, to, prob, stop)


def test_the_gamblers_ruin(monkeypatch: pytest.MonkeyPatch) -> None:
    # P(reach n − 1 before 0 from s) = (1 − (q/p)^s) / (1 − (q/p)^(n − 1)) where p + q = 1.
    c = chain(0.55, 0.45, 21)
    want = (1 - (0.45 / 0.55) ** 10) / (1 - (0.45 / 0.55) ** 20)
    lo, hi = never_stops(c, 10)
    assert lo == hi == pytest.approx(want, abs=1e-12)
    monkeypatch.setattr("pofx.algorithms.statistics.absorbing_chains.DENSE", 0)
    lo, hi = never_stops(c, 10)
    assert lo <= want + 1e-12
    assert want - 1e-12 <= hi
    assert hi - lo < 1e-9
    assert never_stops(c, 20) == (1.0, 1.0)
    assert never_stops(c, 0) == (0.0, 0.0)
    # Down for ten moves is the only way to stop in ten.
    assert survival(c, 10, [0, 10, 11]) == pytest.approx((1.0, 1.0, 1 - 0.45**10))


def test_texts_of_another_kind_cannot_convict_a_model_of_its_own_texts() -> None:
    docs = ["abc", "abd", "ba"] * 20
    lm = pofx.fit(docs, pofx.NgramSpec(order=3))
    default, own = pofx.audit(lm), pofx.audit(lm, docs)
    assert (default.verdict, own.verdict) == ("joint", "joint")
    assert find(default, "p(x1) is trained").verdict == "warn"
    assert "another kind" in find(default, "p(x1) is trained").why
    assert "taken at its word" in default.reason
    assert pofx.audit(lm, [d.upper() for d in pofx.builtin_documents()[:300]]).verdict == "conditional"


def test_openings_like_all_the_rest_convict_no_trained_x0() -> None:
    docs = ["0110", "1", "10", "111"] * 10
    for end, verdict in ((True, "joint"), (False, "prefix-only")):
        lm = pofx.fit(docs, pofx.NgramSpec(end=end))
        assert pofx.audit(lm, docs).verdict == verdict


def test_a_float32_model_that_does_not_say_so_is_held_to_float32() -> None:
    class Single(Wrapped):
        def law(self, logp: np.ndarray) -> np.ndarray:
            return (logp + 3e-7).astype(np.float32)

    rows = find(audit(Single(ngram()), HELD), "rows sum to 1")
    assert (rows.verdict, rows.bound) == ("pass", 1e-5)
