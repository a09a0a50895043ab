"""Under --normalize a text is normalized once: its ids are those that the `tokenizers` library has for it as it was written.

Right ids are the library's, where they spell the text that the model reads.
"""

from __future__ import annotations

import base64
import functools
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers import normalizers as n

import pofx
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

SPECIAL = ("<unk>", "<s>", "</s>")
LETTERS = "aAbBeéẽxy.!▁中文\u0301\ufb01fi \u00a0\n\t<>hinktTt"
PIECES = [
    *(
        "a",
        "A",
        "é",
        "e\u0301",
        " ",
        "  ",
        "\u00a0",
        "\n",
        "中",
        "中文",
        "\ufb01",
        "b",
        "B",
        "▁",
        "x",
        "xy",
        "!",
        "ａ",
        "ñ",
    ),
    *("<think>", "<THINK>", "<Think>", "＜think＞", "<tool>", "<TOOL>", "𝟘", "\u200b", "\x00", "fi", "ﷺ"),
]


def precompiled() -> Any:
    """SentencePiece's map of characters, with one entry: "a" becomes "b"."""
    units = [0] * 512
    root, leaf = 256, 300
    # The value of node n lies at n ^ offset; the root's child by byte c at offset(root) ^ c.
    units[0] = root << 10
    child = 0 ^ root ^ ord("a")
    units[child] = ord("a") | 1 << 8 | ((child ^ leaf) << 10)
    units[leaf] = 1 << 31
    array = b"".join(struct.pack("<I", u) for u in units)
    blob = struct.pack("<I", len(array)) + array + b"b\0"
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()}


def described(*normalizers: Any) -> dict[str, Any]:
    steps = [x if isinstance(x, dict) else json.loads(x.__getstate__()) for x in normalizers]
    return steps[0] if len(steps) == 1 else {"type": "Sequence", "normalizers": steps}


NORMALIZERS: dict[str, dict[str, Any]] = {
    "Bert": described(n.BertNormalizer()),
    "Bert, cased": described(n.BertNormalizer(lowercase=False, strip_accents=False)),
    "NFC": described(n.NFC()),
    "NFD": described(n.NFD()),
    "NFKC": described(n.NFKC()),
    "NFKD": described(n.NFKD()),
    "Nmt": described(n.Nmt()),
    "Lowercase": described(n.Lowercase()),
    "Strip": described(n.Strip()),
    "StripAccents": described(n.NFD(), n.StripAccents()),
    "Replace, longer": described(n.Replace("a", "aa")),
    "Replace, in a circle": described(n.Replace("a", "b"), n.Replace("A", "a")),
    "Prepend": described(n.Prepend("x")),
    "Precompiled": described(precompiled()),
    "mark": described(n.Replace(" ", "▁")),
    "mark, then NFKC": described(n.Replace(" ", "▁"), n.NFKC()),
    "Lowercase, mark": described(n.Lowercase(), n.Replace(" ", "▁"), n.Replace("b", "bb")),
    "opening, mark": described(n.NFKC(), n.Prepend("▁"), n.Replace(" ", "▁"), n.Replace("a", "aa")),
    "bytes": described(n.ByteLevel()),
    "NFKD, bytes": described(n.NFKD(), n.Replace("a", "aa"), n.ByteLevel()),
}
ADDED = {
    "none": [],
    "normalized": [AddedToken("<think>", normalized=True), AddedToken("<Tool>", normalized=True)],
    "as written": [AddedToken("<think>", normalized=False), AddedToken("<Tool>", normalized=False)],
}


@functools.cache
def library(name: str, added: str, metaspace: bool) -> Tokenizer:
    byte_level = "bytes" in name
    marked = metaspace or "mark" in name
    if byte_level:
        tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
        model = models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[])
    else:
        tokens = [*SPECIAL, *(f"<0x{b:02X}>" for b in range(256)), *dict.fromkeys(LETTERS)]
        merges = [("▁", "a"), ("a", "a"), ("x", "y"), ("b", "b"), ("f", "i")]
        tokens += [a + b for a, b in merges]
        table = {t: i for i, t in enumerate(tokens)}
        model = models.BPE(vocab=table, merges=merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    t = Tokenizer(model)
    t.add_special_tokens([AddedToken(x, special=True, normalized=False) for x in SPECIAL])
    t.add_tokens(ADDED[added])
    if metaspace:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    if byte_level:
        t.decoder = decoders.ByteLevel()
    else:
        mark = [decoders.Replace("▁", " ")] if marked else []
        t.decoder = decoders.Sequence([*mark, decoders.ByteFallback(), decoders.Fuse()])
    return Tokenizer.from_str(json.dumps({**json.loads(t.to_str()), "normalizer": NORMALIZERS[name]}))


@functools.cache
def vocab(name: str, added: str, metaspace: bool) -> TokenizerVocab:
    described = json.loads(library(name, added, metaspace).to_str())
    return TokenizerVocab(described, rows=400, end=2).normalizing()


def test_the_charsmap_of_these_tests_maps_a_letter() -> None:
    assert library("Precompiled", "none", False).normalizer.normalize_str("abca") == "bbcb"


@pytest.mark.parametrize("metaspace", [False, True], ids=["", "metaspace"])
@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("name", NORMALIZERS)
@settings(max_examples=12, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_ids_are_the_library_s_of_the_text_as_it_was_written(
    name: str, added: str, metaspace: bool, text: str
) -> None:
    v = vocab(name, added, metaspace)
    wanted = library(name, added, metaspace).encode(text, add_special_tokens=False).ids
    spelled = [v.token_bytes[i] for i in wanted]
    try:
        read, by = v.read(text)
        mine = v.encode(read)
    except pofx.NotText as e:
        if "other tokens" in str(e) or None in spelled or not spelled:
            return  # another text has the ids of the text that is read, or a character has none
        raise
    assert isinstance(read, str)
    assert v.decode(mine) == read.encode()
    assert (by == "") == (read == text)
    joined = b"".join(b or b"" for b in spelled)
    if None not in spelled and (joined.removeprefix(b" ") if v.opening else joined) == read.encode():
        assert mine == wanted, (text, read)


def test_chinese_behind_the_normalizer_of_bert() -> None:
    """It puts a space on either side of each ideograph: two of it put two."""
    v = vocab("Bert", "none", False)
    assert v.read("A中文b") == ("a 中  文 b", "BertNormalizer")
    assert v.decode(v.encode("a 中  文 b")) == "a 中  文 b".encode()
    assert v.encode(v.read("A中文b")[0]) == library("Bert", "none", False).encode("A中文b").ids


def test_the_space_before_a_text_is_put_behind_a_normalizer_that_strips() -> None:
    """As Metaspace puts it: the library's ids of "a b" begin with that of "▁a"."""
    t = library("Strip", "none", True)
    t = Tokenizer.from_str(t.to_str())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    strict = TokenizerVocab(json.loads(t.to_str()), rows=400, end=2)
    for text in ("a b", "a", "中 a"):
        assert strict.encode(text) == strict.normalizing().encode(text) == t.encode(text).ids
    reading = strict.normalizing()
    assert reading.read(" a b\n") == ("a b", "Strip")
    assert reading.encode("a b") == t.encode(" a b\n").ids
    for text in (" a b", "a\n"):
        with pytest.raises(pofx.NotText, match="its normalizer is Strip"):
            strict.encode(text)


def test_an_added_token_that_only_a_normalizer_writes_is_not_read_as_one() -> None:
    v = vocab("NFKC", "as written", False)
    assert v.read("＜To")[0] == "<To"
    with pytest.raises(
        pofx.NotText,
        match="normalises this text to '<think>' .*NFKC.*but reads that text as other tokens.*; change",
    ):
        v.read("＜think＞")
