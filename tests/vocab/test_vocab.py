"""Every vocabulary: nothing is lost, no text spells a control token, and errors say what and where."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.errors import BadValue, NotText
from pofx.vocab import blocks
from pofx.vocab import subwords as subword
from pofx.vocab.spec import vocab_for
from pofx.vocab.subwords import BYTE_CHARACTERS, SubwordVocab
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab, show_bytes, to_bytes
from pofx.vocab.words import WordVocab

CORPUS: list[str | bytes] = [
    "the cat sat on the mat. the cats' mats were flat, and that's that\n" * 3,
    "every document begins with a beginning and ends with an ending, and nothing before it counts; " * 2,
    "été à la plage, 中文字符 12345 12345    \t\r\n\n  def f(x): return x  # naïve",
    b"stray \xff\xfe bytes, the \xe4\xb8 end",
]
SPELLED = ["</s>", "<s>", "<|endoftext|>", "<unk>", "<0x41>", "a</s>b<s>", "Ġ", "[CLS]"]
HOSTILE = [
    *[
        "",
        " ",
        "\x00",
        "\n\n\n",
        "\u2028\u0085\xa0",
        "\ufeff",
        "\U0010ffff",
        "e\u0301",
        "👩‍👩‍👧",
        "'s 're 'S",
        "\ufffd",
    ],
    *SPELLED,
]
STRAY = [
    b"\xff",
    b"\xff\xfe\x00a\xff",
    b"a\xffb\xffc",
    b"\xe4\xb8",
    b"\xe4\xb8\xadx\xe4\xb8",
    b"\xed\xa0\x80",
    b"\xc0\x80",
]

BPE = SubwordVocab.learn(CORPUS, 300)
LOSSLESS: dict[str, Vocab] = {
    "bytes": ByteVocab(),
    "bytes, no EOS": ByteVocab(end=False),
    "chars+bytes": CharVocab("abcdeé中 ", escape=True),
    "bpe:300": BPE,
    "bpe:256": vocab_for("bpe:256", CORPUS, end=True),
    "bpe:320, no EOS": vocab_for("bpe:320", CORPUS, end=False),
}
CLOSED: dict[str, tuple[Vocab, list[str]]] = {
    "chars": (CharVocab("\x00\n abc'é中👩</s>"), ["", "a", "abc </s> é中👩\x00\n", "<s>", "'s 's"]),
    "words": (
        WordVocab(["the", "cat", None, "<unk>", "a\nb", "été"]),
        ["", "the", "the cat été a\nb <unk>", "cat cat"],
    ),
    "words, no EOS": (WordVocab(["x", None], end=False), ["x x x"]),
}
EVERY: dict[str, Vocab] = LOSSLESS | {name: vocab for name, (vocab, _) in CLOSED.items()}

lossless = pytest.mark.parametrize("vocab", LOSSLESS.values(), ids=LOSSLESS)
every = pytest.mark.parametrize("vocab", EVERY.values(), ids=EVERY)


def check_round_trip(vocab: Vocab, text: str | bytes) -> None:
    ids = vocab.encode(text)
    assert vocab.decode(ids) == to_bytes(text)
    assert all(vocab.token_bytes[i] is not None for i in ids), "a control token came out of a text"
    assert vocab.encode_array(text).dtype == np.int64
    assert vocab.encode_array(text).tolist() == ids
    at = vocab.spans(ids, text)
    assert [to_bytes(text)[lo:hi] for lo, hi in at] == vocab.pieces(ids)
    assert at.shape == (len(ids), 2)


@lossless
@given(text=st.one_of(st.text(), st.binary(), st.text("the cat 's12\n<>/é")))
@settings(max_examples=80, deadline=None)
def test_decode_undoes_encode(vocab: Vocab, text: str | bytes) -> None:
    check_round_trip(vocab, text)


@lossless
@pytest.mark.parametrize("text", [*HOSTILE, *STRAY], ids=ascii)
def test_hostile_texts_are_text(vocab: Vocab, text: str | bytes) -> None:
    check_round_trip(vocab, text)


@given(text=st.text("\x00\n abc'é中👩</s>"))
def test_characters_round_trip(text: str) -> None:
    vocab = CLOSED["chars"][0]
    check_round_trip(vocab, text)
    assert len(vocab.encode(text)) == len(text)


@pytest.mark.parametrize(("vocab", "texts"), CLOSED.values(), ids=CLOSED)
def test_closed_vocabularies_round_trip(vocab: Vocab, texts: list[str]) -> None:
    for text in texts:
        check_round_trip(vocab, text)
        assert vocab.encode(text) == vocab.encode(text.encode())


@every
def test_the_shape_of_a_vocabulary(vocab: Vocab) -> None:
    assert len(vocab.token_bytes) == vocab.size
    assert vocab.end in (None, vocab.size - 1)
    if vocab.end is not None:
        assert vocab.token_bytes[vocab.end] is None
        assert vocab.show(vocab.end) == "EOS"
        assert vocab.decode([vocab.end]) == b""


def test_characters_are_each_one_id_however_given() -> None:
    assert CharVocab(["ba", "a"]).characters == CharVocab("ab").characters == "ab"
    assert CharVocab.learn([b"a\xffb"], escape=True).characters == "ab"
    with pytest.raises(NotText, match=r"0xFF at offset 1"):
        CharVocab.learn([b"a\xffb"])


def test_errors_show_the_character_and_where() -> None:
    with pytest.raises(NotText, match=r"'é' \(U\+00E9\) at character 3"):
        CharVocab("abc").encode("abcé")
    with pytest.raises(NotText, match="the word 'dog'"):
        WordVocab(["cat"]).encode("cat dog")
    with pytest.raises(NotText, match="two spaces"):
        WordVocab(["cat"]).encode("cat  cat")
    with pytest.raises(IndexError, match="below 257"):
        ByteVocab().decode([257])


@every
def test_what_is_no_text(vocab: Vocab) -> None:
    with pytest.raises(NotText, match=r"U\+D800 at character 2"):
        vocab.encode("ab\ud800")
    with pytest.raises(NotText, match=r"U\+DCFF"):  # also where surrogateescape would take it for a byte
        vocab.encode("\udcff")
    with pytest.raises(NotText, match="got int"):
        vocab.encode(7)  # type: ignore[arg-type]


def test_bytes_for_people() -> None:
    assert show_bytes("a é\n\x07".encode() + b"\xff") == r"a␣é⏎\x07\xff"


def test_subwords_are_learned_and_used() -> None:
    assert BPE.size == 301
    assert BPE.end == 300
    assert b" the" in BPE.token_bytes
    assert BPE.pieces(BPE.encode("on the"))[-1] == b" the"
    assert len(BPE.encode("the cat sat on the mat")) < 15


def test_subwords_are_fewer_than_asked_for_on_a_small_corpus() -> None:
    vocab = SubwordVocab.learn(["abab abab", "cd"], 8000)
    assert vocab.size == len(vocab.vocab) + 1 < 270
    assert b"cd" not in vocab.token_bytes  # it occurs once: no pair
    assert SubwordVocab.learn([], 300).size == 257


def test_learning_twice_gives_the_same() -> None:
    one, two = (SubwordVocab.learn(CORPUS, 320) for _ in range(2))
    assert (one.vocab, one.merges) == (two.vocab, two.merges)


def test_learning_refuses_what_is_no_corpus() -> None:
    with pytest.raises(BadValue, match="256"):
        SubwordVocab.learn(CORPUS, 255)
    with pytest.raises(BadValue, match="from 256"):
        SubwordVocab.learn(CORPUS, 10**15)
    with pytest.raises(BadValue, match=r"write \[text\]"):
        SubwordVocab.learn("one text", 300)
    with pytest.raises(NotText, match="U\\+D800"):
        SubwordVocab.learn(["a", "\ud800"], 300)


def test_long_texts_are_cut_where_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    runs = ["the cat", " ", "   \n", "'s", "1", "é中", "^", "^" * 900, "a" * 2500, " " * 1500]
    text = "".join(rng.choice(runs) for _ in range(400))
    whole = BPE._bpe.encode(text).ids
    monkeypatch.setattr(blocks, "BLOCK", 4096)
    assert len(text) > 20 * blocks.BLOCK
    assert BPE.encode(text) == whole
    many = BPE.encode_many([text[:5000], "", "the", text[5000:]])
    assert [m.tolist() for m in many] == [BPE.encode(t) for t in (text[:5000], "", "the", text[5000:])]
    assert BPE.decode(whole) == text.encode()


@pytest.mark.parametrize("character", ["a", " ", "^", "7", "中"])
def test_no_line_is_one_pre_token(character: str) -> None:
    """Else the time and memory of BPE grow faster than the text: see `subword.PATTERN`."""
    pieces = BPE._bpe.pre_tokenizer.pre_tokenize_str(character * 5000)
    assert max(hi - lo for _, (lo, hi) in pieces) == subword.LONGEST
    text = character * (blocks.BLOCK + 5)
    assert BPE.decode(BPE.encode_array(text).tolist()) == text.encode()


def test_many_texts_are_one_text_each() -> None:
    texts: list[str | bytes] = [*HOSTILE, *STRAY]
    for vocab in LOSSLESS.values():
        assert [a.tolist() for a in vocab.encode_many(texts)] == [vocab.encode(t) for t in texts]
    assert BPE.encode_many([]) == []


def test_importing_subwords_does_not_import_tokenizers() -> None:
    code = "import sys, pofx.vocab.subwords, pofx.vocab.tokenizer.files.saved_vocab; sys.exit('tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vocabularies_by_name() -> None:
    texts = ["abc", "cd"]
    assert isinstance(vocab_for("bytes", [], end=True), ByteVocab)
    characters = vocab_for("chars", texts, end=False)
    assert isinstance(characters, CharVocab)
    assert (characters.characters, characters.end, characters.escape) == ("abcd", None, False)
    assert vocab_for("chars+bytes", texts, end=True).size == 4 + 256 + 1
    assert vocab_for(BPE, texts, end=True) is BPE


@pytest.mark.parametrize(
    "spec", ["", "byte", "BYTES", "bpe", "bpe:", "bpe:1e4", "bpe:-1", "bpe:３００", "bpe:8000 ", 7]
)
def test_bad_names_list_the_choices(spec: Any) -> None:
    with pytest.raises(BadValue, match=r"'chars\+bytes', 'bpe:8000'"):
        vocab_for(spec, CORPUS, end=True)


def test_a_vocabulary_and_its_spec_agree_on_the_end() -> None:
    with pytest.raises(BadValue, match="without EOS"):
        vocab_for(ByteVocab(end=False), [], end=True)
    with pytest.raises(BadValue, match="with EOS"):
        vocab_for(ByteVocab(), [], end=False)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda v: v.pop("a"), "id from 0 to 254"),
        (lambda v: v.update({"a": 9999}), "9999"),
        (lambda v: v.update({"中": 256}), "byte alphabet"),
        (lambda v: v.update({"": 256}), "no empty token, got an empty token"),
        (lambda v: v.update({"bb": v.pop("a")}), "0x61"),
    ],
)
def test_a_subword_table_must_be_whole(change: Callable[[dict[str, int]], Any], found: str) -> None:
    table = {c: i for i, c in enumerate(BYTE_CHARACTERS)}
    assert SubwordVocab(table, [], end=False).encode("é") == [0xC3, 0xA9]
    change(table)
    with pytest.raises(BadValue, match=found):
        SubwordVocab(table, [])
