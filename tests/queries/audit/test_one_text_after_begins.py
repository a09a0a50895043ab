"""One text after each candidate for x0: each number is the chain rule's, and without x0 only the rest has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pofx.errors import NoBOS, NotText
from pofx.lm.model import LM
from pofx.queries.audit.begin.one_text import text_after_each
from pofx.queries.scoring.score import score
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.control_tokens import ControlTokens
from toy import ToyLM, ToyVocab, texts


def core(**options: Any) -> ToyLM:
    """A model without x0, whose vocabulary declares a BOS (its token c) and EOS as candidates."""
    vocab = ToyVocab(3)
    vocab.control = ControlTokens({"<s>": 2, "</s>": 3}, (("bos", 2), ("eos", 3)))
    return ToyLM(vocab, seed=4, begin=False, **options)


def by_hand(lm: ToyLM, before: list[int], path: list[int]) -> list[float]:
    history, out = list(before), []
    for i in path:
        out.append(float(lm.row(history)[i]))
        history.append(i)
    return out


BEFORE: dict[str, list[int]] = {"bos": [2], "eos": [3], "twice": [2, 2]}


@pytest.mark.parametrize("text", ["", "a", "abba"])
def test_each_row_is_the_chain_rule(text: str) -> None:
    own = core()
    lm = with_begin(own, 2)
    rows = text_after_each(lm, lm.bare(), text)
    assert [(r.role, r.current) for r in rows] == [
        ("bos", True),
        ("eos", False),
        ("none", False),
        ("twice", False),
    ]
    path = [*own.vocab.encode(text), 3]
    for row in rows:
        if row.role == "none":
            assert isinstance(row.error, NoBOS) and row.scored is None
            expected = by_hand(own, path[:1], path[1:])
        else:
            assert row.scored is not None and row.error is None
            terms = by_hand(own, BEFORE[row.role], path)
            assert row.scored.logp.tolist() == pytest.approx(terms, abs=1e-12)
            expected = terms[1:]
        assert row.rest == (pytest.approx(sum(expected), abs=1e-12) if text else None)
    (same,) = score(lm, [text])
    assert rows[0].scored is not None and rows[0].scored.total == same.total


def test_the_totals_after_each_candidate_are_distributions_over_texts() -> None:
    own = core(memory=1)
    lm, sums = with_begin(own, 2), dict.fromkeys(BEFORE, 0.0)
    for ids in texts(own.vocab, 5):
        text = "".join("abc"[i] for i in ids)
        for row in text_after_each(lm, own, text):
            if row.scored is not None:
                sums[row.role] += float(np.exp(row.scored.total))
    for role, before in BEFORE.items():
        assert sums[role] + alive(own, before, 5) == pytest.approx(1, abs=1e-9)


def alive(lm: ToyLM, before: list[int], longest: int) -> float:
    """The mass of texts of more than `longest` tokens, by the powers of the matrix of a model of one token of memory."""
    step = np.exp(np.stack([lm.row([i])[:3] for i in range(3)]))
    mass = np.exp(lm.row(before)[:3])
    for _ in range(longest):
        mass = mass @ step
    return float(mass.sum())


def test_without_x0_the_rest_alone_is_defined() -> None:
    own = core()
    rows = text_after_each(own, own.bare(), "ab")
    assert (rows[0].role, rows[0].current, rows[0].scored) == ("none", True, None)
    assert rows[0].rest == pytest.approx(sum(by_hand(own, [0], [1, 3])), abs=1e-12)
    assert {r.role for r in rows[1:]} == {"bos", "eos", "twice"} and not any(r.current for r in rows[1:])


def test_a_model_whose_training_had_x0_has_no_other_candidate() -> None:
    lm = ToyLM()
    own, none = text_after_each(lm, lm.bare(), "ab")
    assert (own.name, own.role, own.current) == ("<s>", "begin", True)
    assert own.scored is not None and own.scored.total == score(lm, ["ab"])[0].total
    assert isinstance(none.error, NoBOS) and none.rest == own.rest


def test_texts_beyond_the_context_are_read_by_windows_everywhere() -> None:
    own = core()
    own.context = 4
    lm: LM = windowed(with_begin(own, 2))
    for row in text_after_each(lm, lm.bare(), "abbabaab"):
        assert row.rest is not None
        if row.scored is not None:
            assert row.scored.terms.window.startswith("windows of 4 tokens")


def test_a_text_that_is_none_is_refused() -> None:
    class Strict(ToyVocab):
        def encode(self, text: str | bytes) -> list[int]:
            if "z" in str(text):
                raise NotText("expected letters, got z", "leave it out")
            return super().encode(text)

    lm = ToyLM(Strict())
    with pytest.raises(NotText):
        text_after_each(lm, lm.bare(), "z")
