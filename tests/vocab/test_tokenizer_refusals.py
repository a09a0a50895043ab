"""Texts that a pretrained tokenizer cannot spell, or on which its library fails, are refused in one line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tokenizers import (
    models,
)

from pofx.errors import BadSource, NotText
from tiny_tokenizers import VOCABS, build, byte_level, check, unigram


def test_why_a_text_is_refused() -> None:
    for name, text, pattern in [
        (
            "unigram",
            "the cat \u4e2d the",
            r"tokens, got '\u4e2d' \(U\+4E2D\) at character 8; replace the character",
        ),
        ("unigram", "bel\x07X", r"got '\\x07' \(U\+0007\) at character 3"),
        ("unigram", b"the \xff", r"expected UTF-8, got byte 0xFF at byte 4"),
        ("unigram", "a \u2581", r"got '.u2581' at character 2, which decodes to ' '"),
        (
            "NFC",
            "the e\u0301",
            r"got 'e.u0301' at character 4, .* '.xe9' .*NFC.*another string; .*normalize\('NFC', text\)",
        ),
        (
            "lower case",
            "the Cat",
            r"got 'Cat' at character 4.* 'cat' .*normalizer is Lowercase.*text.lower\(\).*'the cat' \(normalize=True\)",
        ),
        ("strip", "the cat ", r"got ' ' at character 7, .* '' .*normalizer is Strip.* text.strip\(\)"),
        ("byte-level", "a\ud800", r"lone surrogate U\+D800 at character 1"),
        ("byte-level", 7, r"expected a text \(str or bytes\), got int"),
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
    with pytest.raises(NotText, match="a text on which it fails: .*unk_id"):
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
