"""A fit in bounded memory writes the bytes that a fit in memory writes."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from pofx.corpus.builtin import builtin_documents
from pofx.files.tensor_file import RawTensor, join_tensors, map_tensors, write_tensors
from pofx.models.ngram.external import fit as external
from pofx.models.saving import fit_and_save
from pofx.models.specs import NgramSpec
from pofx.vocab.spec import vocab_for


def _hashes(directory: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.iterdir())}


def _expected(texts, spec: NgramSpec, home: Path) -> dict[str, str]:
    pofx.save(pofx.fit(texts, spec), home / "in-memory")
    return _hashes(home / "in-memory")


def _texts(texts):
    return texts


def _got(texts, spec: NgramSpec, home: Path, cuts, memory: int = 0, workers: int = 1) -> dict[str, str]:
    edges = [0, *sorted(cuts), len(texts)]
    units = [partial(_texts, texts[a:b]) for a, b in pairwise(edges)]
    vocab = vocab_for(spec.vocab, texts, spec.end)
    fit_and_save(units, spec, vocab, home / "external", memory, workers)
    assert sorted(p.name for p in home.iterdir()) == ["external", "in-memory"]
    return _hashes(home / "external")


@pytest.mark.parametrize(
    "spec",
    [
        NgramSpec(5),
        pytest.param(NgramSpec(9), marks=pytest.mark.thorough),
        NgramSpec(1),
        NgramSpec(4, "additive", 0.1),
    ],
)
def test_builtin_documents(spec, tmp_path):
    texts = builtin_documents()
    expected = _expected(texts, spec, tmp_path)
    assert _got(texts, spec, tmp_path, [len(texts) // 3, len(texts) // 2], 70 << 20) == expected


@settings(max_examples=20)
@given(
    texts=st.lists(st.text("ab\n", max_size=12), min_size=1, max_size=12),
    order=st.sampled_from([1, 2, 3, 6, 8, 16]),
    smoothing=st.sampled_from(["kneser-ney", "additive", "mle"]),
    begin=st.booleans(),
    end=st.booleans(),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    held=st.integers(1, 9),
    rows=st.integers(1, 9),
    block=st.integers(1, 20),
)
def test_any_cut_and_any_memory(
    texts, order, smoothing, begin, end, cuts, held, rows, block, tmp_path_factory
):
    home = tmp_path_factory.mktemp("fit")
    spec = NgramSpec(order, smoothing, 0.5, begin=begin, end=end)
    with pytest.MonkeyPatch.context() as patch:
        # Bounds of a few rows, so that a toy corpus makes many runs, pieces and chunks.
        patch.setattr("pofx.models.ngram.external.runs._LEAST_BLOCK", block)
        patch.setattr("pofx.models.ngram.external.merging._LEAST_PIECE", held)
        patch.setattr("pofx.models.ngram.external.merging.FAN_IN", 2)
        patch.setattr("pofx.models.ngram.external.columns._SMALL", 0)
        patch.setattr(external, "_MOST_ROWS", rows)
        patch.setattr(external, "_LEAST", held)
        expected = _expected(texts, spec, home)
        assert _got(texts, spec, home, [min(c, len(texts)) for c in cuts]) == expected


@pytest.mark.parametrize("vocab", ["chars", "bpe:300"])
def test_vocabularies_with_two_words_a_string(vocab, tmp_path):
    texts = builtin_documents()[:300]
    spec = NgramSpec(8, vocab=vocab)
    expected = _expected(texts, spec, tmp_path)
    assert _got(texts, spec, tmp_path, [100], 70 << 20) == expected


def test_two_workers(tmp_path):
    texts = builtin_documents()
    expected = _expected(texts, NgramSpec(5), tmp_path)
    assert _got(texts, NgramSpec(5), tmp_path, [200, 400, 700], 200 << 20, workers=2) == expected


def test_no_documents(tmp_path):
    with pytest.raises(pofx.PofxError, match="document"):
        fit_and_save([], NgramSpec(2), vocab_for("bytes", (), True), tmp_path / "model", 0)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_that_names_the_disk(tmp_path, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pofx.models.ngram.external.columns.Column.append", full)
    with pytest.raises(pofx.BadSource, match="expected room on the disk.*No space left"):
        fit_and_save(
            [partial(_texts, ["a b"])], NgramSpec(2), vocab_for("bytes", (), True), tmp_path / "model", 0
        )
    assert not list(tmp_path.iterdir())


def _unreadable():
    raise PermissionError(13, "Permission denied", "corpus.txt")


def test_a_file_that_cannot_be_read_is_no_full_disk(tmp_path):
    units = [partial(_texts, ["a b"]), _unreadable]
    with pytest.raises(
        pofx.BadSource, match=r"^corpus\.txt: expected a file that can be read.*Permission denied"
    ):
        fit_and_save(units, NgramSpec(2), vocab_for("bytes", (), True), tmp_path / "model", 0)
    assert not list(tmp_path.iterdir())


def _die():
    os._exit(9)


def test_a_worker_that_dies_is_an_error(tmp_path):
    units = [partial(_texts, ["a b"]), _die]
    with pytest.raises(pofx.BadValue, match="workers: expected processes that live"):
        fit_and_save(units, NgramSpec(2), vocab_for("bytes", (), True), tmp_path / "model", 0, workers=2)
    assert not list(tmp_path.iterdir())


def test_the_counts_of_a_killed_fit_are_removed(tmp_path):
    (tmp_path / ".model.counts").mkdir()
    (tmp_path / ".model.counts" / "unit-0-0.words").write_bytes(b"12345678")
    texts = builtin_documents()[:20]
    fit_and_save([partial(_texts, texts)], NgramSpec(2), vocab_for("bytes", (), True), tmp_path / "model", 0)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_joined_tensors_are_those_of_the_library(tmp_path):
    arrays = {
        "words": np.arange(6, dtype=np.uint64).reshape(3, 2),
        "prob.2": np.linspace(0, 1, 5),
        "prob.10": np.zeros(0),
        "n": np.array([7]),
        "seen.1": np.array([True, False]),
    }
    raw = {}
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(array.tobytes())
        raw[name] = RawTensor(tmp_path / name, array.dtype.name, array.shape)
    join_tensors(tmp_path / "joined", raw)
    write_tensors(tmp_path / "written", arrays)
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "written").read_bytes()
    mapped = map_tensors(tmp_path / "joined")
    assert sorted(mapped) == sorted(arrays)
    for name, array in arrays.items():
        assert mapped[name].dtype == array.dtype
        assert np.array_equal(mapped[name], array)


@pytest.mark.skipif(os.name != "posix", reason="arrays stand on the file on POSIX alone")
def test_a_loaded_model_stands_on_its_file(tmp_path):
    pofx.save(pofx.fit(builtin_documents()[:50], NgramSpec(3)), tmp_path / "model")
    lm = pofx.load(tmp_path / "model")
    numbers = [lm.table.words, *lm.levels.prob.values(), *lm.levels.weight.values()]
    assert not any(a.flags.owndata or a.flags.writeable for a in numbers if len(a) > 1)
