"""Saved vocabularies: same ids here and in other tools; a spoiled file is refused in one line."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_vocab import BPE, CLOSED, EVERY, HOSTILE, LOSSLESS, every

from pofx.errors import BadSource, BadValue
from pofx.vocab.tokenizer.files.saved_vocab import read_saved_vocab, tokenizer_json, write_tokenizer
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab
from pofx.vocab.words import WordVocab


@every
@pytest.mark.parametrize("begin", [True, False])
def test_a_saved_vocabulary_comes_back(vocab: Vocab, begin: bool, tmp_path: Path) -> None:
    write_tokenizer(vocab, tmp_path, begin)
    back = read_saved_vocab(tmp_path)
    assert type(back) is type(vocab)
    assert (back.size, back.end, back.token_bytes) == (vocab.size, vocab.end, vocab.token_bytes)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    assert tokenizer_json(back, begin) == content
    control = {t["content"]: t["id"] for t in content["added_tokens"]}
    assert control.get("<s>") == (vocab.size if begin else None)
    assert control.get("</s>") == vocab.end
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config.get("bos_token") == ("<s>" if begin else None)
    assert config.get("eos_token") == ("</s>" if vocab.end is not None else None)


def test_transformers_gives_the_same_ids(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it warns of what it imports
        from transformers import AutoTokenizer
    texts_of: Callable[[str], list[str]] = lambda name: CLOSED[name][1] if name in CLOSED else HOSTILE  # noqa: E731
    for k, (name, vocab) in enumerate(EVERY.items()):
        for begin in (True, False):
            folder = tmp_path / f"{k}{begin}"
            write_tokenizer(vocab, folder, begin)
            theirs = AutoTokenizer.from_pretrained(folder)
            assert theirs.eos_token_id == vocab.end
            assert theirs.bos_token_id == (vocab.size if begin else None)
            assert theirs.bos_token_id != 0
            for text in [*texts_of(name), *([] if name in CLOSED else ["the cat " * 900, "a" * 3000])]:
                ids = theirs(text)["input_ids"]
                assert ids == [vocab.size] * begin + vocab.encode(text), (name, begin, text)
                assert theirs.decode(ids, skip_special_tokens=True) == text, (name, begin)


@given(text=st.text())
@settings(max_examples=60, deadline=None)
def test_the_file_alone_gives_the_same_ids(text: str) -> None:
    from tokenizers import Tokenizer

    for vocab in (BPE, LOSSLESS["chars+bytes"]):
        theirs = Tokenizer.from_str(json.dumps(tokenizer_json(vocab, begin=True)))
        theirs.encode_special_tokens = True  # what transformers reads in tokenizer_config.json
        assert theirs.encode(text).ids == [vocab.size, *vocab.encode(text)]


def test_what_no_file_can_hold() -> None:
    class Mine(ByteVocab):
        def encode(self, text: str | bytes) -> list[int]:
            return super().encode(text)[::-1]

    with pytest.raises(BadValue, match=r"Mine.*no tokenizer.json"):
        tokenizer_json(Mine(), begin=True)
    for words, found in ((["a", "a"], "twice"), (["a b"], "'a b'"), (["</s>"], "'</s>'"), ([], "none")):
        with pytest.raises(BadValue, match=found):
            tokenizer_json(WordVocab(words), begin=True)


def _changes() -> Iterator[tuple[str, Vocab, Callable[[dict[str, Any]], Any]]]:
    """Ways to spoil a file, as functions of its content."""

    def put(*path: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        *way, last, value = path

        def spoil(content: dict[str, Any]) -> dict[str, Any]:
            inner: Any = content
            for key in way:
                inner = inner[key]
            inner[last] = value
            return content

        return spoil

    wrong: Any
    yield "a list", BPE, lambda c: [c]
    yield "null", BPE, lambda c: None
    yield "empty", BPE, lambda c: {}
    for key in ("model", "added_tokens", "pre_tokenizer"):
        for wrong in (None, 7, "x", [], {}, [7], [{}]):
            yield f"{key} = {wrong}", BPE, put(key, wrong)
    for wrong in (None, 7, [], {}, {"ab cd": 0}, {"a": []}, {"\ud800": 0}, {"a": "0"}):
        for vocab in (BPE, ByteVocab(), CharVocab("ab"), WordVocab(["a"]), LOSSLESS["chars+bytes"]):
            yield f"{type(vocab).__name__} table {wrong}", vocab, put("model", "vocab", wrong)
    for name, wrong in {"a gap": 400, "a repeat": 1, "a float": 1.0, "true": True, "huge": 10**40}.items():
        yield name, BPE, put("model", "vocab", "!", wrong)
    for wrong in (None, 7, ["ab"], [7], [["a"]], [["a", "b", "c"]], [["zz", "q"]], [[1, 2]], [["a", "Ɀ"]]):
        yield f"merges {wrong}", BPE, put("model", "merges", wrong)
    yield "merges of bytes", ByteVocab(), put("model", "merges", [["a", "b"]])
    yield "dropout", BPE, put("model", "dropout", 0.5)
    yield "normalizer", ByteVocab(), put("normalizer", {"type": "Lowercase"})
    yield "two characters", CharVocab("ab"), put("model", "vocab", {"ab": 0, "c": 1})
    yield "order", CharVocab("ab"), put("model", "vocab", {"b": 0, "a": 1})
    yield "another EOS", ByteVocab(), put("added_tokens", 0, "id", 7)
    yield "another control token", ByteVocab(), put("added_tokens", 0, "content", "<eot>")


CHANGES = {name: (vocab, spoil) for name, vocab, spoil in _changes()}


@pytest.mark.parametrize(("vocab", "spoil"), CHANGES.values(), ids=map(ascii, CHANGES))
def test_a_spoiled_file_is_refused_in_one_line(
    vocab: Vocab, spoil: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    content = spoil(json.loads(json.dumps(tokenizer_json(vocab, begin=True))))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(BadSource, match=r"tokenizer\.json") as e:
        read_saved_vocab(tmp_path)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b'{"model": {"vocab": {"a"', "truncated"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (b"[" * 200_000, "deep"),
        (b'{"a":' * 200_000, "deep"),
        (b'{"model": ' + b"9" * 10_000 + b"}", "digits"),
    ],
    ids=["empty", "truncated", "no UTF-8", "deep lists", "deep objects", "digits"],
)
def test_what_is_no_json_is_refused(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(BadSource, match=found):
        read_saved_vocab(tmp_path)


def test_no_file_a_directory_and_a_giant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="no such file"):
        read_saved_vocab(tmp_path)
    with pytest.raises(BadSource, match="no such file"):
        read_saved_vocab(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(BadSource, match="a directory"):
        read_saved_vocab(tmp_path)
    giant = tmp_path / "giant"
    giant.mkdir()
    with (giant / "tokenizer.json").open("wb") as f:
        f.truncate(1 << 31)  # sparse: takes no space
    with pytest.raises(BadSource, match="at most 256 MiB, got more: 2,147,483,648 bytes"):
        read_saved_vocab(giant)
