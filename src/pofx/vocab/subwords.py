"""Subwords: byte-level BPE, learned from the corpus. Lossless for any bytes, free of control tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.values import check_whole_number
from pofx.vocab import blocks
from pofx.vocab.vocabulary import Vocab, to_bytes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST = 1024  # characters of one kind in a pre-token
MAX_SIZE = 1_000_000  # the trainer reserves memory for `size` tokens before it reads a text, and panics on absurd sizes

# GPT-2's pattern has a bound for every `+` here. Without bounds a line of 10 MB of one letter is a single pre-token, and
# takes 12 s and 740 MB instead of 4 s and 80 MB. Only runs of more than 1,024 letters, digits, marks or spaces are cut.
# The pattern stands in tokenizer.json, so every tool cuts such runs alike.
_UP_TO = f"{{1,{LONGEST}}}"
PATTERN = (
    rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}{_UP_TO}| ?\p{{N}}{_UP_TO}| ?[^\s\p{{L}}\p{{N}}]{_UP_TO}"
    rf"|\s{_UP_TO}(?!\S)|\s{_UP_TO}"
)
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
PRE_TOKENIZER: dict[str, Any] = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
        BYTE_LEVEL,
    ],
}


def _byte_characters() -> str:
    """Return GPT-2's alphabet: the printable character for each byte, at the index of the byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    stand_ins = iter(range(0x100, 0x200))
    return "".join(chr(b if b in printable else next(stand_ins)) for b in range(256))


BYTE_CHARACTERS = _byte_characters()
_BYTE_OF = {c: b for b, c in enumerate(BYTE_CHARACTERS)}
STRAY = re.compile("([\udc80-\udcff]+)")
# A run of stray bytes includes single ASCII characters between two stray bytes, each a token of its own. As texts of one
# character, letters that alternate with stray bytes took 4.7 s a megabyte.
_STRAY_WITH_ASCII = re.compile("([\udc80-\udcff]+(?:[\\x00-\\x7f][\udc80-\udcff]+)*)")


def bpe_model(
    vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], byte_fallback: bool = False
) -> dict[str, Any]:
    """Return the `model` of a tokenizer.json: BPE without dropout, prefixes or an unknown token."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": byte_fallback,
        "ignore_merges": False,
        "vocab": dict(vocab),
        "merges": [list(pair) for pair in merges],
    }


class SubwordVocab(Vocab):
    """The tokens of byte-level BPE, and EOS after them.

    Every byte string has a spelling: UTF-8 goes through BPE, and a stray byte is a token of its own. The tokeniser knows no
    control tokens, so "</s>" in a text is four characters.

    A run of more than 1,024 characters of one kind (letters, digits, marks, spaces) is cut every 1,024 characters before
    BPE. A long text is read in blocks that end where a pre-token ends. So memory stays bounded, and the ids are the ids of
    the whole text.

    Args:
        vocab: The tokens in GPT-2's byte alphabet ("Ġthe" spells " the"), and their ids 0 … n − 1. All 256 bytes are among
            the tokens.
        merges: The pairs of tokens that BPE merges, in order of rank.
        end: Whether texts end; EOS then has the id n.

    Raises:
        BadValue: The ids have gaps, or a merge joins tokens that are not in `vocab`.

    Right: `SubwordVocab.learn(texts, 8000)`. Wrong: `SubwordVocab.learn(texts, 100)`, since the bytes alone are 256.
    """

    def __init__(self, vocab: Mapping[str, int], merges: Iterable[Sequence[str]], end: bool = True) -> None:
        self.vocab = dict(vocab)
        self.merges = _checked_merges(self.vocab, merges)
        spelled = _spelled(self.vocab)
        self.size = len(spelled) + end
        self.end = len(spelled) if end else None
        self.token_bytes = (*spelled, *[None] * end)
        self._byte_ids = [self.vocab[c] for c in BYTE_CHARACTERS]

    @classmethod
    def learn(cls, texts: Iterable[str | bytes], size: int, end: bool = True) -> SubwordVocab:
        """Learn merges of the commonest pairs, up to `size` tokens (EOS not counted), or until no pair occurs twice.

        Args:
            texts: The texts to learn from; stray bytes in a text are ignored.
            size: The number of tokens, EOS not counted.
            end: Whether texts end.

        Raises:
            BadValue: `size` is below 256, or `texts` is a single text.
        """
        size = check_whole_number("size", size, 256, MAX_SIZE, "256 tokens are the bytes. Try 'bpe:8000'")
        if isinstance(texts, (str, bytes)):
            raise BadValue("expected a list of texts, got a single text", "write [text]", argument="texts")
        from tokenizers import trainers

        tokenizer = _tokenizer({c: i for i, c in enumerate(sorted(BYTE_CHARACTERS))}, [])
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=[],
            initial_alphabet=list(BYTE_CHARACTERS),
            show_progress=False,
        )
        tokenizer.train_from_iterator(_training_blocks(texts), trainer)
        learned = json.loads(tokenizer.to_str())["model"]
        return cls(learned["vocab"], learned["merges"], end=end)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the BPE tokens of the text's UTF-8, stray bytes one token each; `NotText` for lone surrogates."""
        ids: list[int] = self.encode_array(text).tolist()
        return ids

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids of `encode` as an array."""
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Return the ids of each text, computed on all cores."""
        split = [_runs(t) for t in texts]
        encoded = iter(self._encode_all([s for runs in split for s in runs if isinstance(s, str)]))
        out = []
        for runs in split:
            parts = [
                next(encoded)
                if isinstance(s, str)
                else np.array([self._byte_ids[b] for b in s], dtype=np.int64)
                for s in runs
            ]
            out.append(parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.int64), *parts]))
        return out

    def _encode_all(self, texts: list[str]) -> Iterator[NDArray[np.int64]]:
        """Yield the ids of each text of valid characters, in batches of about `BLOCK` characters."""
        return blocks.encode_in_blocks(texts, self._encode_batch, self._encode_long)

    def _encode_batch(self, texts: list[str]) -> Iterator[NDArray[np.int64]]:
        if len(texts) == 1:  # no thread pool, which would make later forks warn
            yield np.array(self._bpe.encode(texts[0]).ids, dtype=np.int64)
        elif texts:
            for encoding in self._bpe.encode_batch_fast(texts):
                yield np.array(encoding.ids, dtype=np.int64)

    def _encode_long(self, text: str) -> NDArray[np.int64]:
        """Return the ids of a long text, which is encoded block by block.

        A pre-token depends on at most LONGEST + 1 characters of its own and one after it. So pre-tokens that start well
        before the end of a block are the same in the block as in the whole text, and the next block begins at the start
        of such a pre-token.
        """
        parts = []
        at = 0
        while len(text) - at > blocks.BLOCK:
            encoding = self._bpe.encode(text[at : at + blocks.BLOCK])
            word = encoding.char_to_word(blocks.BLOCK - 2 * LONGEST)
            assert word is not None  # noqa: S101  (ours: pre-tokens cover the text)
            tokens, characters = encoding.word_to_tokens(word), encoding.word_to_chars(word)
            assert tokens is not None  # noqa: S101
            assert characters is not None  # noqa: S101
            parts.append(np.array(encoding.ids[: tokens[0]], dtype=np.int64))
            at += characters[0]
        parts.append(np.array(self._bpe.encode(text[at:]).ids, dtype=np.int64))
        return np.concatenate(parts)

    @cached_property
    def _bpe(self) -> Tokenizer:
        return _tokenizer(self.vocab, self.merges)


def _tokenizer(vocab: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    from tokenizers import Tokenizer

    description = {"version": "1.0", "added_tokens": [], "pre_tokenizer": PRE_TOKENIZER}
    return Tokenizer.from_str(json.dumps({**description, "model": bpe_model(vocab, merges)}))


def utf8_runs(data: bytes, stray: re.Pattern[str] = STRAY) -> list[str | bytes]:
    """Return a text as runs of valid UTF-8 (str) and of stray bytes (bytes), in order; no run for an empty text.

    Args:
        data: The bytes of the text.
        stray: The pattern of a run of stray bytes, each written as its surrogate by Python's "surrogateescape".
    """
    try:
        return [data.decode()] if data else []
    except UnicodeDecodeError:
        runs = stray.split(data.decode("utf-8", "surrogateescape"))
        return [r.encode("utf-8", "surrogateescape") if k % 2 else r for k, r in enumerate(runs) if r]


def _runs(text: str | bytes) -> list[str | bytes]:
    data = to_bytes(text)
    return [text] if isinstance(text, str) else utf8_runs(data, _STRAY_WITH_ASCII)


def _training_blocks(texts: Iterable[str | bytes]) -> Iterator[str]:
    for text in texts:
        for s in _runs(text):
            if isinstance(s, str):
                # One cut word in 262,144 characters changes no count that matters.
                for at in range(0, len(s), blocks.BLOCK):
                    yield s[at : at + blocks.BLOCK]


def _spelled(vocab: Mapping[str, int]) -> list[bytes]:
    """Return what each id spells, in order of ids; `BadValue` unless ids are 0 … n − 1 and all bytes are there."""
    tokens: list[bytes | None] = [None] * len(vocab)
    for token, i in vocab.items():
        if type(i) is not int or not 0 <= i < len(tokens) or tokens[i] is not None:
            raise BadValue(
                f"expected each id from 0 to {len(tokens) - 1} once, got {i!r} for the token {token[:40]!r}",
                "number the tokens without gaps",
            )
        try:
            tokens[i] = bytes([_BYTE_OF[c] for c in token])
        except KeyError as e:
            raise BadValue(
                f"expected tokens in GPT-2's byte alphabet, got {e.args[0]!r} in {token[:40]!r}",
                "spell each byte in that alphabet",
            ) from None
    missing = next((b for b, c in enumerate(BYTE_CHARACTERS) if c not in vocab), None)
    if missing is not None or "" in vocab:
        what = "an empty token" if missing is None else f"none for 0x{missing:02X}"
        raise BadValue(
            f"expected a token for every byte and no empty token, got {what}",
            "add the tokens that are missing, and remove the empty ones",
        )
    return [t for t in tokens if t is not None]


def _checked_merges(vocab: Mapping[str, int], merges: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    out = []
    for rank, pair in enumerate(merges):
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise BadValue(
                f"expected a pair of tokens as merge {rank}, got {str(pair)[:60]!r}",
                "write each merge as two tokens",
            )
        left, right = pair
        if not (left in vocab and right in vocab and left + right in vocab):
            raise BadValue(
                f"merge {rank}: {left[:40]!r} + {right[:40]!r} or one of its parts is no token", None
            )
        out.append((left, right))
    return out
