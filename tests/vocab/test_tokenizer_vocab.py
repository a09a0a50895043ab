"""Pretrained tokenizers: ids as they were trained, every text comes back, none spells a control token."""

from __future__ import annotations

import copy
import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from pofx.errors import BadSource, BadValue, NotText
from pofx.vocab.tokenizer import safe_cuts
from pofx.vocab.tokenizer import text as text_tokenizer
from pofx.vocab.tokenizer.checkpoint_files import read_tokenizer
from pofx.vocab.tokenizer.token_bytes import Spelling
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

CORPUS = [
    "the cat sat on the mat. the cats' mats were flat, and that's that\n" * 3,
    "every document begins with a beginning and ends with an ending, and nothing before it counts; " * 2,
    "été à la plage, 12345 12345    \t\n\n  def f(x): return x  # naïve <s> </s> end of text </p>",
]
ORDINARY = [
    *CORPUS,
    "the mat",
    "a\nb\n\nc",
    "x" * 50,
    "the  cat,  that   mat",
    "a <think>the cat</think> sat",
]
SPELLED = [
    "<|endoftext|>",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<0x0A>",
    "<0xE2>",
    "▁",
    "Ġ",
    "Ċ",
    "<think>",
    "\n\n",
]
HOSTILE = [
    *["", " ", "  two  spaces  ", "\x00", "a\r\nb\rc", "\ufeffbom", "👩‍👩‍👧", "e\u0301", "ﬁ Å", "\U0010ffff", "\ufffe control 0"],
    *["</s>", "<s></s><unk>", "a</s>b", " </s> ", "<|endoftext|>", "the<|endoftext|>cat", "<0x0A>", "<<0x41>>"],
    *["▁ Ġ Ċ ##ing", "▁▁a▁", "<think>", "<think> a<think>", "\n\n\n<think>\n", "العربية ไทย 中文", "</s" + ">" * 9],
]  # fmt: skip
BOS_FIRST = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
SPACE_AS_MARK = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def described(tokenizer: Tokenizer) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(tokenizer.to_str())
    return out


def byte_level(
    normalizer: normalizers.Normalizer | None = None, prefix_space: bool = False
) -> dict[str, Any]:
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    t.decoder = decoders.ByteLevel()
    if normalizer is not None:
        t.normalizer = normalizer
    t.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=360,
            special_tokens=["<|endoftext|>", "<s>", "</s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    t.add_tokens([AddedToken("<think>", normalized=False), AddedToken("\n\n", normalized=False)])
    return described(t)


def ignore_merges() -> dict[str, Any]:
    """A pre-token that stands in the table is one token: "</s>" is, if no regex cuts it."""
    found = byte_level()
    found["pre_tokenizer"]["use_regex"] = False
    found["model"]["ignore_merges"] = True
    return found


def merged_control() -> dict[str, Any]:
    """Merges that lead to a control token, and from it to another one."""
    found = byte_level()
    found["pre_tokenizer"]["use_regex"] = False
    n = max(found["model"]["vocab"].values())
    for k, token in enumerate(("</", "s>", "</s>p", "<s")):
        found["model"]["vocab"][token] = n + 1 + k
    found["model"]["merges"] = [
        ["<", "/"],
        ["s", ">"],
        ["</", "s>"],
        ["</s>", "p"],
        *found["model"]["merges"],
    ]
    for a in found["added_tokens"][-2:]:
        a["id"] += 4
    return found


def sentencepiece_bpe(prepend: bool) -> dict[str, Any]:
    """As converted from Llama (prepend) or Gemma: no pre-tokenizer, "▁" for the space, tokens for bytes."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Prepend("▁")] if prepend else []
    t.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # so that merges do not span words
    t.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=420, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False
        ),
    )
    found = described(t)
    found["model"]["byte_fallback"] = True
    found["pre_tokenizer"] = None
    found["added_tokens"] = [a for a in found["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(found))
    t.decoder = decoders.Sequence([*SPACE_AS_MARK, *([decoders.Strip(" ", 1, 0)] if prepend else [])])
    t.add_tokens([AddedToken("<think>", normalized=False), AddedToken("\n\n", normalized=False)])
    t.post_processor = BOS_FIRST
    return described(t)


def unigram(byte_fallback: bool, scheme: str = "always") -> dict[str, Any]:
    """With "</s>" as a piece like any other, and the likeliest of all, as SentencePiece writes it."""
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    t.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=120, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
        ),
    )
    pieces = [p for p in described(t)["model"]["vocab"] if p[0] not in ("<unk>", "</s>", "<s>")]
    pieces += [["\n", -9.0], ["<", -9.0], ["/", -9.0], [">", -9.0], ["s", -9.0], ["<s", -9.1]]
    once = dict([("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *map(tuple, pieces)])
    once |= dict.fromkeys(BYTES, 0.0) if byte_fallback else {}
    t = Tokenizer(models.Unigram(list(once.items()), unk_id=0, byte_fallback=byte_fallback))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)])
    t.add_special_tokens(["</s>", "<|endoftext|>"])  # the first is a piece, the second lies behind the table
    t.add_tokens([AddedToken("<think>", normalized=False)])
    t.post_processor = BOS_FIRST
    return described(t)


# With a token for every byte: they take any bytes.
LOSSLESS = {
    "byte-level": byte_level(),
    "byte-level, opening space": byte_level(prefix_space=True),
    "byte-level, ignore_merges": ignore_merges(),
    "byte-level, merged control": merged_control(),
    "sentencepiece": sentencepiece_bpe(prepend=False),
    "sentencepiece, opening space": sentencepiece_bpe(prepend=True),
    "unigram with bytes": unigram(byte_fallback=True),
    "unigram with bytes, first": unigram(byte_fallback=True, scheme="first"),
    "unigram with bytes, no space": unigram(byte_fallback=True, scheme="never"),
}
LOSSY = {
    "unigram": unigram(byte_fallback=False),
    "NFC": byte_level(normalizers.NFC()),
    "lower case": byte_level(normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])),
    "strip": byte_level(normalizers.Strip()),
}
DESCRIPTIONS = LOSSLESS | LOSSY


def rows_of(description: dict[str, Any]) -> int:
    return len(description["model"]["vocab"]) + len(description["added_tokens"]) + 5


def build(description: dict[str, Any], **kwargs: Any) -> TokenizerVocab:
    names = {a["content"]: a["id"] for a in description["added_tokens"]}
    return TokenizerVocab(description, **{"rows": rows_of(description), "end": names["</s>"], **kwargs})


VOCABS = {name: build(d) for name, d in DESCRIPTIONS.items()}
every = pytest.mark.parametrize("name", VOCABS)


def check(vocab: TokenizerVocab, text: str | bytes) -> list[int]:
    ids = vocab.encode(text)
    data = text if isinstance(text, bytes) else text.encode()
    assert vocab.decode(ids) == data
    assert not any(vocab.token_bytes[i] is None for i in ids)
    assert all(0 <= i < vocab.size for i in ids)
    at = vocab.spans(ids, text)
    assert [data[lo:hi] for lo, hi in at] == vocab.pieces(ids)
    assert not ids or at[-1][1] == len(data)
    return ids


def refusal(call: Callable[..., object], *args: object) -> str:
    """The one line of an error, or "" for none."""
    try:
        call(*args)
    except (NotText, BadSource) as e:
        message = str(e)
    else:
        return ""
    assert message
    assert "\n" not in message
    return message


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
            _write(folder, DESCRIPTIONS[name], {**config, "tokenizer_class": "PreTrainedTokenizerFast"})
            theirs = AutoTokenizer.from_pretrained(folder)
            vocab = read_tokenizer(folder, rows_of(DESCRIPTIONS[name]), end=theirs.eos_token_id)
            for text in [t for t in ORDINARY if "<" not in t and not (vocab.opening and "\n\n" in t)]:
                assert theirs(text, add_special_tokens=False)["input_ids"] == vocab.encode(text)
                around = [*vocab.control.adds_before, *vocab.encode(text), *vocab.control.adds_after]
                assert theirs(text)["input_ids"] == around, (name, add)
            assert vocab.control.adds_before == (
                () if name == "byte-level" else (1,)
            )  # whatever add_bos_token says


def _write(folder: Path, tokenizer: object, config: object = None, special: object = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", config),
        ("special_tokens_map.json", special),
    ):
        if content is not None:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


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
    with pytest.raises(NotText, match="found 'q' .U.0071. at character 1;"):
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
        BadSource, match=rf"below the {n - 1} rows of the model, found {n - 1}; .*another model"
    ):
        build(d, rows=n - 1)
    padded = build(d, rows=n + 50)
    assert padded.token_bytes[n + 3 :] == (None,) * 47


def test_why_a_text_is_refused() -> None:
    for name, text, pattern in [
        ("unigram", "the cat \u4e2d the", r"tokens, found '\u4e2d' \(U\+4E2D\) at character 8; replace it"),
        ("unigram", "bel\x07X", r"found '\\x07' \(U\+0007\) at character 3"),
        ("unigram", b"the \xff", r"expected UTF-8, found byte 0xFF at byte 4"),
        ("unigram", "a \u2581", r"found '.u2581' at character 2, which comes back as ' '"),
        (
            "NFC",
            "the e\u0301",
            r"found 'e.u0301' at character 4, .* '.xe9' .*NFC.*another string; .*normalize\('NFC', text\)",
        ),
        (
            "lower case",
            "the Cat",
            r"found 'Cat' at character 4.* 'cat' .*normalizer is Lowercase.*text.lower\(\).*'the cat' \(normalize=True\)",
        ),
        ("strip", "the cat ", r"found ' ' at character 7, .* '' .*normalizer is Strip.* text.strip\(\)"),
        ("byte-level", "a\ud800", r"lone surrogate U\+D800 at character 1"),
        ("byte-level", 7, r"expected a text \(str or bytes\), found int"),
    ]:
        with pytest.raises(NotText, match=pattern) as e:
            VOCABS[name].encode(text)  # type: ignore[arg-type]
        assert "\n" not in str(e.value)
    some = byte_level()  # SmolLM2 has no token for 0xFF either
    some["model"]["vocab"]["zqz"] = some["model"]["vocab"].pop("ÿ")
    vocab = build(some)
    check(vocab, b"the \xfe")
    with pytest.raises(NotText, match="byte 0xFF at byte 5, for which this tokenizer has no token"):
        vocab.encode(b"the \xfe\xff")


def test_a_text_on_which_the_library_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    d = unigram(byte_fallback=False)
    d["model"]["unk_id"] = None  # "encountered an unknown token", it says, and stops
    vocab = build(d)
    assert vocab.decode(vocab.encode("the cat")) == b"the cat"
    with pytest.raises(NotText, match="one on which it fails: .*unk_id"):
        vocab.encode("the \u4e2d")

    def panic(*_: object, **__: object) -> None:
        raise type("PanicException", (BaseException,), {})("index out of bounds\nat src/lib.rs")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # In place of the library alone: what our own code raises is no word on the text.
    monkeypatch.setattr(vocab._tokenizer, "_tokenizer", SimpleNamespace(encode=panic))
    with pytest.raises(NotText, match="fails: index out of bounds"):
        vocab.encode("the cat")
    monkeypatch.setattr(vocab._tokenizer, "_tokenizer", SimpleNamespace(encode=stop))
    with pytest.raises(KeyboardInterrupt):
        vocab.encode("the cat")
    described = unigram(byte_fallback=False)
    monkeypatch.setattr(models, "Unigram", panic)
    with pytest.raises(BadSource, match="PanicException: index out of bounds at src") as e:
        build(described)
    assert "\n" not in str(e.value)
    monkeypatch.setattr(models, "Unigram", stop)
    with pytest.raises(KeyboardInterrupt):
        build(described)


@every
def test_long_texts_are_cut_where_it_makes_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    vocab = VOCABS[name]
    words = [
        "the",
        "cat",
        "that's",
        "12345",
        "\n",
        "<think>",
        "</s>",
        "été",
        "a\u2581b",
        "naïve,",
        " ",
        "mat.",
    ]
    words = [
        w for w in words if not refusal(vocab.encode, f"x {w} x") and not refusal(vocab.encode, f"x{w}x")
    ]
    texts = [
        " ".join(rng.choices(words, k=800)).strip(),
        "the" + "".join(rng.choices(words, k=800)) + "the",
        "the" * 1000,
    ]
    whole = [vocab.encode(t) for t in texts]
    places: list[int | None] = []
    last = safe_cuts.SafeCuts.last

    def watched(self: safe_cuts.SafeCuts, text: str, low: int, high: int) -> int | None:
        places.append(last(self, text, low, high))
        return places[-1]

    monkeypatch.setattr(text_tokenizer, "BLOCK", 200)
    monkeypatch.setattr(safe_cuts.SafeCuts, "last", watched)
    assert [vocab.encode(t) for t in texts] == whole
    assert len([p for p in places if p is not None]) >= 10
    assert None in places  # "the the the" has none


def test_a_cut_that_makes_a_difference_is_none() -> None:
    tokens = [b"a", b".", b"b", b" ", b"a.", b"\xc3", b"\xa9 "]

    def encode(text: str) -> list[int]:
        ids = [ord(c) for c in text]
        return [-1, *ids[1:]] if text.startswith(" b") else ids  # as a regular expression with look-behind

    exact = safe_cuts.SafeCuts(tokens, encode, byte_level=False)
    assert exact.last("a a a a", 0, 6) == 5
    assert exact.last("a b a b", 0, 6) == 3  # not before " b"
    assert exact.last("a.a.a.a", 0, 6) is None  # "a." is a token
    assert exact.last("b.b.b.b", 0, 6) == 5
    assert exact.last("é é é é", 0, 6) == 5
    assert (
        safe_cuts.SafeCuts(tokens, encode, byte_level=True).last("é é é é", 0, 6) is None
    )  # parts of both in one


def test_files_beside(tmp_path: Path) -> None:
    d = sentencepiece_bpe(prepend=False)
    special = {"unk_token": {"content": "<unk>"}, "bos_token": "<s>", "eos_token": "the"}
    d["added_tokens"].append(
        {**d["added_tokens"][-1], "content": "<eot>", "id": d["added_tokens"][-1]["id"] + 1}
    )
    special["additional_special_tokens"] = ["<eot>"]
    vocab = read_tokenizer(_write(tmp_path / "a", d, {}, special), 500)
    assert "<eot>" in vocab.control.names
    assert "the" not in vocab.control.names  # a word that one file calls EOS
    assert vocab.declared["eos"] == d["model"]["vocab"]["the"]
    decoder = {"added_tokens_decoder": {}}  # then the old file counts for nothing
    assert "<eot>" not in read_tokenizer(_write(tmp_path / "b", d, decoder, special), 500).control.names
    assert vocab.control.adds_before == (1,)
    assert vocab.control.adds_after == ()
    for name, text, pattern in [
        ("tokenizer.json", "[" * 200_000, "nested too deeply"),
        ("tokenizer.json", '{"model": ', "JSON object, found no JSON: .*truncated"),
        ("tokenizer.json", "[]", "JSON object, found an array"),
        ("tokenizer_config.json", "[]", "JSON object, found an array"),
        ("tokenizer_config.json", '{"added_tokens_decoder": 7}', "tokenizers library can run"),
        ("special_tokens_map.json", "\udcff", "found no UTF-8"),
        ("tokenizer.json", '{"version": "1.0", "x": ' + "9" * 5000 + "}", "found .*digits"),
    ]:
        folder = _write(tmp_path / "c", d, {}, {})
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(BadSource, match=pattern) as e:
            read_tokenizer(folder, 500)
        assert str(tmp_path) in str(e.value)
        assert "\n" not in str(e.value)
    with pytest.raises(
        BadSource, match=r"tokenizer.json: expected a tokenizer in this one file, found none.*save_pre"
    ):
        read_tokenizer(tmp_path / "none", 500)
    (tmp_path / "d" / "tokenizer_config.json").mkdir(parents=True)
    _write(tmp_path / "d", d)
    with pytest.raises(BadSource, match="found a directory or a device"):
        read_tokenizer(tmp_path / "d", 500)
    with pytest.MonkeyPatch.context() as m:
        m.setattr("pofx.vocab.tokenizer.files.tokenizer_json.MAX_BYTES", 1 << 20)
        (tmp_path / "a" / "tokenizer.json").write_text(" " * (3 << 20))
        with pytest.raises(BadSource, match="at most 1 MiB, found more: 3,145,728 bytes"):
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
    ("byte-level", "WordPiece", _at("model.type", "WordPiece"), "BPE or Unigram model.*found WordPiece"),
    ("byte-level", "no type", _at("model", {"vocab": {}}), "found none named"),
    ("byte-level", "white space", _at("pre_tokenizer", {"type": "Whitespace"}), "Whitespace, which drops"),
    ("byte-level", "suffix", _at("model.end_of_word_suffix", "</w>"), "the end_of_word_suffix '</w>'"),
    ("byte-level", "prefix", _at("model.continuing_subword_prefix", "##"), "the continuing_subword_prefix '##'"),
    ("byte-level", "decoder", _at("decoder", {"type": "CTC"}), "CTC, which does not say where the spaces are"),
    ("byte-level", "two tokens an id", _at("model.vocab.a", 0), "one token an id, found 0 for two"),
    ("byte-level", "negative", _at("model.vocab.a", -3), "ids from 0, found -3 for the token 'a'"),
    ("byte-level", "true", _at("model.vocab.a", True), "whole number.*'a'"),
    ("byte-level", "fraction", _at("model.vocab.a", 1.5), "whole number.*'a'"),
    ("byte-level", "huge", _at("model.vocab.a", 2**70), "rows of the model|tokenizers library can run"),
    ("byte-level", "no table", _at("model.vocab", []), "a table of tokens"),
    ("byte-level", "empty table", _at("model.vocab", {}), "a table of tokens"),
    ("byte-level", "no model", lambda d: d.pop("model"), "tokenizers library can run.*KeyError"),
    ("byte-level", "model null", _at("model", None), "tokenizers library can run"),
    ("byte-level", "unknown merge", lambda d: d["model"]["merges"].append(["q", "zq"]), "out of vocabulary"),
    ("byte-level", "merge of three", lambda d: d["model"]["merges"].append(["a", "b", "c"]), "ValueError"),
    ("byte-level", "merge of numbers", _at("model.merges.0", [1, 2]), "TypeError"),
    ("byte-level", "old merge", _at("model.merges", ["a b c"]), "ValueError"),
    ("byte-level", "surrogate", lambda d: d["model"]["vocab"].update({"\ud800": d["model"]["vocab"].pop("a")}), "surrogates"),
    ("byte-level", "added id", _at("added_tokens.3.id", 9), "'<think>' by its own id, found 9, where .* gives it 3"),
    ("byte-level", "taken", lambda d: d["model"]["vocab"].update(a=360), "added token '<think>', found 360, taken"),
    ("byte-level", "added twice", lambda d: d["added_tokens"].append({"content": "<s>", "id": 9}), "found 9, where"),
    ("byte-level", "empty added", _at("added_tokens.3.content", ""), "found an empty one"),
    ("byte-level", "added text", _at("added_tokens.3.content", 7), "a text and an id in each added token"),
    ("byte-level", "added list", _at("added_tokens", 7), "tokenizers library can run"),
    ("byte-level", "normalizer", _at("normalizer", {"type": "Evil"}), "tokenizers library can run"),
    ("byte-level", "deep", _at("normalizer", lambda _: {"type": "NFC", "more": _nested(150)}), "tokenizers library can run"),
    ("byte-level", "deeper", _at("normalizer", lambda _: _nested(5000)), "RecursionError"),
    ("byte-level", "regex", _at("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": False}), "run"),
    ("byte-level", "around", _at("post_processor", {"type": "Evil"}), "tokenizers library can run"),
    ("byte-level", "space everywhere", _at("pre_tokenizer", lambda p: {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {**p, "add_prefix_space": True}]}), "ByteLevel behind another pre_tokenizer"),
    ("sentencepiece", "beyond", _at("post_processor.special_tokens.<s>.ids", [70_000]), "post_processor .* ids of"),
    ("sentencepiece", "twice", _at("post_processor.single", lambda s: s + s), "makes 2 of it"),
    ("sentencepiece, opening space", "one mark", _at("normalizer", {"type": "Prepend", "prepend": "▁"}), "a space like any other"),
    ("sentencepiece, opening space", "stripped", _at("normalizer.normalizers", lambda n: [{"type": "Strip", "strip_left": True, "strip_right": False}, *n]), "makes '.u2581a' of 'a' and 'a' of ' a'"),
    ("unigram", "score", _at("model.vocab.5", ["x", float("nan")]), "log-probability, found .* as id 5"),
    ("unigram", "infinite", _at("model.vocab.5", ["x", float("inf")]), "log-probability, found .* as id 5"),
    ("unigram", "piece", _at("model.vocab.5", [5, 0.0]), "log-probability, found .* as id 5"),
    ("unigram", "twice", _at("model.vocab.5", ["</s>", 0.0]), "one id a piece, found '</s>' with two"),
    ("unigram", "unknown", _at("model.unk_id", 10**6), "IndexError"),
    ("unigram", "no list", _at("model.vocab", {}), "a list of pieces"),
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
