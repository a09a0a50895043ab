"""Loading: x0 and EOS that the caller names, and the built-in model with its cache."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx import BadValue
from pofx.lm.model import LM
from saved_models import CORPUS, ngram, numbers


def test_stand_ins_are_for_what_is_not_there(tmp_path: Path) -> None:
    pofx.save(ngram(), tmp_path / "whole")
    pofx.save(ngram(begin=False, end=False), tmp_path / "stream")
    whole = pofx.load(tmp_path / "whole")
    for begin, end in (("<s>", "</s>"), (257, 256), ("<s>", None), (None, 256)):
        same = pofx.load(tmp_path / "whole", begin=begin, end=end)
        assert same.begin.known == "trained"
        assert numbers(same) == numbers(whole)
    for wrong in ("x", "", 3):
        with pytest.raises(BadValue, match="begin: expected no other x0"):
            pofx.load(tmp_path / "whole", begin=wrong)
        with pytest.raises(BadValue, match="end: expected no other EOS"):
            pofx.load(tmp_path / "whole", end=wrong)
        if wrong != 3 and wrong != "x":
            with pytest.raises(BadValue, match="single token"):
                pofx.load(tmp_path / "stream", begin=wrong)
    lm = pofx.load(tmp_path / "stream", begin=" ", end=".")
    assert (lm.begin.known, lm.begin.id, lm.vocab.end) == ("assumed", 32, 46)
    plain = pofx.load(tmp_path / "stream")
    assert pofx.log_prob(lm, "cat") == pytest.approx(pofx.prefix_log_prob(plain, "cat.", given=" "))
    with pytest.raises(BadValue, match="dtype"):
        pofx.load(tmp_path / "whole", dtype="bfloat16")


# ------------------------------------------------------------------------------------------------------- builtin


@pytest.fixture
def few_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A small corpus in place of the built-in one, a cache of its own, and a count of the fits."""
    fits: list[int] = []
    real = pofx.fit

    def counted(*arguments: Any, **options: Any) -> LM:
        fits.append(1)
        return real(*arguments, **options)

    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pofx.corpus.builtin.builtin_documents", lambda: CORPUS)
    monkeypatch.setattr("pofx.models.fitting.fit", counted)
    return fits


def test_the_builtin_model_is_fitted_once(few_documents: list[int], tmp_path: Path) -> None:
    first, second = pofx.load("builtin"), pofx.load("builtin")
    assert few_documents == [1]
    assert numbers(first) == numbers(second)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "card", "empty", "file"])
def test_a_broken_cache_is_made_again(few_documents: list[int], tmp_path: Path, damage: str) -> None:
    right = numbers(pofx.load("builtin"))
    home = next((tmp_path / "cache").iterdir())
    if damage == "flip":
        data = bytearray((home / "model.safetensors").read_bytes())
        data[-3] ^= 4
        (home / "model.safetensors").write_bytes(data)
    elif damage == "truncate":
        (home / "tokenizer.json").write_text("{")
    elif damage == "card":
        (home / "pofx.json").unlink()
    else:
        shutil.rmtree(home)
        if damage == "empty":
            home.mkdir()
        else:
            home.write_text("a file")
    assert numbers(pofx.load("builtin")) == right
    assert few_documents == [1, 1]
    assert numbers(pofx.load("builtin")) == right
    assert few_documents == [1, 1]


def test_a_cache_that_cannot_be_written_still_answers(
    few_documents: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "file" / "below"))
    assert numbers(pofx.load("builtin")) == numbers(pofx.load("builtin"))
    assert few_documents == [1, 1]


def test_other_documents_are_another_model(few_documents: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = numbers(pofx.load("builtin"))
    monkeypatch.setattr("pofx.corpus.builtin.builtin_documents", lambda: ["something else"])
    assert numbers(pofx.load("builtin")) != before
    assert few_documents == [1, 1]
