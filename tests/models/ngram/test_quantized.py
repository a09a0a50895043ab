"""Numbers of 8 bits: every distribution sums to 1, and the change of the numbers is the one that the model states."""

from __future__ import annotations

import itertools
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import pofx
from pofx.corpus.builtin import builtin_documents
from pofx.models.saving import fit_and_save
from pofx.models.specs import NgramSpec
from pofx.vocab.spec import vocab_for
from saved_models import vouch

LEAK = 1e-6  # z has 24 bits, so a row is off by 6e-8 a level
TEXTS = st.lists(st.text("abc", max_size=12), min_size=1, max_size=14).filter(any)


@settings(max_examples=15)
@given(
    texts=TEXTS,
    order=st.integers(1, 5),
    prune=st.sampled_from([(), (0, 1), (0, 0, 2)]),
    begin=st.booleans(),
    end=st.booleans(),
)
def test_every_row_sums_to_one(texts, order, prune, begin, end):
    spec = NgramSpec(order, vocab="chars", begin=begin, end=end, prune=prune[:order])
    plain = pofx.fit(texts, spec)
    lm = pofx.fit(texts, NgramSpec(**{**vars(spec), "quantize": 8}))
    told = lm.levels.quantization
    letters = [i for i in range(lm.vocab.size) if i != lm.vocab.end]
    for n in range(0 if begin else 1, 5):
        for ids in itertools.product(letters, repeat=n):
            paths = np.array([ids], dtype=np.int64).reshape(1, n)
            logp = lm.extend(lm.start(1), paths).logp[0]
            assert abs(np.exp(logp).sum() - 1) < LEAK
            # An unseen token has a product of at most `order` numbers.
            exact = plain.extend(plain.start(1), paths).logp[0]
            assert np.abs(logp - exact).max() <= order * told.max_nats + 1e-9
            # log p of one token takes another way through the table.
            if n and begin:
                path = np.concatenate(lm.forward([[*ids]]).logp)
                rows = [
                    lm.extend(lm.start(1), np.array([ids[:i]], dtype=np.int64).reshape(1, i)).logp[0][ids[i]]
                    for i in range(n)
                ]
                assert path == pytest.approx(rows, abs=1e-12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("quantized")
    pofx.save(pofx.fit(builtin_documents(), NgramSpec(5, quantize=8)), home / "model")
    pofx.save(pofx.fit(builtin_documents(), NgramSpec(5)), home / "plain")
    return home / "model"


def test_the_card_states_the_measured_change(model: Path) -> None:
    card = json.loads((model / "pofx.json").read_text())["quantization"]
    lm, plain = pofx.load(model), pofx.load(model.parent / "plain")
    changes = []
    for k in range(2, 6):
        seen = plain.levels.seen[k]
        changes.append(np.log(lm.levels.prob[k][seen]) - np.log(plain.levels.prob[k][seen]))
        changes.append(np.log(np.asarray(lm.levels.weight[k - 1])) - np.log(plain.levels.weight[k - 1]))
    every = np.abs(np.concatenate(changes))
    assert card == pytest.approx({"bits": 8, "max_nats": every.max(), "mean_nats": every.mean()})
    assert 0.001 < card["mean_nats"] < card["max_nats"] < 0.2


def test_the_file_is_smaller_and_scores_nearly_as_well(model: Path) -> None:
    plain = model.parent / "plain"
    assert (model / "model.safetensors").stat().st_size < 0.65 * (plain / "model.safetensors").stat().st_size
    texts = builtin_documents()[:50]
    ours = sum(s.total for s in pofx.score(pofx.load(model), texts))
    theirs = sum(s.total for s in pofx.score(pofx.load(plain), texts))
    assert ours == pytest.approx(theirs, rel=0.005)


def test_an_audit_allows_sums_of_32_bits() -> None:
    lm = pofx.fit(builtin_documents()[:30], NgramSpec(order=3, quantize=8))
    found = {f.check: f.verdict for f in pofx.audit(lm, builtin_documents()[30:40]).findings}
    assert lm.dtype == "float32"
    assert "fail" not in found.values()


def test_a_saved_model_keeps_its_bits(model: Path, tmp_path: Path) -> None:
    lm = pofx.load(model)
    pofx.save(lm, tmp_path / "again")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (model / name).read_bytes()
    pofx.write_arpa(lm, tmp_path / "lm.arpa")
    texts = builtin_documents()[:5]
    totals = [s.total for s in pofx.score(lm, texts)]
    assert [s.total for s in pofx.score(pofx.load(tmp_path / "lm.arpa"), texts)] == pytest.approx(totals)
    assert lm.termination([1, 9]) is not None


@pytest.mark.parametrize("prune", [(), (0, 0, 1)])
def test_a_fit_in_bounded_memory_writes_the_same_bytes(prune, tmp_path: Path) -> None:
    texts = builtin_documents()[:200]
    spec = NgramSpec(9, prune=prune, quantize=8)
    pofx.save(pofx.fit(texts, spec), tmp_path / "in-memory")
    units = [partial(list, texts[:70]), partial(list, texts[70:])]
    fit_and_save(units, spec, vocab_for("bytes", (), True), tmp_path / "external", 0)
    names = sorted(p.name for p in (tmp_path / "in-memory").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "external").iterdir())
    for name in names:
        assert (tmp_path / "in-memory" / name).read_bytes() == (tmp_path / "external" / name).read_bytes()


DAMAGE = {
    "a book of nan": lambda t: t["prob-book.3"].fill(np.nan),
    "a short book": lambda t: t.update({"weight-book.2": t["weight-book.2"][:9]}),
    "a negative scale": lambda t: t["scale.2"].fill(-1),
    "codes of unseen n-grams": lambda t: t["prob.2"].fill(0),
    "no scale": lambda t: t.pop("scale.1"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused(model: Path, tmp_path: Path, name: str) -> None:
    pofx.save(pofx.load(model), tmp_path / "hostile")
    path = tmp_path / "hostile" / "model.safetensors"
    tensors = {k: v.copy() for k, v in load_file(path).items()}
    DAMAGE[name](tensors)
    save_file(tensors, path)
    vouch(tmp_path / "hostile")
    with pytest.raises(pofx.BadSource, match=r"model\.safetensors"):
        pofx.load(tmp_path / "hostile")


@pytest.mark.parametrize("wrong", [7, 16, 0, True, "8"])
def test_bits_that_are_none(wrong) -> None:
    with pytest.raises(pofx.BadValue, match="quantize"):
        NgramSpec(quantize=wrong)
    with pytest.raises(pofx.BadValue, match="quantize"):
        NgramSpec(smoothing="mle", quantize=8)
    with pytest.raises(pofx.BadValue, match="quantize"):
        NgramSpec(None, quantize=8)
