"""A core of nine named tokens, and documents to audit it on, as a pretrained model is audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pofx.errors import NotText
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.lm.window_rule import whole_within
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.findings import Audit, BeginCandidate, Finding
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab

LETTERS = "abcde"
END, X0, PAD, SEP = 5, 6, 7, 8


class Names(Vocab):
    """a … e, EOS, then three control tokens, the first of them declared as BOS."""

    size, end = 9, END
    token_bytes = (*(c.encode() for c in LETTERS), None, None, None, None)
    control = ControlTokens(
        {"</s>": END, "<s>": X0, "<pad>": PAD, "<sep>": SEP},
        (("bos", X0), ("eos", END), ("pad", PAD), ("separator", SEP)),
    )

    def encode(self, text: str | bytes) -> list[int]:
        text = text if isinstance(text, str) else text.decode("latin-1")
        if set(text) - set(LETTERS):
            raise NotText("expected a … e")
        return [LETTERS.index(c) for c in text]


def corpus(n: int, seed: int) -> list[str]:
    """Texts that open with a, go on in b, c, d and close with e."""
    rng = np.random.default_rng(seed)
    return ["a" + "".join(rng.choice(list("bcd"), rng.integers(2, 9))) + "e" for _ in range(n)]


HELD = corpus(40, seed=2)
_VOCAB = Names()
# What is after x0: a model with an x0 of its own. What is after anything else: one without.
_BEHIND_X0 = fit_ngram(_VOCAB.encode_many(corpus(120, seed=1)), NgramSpec(3, vocab=_VOCAB), _VOCAB)
_ELSEWHERE = fit_ngram(
    _VOCAB.encode_many(corpus(120, seed=1)), NgramSpec(3, vocab=_VOCAB, begin=False), _VOCAB
)


def law(**p: float) -> np.ndarray:
    """Letters with these probabilities, the rest spread over letters and EOS."""
    out = np.where(np.arange(_VOCAB.size) <= END, (1 - sum(p.values())) / (END + 1), 0.0)
    for c, q in p.items():
        out[LETTERS.index(c)] += q
    return out


class Core(LM):
    """Purely conditional. first: the law after a token that stands first, by its id. lost: the share of further
    laws that is noise where another token than one of `known` stood first."""

    fingerprint = "core"
    positive = True
    context = 300

    def __init__(
        self, first, known: Sequence[int] = (X0,), lost: float = 0.0, dtype: str = "float64"
    ) -> None:
        self.vocab, self.begin, self.dtype = Names(), Begin("none", note="ask the audit"), dtype
        self.window = whole_within(300)
        self.first, self.known, self.lost = first, tuple(known), lost

    def start(self, n: int) -> State:
        zeros = np.zeros(n, dtype=np.int64)
        return self.state(_BEHIND_X0.start(n), _ELSEWHERE.start(n), zeros - 1, zeros)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        a, b, opened, length = state.carry
        for token in as_id_rows(ids, state.n).T:
            spelled = np.where(token > END, 0, token)
            # The first token is x0's place: what is after x0 begins after it.
            grown = _BEHIND_X0.extend(a, spelled[:, None])
            at = np.arange(state.n)
            a = grown.cat(_BEHIND_X0.start(state.n)).take(np.where(length == 0, state.n + at, at))
            b = _ELSEWHERE.extend(b, spelled[:, None])
            opened = np.where(length == 0, token, opened)
            length = length + 1
        return self.state(a, b, opened, length)

    def state(self, a: State, b: State, opened: Ints, length: Ints) -> State:
        def rows() -> np.ndarray:
            out = []
            for i in range(len(opened)):
                if length[i] == 0:
                    raise refuse_unconditional(self.begin)
                if length[i] == 1:
                    p = self.first(int(opened[i]))
                elif opened[i] in self.known:
                    p = np.exp(a.logp[i])
                else:
                    noise = law(a=0.9)
                    p = (1 - self.lost) * np.exp(b.logp[i]) + self.lost * noise
                # All outcomes are possible, and few leak.
                p[END + 1 :] = 1e-9 if length[i] > 1 else p[END + 1 :] + 1e-9
                out.append(np.log(p / p.sum()))
            return np.array(out).reshape(len(opened), self.vocab.size)

        return State(rows, (a, b, opened, length), len(opened))


def openly(i: int) -> np.ndarray:
    """Behind x0 texts begin, after another control token now and then; after a letter it comes again."""
    return law(a=0.95) if i == X0 else law(**({LETTERS[i]: 0.9} if i < 5 else {"a": 0.6}))


def trained(**how) -> Core:
    """An x0 that stood before texts in training, and was never missing."""
    return Core(openly, lost=0.95, **how)


def sink() -> Core:
    """Whatever stands first, an e comes: no text begins so, and no x0 was ever learned."""
    return Core(lambda i: law(e=0.8, **({"a": 0.1} if i == SEP else {})), known=range(9))


def find(a: Audit, check: str = "p(x1) is trained") -> Finding:
    return next(f for f in a.findings if f.check == check)


def row(a: Audit, name: str) -> BeginCandidate:
    return next(c for c in a.candidates if c.name == name)


@pytest.fixture(autouse=True)
def as_of_a_large_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine outcomes, read as sparingly as 49,152."""
    monkeypatch.setattr("pofx.queries.audit.held_out.LARGE", 1)


class _Plain(Names):
    control = replace(Names.control, candidates=())


_BEHIND_X0_ALONE = fit_ngram(_Plain().encode_many(HELD), NgramSpec(2, vocab=_Plain()), _Plain())
