"""Files of a pretrained tokenizer: what the ones beside tokenizer.json declare, and spoiled files by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.errors import BadSource
from pofx.vocab.tokenizer.checkpoint_files import read_tokenizer
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab
from tiny_tokenizers import DESCRIPTIONS, check, refusal, sentencepiece_bpe, write_files


def test_files_beside(tmp_path: Path) -> None:
    d = sentencepiece_bpe(prepend=False)
    special = {"unk_token": {"content": "<unk>"}, "bos_token": "<s>", "eos_token": "the"}
    d["added_tokens"].append(
        {**d["added_tokens"][-1], "content": "<eot>", "id": d["added_tokens"][-1]["id"] + 1}
    )
    special["additional_special_tokens"] = ["<eot>"]
    vocab = read_tokenizer(write_files(tmp_path / "a", d, {}, special), 500)
    assert "<eot>" in vocab.control.names
    assert "the" not in vocab.control.names  # a word that one file calls EOS
    assert vocab.declared["eos"] == d["model"]["vocab"]["the"]
    decoder = {"added_tokens_decoder": {}}  # then the old file counts for nothing
    assert "<eot>" not in read_tokenizer(write_files(tmp_path / "b", d, decoder, special), 500).control.names
    assert vocab.control.adds_before == (1,)
    assert vocab.control.adds_after == ()
    for name, text, pattern in [
        ("tokenizer.json", "[" * 200_000, "nested too deeply"),
        ("tokenizer.json", '{"model": ', "JSON object, got no JSON: .*truncated"),
        ("tokenizer.json", "[]", "JSON object, got an array"),
        ("tokenizer_config.json", "[]", "JSON object, got an array"),
        (
            "tokenizer_config.json",
            '{"added_tokens_decoder": 7}',
            "an object of tokens as added_tokens_decoder",
        ),
        ("special_tokens_map.json", "\udcff", "got no UTF-8"),
        ("tokenizer.json", '{"version": "1.0", "x": ' + "9" * 5000 + "}", "got .*digits"),
    ]:
        folder = write_files(tmp_path / "c", d, {}, {})
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(BadSource, match=pattern) as e:
            read_tokenizer(folder, 500)
        assert str(tmp_path) in str(e.value)
        assert "\n" not in str(e.value)
    with pytest.raises(
        BadSource, match=r"tokenizer.json: expected a file with a tokenizer, got no such file.*save_pre"
    ):
        read_tokenizer(tmp_path / "none", 500)
    (tmp_path / "d" / "tokenizer_config.json").mkdir(parents=True)
    write_files(tmp_path / "d", d)
    with pytest.raises(BadSource, match="got a directory or a device"):
        read_tokenizer(tmp_path / "d", 500)
    with pytest.MonkeyPatch.context() as m:
        m.setattr("pofx.vocab.tokenizer.files.tokenizer_json.MAX_BYTES", 1 << 20)
        (tmp_path / "a" / "tokenizer.json").write_text(" " * (3 << 20))
        with pytest.raises(BadSource, match="at most 1 MiB, got more: 3,145,728 bytes"):
            read_tokenizer(tmp_path / "a", 500)


def _at(key: str, value: object, *more: object) -> Callable[[dict[str, Any]], None]:
    """Set description[key…] = value; a callable changes what is there."""

    def change(d: dict[str, Any]) -> None:
        *path, last = key.split(".")
        for k in path:
            d = d[int(k)] if isinstance(d, list) else d[k]
        at: Any = int(last) if isinstance(d, list) else last
        d[at] = value(d[at]) if callable(value) else value

    return change


REFUSED: list[tuple[str, str, Callable[[dict[str, Any]], None], str]] = [
    ("byte-level", "WordPiece", _at("model.type", "WordPiece"), "BPE or Unigram model.*got WordPiece"),
    ("byte-level", "no type", _at("model", {"vocab": {}}), "got none named"),
    ("byte-level", "white space", _at("pre_tokenizer", {"type": "Whitespace"}), "Whitespace, which drops"),
    ("byte-level", "suffix", _at("model.end_of_word_suffix", "</w>"), "the end_of_word_suffix '</w>'"),
    ("byte-level", "prefix", _at("model.continuing_subword_prefix", "##"), "the continuing_subword_prefix '##'"),
    ("byte-level", "decoder", _at("decoder", {"type": "CTC"}), "CTC, which does not say where the spaces are"),
    ("byte-level", "two tokens an id", _at("model.vocab.a", 0), "one token an id, got 0 for two"),
    ("byte-level", "negative", _at("model.vocab.a", -3), "ids from 0, got -3 for the token 'a'"),
    ("byte-level", "true", _at("model.vocab.a", True), "whole number.*'a'"),
    ("byte-level", "fraction", _at("model.vocab.a", 1.5), "whole number.*'a'"),
    ("byte-level", "huge", _at("model.vocab.a", 2**70), "rows of the model|tokenizers library can run"),
    ("byte-level", "no table", _at("model.vocab", []), "a table of tokens"),
    ("byte-level", "empty table", _at("model.vocab", {}), "a table of tokens"),
    ("byte-level", "no model", lambda d: d.pop("model"), "an object as the model, got NoneType"),
    ("byte-level", "model null", _at("model", None), "an object as the model, got NoneType"),
    ("byte-level", "unknown merge", lambda d: d["model"]["merges"].append(["q", "zq"]), "out of vocabulary"),
    ("byte-level", "merge of three", lambda d: d["model"]["merges"].append(["a", "b", "c"]), "a pair of tokens as each merge, got .*'c'"),
    ("byte-level", "merge of numbers", _at("model.merges.0", [1, 2]), "a pair of tokens as each merge, got .1, 2"),
    ("byte-level", "old merge", _at("model.merges", ["a b c"]), "a pair of tokens as each merge, got 'a b c'"),
    ("byte-level", "surrogate", lambda d: d["model"]["vocab"].update({"\ud800": d["model"]["vocab"].pop("a")}), "surrogates"),
    ("byte-level", "added id", _at("added_tokens.3.id", 9), "'<think>' by its own id, got 9, where .* gives 3"),
    ("byte-level", "taken", lambda d: d["model"]["vocab"].update(a=360), "an unused id for the added token '<think>', got 360"),
    ("byte-level", "added twice", lambda d: d["added_tokens"].append({"content": "<s>", "id": 9}), "got 9, where"),
    ("byte-level", "empty added", _at("added_tokens.3.content", ""), "got an empty token"),
    ("byte-level", "added text", _at("added_tokens.3.content", 7), "a text and an id in each added token"),
    ("byte-level", "added list", _at("added_tokens", 7), "a list of added tokens, got int"),
    ("byte-level", "normalizer", _at("normalizer", {"type": "Evil"}), "tokenizers library can run"),
    ("byte-level", "deep", _at("normalizer", lambda _: {"type": "NFC", "more": _nested(150)}), "tokenizers library can run"),
    ("byte-level", "deeper", _at("normalizer", lambda _: _nested(5000)), "at most 64 steps"),
    ("byte-level", "regex", _at("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": False}), "run"),
    ("byte-level", "around", _at("post_processor", {"type": "Evil"}), "tokenizers library can run"),
    ("byte-level", "space everywhere", _at("pre_tokenizer", lambda p: {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {**p, "add_prefix_space": True}]}), "ByteLevel after another pre_tokenizer"),
    ("sentencepiece", "beyond", _at("post_processor.special_tokens.<s>.ids", [70_000]), "post_processor .* ids of"),
    ("sentencepiece", "twice", _at("post_processor.single", lambda s: s + s), "makes 2 of it"),
    ("sentencepiece, opening space", "one mark", _at("normalizer", {"type": "Prepend", "prepend": "▁"}), "a space like any other"),
    ("sentencepiece, opening space", "stripped", _at("normalizer.normalizers", lambda n: [{"type": "Strip", "strip_left": True, "strip_right": False}, *n]), "makes '.u2581a' of 'a' and 'a' of ' a'"),
    ("unigram", "score", _at("model.vocab.5", ["x", float("nan")]), "log-probability, got .* as id 5"),
    ("unigram", "infinite", _at("model.vocab.5", ["x", float("inf")]), "log-probability, got .* as id 5"),
    ("unigram", "piece", _at("model.vocab.5", [5, 0.0]), "log-probability, got .* as id 5"),
    ("unigram", "twice", _at("model.vocab.5", ["</s>", 0.0]), "one id a piece, got '</s>' with two"),
    ("unigram", "unknown", _at("model.unk_id", 10**6), "one of [0-9]+ pieces as unk_id, got 1000000"),
    ("unigram", "no list", _at("model.vocab", {}), "a list of pieces"),
    ("unigram", "negative unknown", _at("model.unk_id", -1), "pieces as unk_id, got -1"),
    ("unigram", "no pair", _at("model.vocab.5", 7), "a piece and its log-probability, got 7 as id 5"),
    ("unigram", "huge score", _at("model.vocab.5", ["x", -(10**400)]), "log-probability, got .* as id 5"),
    ("unigram", "no mark", lambda d: d["pre_tokenizer"].pop("replacement"), "a text as the replacement of Metaspace"),
    ("byte-level", "unknown of BPE", _at("model.unk_id", 0), "unk_id, got 0 in a BPE model"),
    ("byte-level", "unknown list", _at("model.unk_token", ["a"]), "a text as unk_token, got list"),
    ("byte-level", "no table at all", lambda d: d["model"].pop("vocab"), "a table of tokens"),
    ("byte-level", "merges", _at("model.merges", 7), "a list of merges, got int"),
    ("byte-level", "no content", lambda d: d["added_tokens"][3].pop("content"), "a text and an id in each added token"),
    ("byte-level", "no added token", _at("added_tokens.3", "a"), "a text and an id in each added token"),
    ("byte-level", "added surrogate", _at("added_tokens.3.content", "\ud800"), "by its own id|lone surrogates"),
    ("byte-level", "no type of step", _at("normalizer", {"NFC": {}}), "an object with a type as each step"),
    ("byte-level", "steps", _at("normalizer", {"type": "Sequence", "normalizers": 7}), "a list of steps for normalizers"),
    ("byte-level", "replace", _at("normalizer", {"type": "Replace", "pattern": {"String": "a"}}), "content of Replace"),
    ("byte-level", "pattern", _at("normalizer", {"type": "Replace", "pattern": "a", "content": "a"}), "pattern of Replace"),
    ("byte-level", "prepend", _at("normalizer", {"type": "Prepend", "prepend": 7}), "a text as the prepend of Prepend, got int"),
    ("byte-level", "replace surrogate", _at("decoder", {"type": "Replace", "pattern": {"String": "\ud800"}, "content": " "}), "lone surrogates"),
]  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "NFC"}
    for _ in range(depth):
        out = {"type": "Sequence", "normalizers": [out]}
    return out


@pytest.mark.parametrize(
    ("name", "case", "change", "pattern"), REFUSED, ids=[f"{n} {c}" for n, c, _, _ in REFUSED]
)
def test_a_spoiled_file_is_refused(
    name: str, case: str, change: Callable[[dict[str, Any]], None], pattern: str
) -> None:
    d = copy.deepcopy(DESCRIPTIONS[name])
    change(d)
    with pytest.raises(BadSource, match=pattern) as e:
        TokenizerVocab(d, rows=600, end=None, name="x/tokenizer.json")
    assert str(e.value).startswith("x/tokenizer.json: expected")
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 400


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(p for k, v in list(inner)[:6] for p in _places(v, (*path, k)))]


JUNK = [
    None,
    True,
    -1,
    0,
    7,
    2**40,
    1e308,
    "",
    "▁",
    "a b",
    "\ud800",
    "x" * 3000,
    [],
    {},
    [[]],
    {"type": "NFC"},
    ["a", "b"],
]


@pytest.mark.thorough
@given(data=st.data())
@settings(max_examples=250, deadline=None)
def test_junk_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    d = copy.deepcopy(DESCRIPTIONS[data.draw(st.sampled_from(sorted(DESCRIPTIONS)))])
    path = data.draw(st.sampled_from(_places(d)[1:]))
    node: Any = d
    for k in path[:-1]:
        node = node[k]
    if data.draw(st.booleans()):
        node[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    else:
        del node[path[-1]]
    if not refusal(TokenizerVocab, d, 600):
        for text in ("the cat</s>", "<think> é\n\n"):
            refusal(check, TokenizerVocab(d, rows=600), text)


@pytest.mark.parametrize(
    ("config", "pattern"),
    [
        ({"added_tokens_decoder": 7}, "added_tokens_decoder"),
        ({"added_tokens_decoder": {"0": "<s>"}}, "added_tokens_decoder"),
        ({"additional_special_tokens": 7}, "a list of tokens as additional_special_tokens .*, got int"),
        ({"extra_special_tokens": True}, "a list of tokens as extra_special_tokens .*, got bool"),
    ],
)
def test_a_spoiled_file_beside_is_refused(config: dict[str, Any], pattern: str) -> None:
    with pytest.raises(BadSource, match=pattern) as e:
        TokenizerVocab(DESCRIPTIONS["byte-level"], rows=600, config=config, name="x/tokenizer.json")
    assert str(e.value).startswith("x/tokenizer.json: expected")
    assert "\n" not in str(e.value)
