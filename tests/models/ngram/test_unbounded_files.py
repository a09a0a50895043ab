"""Saved n-grams of unbounded order, and damaged files of them; queries and transforms over such a model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import pofx
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.models.specs import NgramSpec
from saved_models import CORPUS, edit, numbers, refused, vouch


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pofx.save(pofx.fit(CORPUS, NgramSpec(None)), tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture(scope="module")
def lm() -> LM:
    return pofx.fit(pofx.builtin_documents()[:300], NgramSpec(None))


@pytest.mark.parametrize("begin", [True, False])
@pytest.mark.parametrize("end", [True, False])
def test_a_model_is_read_as_it_was_saved(begin: bool, end: bool, tmp_path: Path) -> None:
    lm = pofx.fit(CORPUS, NgramSpec(None, begin=begin, end=end))
    pofx.save(lm, tmp_path / "m")
    again = pofx.load(tmp_path / "m")
    assert numbers(again) == numbers(lm)
    assert again.fingerprint
    assert str(again.window) == str(lm.window)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("parent", lambda a: a.__setitem__(2, 3)),
        ("parent", lambda a: a.__setitem__(0, 0)),
        ("parent", lambda a: a.__setitem__(1, -1)),
        ("depth", lambda a: a.__setitem__(3, -5)),
        ("key", lambda a: a.__setitem__(0, a[1])),
        ("key", lambda a: a.__setitem__(-1, 1 << 40)),
        ("to", lambda a: a.__setitem__(1, 1 << 20)),
        ("token", lambda a: a.__setitem__(1, 257)),
        ("following", lambda a: a.__setitem__(0, -2)),
        ("above", lambda a: a.__setitem__(0, 1 << 20)),
        ("alone", lambda a: a.__setitem__(-1, 1 << 20)),
        ("branches", lambda a: a.__setitem__(1, 0)),
        ("events", lambda a: a.__setitem__(1, -1)),
        ("prob", lambda a: a.__setitem__(1, np.nan)),
        ("weights", lambda a: a.__setitem__((1, 1), np.inf)),
        ("rest", lambda a: a.__setitem__(1, -0.1)),
    ],
)
def test_a_number_that_no_fit_writes_is_refused(model: Path, name: str, change) -> None:
    tensors = {k: a.copy() for k, a in load_file(model / "model.safetensors").items()}
    change(tensors[name])
    save_file(tensors, model / "model.safetensors")
    assert "hash" in refused(model)
    vouch(model)
    assert "table of contexts" in refused(model)


@pytest.mark.parametrize("name", ["key", "depth", "token", "weights", "discounts", "alone"])
def test_a_column_that_is_missing_or_short_is_refused(model: Path, name: str) -> None:
    tensors = load_file(model / "model.safetensors")
    for changed in (
        {k: a for k, a in tensors.items() if k != name},
        {**tensors, name: tensors[name][:-1].copy()},
    ):
        save_file(changed, model / "model.safetensors")
        vouch(model)
        assert "table of contexts" in refused(model)


def test_files_that_disagree_are_refused(model: Path) -> None:
    edit(model, "config.json", lambda c: c.update(vocab_size=99))
    assert "vocab_size" in refused(model)
    edit(model, "config.json", lambda c: c.update(vocab_size=257, eos_token_id=None))
    assert "eos_token_id" in refused(model)
    (model / "model.safetensors").write_bytes(b"\0" * 100)
    vouch(model)
    assert "model.safetensors" in refused(model)


def test_no_arpa_file_holds_such_a_model(tmp_path: Path) -> None:
    with pytest.raises(pofx.PofxError, match="expected an n-gram"):
        pofx.save(pofx.fit(CORPUS, NgramSpec(None)), tmp_path / "m.arpa")


def test_long_passages_are_read_as_token_by_token(lm: LM) -> None:
    text = max(pofx.builtin_documents()[:300], key=len)
    assert len(text) > 2000
    some = [text[:1500], "x " + text[300:1200] + " y", text[50:400] * 2, text[1000:1900]]
    paths = [[*t.encode(), 256] for t in some]
    for a, b in zip(lm.forward(paths).logp, forward_by_extension(lm, paths, Want()).logp):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_queries_and_transforms_take_such_a_model(lm: LM) -> None:
    other = pofx.fit(CORPUS, NgramSpec(order=3))
    text = "Return the name of the file."
    both = pofx.log_prob(pofx.interpolate([lm, other], [0.5, 0.5]), text)
    assert math.isfinite(both)
    assert both >= max(pofx.log_prob(m, text) for m in (lm, other)) - (len(text) + 1) * math.log(2)
    whole = pofx.prefix_log_prob(lm, "Return ") + pofx.log_prob(lm, text[7:], given="Return ")
    assert whole == pytest.approx(pofx.log_prob(lm, text), abs=1e-9)
    draws = pofx.sample(lm, 3, given="Return ", max_tokens=40, seed=1)
    assert [d.logp.sum() for d in draws] == pytest.approx(
        [
            pofx.prefix_log_prob(lm, d.text, given="Return ")
            if not d.ended
            else pofx.log_prob(lm, d.text, given="Return ")
            for d in draws
        ]
    )
    data = (text * 3).encode()
    assert pofx.decompress(lm, pofx.compress(lm, data)) == data


def test_copies_are_likelier_than_other_texts(lm: LM) -> None:
    text = max(pofx.builtin_documents()[:300], key=len)
    copy, other = text[200:900], "Quartz glyphs jumbled by a vexed fowl. " * 18
    nats = [-pofx.prefix_log_prob(lm, t) / len(t) for t in (copy, other)]
    assert nats[0] < 0.2 < 2 < nats[1]
