"""Files of tokenizers put together from all kinds of steps, and odd texts: ids that spell the text, or one line of refusal.

What the library prints when it panics reaches standard error in no case.
"""

from __future__ import annotations

import base64
import os
import random
import struct
import tempfile
from collections.abc import Callable
from typing import Any

from pofx.errors import BadSource, NotText
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

CASES = 150
CHARACTERS = [
    *"aAé\u0301中ﬁ\u200d\ufeff\r\n\t  <s>1▁\x00'.,-ß\u3000\u1e9e\u0130\uac00\u0f71\u202eﷺĠ\ufffe\ue000\U0010ffff\U0001f469"
]
PATTERNS = (
    *(
        "",
        "a",
        "^",
        "$",
        r"\b",
        "(?=a)",
        "a*",
        "[^a]*",
        " {2,}",
        r"\s+(?!\S)",
        r"\X",
        "a??",
        "(a|aa)+$",
        "(?i)ss",
        r"\p{L}+",
    ),
    *(r"\K", "(?:)", r"(?<=\s)|x", r"\R", "(?s).*", "(?m)^", r"\G", "()", r"\y", "(a*)*b"),
)
CONTENTS = ("", "a", "aa", "é", "\u0301", " ", "▁", "\x00", "中" * 5, r"\1", "a" * 300)
BEHAVIOURS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
NORMALIZERS = (
    *("Replace",) * 6,
    *("Precompiled",) * 3,
    *(
        "NFC",
        "NFD",
        "NFKC",
        "NFKD",
        "Nmt",
        "Lowercase",
        "StripAccents",
        "Strip",
        "Prepend",
        "ByteLevel",
        "BertNormalizer",
    ),
)
PRE_TOKENIZERS = (
    *("Split",) * 5,
    *(
        "ByteLevel",
        "Metaspace",
        "Digits",
        "Punctuation",
        "UnicodeScripts",
        "CharDelimiterSplit",
        "FixedLength",
    ),
)


def charsmap(rng: random.Random) -> str:
    """A map that takes "A" to "a", here and there with another unit, another size or other texts."""
    units = [0] * 256
    units[0] = 1 << 10  # the root; its children lie around 1
    units[1 ^ ord("A")] = ord("A") | 1 << 8 | ((1 ^ ord("A") ^ 2) << 10)
    units[2] = 1 << 31  # the value 0
    for _ in range(rng.choice((0, 0, 1, 2))):
        units[rng.randrange(256)] = rng.choice(
            (rng.getrandbits(32), 1 << 31 | rng.randrange(9), rng.randrange(1 << 20))
        )
    raw = struct.pack("<256I", *units)
    size = rng.choice((*(len(raw),) * 6, 0, 4, 5, len(raw) + 4))
    texts = rng.choice((*(b"a\0bc\0",) * 4, b"", b"\xff\0", b"abc", "中\0".encode()))
    return base64.b64encode(struct.pack("<I", size) + raw + texts).decode()


def pattern(rng: random.Random) -> dict[str, str]:
    return (
        {"Regex": rng.choice(PATTERNS)}
        if rng.random() < 0.7
        else {"String": rng.choice(("a", " ", "", "é", "\u0301", "  "))}
    )


def normalizer(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(NORMALIZERS)
    fields: dict[str, dict[str, Any]] = {
        "Replace": {"pattern": pattern(rng), "content": rng.choice(CONTENTS)},
        "Precompiled": {"precompiled_charsmap": charsmap(rng)},
        "Strip": {"strip_left": rng.random() < 0.5, "strip_right": rng.random() < 0.5},
        "Prepend": {"prepend": rng.choice(CONTENTS)},
        "BertNormalizer": {
            "clean_text": rng.random() < 0.5,
            "handle_chinese_chars": rng.random() < 0.5,
            "strip_accents": rng.choice((None, True)),
            "lowercase": rng.random() < 0.5,
        },
    }
    return {"type": kind, **fields.get(kind, {})}


def pre_tokenizer(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(PRE_TOKENIZERS)
    yes = rng.random() < 0.5
    fields: dict[str, dict[str, Any]] = {
        "Split": {"pattern": pattern(rng), "behavior": rng.choice(BEHAVIOURS), "invert": yes},
        "ByteLevel": {"add_prefix_space": yes, "trim_offsets": True, "use_regex": rng.random() < 0.5},
        "Metaspace": {
            "replacement": "▁",
            "prepend_scheme": rng.choice(("always", "never", "first")),
            "split": yes,
        },
        "Digits": {"individual_digits": yes},
        "Punctuation": {"behavior": rng.choice(BEHAVIOURS)},
        "CharDelimiterSplit": {"delimiter": rng.choice("a é")},
        "FixedLength": {"length": rng.choice((0, 1, 2, 7))},
    }
    return {"type": kind, **fields.get(kind, {})}


def steps(
    rng: random.Random, one: Callable[[random.Random], dict[str, Any]], key: str
) -> dict[str, Any] | None:
    made = [one(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    return {"type": "Sequence", key: made} if len(made) > 1 else made[0] if made else None


def model(rng: random.Random) -> dict[str, Any]:
    tokens = [*dict.fromkeys("aAéĠ▁ <s>1\n"), "aa", *(f"<0x{b:02X}>" for b in range(256))]
    yes = rng.random() < 0.5
    if rng.random() < 0.6:
        vocab = {t: i for i, t in enumerate(tokens)}
        merges = [["a", "a"]]
        return {"type": "BPE", "vocab": vocab, "merges": merges, "byte_fallback": True, "ignore_merges": yes}
    scores = [[t, rng.choice((0.0, -1.0, -5.5, 1e308, -1e308))] for t in ["<unk>", *tokens]]
    return {"type": "Unigram", "vocab": scores, "unk_id": rng.choice((0, 0, None)), "byte_fallback": yes}


def tokenizer(rng: random.Random) -> tuple[dict[str, Any], int]:
    """A file, and how many rows its model has."""
    made = model(rng)
    n = len(made["vocab"])
    names = rng.sample(("<x>", "zé", " y", "\u0301", "\n\n", "Z"), rng.choice((0, 0, 1, 2)))
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    added = [
        {"id": n + k, "content": t, **{f: rng.random() < 0.4 for f in flags}} for k, t in enumerate(names)
    ]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": steps(rng, normalizer, "normalizers"),
        "pre_tokenizer": steps(rng, pre_tokenizer, "pretokenizers"),
        "model": made,
    }, n + len(added)


def heard(work: Callable[[], Any]) -> tuple[Any, bytes]:
    """What some work gives, or the refusal that it raises, and what was written to standard error meanwhile."""
    real = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            out: Any = work()
        except (BadSource, NotText) as e:
            out = e
        finally:
            os.dup2(real, 2)
            os.close(real)
        kept.seek(0)
        return out, kept.read()


def once(rng: random.Random) -> None:
    """One file and some texts."""
    file, rows = tokenizer(rng)
    vocab, _ = heard(lambda: TokenizerVocab(file, rows))  # opened in a process of its own before
    if isinstance(vocab, BadSource):
        assert str(vocab).isprintable() and "expected" in str(vocab) and "got" in str(vocab), vocab
        return
    texts = ["".join(rng.choices(CHARACTERS, k=rng.choice((0, 1, 3, 8, 20)))) for _ in range(5)]
    for text in [*texts, "a" * 40 + "b"]:
        for work in (lambda t=text: vocab.encode(t), lambda t=text: vocab.normalizing().read(t)):  # type: ignore[misc]
            found, said = heard(work)
            assert said == b"", (file, text, said)
            if isinstance(found, NotText):
                assert str(found).isprintable() and "expected" in str(found), found
            elif isinstance(found, list):
                assert vocab.decode(found) == text.encode(), (file, text)
