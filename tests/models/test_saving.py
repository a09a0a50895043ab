"""Saved models: the same numbers after loading, and a directory that is whole or not there at all."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx import BadSource, BadValue
from saved_models import FILES, ngram, numbers
from toy import ToyLM

SPECS: dict[str, dict[str, Any]] = {
    "bytes": {},
    "chars": {"vocab": "chars+bytes"},
    "subwords": {"vocab": "bpe:262"},
    "order 1": {"order": 1},
    "order 9": {"order": 9},
    "additive": {"smoothing": "additive", "alpha": 0.1},
    "mle": {"smoothing": "mle"},
    "no x0": {"begin": False},
    "no EOS": {"end": False},
    "neither": {"begin": False, "end": False},
}


@pytest.mark.parametrize("name", SPECS)
def test_the_same_numbers_to_the_bit(name: str, tmp_path: Path) -> None:
    lm = ngram(**SPECS[name])
    pofx.save(lm, tmp_path / "m")
    again = pofx.load(tmp_path / "m")
    assert numbers(again) == numbers(lm)
    assert again.begin == lm.begin
    assert (again.vocab.size, again.vocab.end, again.window, again.dtype) == (
        lm.vocab.size,
        lm.vocab.end,
        lm.window,
        lm.dtype,
    )
    given = "" if lm.begin.known != "none" else "t"
    old, new = (pofx.sample(m, 5, given, max_tokens=9, seed=1) for m in (lm, again))
    assert [d.bytes for d in old] == [d.bytes for d in new]
    pofx.save(again, tmp_path / "again")
    for file in FILES:
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_an_arpa_file_is_kept_as_what_it_is(tmp_path: Path) -> None:
    lm = pofx.fit(["a b", "b", "a a b"], pofx.NgramSpec(order=2, vocab=pofx.WordVocab(["a", "b"])))
    pofx.write_arpa(lm, tmp_path / "m.arpa")  # type: ignore[arg-type]
    read = pofx.load(tmp_path / "m.arpa")
    pofx.save(read, tmp_path / "m")
    again = pofx.load(tmp_path / "m")
    assert again.dtype == read.dtype == "float32"
    assert pofx.log_prob(again, "a b") == pofx.log_prob(read, "a b")


@pytest.mark.parametrize("begin", [True, False])
@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("vocab", ["bytes", "chars", "bpe:262"])
def test_x0_and_eos_stand_where_other_tools_look(vocab: str, begin: bool, end: bool, tmp_path: Path) -> None:
    lm = ngram(vocab=vocab, begin=begin, end=end)
    pofx.save(lm, tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    tokens = json.loads((tmp_path / "m/tokenizer.json").read_text())
    names = json.loads((tmp_path / "m/tokenizer_config.json").read_text())
    ids = {t["content"]: t["id"] for t in tokens["added_tokens"]}
    assert config["bos_token_id"] == ids.get("<s>") == (lm.vocab.size if begin else None)
    assert config["eos_token_id"] == ids.get("</s>") == lm.vocab.end
    assert ("bos_token" in names, "eos_token" in names) == (begin, end)
    if begin:
        assert ids["<s>"] > 0


def test_files_are_for_all_to_read(model: Path) -> None:
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in model.iterdir()}
    assert sorted(modes) == FILES
    assert len(set(modes.values())) == 1, modes


def test_a_transformer_there_and_back(transformer: Path) -> None:
    lm = pofx.load(transformer)
    assert pofx.log_prob(lm, "abba") == pofx.log_prob(pofx.load(transformer), "abba")
    config = json.loads((transformer / "config.json").read_text())
    assert config["bos_token_id"] == lm.vocab.size > 0
    assert config["eos_token_id"] == lm.vocab.end


# ------------------------------------------------------------------------------------------- whole, or not at all


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "thesis"
    home.mkdir()
    (home / "chapter1.tex").write_text("words")
    before = snapshot(tmp_path)
    with pytest.raises(BadSource, match=r"got other files \(chapter1\.tex\); choose another path"):
        pofx.save(ngram(), home)
    (tmp_path / "file").write_text("words")
    with pytest.raises(BadSource, match="got a file"):
        pofx.save(ngram(), tmp_path / "file")
    with pytest.raises(BadSource, match="expected a place"):
        pofx.save(ngram(), tmp_path / "file" / "below")
    with pytest.raises(BadSource, match="File name too long"):
        pofx.save(ngram(), tmp_path / ("x" * 300))
    assert snapshot(tmp_path) == before | {"file": b"words"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "thesis"]


def test_an_older_model_is_replaced(tmp_path: Path) -> None:
    pofx.save(ngram(order=2), tmp_path / "m")
    (tmp_path / "m" / "scores.csv").write_text("of somebody")
    before = snapshot(tmp_path)
    with pytest.raises(BadSource, match=r"got other files \(scores\.csv\)"):
        pofx.save(ngram(order=4), tmp_path / "m")
    assert snapshot(tmp_path) == before
    (tmp_path / "m" / "scores.csv").unlink()
    pofx.save(ngram(order=4), tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == FILES
    assert numbers(pofx.load(tmp_path / "m")) == numbers(ngram(order=4))
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_an_empty_directory_and_missing_parents_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pofx.save(ngram(), tmp_path / "empty")
    pofx.save(ngram(), tmp_path / "a" / "b" / "m")
    pofx.save(ngram(), str(tmp_path / "slash") + "/")
    for name in ("empty", "a/b/m", "slash"):
        assert numbers(pofx.load(tmp_path / name)) == numbers(ngram())


def test_the_current_directory_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSource, match="name a new one"):
        pofx.save(ngram(), ".")
    assert list(tmp_path.iterdir()) == []
    pofx.save(ngram(), "m")
    assert numbers(pofx.load("m")) == numbers(ngram())


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    pofx.save(ngram(order=2), tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("later")
    assert numbers(pofx.load(tmp_path / "link")) == numbers(ngram(order=2))
    pofx.save(ngram(order=4), tmp_path / "link")
    pofx.save(ngram(order=1), tmp_path / "dangling")
    assert (tmp_path / "link").is_symlink()
    assert numbers(pofx.load(tmp_path / "real")) == numbers(ngram(order=4))
    assert numbers(pofx.load(tmp_path / "later")) == numbers(ngram(order=1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dangling", "later", "link", "real"]


class Stop(BaseException):
    """As Ctrl-C: no Exception."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Stop()])
@pytest.mark.parametrize("where", ["tensors", "tokenizer", "card", "first rename", "second rename"])
def test_a_failure_half_way_leaves_the_old_model(
    where: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pofx.save(ngram(order=2), tmp_path / "m")
    before = snapshot(tmp_path)
    calls = 0

    def fail(*_: object, **__: object) -> None:
        raise error

    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == (1 if where == "first rename" else 2):
            raise error
        return real(self, target)

    with monkeypatch.context() as patch:
        if where == "tensors":
            patch.setattr("safetensors.numpy.save_file", fail)
        elif where == "tokenizer":
            patch.setattr("pofx.vocab.tokenizer.files.saved_vocab.write_tokenizer", fail)
        elif where == "card":
            patch.setattr("pofx.models.saving.card_seal", fail)
        else:
            patch.setattr(Path, "rename", rename)
        with pytest.raises(BadSource if isinstance(error, OSError) else Stop):
            pofx.save(ngram(order=4), tmp_path / "m")
    assert snapshot(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert numbers(pofx.load(tmp_path / "m")) == numbers(ngram(order=2))


def test_only_fitted_models_are_saved(tmp_path: Path) -> None:
    for lm in (ToyLM(), pofx.warp(ngram(), temperature=2), pofx.given(ngram(), "t"), pofx.mixture([ngram()])):
        with pytest.raises(BadValue, match="expected a fitted n-gram, mixing model or transformer"):
            pofx.save(lm, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_an_ngram_saved_as_arpa_is_loaded_again(tmp_path: Path, name: str) -> None:
    lm = pofx.fit(["the cat", "a cat", ""], pofx.NgramSpec(order=3))
    pofx.save(lm, tmp_path / name)
    again = pofx.load(tmp_path / name)
    assert pofx.log_prob(again, "the at") == pytest.approx(pofx.log_prob(lm, "the at"), abs=1e-8)
    (tmp_path / "dir.arpa").mkdir()
    with pytest.raises(BadSource, match="got a directory"):
        pofx.save(lm, tmp_path / "dir.arpa")
    with pytest.raises(BadValue, match="bytes or words"):
        pofx.save(pofx.fit(["ab"], pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "chars.arpa")
    with pytest.raises(BadValue, match="got Given"):
        pofx.save(pofx.given(lm, "t"), tmp_path / "given.arpa")
    assert not (tmp_path / "chars.arpa").exists()
