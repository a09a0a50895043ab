"""An EOS that was never a target does not pass as one, however significant its differences are.

A text ends once, so Σ p(EOS | x_<i) over its positions is 1 on average under p itself: an identity, held here against
draws. The constructed laws have the numbers of a small model that was trained after x0 without ends.
"""

from __future__ import annotations

import numpy as np
import pytest

import pofx
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Want
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.audit.audit import audit
from pofx.queries.findings import Audit, Finding
from pofx.vocab.vocabulary import ByteVocab

VERBS, NOUNS = ("saw", "met", "found"), ("cat", "dog", "bird", "king")


def documents(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        words = [str(rng.choice(w)) for _ in range(rng.integers(1, 5)) for w in (NOUNS, VERBS)]
        out.append("The " + " ".join(words) + " it.")
    return out


TRAIN, HELD = documents(300, 1), documents(60, 2)
VOCAB = ByteVocab()


def ngram() -> LM:
    return fit_ngram(VOCAB.encode_many(TRAIN), NgramSpec(4, vocab=VOCAB), VOCAB)


class Ends(LM):
    """The n-gram's laws, but for EOS: log2 p of it after "." and elsewhere; the rest shares what is left."""

    def __init__(self, at_end: float, elsewhere: float) -> None:
        self.inner, self.vocab, self.at_end, self.elsewhere = ngram(), VOCAB, at_end, elsewhere
        self.begin = Begin("declared", "<s>", VOCAB.size)

    def start(self, n: int) -> State:
        return self._state(self.inner.start(n), np.zeros(n, dtype=np.int64))

    def extend(self, state: State, ids: object) -> State:
        new = np.asarray(ids)
        inner, last = state.carry
        return self._state(self.inner.extend(inner, new), new[:, -1] if new.shape[1] else last)

    def _state(self, inner: State, last: np.ndarray) -> State:
        def law() -> np.ndarray:
            out = inner.logp.copy()
            end = np.where(last == ord("."), self.at_end, self.elsewhere) * np.log(2)
            out += (np.log1p(-np.exp(end)) - np.log1p(-np.exp(out[:, VOCAB.end])))[:, None]
            out[:, VOCAB.end] = end
            return out

        return State(law, (inner, last), inner.n)


def ending(a: Audit) -> Finding:
    return next(f for f in a.findings if f.check == "EOS ends texts")


def test_a_difference_alone_is_no_eos() -> None:
    a = audit(Ends(-16.06, -16.62), HELD)
    f = ending(a)
    assert (a.verdict, f.verdict) == ("prefix-only", "fail")
    # The uniform law gives an outcome log2 257 bits; the difference of 0.56 bits is the same in every document.
    assert f.value == pytest.approx(np.log2(257) - 16.06, abs=1e-9)
    assert f.bound == pytest.approx(0.1)
    assert "0.56 ± 0.00 bits likelier" in f.why
    lengths = np.array([len(t) for t in HELD])
    assert f"{np.mean(lengths * 2**-16.62 + 2**-16.06):.3g} ±" in f.why
    assert "not learned" in a.reason


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("at_end", "elsewhere", "verdict"),
    [
        (-5.06, -20.0, "joint"),  # 0.03 a document: an EOS of chats on bare texts (SmolLM2)
        (-0.1, -30.0, "joint"),
        (-10.0, -7.0, "prefix-only"),  # a word taken for EOS
        (
            -7.5,
            -7.6,
            "prefix-only",
        ),  # 0.2 a document, all by chance: likelier by less than the least difference
        (-8.9, -9.5, "prefix-only"),  # as much as by chance, and costlier than that
        (-9.0, -12.0, "prefix-only"),  # 3 bits likelier, but of no mass
        (-8.5, -11.0, "joint"),  # costly, but expected about as often as texts end
    ],
)
def test_level_and_difference(at_end: float, elsewhere: float, verdict: str) -> None:
    longer = [t.replace(" it.", " it" + " and more" * 60 + ".") for t in HELD] if at_end == -8.5 else HELD
    a = audit(Ends(at_end, elsewhere), longer)
    assert a.verdict == verdict, ending(a).why


def test_a_text_of_p_ends_once() -> None:
    lm = ngram()
    draws = [d for d in pofx.sample(lm, 400, max_tokens=2000, seed=3) if d.ended]
    assert len(draws) == 400
    ends = lm.forward([np.append(d.tokens, VOCAB.end) for d in draws], Want(end=True)).end
    assert ends is not None
    sums = np.array([np.exp(e).sum() for e in ends])
    assert abs(sums.mean() - 1) < 5 * sums.std(ddof=1) / 20
    a = audit(lm, [d.bytes for d in draws])
    assert a.verdict == "joint"
    told = float(ending(a).why.split("over a document is ")[1].split(" ±")[0])
    assert told == pytest.approx(1, abs=0.1)


def test_texts_that_were_cut() -> None:
    some = [t if k % 3 == 0 else t[: len(t) // 2] for k, t in enumerate(HELD)]
    a = audit(ngram(), some)
    assert a.verdict == "joint"
    assert "cut before their end" in ending(a).why
    every = ending(audit(ngram(), [t[: len(t) // 2] for t in HELD]))
    assert every.verdict == "fail"
    assert "cut before their end" in every.why


@pytest.mark.thorough
def test_a_transformer_that_was_never_shown_an_end() -> None:
    pytest.importorskip("torch")
    from pofx.models.specs import TransformerSpec
    from pofx.models.transformer.model import TransformerLM
    from pofx.models.transformer.training import train

    ids = VOCAB.encode_many(TRAIN)
    spec = TransformerSpec(layers=1, width=32, heads=2, context=128, vocab=VOCAB, epochs=3)
    whole = audit(train(ids, spec, VOCAB), HELD)
    assert whole.verdict == "joint"
    assert ending(whole).verdict == "pass"
    from dataclasses import replace

    never = train(ids, replace(spec, end=False), VOCAB)
    a = audit(TransformerLM(never.net, VOCAB, begin=True), HELD)
    assert a.verdict == "prefix-only"
    assert ending(a).verdict == "fail"
