"""A saved n-gram is mapped: loading computes nothing, and still believes no file."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import pofx
from pofx.corpus.builtin import builtin_documents
from pofx.files import directory
from pofx.models.ngram import files
from pofx.models.specs import NgramSpec
from saved_models import PROBES, vouch

# Strings of one word, of two words, and of three words.
SPECS = [NgramSpec(5), NgramSpec(9), NgramSpec(16), NgramSpec(1), NgramSpec(3, "additive", begin=False)]
DERIVED = ("parent", "values", "rows")


@functools.cache
def _documents() -> list[str]:
    """The built-in documents, which every new cache would read from the standard library again."""
    return builtin_documents()[:50]


@pytest.fixture(scope="module", params=SPECS, ids=lambda spec: f"{spec.order}-{spec.smoothing}")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("mapped") / "model"
    pofx.save(pofx.fit(_documents()[:40], request.param), home)
    return home


def _numbers(lm):
    given = "t" if lm.begin.known == "none" else ""
    texts = [*PROBES, *(text[:400] for text in _documents()[30:])]
    logp = np.concatenate([s.logp for s in pofx.score(lm, texts, given)])
    state = lm.extend(lm.start(2), np.array([[116, 104], [104, 101]]))
    return logp.tobytes(), np.asarray(state.logp).tobytes()


def test_the_mapped_model_has_the_bits_of_the_fitted_one(model: Path) -> None:
    loaded = pofx.load(model)
    fresh = files.PrefixTable(np.array(loaded.table.words), loaded.table.packing)
    for k in range(loaded.order + 1):
        assert np.array_equal(fresh.first(k), loaded.table.first(k))
        assert np.array_equal(fresh.group(k), loaded.table.group(k))
    assert _numbers(files.NgramLM(loaded.vocab, fresh, loaded.levels, loaded.begin.known != "none")) == (
        _numbers(loaded)
    )


def test_an_older_file_without_groups_is_read(model: Path, tmp_path: Path) -> None:
    expected = _numbers(pofx.load(model))
    pofx.save(pofx.load(model), tmp_path / "older")
    path = tmp_path / "older" / "model.safetensors"
    tensors = {k: v.copy() for k, v in load_file(path).items() if k.split(".")[0] not in DERIVED}
    save_file(tensors, path)
    vouch(tmp_path / "older")
    assert _numbers(pofx.load(tmp_path / "older")) == expected
    # The fit today writes what the older file lacks, so saving the older model gives the file of today.
    pofx.save(pofx.load(tmp_path / "older"), tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        model / "model.safetensors"
    ).read_bytes()


@pytest.fixture
def remembering(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in its own cache, whose numbers a first load has checked."""
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(directory, "_LARGE", 0)
    monkeypatch.setattr("pofx.files.cache._RACY", -1.0)
    pofx.save(pofx.load(model), tmp_path / "model")
    pofx.load(tmp_path / "model")
    return tmp_path / "model"


def test_a_later_load_reads_no_number(remembering: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError("the file is read")

    expected = _numbers(pofx.load(remembering))
    monkeypatch.setattr(files, "check_numbers", never)
    monkeypatch.setattr("pofx.files.cache._digest", never)
    monkeypatch.setattr(directory, "file_sha256", never)
    lm = pofx.load(remembering)
    assert "_found" not in vars(lm.levels.history)
    assert sorted(lm.table._group) == sorted(lm.table._first) == [0]
    assert _numbers(lm) == expected


def test_a_changed_file_is_noticed_though_its_size_and_time_stay(remembering: Path) -> None:
    path = remembering / "model.safetensors"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(pofx.BadSource, match="hash"):
        pofx.load(remembering)


@pytest.mark.parametrize("part", DERIVED)
@pytest.mark.parametrize("number", [-1, 1, 2**31 - 1])
def test_groups_of_another_table_are_refused(model: Path, tmp_path: Path, part: str, number: int) -> None:
    """A group outside the table would read outside its columns."""
    pofx.save(pofx.load(model), tmp_path / "hostile")
    path = tmp_path / "hostile" / "model.safetensors"
    tensors = {k: v.copy() for k, v in load_file(path).items()}
    names = [name for name in tensors if name.startswith(part)]
    if not names:
        pytest.skip(f"a table of one word or one level has no {part}")
    for at in (0, len(tensors[names[-1]]) // 2, -1):
        changed = tensors[names[-1]].copy()
        if changed[at] == np.array(number).astype(changed.dtype):
            continue
        changed[at] = np.array(number).astype(changed.dtype)
        save_file({**tensors, names[-1]: changed}, path)
        vouch(tmp_path / "hostile")
        with pytest.raises(pofx.BadSource, match=r"model\.safetensors"):
            pofx.load(tmp_path / "hostile")


@pytest.mark.skipif(os.name != "posix", reason="a mapped file can be replaced on POSIX alone")
def test_a_model_that_is_replaced_stays_as_it_was_loaded(remembering: Path) -> None:
    lm = pofx.load(remembering)
    expected = _numbers(pofx.load(remembering))
    pofx.save(pofx.fit(["other"], NgramSpec(2)), remembering)
    assert _numbers(lm) == expected
