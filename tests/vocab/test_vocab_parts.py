"""The declared parts of a vocabulary: defaults for one made elsewhere, and wrappers that keep every one of them."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.models.begin_evidence import begin_evidence
from pofx.queries.scoring.peers import as_peer
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.geometric import GeometricVocab, geometric
from pofx.transforms.with_begin import token_id, token_name, with_begin
from pofx.transforms.with_end import VocabWithEnd, with_end
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.subwords import BYTE_CHARACTERS, BYTE_LEVEL, SubwordVocab, bpe_model
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab, to_bytes
from pofx.vocab.words import ClassedWords, OpenWords, WordVocab
from pofx.vocab.wrapper import VocabWrapper
from toy import ToyLM, ToyVocab, log_prefix

TALK = [{"role": "user", "content": "a"}]


# --- a vocabulary made elsewhere ------------------------------------------------------------------------------------


class Elsewhere(pofx.Vocab):
    """Only what a subclass must say: a, b, EOS."""

    size, end, token_bytes = 3, 2, (b"a", b"b", None)

    def encode(self, text: str | bytes) -> list[int]:
        return [b"ab".index(bytes([b])) for b in to_bytes(text)]


class Named(Elsewhere):
    """a, b, EOS and a control token that its tokenizer puts before every text."""

    size, token_bytes = 4, (b"a", b"b", None, None)
    control = ControlTokens({"<s>": 3, "</s>": 2}, (("bos", 3), ("eos", 2)), adds_before=(3,))


def test_nothing_else_needs_to_be_set() -> None:
    vocab, lm = Elsewhere(), ToyLM(Elsewhere())
    assert vocab.control == ControlTokens()
    assert (vocab.normalizes, vocab.spells_bytes, vocab.listener, vocab.opening) == (
        False,
        False,
        None,
        False,
    )
    assert vocab.conversation(TALK) is None
    assert vocab.spans([0, 1, 2], "ab").tolist() == [[0, 1], [1, 2], [2, 2]]
    s = pofx.score(lm, ["ab"])[0]
    assert s.total == pytest.approx(log_prefix(lm, [0, 1, 2]))
    assert (s.terms.kind, s.spans.tolist()) == ("exact", [[0, 1], [1, 2]])
    # KenLM's number is the sum after the model's own x0 over ln 10.
    assert as_peer(lm, "ab", "kenlm").value == pytest.approx(log_prefix(lm, [0, 1, 2]) / math.log(10))
    with pytest.raises(pofx.BadValue, match="chat template"):
        pofx.chat(lm, TALK)
    assert begin_evidence(vocab, None, None, "m").known == "none"


def test_what_it_declares_is_used() -> None:
    core = ToyLM(Named(), begin=False)
    found = begin_evidence(core.vocab, None, None, "m")
    assert (found.known, found.text, found.id) == ("declared", "<s>", 3)
    lm = with_begin(core, "<s>", "declared")
    assert pofx.log_prob(lm, "ab") == pytest.approx(log_prefix(core, [0, 1, 2], [3]))
    # minicons: the mean of the text's terms after what the tokenizer adds.
    assert as_peer(lm, "ab", "minicons").value == pytest.approx(log_prefix(core, [0, 1], [3]) / 2)


def test_vocabularies_without_a_file_of_a_tokenizer_declare_no_control_tokens() -> None:
    for ours in (ByteVocab(), CharVocab("ab"), WordVocab(["a"]), SubwordVocab.learn(["ab"], 256)):
        assert ours.control == ControlTokens()
    assert WordVocab(["a", None]).control == ControlTokens(unknown=1)


# --- wrappers keep all parts ----------------------------------------------------------------------------------------


def _heard(names: Mapping[str, int], texts: Sequence[bytes]) -> None:
    pass


class Everything(Vocab):
    """ " a", b, c, a control token, newline; every declared part is unlike its default."""

    size, end = 5, None
    token_bytes = (b" a", b"b", b"c", None, b"\n")
    control = ControlTokens({"<s>": 3}, (("bos", 3),), (3,), (1,), 2)
    normalizes = spells_bytes = opening = True
    unambiguous = False
    listener = staticmethod(_heard)

    def __init__(self, other: Vocab | None = None) -> None:
        self.other = other

    def encode(self, text: str | bytes) -> list[int]:
        return [b"abc".index(bytes([b])) for b in to_bytes(text).lower()]

    def encode_array(self, text: str | bytes) -> np.ndarray:
        return np.append(super().encode_array(text), 1)

    def encode_many(self, texts: Sequence[str | bytes]) -> list[np.ndarray]:
        return [np.append(super(Everything, self).encode_array(t), 2) for t in texts]

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
        ids, lengths = super().encode_joined(texts)
        return ids[::-1], lengths

    def decode(self, ids: Sequence[int]) -> bytes:
        return super().decode(ids)[::-1]

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        return [piece.upper() for piece in super().pieces(ids)]

    def spans(self, ids: Sequence[int], text: str | bytes) -> np.ndarray:
        return super().spans(ids, text) + len(text)

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        return to_bytes(text).lower(), "Lowercase"

    def conversation(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], str] | None:
        return [3, 0], messages[0]["content"]

    def show(self, i: int) -> str:
        return f"token {i}"

    # Each another vocabulary, with other tokens.
    continuation = property(lambda self: self.other or _REVERSED)  # type: ignore[assignment]
    scoring = property(lambda self: self.other or _REVERSED)  # type: ignore[assignment]
    unknown_as_class = property(lambda self: self.other or _REVERSED)  # type: ignore[assignment]


class Reversed(Everything):
    def encode(self, text: str | bytes) -> list[int]:
        return super().encode(text)[::-1]


_REVERSED = Reversed()

READ: dict[str, Callable[[Vocab], object]] = {
    "size": lambda v: v.size,
    "end": lambda v: v.end,
    "token_bytes": lambda v: v.token_bytes,
    "control": lambda v: v.control,
    "normalizes": lambda v: v.normalizes,
    "spells_bytes": lambda v: v.spells_bytes,
    "listener": lambda v: v.listener,
    "opening": lambda v: v.opening,
    "unambiguous": lambda v: v.unambiguous,
    "continuation": lambda v: v.continuation.encode("abc"),
    "scoring": lambda v: v.scoring.encode("abc"),
    "unknown_as_class": lambda v: v.unknown_as_class.encode("abc"),
    "read": lambda v: v.read("AB"),
    "conversation": lambda v: v.conversation(TALK),
    "encode": lambda v: v.encode("ABC"),
    "encode_array": lambda v: v.encode_array("abc").tolist(),
    "encode_many": lambda v: [ids.tolist() for ids in v.encode_many(["abc", ""])],
    "encode_joined": lambda v: [part.tolist() for part in v.encode_joined(["abc", ""])],
    "decode": lambda v: v.decode([0, 1]),
    "pieces": lambda v: v.pieces([0, 1]),
    "spans": lambda v: v.spans([0, 1], "ab").tolist(),
    "show": lambda v: v.show(0),
}

# What each wrapper says anew: EOS, and what follows from another token being EOS.
ANEW = {
    GeometricVocab: {"size": 6, "end": 5, "token_bytes": (*Everything.token_bytes, None)},
    VocabWithEnd: {
        "end": 4,
        "token_bytes": (b" a", b"b", b"c", None, None),
        "control": ControlTokens({"<s>": 3}, (("bos", 3), ("eos", 4)), (3,), (1,), 2),
        "spells_bytes": False,
    },
}
WRAPPED: dict[type[Vocab], Callable[[Vocab], Vocab]] = {
    GeometricVocab: GeometricVocab,
    VocabWithEnd: lambda v: VocabWithEnd(v, 4),
}


def declared() -> set[str]:
    """The public attributes, properties and methods of `Vocab`."""
    return {n for n in (*inspect.get_annotations(Vocab), *vars(Vocab)) if not n.startswith("_")}


class Plain(Everything):
    """The same tokens, and each other part by default."""


for _name in declared() - {"size", "end", "token_bytes", "encode"}:
    setattr(Plain, _name, vars(Vocab)[_name])


def test_every_declared_part_is_tried_here() -> None:
    assert set(READ) == declared(), (
        "a part was added to Vocab: give it a line above and a value in Everything"
    )
    assert set(WRAPPED) == set(ANEW) == set(VocabWrapper.__subclasses__())
    for name in set(READ) - {"size", "end", "token_bytes", "encode"}:
        assert READ[name](Everything()) != READ[name](Plain()), f"Everything has the default of {name}"
    for f in fields(ControlTokens):
        assert getattr(Everything.control, f.name) != getattr(ControlTokens(), f.name), f.name


@pytest.mark.parametrize("wrapper", WRAPPED)
@pytest.mark.parametrize("name", READ)
def test_wrappers_keep_every_declared_part(wrapper: type[Vocab], name: str) -> None:
    inner = Everything()
    wanted = ANEW[wrapper].get(name, READ[name](inner))
    assert READ[name](WRAPPED[wrapper](inner)) == wanted


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_vocabularies_made_of_a_wrapper_are_wrapped(wrapper: type[Vocab]) -> None:
    vocab = WRAPPED[wrapper](Everything())
    for other in (vocab.continuation, vocab.scoring, vocab.unknown_as_class):
        assert type(other) is wrapper
        assert other.end == vocab.end
    alone = WRAPPED[wrapper](ByteVocab(end=False))
    assert alone.continuation is alone.scoring is alone.unknown_as_class is alone


# --- vocabularies of every family in a wrapper -----------------------------------------------------------------------


def _file(opening: bool) -> dict[str, Any]:
    tokens = ["<s>", "</s>", "<|end|>", *BYTE_CHARACTERS, "Ġa", "ab"]
    return {
        "added_tokens": [{"id": i, "content": t, "special": True} for i, t in enumerate(tokens[:3])],
        "pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": opening, "use_regex": False},
        "model": bpe_model({t: i for i, t in enumerate(tokens)}, [("Ġ", "a"), ("a", "b")]),
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
        },
    }


def pretrained(opening: bool = False) -> TokenizerVocab:
    return TokenizerVocab(_file(opening), rows=270, config={"bos_token": "<s>"})


# (vocabulary, a token that ends texts, texts of the others)
FAMILIES: dict[str, tuple[Vocab, int, list[str]]] = {
    "bytes": (ByteVocab(end=False), 10, ["", "ab é", " a"]),
    "characters": (CharVocab("ab\né", end=False), 0, ["", "abéa"]),
    "characters and bytes": (CharVocab("\nab", end=False, escape=True), 0, ["", "ab ✓"]),
    "subwords": (SubwordVocab.learn(["the cat the cat"], 260, end=False), 0, ["", "the cat", " é"]),
    "words": (WordVocab(["the", "then", None, "."], end=False), 3, ["", "the then the"]),
    "pretrained": (pretrained(), 2, ["", "abab", " aé"]),
    "pretrained, opening": (pretrained(opening=True), 2, ["", "abab", " aé", "  a"]),
    "toy": (ToyVocab(3, end=False), 2, ["", "abab"]),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wrapper", ["ended", "geometric"])
def test_texts_come_back_from_wrapped_vocabularies(family: str, wrapper: str) -> None:
    inner, end, texts = FAMILIES[family]
    vocab = VocabWithEnd(inner, end) if wrapper == "ended" else GeometricVocab(inner)
    assert vocab.end is not None
    every = vocab.encode_many(texts)
    for text, many in zip(texts, every):
        data, ids = to_bytes(text), vocab.encode(text)
        assert ids == inner.encode(text) == many.tolist() == vocab.encode_array(text).tolist()
        assert vocab.decode(ids) == vocab.decode([*ids, vocab.end]) == data
        pieces = vocab.pieces([*ids, vocab.end])
        assert b"".join(pieces) == data
        assert [data[lo:hi] for lo, hi in vocab.spans([*ids, vocab.end], text)] == pieces
    assert [vocab.show(i) for i in range(inner.size) if i != end] == [
        inner.show(i) for i in range(inner.size) if i != end
    ]
    assert vocab.show(vocab.end) == "EOS"
    assert (vocab.opening, vocab.unambiguous) == (inner.opening, inner.unambiguous)
    assert vocab.continuation.opening == inner.continuation.opening


def test_a_text_with_the_ending_token_is_refused_by_every_way_to_encode() -> None:
    vocab = VocabWithEnd(ByteVocab(end=False), 10)
    for encode in (vocab.encode, vocab.encode_array, lambda text: vocab.encode_many(["a", text])):
        with pytest.raises(pofx.NotText, match=r"got that token at place 1; split"):
            encode("a\nb")


# --- what was lost when parts were lost ------------------------------------------------------------------------------


def test_an_ended_pretrained_model_has_names_x0_and_peers() -> None:
    core = ToyLM(pretrained(), begin=False)
    lm = with_end(core, "<|end|>")
    assert token_id(lm.vocab, "<s>", "begin") == 0
    assert token_name(lm.vocab, 0) == lm.vocab.show(0) == "<s>"
    found = begin_evidence(lm.vocab, None, None, "m")
    assert (found.known, found.id) == ("declared", 0)
    assert set(lm.vocab.control.candidates) == {("bos", 0), ("separator", 1), ("eos", 2)}
    ids = core.vocab.encode("ab a")
    peer = as_peer(with_begin(lm, 0), "ab a", "minicons")
    assert peer.value == pytest.approx(log_prefix(core, ids, [0]) / len(ids))


def test_a_listener_hears_through_a_wrapper() -> None:
    said: list[Sequence[bytes]] = []
    vocab = VocabWithEnd(pretrained(), 2)
    vocab.listener = lambda names, texts: said.append(texts)
    vocab.encode("<s>")
    assert said == [[b"<s>"]]


def test_unknown_words_are_of_their_class_under_a_law_of_the_length() -> None:
    core = ToyLM(ClassedWords(["the", None], end=False))
    s = pofx.score(geometric(core, 0.1), ["dog the"])[0]
    assert s.total == pytest.approx(log_prefix(core, [1, 0]) + 2 * math.log(0.9) + math.log(0.1))
    assert (s.terms.kind, s.terms.unknown) == ("class", 1)
    assert s.spans.tolist() == [[0, 3], [3, 7]]
    assert isinstance(ClassedWords(["the", None]).scoring, OpenWords)


def test_bytes_with_an_eos_of_a_law_of_the_length_are_bytes() -> None:
    lm = geometric(ToyLM(ByteVocab(end=False), memory=1), 0.1)
    assert bytewise(lm) is lm
    lines = with_end(lm.lm, "\n")  # type: ignore[attr-defined]
    assert bytewise(lines) is not lines
    assert pofx.log_prob(bytewise(lines), "ab") == pytest.approx(log_prefix(lines, [97, 98, 10]))


def test_words_behind_a_space_that_is_no_part_of_the_text_open_with_their_own_byte() -> None:
    from pofx.queries.audit.begin.candidates import NO_BYTE, first_bytes

    assert first_bytes(WordVocab(["the", None, "a"])).tolist() == [ord("t"), NO_BYTE, ord("a"), NO_BYTE]


def test_an_opening_space_is_no_part_of_a_prefix_code() -> None:
    class Opened(Elsewhere):
        token_bytes = (b" a", b"a", None)

        def pieces(self, ids: Sequence[int]) -> list[bytes]:
            out = super().pieces(ids)
            return [out[0].removeprefix(b" "), *out[1:]] if out else []

    vocab = Opened()
    assert vocab.decode([0]) == vocab.decode([1]) == b"a"  # two spellings of one text
    assert not vocab.unambiguous


# --- how the package asks --------------------------------------------------------------------------------------------

# A vocabulary has what `Vocab` declares: nobody looks whether it is there. Queries and transforms ask for no class.
_GUESSING = {"getattr", "hasattr"}


def _asked(path: Path, names: set[str]) -> list[str]:
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call) and n.args]
    return [
        f"{path.name}:{n.lineno} {ast.unparse(n)}"
        for n in calls
        if ast.unparse(n.func) in names and ast.unparse(n.args[0]).lower().endswith("vocab")
    ]


def test_nobody_guesses_what_a_vocabulary_has() -> None:
    home = Path(pofx.__file__).parent
    assert [a for p in home.rglob("*.py") for a in _asked(p, _GUESSING)] == []
    rooms = [*(home / "queries").rglob("*.py"), *(home / "transforms").rglob("*.py")]
    assert len(rooms) > 20
    assert [a for p in rooms for a in _asked(p, _GUESSING | {"isinstance"})] == []
