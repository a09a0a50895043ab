"""How a GGUF file's byte-level tokenizer splits text first, where the file does not say.

Expected pieces are those of the patterns that the models were published with, applied by Python's `re` and by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pofx
from pofx.models.pretrained.checkpoint.gguf import convert as gguf_convert
from pofx.models.pretrained.checkpoint.gguf.child import make
from pofx.models.pretrained.checkpoint.gguf.convert import convert
from pofx.models.pretrained.checkpoint.gguf.header import read_header
from pofx.models.pretrained.checkpoint.gguf.tokenizer import read_tokens, split_names
from tiny_gguf import byte_level, model, sentence_pieces, write

# Where these vocabularies merge "12", "1\n" and "\n\n", only the split keeps the characters apart.
PIECES = {
    "gpt-2": ["a", "Ċ", "Ċ", "12"],  # ` ?\p{N}+`, and `\s+(?!\S)` leaves the last line break out
    "smollm": ["a", "ĊĊ", "1", "2"],  # each digit first, then as GPT-2: a run of line breaks ends there
    "qwen2": ["a", "ĊĊ", "1", "2"],  # `\p{N}` and `\s*[\r\n]+`
    "llama-bpe": ["a", "ĊĊ", "12"],  # `\p{N}{1,3}` and `\s*[\r\n]+`
}
IMPLIED = {"gpt2": "gpt-2", "qwen2": "qwen2", "qwen3": "qwen2", "starcoder2": "smollm"}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second less for each conversion; `test_gguf_apart.py` has the process."""
    monkeypatch.setattr(gguf_convert, "write_tokenizer_apart", make)


def file(place: Path, architecture: str, pre: str | None) -> Path:
    v = byte_level(pre)
    v["tokens"][-3], v["merges"][-1] = "12", "1 2"
    return write(place / f"{architecture}.gguf", architecture, model(architecture), v)


def pieces(directory: Path) -> list[str]:
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(str(directory / "tokenizer.json"))
    found: list[str] = t.encode("a\n\n12", add_special_tokens=False).tokens
    return found


@pytest.mark.parametrize("unsaid", [None, "default"])
@pytest.mark.parametrize("architecture", IMPLIED)
def test_an_architecture_implies_its_split(architecture: str, unsaid: str | None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    convert(file(tmp_path, architecture, unsaid), out, "tiny")
    assert pieces(out) == PIECES[IMPLIED[architecture]]


@pytest.mark.parametrize("unsaid", [None, "default"])
def test_an_architecture_of_many_splits_is_refused(unsaid: str | None, tmp_path: Path) -> None:
    path = file(tmp_path, "llama", unsaid)
    with pytest.raises(
        pofx.BadSource, match="expected the way .*splits text, got .*ggml.pre.*'llama'.*pre=…"
    ) as e:
        pofx.load(path)
    assert str(e.value).isprintable()
    assert len(str(e.value)) < 400 + len(str(path))


@pytest.mark.parametrize("name", PIECES)
def test_the_user_names_the_split(name: str, tmp_path: Path) -> None:
    path = file(tmp_path, "llama", None)
    out = tmp_path / name
    out.mkdir()
    convert(path, out, "tiny", pre=name)
    assert pieces(out) == PIECES[name]
    assert json.loads((out / "pofx-gguf.json").read_text())["split"] == name


def test_the_users_split_wins_and_is_another_model(tmp_path: Path) -> None:
    path = file(tmp_path, "qwen2", "qwen2")
    named, own = (pofx.load(path, begin="<|endoftext|>", pre=pre) for pre in ("gpt-2", None))
    assert len(named.vocab.encode("12")) == 1
    assert len(own.vocab.encode("12")) == 2
    assert named.fingerprint != own.fingerprint
    again = pofx.load(path, begin="<|endoftext|>", pre="qwen2")
    assert pofx.log_prob(again, "12 a") == pofx.log_prob(own, "12 a")


def test_every_name_is_known_to_the_reader(tmp_path: Path) -> None:
    header = read_header(file(tmp_path, "llama", None))
    assert [read_tokens(header, name).pre for name in split_names()] == list(split_names())


def test_where_no_split_is_to_be_named(tmp_path: Path) -> None:
    path = file(tmp_path, "llama", "gpt-2")
    with pytest.raises(pofx.BadValue, match="pre: expected one of .*qwen2.*, got 'qwen9'"):
        pofx.load(path, pre="qwen9")
    with pytest.raises(pofx.BadValue, match="got 'gpt2'; did you mean gpt-2"):
        pofx.load(path, pre="gpt2")
    pieces = write(tmp_path / "spm.gguf", "llama", model("llama", vocab_size=300), sentence_pieces())
    with pytest.raises(pofx.BadValue, match="pre: expected .*byte-level BPE"):
        read_tokens(read_header(pieces), "qwen2")
    (tmp_path / "config.json").write_text("{}")
    for source in ("builtin", tmp_path):
        with pytest.raises(pofx.BadValue, match="pre: expected a GGUF file"):
            pofx.load(source, pre="qwen2")
