"""A token put before every text: how it is named, what is known of it, and that it stands there once."""

from __future__ import annotations

import numpy as np
import pytest

from laws import laws
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.sample import sample
from pofx.queries.scoring.score import log_prob, score
from pofx.transforms.with_begin import list_names, token_id, token_name, with_begin
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import ByteVocab
from toy import ToyLM, ToyVocab, log_prefix


class Names(ToyVocab):
    """A control token with id 0, then a and b, then EOS."""

    def __init__(self) -> None:
        self.size, self.end = 4, 3
        self.token_bytes = (None, b"a", b"b", None)
        self.control = ControlTokens({"<s>": 0, "</s>": 3})

    def encode(self, text: str | bytes) -> list[int]:
        return [i + 1 for i in super().encode(text)]


def core() -> LM:
    return ToyLM(Names(), begin=False)


def test_laws_with_an_x0_of_id_0() -> None:
    laws(with_begin(core(), "<s>"))
    laws(with_begin(ToyLM(begin=False), "b"))


def test_it_is_the_model_behind_that_token() -> None:
    lm = with_begin(core(), 0, "trained")
    for path in ([1, 2, 3], [3], [2]):
        assert float(lm.forward([path]).logp[0].sum()) == pytest.approx(log_prefix(core(), path, [0]))
    terms = score(lm, ["ab"])[0].terms
    assert (terms.begin, terms.begin_known, terms.first) == ("<s>", "trained", True)
    assert log_prob(lm, "") == pytest.approx(log_prefix(core(), [3], [0]))


@pytest.mark.parametrize("known", ["trained", "declared", "assumed"])
def test_what_is_known_of_it(known) -> None:
    found = with_begin(core(), "<s>", known).begin
    assert (found.known, found.text, found.id) == (known, "<s>", 0)
    assert with_begin(core(), "<s>").begin.known == "assumed"


def test_x0_twice_is_refused_where_no_text_spells_it() -> None:
    lm = with_begin(core(), "<s>")
    for paths in ([[0, 1, 2]], [[1], [], [0]]):
        with pytest.raises(BadValue, match="it stands before a text once"):
            lm.forward(paths)
    # A letter that stands for x0 may well come first in a text.
    line = with_begin(ToyLM(begin=False), "a")
    assert np.isfinite(line.forward([[0, 0, 1]]).logp[0]).all()
    # And what is drawn may be any outcome, x0 among them.
    assert len(sample(lm, 50, max_tokens=2, seed=0)) == 50


def test_a_token_by_name_by_id_or_by_text() -> None:
    vocab = Names()
    assert [token_id(vocab, t, "begin") for t in ("<s>", 0, "b", "</s>", 3)] == [0, 0, 2, 3, 3]
    assert [token_name(vocab, i) for i in range(4)] == ["<s>", "a", "b", "</s>"]
    assert token_name(ByteVocab(), 10) == "⏎"
    for wrong in ("ab", "", -1, 4):
        with pytest.raises(BadValue, match="begin: expected"):
            token_id(vocab, wrong, "begin")
    with pytest.raises(BadValue) as e:
        token_id(vocab, "ab", "begin")
    assert "control token (<s>, </s>)" in str(e.value)
    assert list_names(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def test_a_model_with_its_own_x0_keeps_it() -> None:
    with pytest.raises(BadValue, match="has one"):
        with_begin(ToyLM(), "a")
    with pytest.raises(BadValue, match="has one"):
        with_begin(with_begin(core(), 0), 0)


def test_bare_takes_it_off_again() -> None:
    vocab = ByteVocab()
    free = fit_ngram(vocab.encode_many(["ab"]), NgramSpec(2, vocab=vocab, begin=False), vocab)
    assert with_begin(free, "\n").bare() is free
    own = fit_ngram(vocab.encode_many(["ab"]), NgramSpec(2, vocab=vocab), vocab)
    assert own.bare() is None
