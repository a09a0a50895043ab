"""Damaged or hostile model directories: no file in them is believed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import pofx
from pofx import BadSource
from pofx.models import saving as store
from saved_models import FILES, edit, ngram, refused, vouch


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    (tmp_path / "file.bin").write_bytes(b"\0" * 10)
    assert "with pofx.json, config.json or one .gguf file" in refused(tmp_path / "empty")
    assert "model_type" in refused(tmp_path / "other")
    assert "a pickle, which can run any code" in refused(tmp_path / "file.bin")
    assert "'pofx models' lists" in refused(tmp_path / "nothing")
    assert "too long" in refused(tmp_path / ("x" * 300))
    assert "got nothing" in refused(Path("a\0b"))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    assert name in refused(model)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, -1])
def test_a_truncated_table(model: Path, keep: int) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "hash" in refused(model)
    vouch(model)
    assert "model.safetensors" in refused(model)


def flips(home: Path) -> Iterator[tuple[str, int]]:
    """Flip the low bit, then all bits, of every seventh byte of every file; the file is put right again."""
    for path in sorted(home.iterdir()):
        good = path.read_bytes()
        # Of long files only the head and the tail at that step, or the test takes a minute.
        places = [i for i in range(0, len(good), 7) if i < 1400 or i > len(good) - 350]
        for k, i in enumerate(places):
            path.write_bytes(good[:i] + bytes([good[i] ^ (0xFF if k % 2 else 0x01)]) + good[i + 1 :])
            yield path.name, i
        path.write_bytes(good)


def test_a_flipped_byte_never_changes_a_number(model: Path) -> None:
    right = pofx.score(pofx.load(model), ["ab", "b", ""])
    same = others = 0
    for name, i in flips(model):
        try:
            found = pofx.score(pofx.load(model), ["ab", "b", ""])
        except BadSource:
            others += 1
            continue
        same += 1
        assert [s.total for s in found] == [s.total for s in right], (name, i)
    assert others > 200
    assert same < 5  # white space of the card


def test_a_flipped_byte_of_a_transformer(transformer: Path, tmp_path: Path) -> None:
    shutil.copytree(transformer, tmp_path / "m")
    right = pofx.log_prob(pofx.load(transformer), "abba" * 9)
    for name, i in flips(tmp_path / "m"):
        if name == "model.safetensors" and i % 5:
            continue
        try:
            found = pofx.log_prob(pofx.load(tmp_path / "m"), "abba" * 9)
        except BadSource:
            continue
        assert found == right, (name, i)


def test_flips_behind_the_hashes_end_in_one_line(model: Path) -> None:
    """Where the card vouches for the damage, numbers may change; but there is no traceback."""
    for name, _ in flips(model):
        if name == "pofx.json":
            continue
        vouch(model)
        with suppress(BadSource, pofx.NotText):
            pofx.score(pofx.load(model), ["ab"])


CONFIGS: dict[str, dict[str, Any]] = {
    "a higher order": {"order": 3},
    "a lower order": {"order": 1},
    "order 0": {"order": 0},
    "order 10^9": {"order": 10**9},
    "order true": {"order": True},
    "order in words": {"order": "two"},
    "order a book": {"order": "x" * 10_000},
    "another size": {"vocab_size": 4},
    "no size": {"vocab_size": None},
    "another x0": {"bos_token_id": 0},
    "no x0": {"bos_token_id": None},
    "another EOS": {"eos_token_id": 1},
    "no EOS": {"eos_token_id": None},
    "chain in words": {"chain": "yes"},
    "another dtype": {"dtype": "float8"},
    "dtype a list": {"dtype": []},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_at_odds_with_the_rest(model: Path, name: str) -> None:
    edit(model, "config.json", lambda c: c.update(CONFIGS[name]))
    assert "config.json" in refused(model)


def test_a_config_without_its_keys(model: Path) -> None:
    for key in ("order", "vocab_size", "bos_token_id", "eos_token_id", "chain", "dtype"):
        good = (model / "config.json").read_text()
        edit(model, "config.json", lambda c, key=key: c.pop(key))  # type: ignore[misc]
        refused(model)
        (model / "config.json").write_text(good)
        vouch(model)
    pofx.load(model)


TABLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no words": lambda t: t.pop("words"),
    "no column": lambda t: t.pop("prob.1"),
    "a short column": lambda t: t.update({"prob.1": t["prob.1"][:-1]}),
    "words of another type": lambda t: t.update(words=t["words"].astype(np.int64)),
    "a flat table": lambda t: t.update(words=t["words"].ravel()),
    "words out of order": lambda t: t.update(words=t["words"][::-1].copy()),
    "words twice": lambda t: t.update(words=np.repeat(t["words"], 2, axis=0)),
    "words outside the vocabulary": lambda t: t.update(words=t["words"] + np.uint64(1 << 62)),
    "x0 as an event": lambda t: [t[f"seen.{k}"].fill(True) for k in (1, 2)],
    "no words left": lambda t: t.update(words=t["words"][:0]),
    "nan": lambda t: t["prob.2"].fill(np.nan),
    "infinite weights": lambda t: t["weight.1"].fill(np.inf),
    "negative": lambda t: t["prob.1"].fill(-0.5),
    "single precision": lambda t: t.update({"prob.1": t["prob.1"].astype(np.float32)}),
    "seen as numbers": lambda t: t.update({"seen.1": t["seen.1"].astype(np.uint8)}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_at_odds_with_itself(model: Path, name: str) -> None:
    tensors = {k: v.copy() for k, v in load_file(model / "model.safetensors").items()}
    TABLES[name](tensors)
    save_file(tensors, model / "model.safetensors")
    vouch(model)
    assert "model.safetensors" in refused(model)


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "a later format": ({"format": 2}, "got 2; read the model with the version"),
    "no format": ({"format": None}, "got None"),
    "a format of many words": ({"format": "x" * 5000}, "expected format 1"),
    "another family": ({"family": "oracle"}, "family 'ngram', 'ngram-unbounded', 'mixing' or 'transformer'"),
    "a family of the other kind": ({"family": "transformer", "overlap": 4}, "qwen3"),
    "a transformer without overlap": ({"family": "transformer"}, "overlap"),
    "x0 denied": ({"begin": False}, "bos_token_id"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_another_kind(model: Path, name: str) -> None:
    changes, said = CARDS[name]
    if changes.get("overlap"):
        pytest.importorskip("torch")
    vouch(model, **changes)
    assert said in refused(model)


def test_a_card_that_vouches_for_nothing(model: Path) -> None:
    card = json.loads((model / "pofx.json").read_text())
    good = dict(card["sha256"])
    for sums in ({}, [], None, {k: v for k, v in good.items() if k != "config.json"}, {**good, "../x": "0"}):
        changed = {k: v for k, v in card.items() if k != "seal"} | {"sha256": sums}
        (model / "pofx.json").write_text(json.dumps({**changed, "seal": store.card_seal(changed)}))
        refused(model)
    (model / "pofx.json").write_text(json.dumps({**card, "seal": "0" * 64}))
    assert "got a changed file" in refused(model)
    (model / "pofx.json").write_text(json.dumps({k: v for k, v in card.items() if k != "seal"}))
    assert "got a changed file" in refused(model)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a":' * 100_000, "[]", "null", "", "\xff", '{"format": 1' + "0" * 9999 + "}"]
)
@pytest.mark.parametrize("name", ["pofx.json", "config.json", "tokenizer.json"])
def test_json_that_is_no_object(model: Path, name: str, content: str) -> None:
    (model / name).write_bytes(content.encode("latin-1"))
    if name != "pofx.json":
        vouch(model)
    assert name in refused(model)


@pytest.mark.parametrize("name", ["pofx.json", "config.json", "model.safetensors", "tokenizer.json"])
def test_what_is_no_plain_file(model: Path, name: str) -> None:
    (model / name).unlink()
    (model / name).symlink_to("/dev/zero")
    refused(model)
    (model / name).unlink()
    (model / name).symlink_to(name)
    refused(model)
    (model / name).unlink()
    (model / name).mkdir()
    refused(model)
    (model / name).rmdir()
    os.mkfifo(model / name)
    refused(model)


def test_linked_files_are_files(model: Path, tmp_path: Path) -> None:
    """As a cache of a hub lays them out."""
    (tmp_path / "blobs").mkdir()
    right = pofx.log_prob(pofx.load(model), "ab")
    for path in list(model.iterdir()):
        path.rename(tmp_path / "blobs" / path.name)
        path.symlink_to(tmp_path / "blobs" / path.name)
    assert pofx.log_prob(pofx.load(model), "ab") == right


@pytest.mark.parametrize("letters", ["ac", "abc", "a"])
def test_the_tokenizer_of_another_model(model: Path, tmp_path: Path, letters: str) -> None:
    pofx.save(pofx.fit([letters], pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "tokenizer.json", model / "tokenizer.json")
    assert "hash" in refused(model)
    vouch(model)
    if len(letters) != 2:
        assert "vocab_size" in refused(model)
    else:
        # The same size with a card that vouches for it is another model, and an honest one: a and c.
        with pytest.raises(pofx.NotText):
            pofx.log_prob(pofx.load(model), "b")


def test_a_tokenizer_of_bytes_for_a_model_of_characters(model: Path, tmp_path: Path) -> None:
    pofx.save(ngram(order=2), tmp_path / "other")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "other" / file, model / file)
    vouch(model)
    assert "vocab_size 3 in config.json, where the other files have 257" in refused(model)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 32},
        {"num_hidden_layers": 2},
        {"num_hidden_layers": 0},
        {"vocab_size": 3},
        {"num_attention_heads": 4},
        {"max_position_embeddings": 2},
        {"max_position_embeddings": -1},
        {"model_type": "llama"},
        {"rms_norm_eps": 1.0},
        {"bos_token_id": 0},
        {"tie_word_embeddings": "no"},
    ],
)
def test_a_transformer_config_at_odds(transformer: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    shutil.copytree(transformer, tmp_path / "m")
    edit(tmp_path / "m", "config.json", lambda c: c.update(changes))
    refused(tmp_path / "m")


_opened: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened is not None and (event == "open" or event.startswith("pickle")):
        _opened.append(f"{event} {arguments[0]}")


@contextmanager
def listening() -> Iterator[list[str]]:
    """What the interpreter opens. A hook cannot be taken away again, so it is told when to listen."""
    global _opened
    if not getattr(listening, "hooked", False):
        sys.addaudithook(_listen)
        listening.hooked = True  # type: ignore[attr-defined]
    _opened = heard = []
    try:
        yield heard
    finally:
        _opened = None


def test_pickles_are_never_opened(model: Path, transformer: Path, tmp_path: Path) -> None:
    shutil.copytree(transformer, tmp_path / "t")
    bomb = b"cos\nsystem\n(S'touch /tmp/pofx-was-here'\ntR."
    for home in (model, tmp_path / "t"):
        for name in (
            "pytorch_model.bin",
            "model.pkl",
            "training_args.bin",
            "scheduler.pt",
            "tokenizer.pickle",
        ):
            (home / name).write_bytes(bomb)
        with listening() as heard:
            pofx.log_prob(pofx.load(home), "ab")
        assert heard
        assert not [
            h for h in heard if h.startswith("pickle") or h.endswith((".bin", ".pkl", ".pt", ".pickle"))
        ]
