"""Tiny tokenizers of each kind as parsed tokenizer.json, the texts they are tried on, and what is checked of any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
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

from pofx.errors import BadSource, NotText
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
    t.add_special_tokens(["</s>", "<|endoftext|>"])  # the first is a piece, the second lies after the table
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


def write_files(folder: Path, tokenizer: object, config: object = None, special: object = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", config),
        ("special_tokens_map.json", special),
    ):
        if content is not None:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder
