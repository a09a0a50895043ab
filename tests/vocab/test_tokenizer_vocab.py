"""Pretrained tokenizers: ids as they were trained, every text comes back, none spells a control token."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    Tokenizer,
    pre_tokenizers,
)

from pofx.errors import BadSource, BadValue, NotText
from pofx.vocab.tokenizer.checkpoint_files import read_tokenizer
from pofx.vocab.tokenizer.token_bytes import Spelling
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab
from tiny_tokenizers import (
    DESCRIPTIONS,
    HOSTILE,
    LOSSLESS,
    LOSSY,
    ORDINARY,
    SPELLED,
    VOCABS,
    build,
    byte_level,
    check,
    every,
    refusal,
    rows_of,
    sentencepiece_bpe,
    write_files,
)


@every
def test_texts_come_back_and_spell_no_control_token(name: str) -> None:
    vocab = VOCABS[name]
    for text in [*ORDINARY, *HOSTILE, *SPELLED]:
        why = refusal(check, vocab, text)
        assert not why or name in LOSSY
    taken = [t for t in ORDINARY if not refusal(vocab.encode, t)]
    assert len(taken) >= 2
    assert [x.tolist() for x in vocab.encode_many(taken)] == [vocab.encode(t) for t in taken]
    assert vocab.encode_array(taken[0]).dtype == np.int64
    assert vocab.encode_many([]) == []


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_text_comes_back(data: st.DataObject) -> None:
    pieces = st.one_of(
        st.text(max_size=6),
        st.sampled_from(SPELLED),
        st.sampled_from(SPELLED).flatmap(lambda s: st.integers(0, len(s)).map(lambda k: s[:k])),
        st.sampled_from(SPELLED).flatmap(lambda s: st.integers(0, len(s)).map(lambda k: s[k:])),
    )
    text = "".join(data.draw(st.lists(pieces, max_size=8)))
    for vocab in (VOCABS[name] for name in LOSSLESS):
        check(vocab, text)
        check(vocab.continuation, text)
    for name in LOSSY:
        refusal(check, VOCABS[name], text)


@given(data=st.binary(max_size=12))
@settings(max_examples=100, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    for name in LOSSLESS:
        assert VOCABS[name].decode(VOCABS[name].encode(data)) == data, name


@every
def test_ids_are_those_of_the_tokenizer_itself(name: str) -> None:
    """The oracle is the library with the file as it stands, wherever that gives the text back."""
    theirs = Tokenizer.from_str(json.dumps(DESCRIPTIONS[name]))
    theirs.encode_special_tokens = True
    compared = 0
    for text in ORDINARY + HOSTILE:
        ids = theirs.encode(text, add_special_tokens=False).ids
        opening = VOCABS[name].opening and not text.startswith("<think>")
        back = theirs.decode(ids, skip_special_tokens=False)
        said = back.removeprefix(" ") if opening and name.startswith("byte-level") else back
        if said == text and not any(VOCABS[name].token_bytes[i] is None for i in ids):
            if text.startswith(" ") and opening:
                continue  # read there as the text without the space
            compared += 1
            if name != "byte-level, merged control":  # its merges go through a control token
                assert VOCABS[name].encode(text) == ids, text
    assert compared >= 6


def test_transformers_gives_the_same_ids(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it warns of what it imports
        from transformers import AutoTokenizer
    for k, name in enumerate(
        ("byte-level", "sentencepiece", "sentencepiece, opening space", "unigram with bytes")
    ):
        for add in (True, False):
            folder = tmp_path / f"{k}{add}"
            config = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": add, "add_eos_token": add}
            write_files(folder, DESCRIPTIONS[name], {**config, "tokenizer_class": "PreTrainedTokenizerFast"})
            theirs = AutoTokenizer.from_pretrained(folder)
            vocab = read_tokenizer(folder, rows_of(DESCRIPTIONS[name]), end=theirs.eos_token_id)
            for text in [t for t in ORDINARY if "<" not in t and not (vocab.opening and "\n\n" in t)]:
                assert theirs(text, add_special_tokens=False)["input_ids"] == vocab.encode(text)
                around = [*vocab.control.adds_before, *vocab.encode(text), *vocab.control.adds_after]
                assert theirs(text)["input_ids"] == around, (name, add)
            assert vocab.control.adds_before == (
                () if name == "byte-level" else (1,)
            )  # whatever add_bos_token says


def test_what_control_tokens_are() -> None:
    d = byte_level()
    table = d["model"]["vocab"]
    config = {
        "pad_token": "!",  # text in a role is text
        "bos_token": {"content": "<s>", "special": True},
        "unk_token": "the",
        "image_token": "<that>",
        "additional_special_tokens": ["[at]", {"content": "<cat>"}, 7, None, "at"],
        "added_tokens_decoder": {"9": {"content": "<ing>", "special": True}, "10": {"content": "<ent>"}},
        "add_bos_token": True,
    }
    for token in ("the", "<that>", "at", "[at]", "<cat>", "<ing>", "<ent>"):
        table.setdefault(token, len(table))
    for k, added in enumerate(d["added_tokens"][3:]):
        added["id"] = len(table) + k
    q = table["q"]
    vocab = build(d, config=config, control=[q, 5000], rows=400)
    control = {"<|endoftext|>", "<s>", "</s>", "<that>", "[at]", "<cat>", "<ing>", "q"}
    assert vocab.control.names == {t: table[t] for t in control}
    assert {i for i, b in enumerate(vocab.token_bytes) if b is None and i < len(table)} == {
        table[t] for t in control
    }
    assert vocab.control.names["<|endoftext|>"] == 0  # an id like any other
    assert vocab.show(0) == "<|endoftext|>"
    assert vocab.show(2) == "EOS"
    assert vocab.show(399) == "control 399"
    assert vocab.show(vocab.encode(" x")[0]) == "␣x"
    assert vocab.control.candidates == (
        ("bos", 1),
        ("unk", table["the"]),
        ("pad", table["!"]),
        ("eos", 2),
        ("separator", 0),
    )
    assert vocab.decode(vocab.encode("!")) == b"!"
    assert not {table[t] for t in control} & set(vocab.encode("the bit of text that ends"))
    with pytest.raises(NotText, match="got 'q' .U.0071. at character 1;"):
        vocab.encode("xq")
    assert vocab.decode([0, *vocab.encode("x"), 2, 399]) == b"x"
    plain = build(d, end=None)
    assert plain.control.candidates == (("separator", 0), ("separator", 1), ("separator", 2))
    assert plain.end is None


def test_another_end() -> None:
    vocab = VOCABS["byte-level"]
    other = vocab.with_end(0)
    assert (other.end, vocab.end, other.with_end(None).end) == (0, 2, None)
    assert (other.show(0), other.show(2)) == ("EOS", "</s>")
    assert other.encode("the cat") == vocab.encode("the cat")
    for end in (vocab.encode("a")[0], vocab.size, -1):
        with pytest.raises(BadValue, match="control token"):
            vocab.with_end(end)
    for bad in ({"rows": 0}, {"rows": 3.0}, {"end": 10**6}, {"end": -1}, {"end": True}, {"control": [-1]}):
        with pytest.raises(BadValue, match="expected"):
            build(DESCRIPTIONS["byte-level"], **bad)


def test_the_space_that_opens_a_text() -> None:
    for name, vocab in VOCABS.items():
        opens = "opening" in name or name in ("unigram", "unigram with bytes", "unigram with bytes, first")
        assert vocab.opening == opens, name
        assert (vocab.continuation is vocab) == (not opens)
        assert vocab.continuation.continuation is vocab.continuation
        if not opens:
            continue
        a, b = vocab.encode("the"), vocab.encode(" the")
        assert a != b  # two texts, two sequences
        assert vocab.token_bytes[a[0]].startswith(b" ")  # type: ignore[union-attr]
        behind = vocab.continuation
        for text in ("the", " the", "  the", "</s>", ""):
            assert behind.decode(behind.encode(text)) == text.encode()
            joined = vocab.encode("a cat") + behind.encode(text)
            assert vocab.decode(joined) == b"a cat" + text.encode()
        assert behind.encode(" the") == a
        assert not vocab.unambiguous
        if "unigram" not in name or "bytes" in name:
            assert vocab.encode("<think> the")[0] == vocab.encode("a<think>")[-1]


def test_an_added_token_that_begins_with_a_space() -> None:
    d = sentencepiece_bpe(prepend=True)
    extra = {**d["added_tokens"][-1], "content": "  ", "id": d["added_tokens"][-1]["id"] + 1}
    d["added_tokens"].append(extra)
    vocab = build(d)
    for text in ("  ", "   x", "  the", "the  cat"):
        check(vocab, text)
    assert extra["id"] in vocab.encode("the  cat")


def test_what_tokens_spell() -> None:
    spelling = Spelling(byte_level=True, space=None, byte_tokens=False)
    for token, spelled in [("Ġthe", b" the"), ("Ã©", "é".encode()), ("Ċ", b"\n"), ("ĀŃ", b"\0\xad")]:
        assert spelling.spell(token) == spelled
    for token in ("a b", "\n\n", "\xadx", "中", "<\uff5ca\u2581b>"):  # not in the alphabet: as they stand
        assert spelling.spell(token) == token.encode()
    for marked in (True, False):
        spelling = Spelling(byte_level=False, space="▁" if marked else None, byte_tokens=marked)
        cases = {
            "▁the▁": b" the ",
            "<0x0A>": b"\n",
            "<0xfF>": b"\xff",
            "<0x-1>": b"<0x-1>",
            "<0x0A>x": b"<0x0A>x",
        }
        expected = [b if marked else t.encode() for t, b in cases.items()]
        assert [spelling.spell(t) for t in cases] == expected == spelling.spell_all(cases)


def test_one_byte_a_token_is_unambiguous() -> None:
    d = byte_level()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    d["model"]["vocab"], d["model"]["merges"] = {c: i for i, c in enumerate(alphabet)}, []
    d["added_tokens"] = [{**d["added_tokens"][2], "id": 256}]
    assert build(d).unambiguous
    assert not VOCABS["byte-level"].unambiguous
    assert not VOCABS["sentencepiece"].unambiguous
    d["model"]["vocab"]["ab"] = 300
    d["added_tokens"] = []
    assert not TokenizerVocab(d, rows=301).unambiguous


def test_added_tokens_keep_the_spaces_beside_them() -> None:
    for name in LOSSLESS:
        d = copy.deepcopy(DESCRIPTIONS[name])
        for a in d["added_tokens"]:
            a["lstrip"] = a["rstrip"] = True
        vocab = build(d)
        think = vocab.encode("a<think>")[-1]
        assert vocab.token_bytes[think] == b"<think>"
        assert think in check(vocab, "the  <think>  cat")


def test_ids_beyond_the_law() -> None:
    d = byte_level()
    n = len(d["model"]["vocab"])
    d["added_tokens"].append({**d["added_tokens"][0], "content": "<image>", "id": n + 2})
    vocab = build(d, rows=n + 2)  # a control token may lie beyond
    assert "<image>" not in vocab.control.names
    check(vocab, "an <image> the <think>")
    without = build(d, rows=n)  # and an added one, which texts then do without
    assert len(check(without, "<think>")) > 1
    with pytest.raises(
        BadSource, match=rf"below the {n - 1} rows of the model, got {n - 1}; use the tokenizer of this model"
    ):
        build(d, rows=n - 1)
    padded = build(d, rows=n + 50)
    assert padded.token_bytes[n + 3 :] == (None,) * 47
