"""Added tokens that are looked for in the normalized text: ids are those of transformers, wherever these spell the text."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models
from tokenizers import normalizers as n

from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing it warns of what it imports
    from transformers import PreTrainedTokenizerFast

NORMALIZERS = {
    "prepend, then replace": n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]),
    "replace, then prepend": n.Sequence([n.Replace(" ", "▁"), n.Prepend("▁")]),
    "lowercase between": n.Sequence([n.Prepend("▁"), n.Lowercase(), n.Replace(" ", "▁")]),
    "replace alone": n.Replace(" ", "▁"),
}
PIECES = ["</think>", " </think>", "<th>", "a", "the", " ", "  ", "x</think>y", "</s>", "\n", "▁", "é"]
SPECIAL = ("<unk>", "<s>", "</s>")


def described(normalizer: Any, kind: str, single_word: bool) -> Tokenizer:
    tokens = [*SPECIAL, *(f"<0x{b:02X}>" for b in range(256)), "▁", *"aehiknstxy</>", "th", "▁▁", "▁a"]
    if kind == "BPE":
        merges = [("t", "h"), ("▁", "▁"), ("▁", "a")]
        table = {t: i for i, t in enumerate(tokens)}
        t = Tokenizer(
            models.BPE(vocab=table, merges=merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
        )
    else:
        t = Tokenizer(models.Unigram([(x, -float(len(x))) for x in tokens], unk_id=0, byte_fallback=True))
    t.normalizer = normalizer
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.add_special_tokens([AddedToken(x, special=True) for x in SPECIAL])
    t.add_tokens([AddedToken("</think>", normalized=True, single_word=single_word)])
    t.add_tokens([AddedToken("<th>", normalized=False)])
    return t


@pytest.fixture(scope="module", params=[(k, s) for k in ("BPE", "Unigram") for s in (False, True)], ids=str)
def both(request: pytest.FixtureRequest) -> dict[str, tuple[Any, TokenizerVocab]]:
    out = {}
    for name, normalizer in NORMALIZERS.items():
        t = described(normalizer, *request.param)
        vocab = TokenizerVocab(json.loads(t.to_str()), rows=300, end=2)
        out[name] = PreTrainedTokenizerFast(tokenizer_object=t), vocab
    return out


@pytest.mark.parametrize("name", NORMALIZERS)
@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=6))
def test_ids_are_those_of_transformers(
    name: str, both: dict[str, tuple[Any, TokenizerVocab]], pieces: list[str]
) -> None:
    theirs, vocab = both[name]
    text = "".join(pieces)
    ids = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    mine = vocab.encode(text)
    spelled = b"".join(vocab.token_bytes[i] or b"" for i in ids)
    whole = all(vocab.token_bytes[i] is not None for i in ids)
    if whole and (spelled.removeprefix(b" ") if vocab.opening else spelled) == text.encode():
        assert mine == ids
    back = vocab.decode(mine)
    assert (back.removeprefix(b" ") if vocab.opening and not text.startswith(" ") else back) == text.encode()


def test_one_inside_a_text_is_spelled_in_pieces() -> None:
    """As transformers spells it: the token's own text was normalized, too, and begins with the mark of a space."""
    t = described(NORMALIZERS["prepend, then replace"], "BPE", False)
    vocab = TokenizerVocab(json.loads(t.to_str()), rows=300, end=2)
    whole = t.token_to_id("</think>")
    assert vocab.encode("</think>") == [whole]
    assert whole not in vocab.encode("a</think>")
    assert whole not in vocab.encode(" a </think>")  # it would take the space with it
    assert whole in vocab.encode("<th></think>")
    assert whole not in vocab.continuation.encode("</think>")
