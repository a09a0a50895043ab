"""The laws, for every family, transform and vocabulary; and the laws themselves put to the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from laws import LAWS, Broken, laws
from pofx.lm.bounds import Bounds
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.state import State
from pofx.lm.trace import Trace, Want
from pofx.models.mixing.model import fit_mixing
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import MixingSpec, NgramSpec
from pofx.transforms.given import given
from pofx.transforms.interpolate import interpolate
from pofx.transforms.mixture import mixture
from pofx.transforms.warp import warp
from pofx.vocab.subwords import SubwordVocab
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab
from pofx.vocab.words import WordVocab
from toy import ToyLM, ToyVocab

CORPUS = ["abca", "ab", "", "caab", "bb", "abcabc", "c", "ab", "ccab", "aaaa", "bca"]


def ngram(
    order: int = 3,
    smoothing: str = "kneser-ney",
    vocab: Vocab | None = None,
    begin: bool = True,
    end: bool = True,
    alpha: float = 0.5,
    corpus: list[str] = CORPUS,
) -> LM:
    vocab = vocab or ToyVocab(3, end)
    spec = NgramSpec(order=order, smoothing=smoothing, alpha=alpha, begin=begin, end=end, vocab=vocab)
    return fit_ngram(vocab.encode_many(corpus), spec, vocab)


def mixing(corpus: list[str | bytes]) -> LM:
    return fit_mixing(ByteVocab().encode_many(corpus), MixingSpec())


MODELS: dict[str, Callable[[], LM]] = {
    "toy": ToyLM,
    "toy, no EOS": lambda: ToyLM(ToyVocab(3, end=False)),
    "toy, no x0": lambda: ToyLM(begin=False),
    "toy, neither": lambda: ToyLM(ToyVocab(3, end=False), begin=False),
    "given": lambda: given(ToyLM(), "ab"),
    "given, no x0": lambda: given(ToyLM(begin=False), "c"),
    "given given": lambda: given(given(ToyLM(), "ab"), "c"),
    "warp": lambda: warp(ToyLM(), temperature=0.7),
    "warp top-k": lambda: warp(ToyLM(), temperature=1.5, top_k=2),
    "warp top-p": lambda: warp(ToyLM(), top_p=0.8),
    "warp, no x0": lambda: warp(ToyLM(begin=False), top_k=3),
    "mixture": lambda: mixture([ToyLM(seed=1), ToyLM(seed=2)], [0.3, 0.7]),
    "mixture of impossible ones": lambda: mixture([ngram(2, "mle"), ngram(3, "mle", corpus=["ab", "ba"])]),
    "mixture, no x0": lambda: mixture([ToyLM(seed=1, begin=False), ToyLM(seed=2, begin=False)]),
    "interpolation": lambda: interpolate([ToyLM(seed=1), ngram(3)], [0.5, 0.5]),
    "interpolation, no x0": lambda: interpolate([ToyLM(seed=1, begin=False), ngram(3, begin=False)], [1, 3]),
    "warp of mixture of given": lambda: warp(mixture([given(ToyLM(), "a"), ngram(2)]), temperature=2.0),
    "char n-gram": lambda: ngram(vocab=CharVocab("abé"), corpus=["abé", "é", "aab"]),
    "char n-gram with escape": lambda: ngram(vocab=CharVocab("ab", escape=True), corpus=["abé", "é", "aab"]),
    "byte n-gram": lambda: ngram(vocab=ByteVocab(), corpus=["abba", "b", b"\xff\x00"]),
    "subword n-gram": lambda: ngram(vocab=SubwordVocab.learn(CORPUS, 260), corpus=CORPUS),
    "word n-gram": lambda: ngram(vocab=WordVocab(["the", "cat"]), corpus=["the cat", "cat cat the", "the"]),
    "mixing": lambda: mixing([*CORPUS, b"\xff\x00", b"", "abca" * 9]),
    "warp of mixing": lambda: warp(mixing([*CORPUS]), temperature=0.7, top_k=3),
    "mixture with mixing": lambda: mixture([mixing([*CORPUS]), ngram(3, vocab=ByteVocab())], [0.4, 0.6]),
}
# `make test` has the least order, one in the midst, and one that is longer than all texts; the rest is thorough.
BETWEEN = (2, 5)
THOROUGH: set[str] = set()
for _smoothing in ("kneser-ney", "additive", "mle"):
    THOROUGH |= {f"{_smoothing} {order}" for order in BETWEEN}
    for _order in (1, 2, 3, 5, 12):
        MODELS[f"{_smoothing} {_order}"] = lambda s=_smoothing, o=_order: ngram(o, s)  # type: ignore[misc]
    for _begin, _end in ((False, True), (True, False), (False, False)):
        MODELS[f"{_smoothing} begin={_begin} end={_end}"] = (  # type: ignore[misc]
            lambda s=_smoothing, b=_begin, e=_end: ngram(3, s, begin=b, end=e)
        )


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.thorough] * (n in THOROUGH)) for n in MODELS]
)
def test_laws(name: str) -> None:
    laws(MODELS[name]())


# ---------------------------------------------------------------- the test, tested: one planted fault a law


class Faulty(LM):
    """A toy with one fault."""

    def __init__(self, fault: str) -> None:
        self.toy, self.fault = ToyLM(), fault
        self.vocab, self.begin = self.toy.vocab, self.toy.begin
        self.context = None

    def _broken(self, state: State) -> State:
        logp = np.array(state.logp)
        if self.fault == "1 rows":
            logp += np.log(0.9)
        return State(logp, state.carry)

    def start(self, n: int) -> State:
        return self._broken(self.toy.start(n))

    def extend(self, state, ids):
        new = as_id_rows(ids, state.n)
        if self.fault == "6 values" and new.size:
            state.carry[:, -1] = new[:, -1]
        return self._broken(self.toy.extend(state, new))

    def forward(self, paths, want=None, skip=0):
        trace = super().forward(paths, want or Want(), skip)
        if self.fault == "3 forward":
            return Trace(tuple(a + 1e-6 for a in trace.logp), *list(vars(trace).values())[1:])
        return trace


class KnowsTheLength(ToyLM):
    """A pass whose laws depend on how long the whole text is: each sums to 1, and the texts do not."""

    def forward(self, paths, want=None, skip=0):
        parts = [self._tempered(p, want or Want(), s) for p, s in zip(paths, skip_per_path(skip, paths))]
        return Trace(tuple(t.logp[0] for t in parts))

    def _tempered(self, path, want, skip):
        return forward_by_extension(warp(ToyLM(), temperature=1 + 0.1 * len(path)), [path], want, skip)


def _leak(carry):
    return np.where(carry[:, -1] < 0, 0.3, 0.1)


class Unbounded(Faulty):
    """A model that has bounds, all of them as wide as can be; with a fault, too narrow or gone."""

    interval = leaks = True

    def _broken(self, state: State) -> State:
        def bounds(carry):
            wide = Bounds.unknown(self.toy._state(carry).logp)
            if self.fault == "11 bounds, a state":
                return Bounds(np.full(len(carry), -1e-3), np.full(len(carry), -9.0), wide.logp)
            return wide

        return State(state.logp, state.carry, bounds=bounds, leak=_leak)

    def forward(self, paths, want=None, skip=0):
        want = want or Want()
        trace = forward_by_extension(self, paths, want, skip)
        if self.fault == "11 bounds, a trace":
            return replace(trace, high=tuple(a - 0.01 for a in trace.logp))
        if self.fault == "11 bounds, a leak":
            return replace(trace, leak=tuple(a + 0.01 for a in trace.leak))
        if self.fault == "12 asking" and want.rows:
            return replace(trace, leak=tuple(0 * a for a in trace.leak))
        if self.fault == "12 entropy" and want.entropy:
            return replace(trace, entropy=tuple(a + 0.01 for a in trace.entropy))
        return trace


class Shared(ToyLM):
    """A pass that keeps its place in the model: two threads at once read each other's."""

    def forward(self, paths, want=None, skip=0):
        self.now = paths
        time.sleep(0.002)
        return super().forward(self.now, want or Want(), skip)


class BadBranches(ToyLM):
    """Nodes that forget the row they branch off."""

    def branches(self, state):
        return super().branches(state.take([0] * state.n))


class BadGiven(ToyLM):
    """Forgets what it was given when it starts anew: a prefix through `extend` at the start is one token short."""

    def extend(self, state, ids):
        new = as_id_rows(ids, state.n)
        at_start = bool((state.carry < 0).all()) and new.shape[1] > 1
        return super().extend(state, new[:, 1:] if at_start else new)


class BadPieces(ToyVocab):
    """Spans that do not tile the text."""

    def pieces(self, ids):
        return [p * 2 for p in super().pieces(ids)]

    def decode(self, ids):
        return b"".join(super().pieces(ids))


def test_law_1_catches_rows_that_sum_to_less() -> None:
    with pytest.raises(Broken, match="rows sum to 1"):
        LAWS["1 rows"](Faulty("1 rows"))


def test_law_2_catches_mass_that_appears_on_the_way() -> None:
    with pytest.raises(Broken, match="sum to 1|P\\(x\\)"):
        LAWS["2 strings"](Faulty("1 rows"))
    LAWS["1 rows"](KnowsTheLength())
    with pytest.raises(Broken, match="strings and survivors"):
        LAWS["2 strings"](KnowsTheLength())


def test_law_3_catches_a_forward_of_its_own() -> None:
    with pytest.raises(Broken, match="forward"):
        LAWS["3 forward"](Faulty("3 forward"))


def test_law_4_catches_a_prefix_half_read() -> None:
    with pytest.raises(Broken, match="given|log p"):
        LAWS["4 given"](BadGiven())


def test_law_5_catches_a_sampler_of_another_law(monkeypatch: pytest.MonkeyPatch) -> None:
    import laws as module

    real = module.sample

    def tempered(lm, n, **options):
        if n < 100:
            return real(lm, n, **options)
        other = real(warp(lm, temperature=0.7), n, **options)
        for d in other:  # it lies about log p, too: only the frequencies give it away
            path = [*map(int, d.tokens), *([lm.vocab.end] if d.ended else [])]
            object.__setattr__(d, "logp", lm.forward([path]).logp[0])
        return other

    def same_seed(lm, n, **options):
        return tempered(lm, max(n, 100), **options)[:n]

    monkeypatch.setattr(module, "sample", same_seed)
    with pytest.raises(Broken, match="draws follow p"):
        LAWS["5 draws"](ToyLM())
    monkeypatch.setattr(module, "sample", lambda lm, n, **o: real(lm, n, **{**o, "seed": n}))
    with pytest.raises(Broken, match="same seed"):
        LAWS["5 draws"](ToyLM())


def test_law_6_catches_an_extend_that_writes_into_its_argument() -> None:
    with pytest.raises(Broken):
        LAWS["6 values"](Faulty("6 values"))


def test_law_8_catches_spans_that_do_not_tile() -> None:
    with pytest.raises(Broken, match="spans"):
        LAWS["8 parts"](ToyLM(BadPieces()))


def test_law_10_catches_branches_of_another_row() -> None:
    with pytest.raises(Broken, match="branch"):
        LAWS["10 branches"](BadBranches())


@pytest.mark.parametrize("fault", ["a state", "a trace", "a leak"])
def test_law_11_catches_bounds_that_do_not_hold(fault: str) -> None:
    LAWS["11 bounds"](Unbounded(""))
    with pytest.raises(Broken, match="P|leak"):
        LAWS["11 bounds"](Unbounded(f"11 bounds, {fault}"))


def test_law_12_catches_an_answer_that_hangs_on_what_is_asked() -> None:
    LAWS["12 asking"](Unbounded(""))
    with pytest.raises(Broken, match="changes no leak"):
        LAWS["12 asking"](Unbounded("12 asking"))
    with pytest.raises(Broken, match="entropy"):
        LAWS["12 asking"](Unbounded("12 entropy"))


def test_law_13_catches_a_model_that_two_threads_write_to() -> None:
    with pytest.raises(Broken, match="threads"):
        LAWS["13 threads"](Shared())
