"""Models on disk: whole or not at all, and no file in a directory is believed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import pofx
from pofx import BadSource, BadValue
from pofx.lm.model import LM
from pofx.models import saving as store
from toy import ToyLM

CORPUS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "é"]
PROBES = ["the cat", "", "zebra", "é", "a dog sat"]
FILES = [
    "config.json",
    "fitted.safetensors",
    "model.safetensors",
    "pofx.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


def ngram(**options: Any) -> LM:
    return pofx.fit(CORPUS, pofx.NgramSpec(**{"order": 3, **options}))


def numbers(lm: LM, given: str = "") -> list[float]:
    if lm.begin.known == "none":
        given = "t"
    return [s.prefix_total if lm.vocab.end is None else s.total for s in pofx.score(lm, PROBES, given)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model over few characters, so that its files are a few KB."""
    pofx.save(pofx.fit(["ab", "ba", "abba"], pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=16, epochs=1, vocab="chars")
    home = tmp_path_factory.mktemp("transformer") / "model"
    pofx.save(pofx.fit(["ab", "ba", "abba"] * 4, spec), home)
    return home


def edit(home: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file, and make the card vouch for it: behind the hashes there is a second line."""
    content = json.loads((home / name).read_text())
    change(content)
    (home / name).write_text(json.dumps(content))
    vouch(home)


def vouch(home: Path, **changes: Any) -> None:
    card = json.loads((home / "pofx.json").read_text())
    card.pop("seal", None)
    card |= changes
    card["sha256"] = {name: store._sha256(home / name) for name in card["sha256"]}
    (home / "pofx.json").write_text(json.dumps({**card, "seal": store._seal(card)}))


def refused(home: Path) -> str:
    with pytest.raises(BadSource) as caught:
        pofx.load(home)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert len(message) < 600
    return message


# ------------------------------------------------------------------------------------------------- there and back

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
    with pytest.raises(BadSource, match=r"found other files \(chapter1\.tex\); choose another"):
        pofx.save(ngram(), home)
    (tmp_path / "file").write_text("words")
    with pytest.raises(BadSource, match="found a file"):
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
    with pytest.raises(BadSource, match=r"found other files \(scores\.csv\)"):
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
            patch.setattr("pofx.models.saving._seal", fail)
        else:
            patch.setattr(Path, "rename", rename)
        with pytest.raises(BadSource if isinstance(error, OSError) else Stop):
            pofx.save(ngram(order=4), tmp_path / "m")
    assert snapshot(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert numbers(pofx.load(tmp_path / "m")) == numbers(ngram(order=2))


def test_only_fitted_models_are_saved(tmp_path: Path) -> None:
    for lm in (ToyLM(), pofx.warp(ngram(), temperature=2), pofx.given(ngram(), "t"), pofx.mixture([ngram()])):
        with pytest.raises(BadValue, match="expected a fitted n-gram or transformer"):
            pofx.save(lm, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ hostile directories


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
    assert "found nothing" in refused(Path("a\0b"))


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
    "a later format": ({"format": 2}, "found 2; read it with the version"),
    "no format": ({"format": None}, "found None"),
    "a format of many words": ({"format": "x" * 5000}, "expected format 1"),
    "another family": ({"family": "oracle"}, "family 'ngram' or 'transformer'"),
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
        (model / "pofx.json").write_text(json.dumps({**changed, "seal": store._seal(changed)}))
        refused(model)
    (model / "pofx.json").write_text(json.dumps({**card, "seal": "0" * 64}))
    assert "found it changed" in refused(model)
    (model / "pofx.json").write_text(json.dumps({k: v for k, v in card.items() if k != "seal"}))
    assert "found it changed" in refused(model)


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
    assert "257 outcomes in tokenizer.json" in refused(model)


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


# ------------------------------------------------------------------------------------------------ begin= and end=


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


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_an_ngram_saved_as_arpa_is_loaded_again(tmp_path: Path, name: str) -> None:
    lm = pofx.fit(["the cat", "a cat", ""], pofx.NgramSpec(order=3))
    pofx.save(lm, tmp_path / name)
    again = pofx.load(tmp_path / name)
    assert pofx.log_prob(again, "the at") == pytest.approx(pofx.log_prob(lm, "the at"), abs=1e-8)
    (tmp_path / "dir.arpa").mkdir()
    with pytest.raises(BadSource, match="found a directory"):
        pofx.save(lm, tmp_path / "dir.arpa")
    with pytest.raises(BadValue, match="bytes or words"):
        pofx.save(pofx.fit(["ab"], pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "chars.arpa")
    with pytest.raises(BadValue, match="found Given"):
        pofx.save(pofx.given(lm, "t"), tmp_path / "given.arpa")
    assert not (tmp_path / "chars.arpa").exists()
