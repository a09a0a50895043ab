"""Vocabularies: the bytes that each id of a model spells. `encode` never gives the id of a control token for a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue, NotText
from pofx.values import check_ids
from pofx.vocab.control_tokens import ControlTokens

# A function that is called with the names of control tokens, and with the texts, before the texts are encoded.
Listener = Callable[[Mapping[str, int], Sequence[bytes]], None]

END_TEXT = "</s>"
BEGIN_TEXT = "<s>"


def refuse_normalizing(vocab: Vocab, what: str) -> None:
    """Raise `BadValue` for a vocabulary that normalizes texts: the answer would be about another text than the question.

    Right: `refuse_normalizing(lm.vocab, "compressing")`. Wrong: in a query that can use the text that `read` gives.
    """
    if vocab.normalizes:
        raise BadValue(
            f"expected a model that reads texts as they are for {what}, got a model that normalizes them",
            Advice("leave the normalizers out", "normalize=True", "--normalize"),
            argument="normalize",
        )


class Vocab(ABC):
    """A finite set of ids and the bytes of each id: a subclass sets the first three attributes and writes `encode`.

    `decode(encode(x)) == x` must hold for every x that `encode` accepts. The other attributes have defaults, which are
    right for a vocabulary without a tokenizer's file: no control tokens but EOS, no normalizer, no listener.

    Attributes:
        size: The number of outcomes of a next-token distribution, EOS included. x0 is no outcome: x0 stands before every
            text with probability one, and its id is not below `size`.
        end: The id of EOS, or None where texts never end.
        token_bytes: The bytes that each id spells, `[size]`; None for a control token, which spells nothing.
        control: The control tokens beside EOS: their names, candidates for x0 and EOS, tokens that the tokenizer adds.
        normalizes: Whether `read` may return another text than its argument.
        spells_bytes: Whether `encode` gives the bytes of a text: ids 0 to 255 are the bytes, and EOS is the only other id.
        listener: A function that a vocabulary with named control tokens calls with `control.names` and every batch of texts
            before they are encoded; None for no function.

    Right: a class with `size`, `end`, `token_bytes` and `encode`, and no more. Wrong: a class whose `encode` gives the id
    of a control token for a text that spells the token's name.
    """

    size: int
    end: int | None
    token_bytes: tuple[bytes | None, ...]
    control: ControlTokens = ControlTokens()
    normalizes: bool = False
    spells_bytes: bool = False
    listener: Listener | None = None

    @abstractmethod
    def encode(self, text: str | bytes) -> list[int]:
        """Return the canonical token ids of a text, without ids of control tokens; raise `NotText` where no ids spell it."""

    def decode(self, ids: Sequence[int]) -> bytes:
        """Return the bytes that ids spell; control tokens spell nothing."""
        return b"".join(self.pieces(ids))

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Return the bytes that each id adds to the text."""
        return [self.token_bytes[i] or b"" for i in ids]

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Return byte offsets `[t, 2]` in the text that these ids spell: token i spells `text[lo:hi]`."""
        hi = np.cumsum([len(p) for p in self.pieces(ids)], dtype=np.int64)
        return np.stack([np.append(np.int64(0), hi)[:-1], hi], axis=1)

    @cached_property
    def opening(self) -> bool:
        """Whether the first token of a text spells a space that is no part of the text, as in SentencePiece.

        The default asks `pieces` about the first token that begins with a space.
        """
        for i, spelled in enumerate(self.token_bytes):
            if spelled is not None and spelled.startswith(b" "):
                return self.pieces([i]) == [spelled[1:]]
        return False

    @cached_property
    def unambiguous(self) -> bool:
        """Whether every text has one spelling in tokens, so that the canonical log p is the exact log p.

        The value is True where no token's bytes begin with another token's (a prefix code), in the first place and later.
        """
        spelled = [b for b in self.token_bytes if b is not None]
        first = [b.removeprefix(b" ") for b in spelled] if self.opening else []
        return all(not b.startswith(a) for code in (spelled, first) for a, b in pairwise(sorted(code)))

    @property
    def continuation(self) -> Vocab:
        """The vocabulary of texts that continue others.

        The vocabulary differs only where the first token of a text is special, as by a space that is no part of the text.
        """
        return self

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        """Return the text that is scored in place of this text, and the names of the normalizers that changed the text.

        The result is the text itself and "", unless the user asked for the normalizers of a pretrained tokenizer.
        """
        return text, ""

    @property
    def scoring(self) -> Vocab:
        """The vocabulary by which `score` reads texts: another one only where unknown words are read as a class."""
        return self

    @property
    def unknown_as_class(self) -> Vocab:
        """A vocabulary that reads a word without an id as `control.unknown`; without such a class, this vocabulary."""
        return self

    def conversation(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], str] | None:
        """Return a conversation by the chat template of the model's files: its ids, and the text that the template makes.

        Args:
            messages: Objects with a role and a content, in order.

        Returns:
            The ids and the text; None without a template.

        Raises:
            BadValue: The template refuses the messages.
        """
        return None

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids of `encode` as an array."""
        return np.array(self.encode(text), dtype=np.int64)

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Return the ids of each text."""
        return [self.encode_array(t) for t in texts]

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of all texts end to end, and the number of ids of each text."""
        each = self.encode_many(texts)
        lengths = np.fromiter(map(len, each), np.int64, len(each))
        return np.concatenate([np.zeros(0, dtype=np.int64), *each]), lengths

    def show(self, i: int) -> str:
        """Return a printable name of an id, for people."""
        if i == self.end:
            return "EOS"
        spelled = self.token_bytes[i]
        return f"control {i}" if spelled is None else show_bytes(spelled)


def plain_text(text: str | bytes) -> str:
    """Return a text for a column of strings; bytes that are not UTF-8 become escapes."""
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")


def to_bytes(text: str | bytes) -> bytes:
    """Return the UTF-8 of a text; raise `NotText` for lone surrogates, which no UTF-8 spells."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise NotText(f"expected a text (str or bytes), got {type(text).__name__}", "pass a str")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as e:
        raise NotText(
            f"expected Unicode text, got the lone surrogate U+{ord(text[e.start]):04X} at character {e.start}",
            "pass bytes, or replace the surrogate: text.encode('utf-8', 'replace')",
        ) from None


def count_bytes(text: str | bytes) -> int:
    """Return `len(to_bytes(text))`; text of ASCII alone, which has a byte a character, is not encoded."""
    return len(text) if isinstance(text, str) and text.isascii() else len(to_bytes(text))


def to_str(text: str | bytes) -> str:
    """Return the text as str; raise `NotText` with the offset where bytes are no UTF-8."""
    if isinstance(text, str):
        count_bytes(text)  # refuses lone surrogates
        return text
    if not isinstance(text, bytes):
        raise NotText(f"expected a text (str or bytes), got {type(text).__name__}", "pass a str")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as e:
        raise NotText(
            f"expected UTF-8, got byte 0x{text[e.start]:02X} at offset {e.start}",
            "use a model over bytes, which takes any bytes",
        ) from None


def show_bytes(piece: bytes) -> str:
    """Return bytes for people: UTF-8 as characters, control characters and stray bytes by name, spaces as ␣."""
    out = []
    for ch in piece.decode("utf-8", "backslashreplace"):
        if ch == " ":
            out.append("␣")
        elif ch == "\n":
            out.append("⏎")
        elif ch.isprintable():
            out.append(ch)
        else:
            out.append(ch.encode("unicode_escape").decode("ascii"))
    return "".join(out)


class ByteVocab(Vocab):
    """The 256 bytes, and EOS with the id 256 (if `end`): every byte string has one spelling.

    Right: `ByteVocab().encode("é")`, two ids. Wrong: a string with a lone surrogate, which UTF-8 does not spell (`NotText`).
    """

    spells_bytes = True

    def __init__(self, end: bool = True) -> None:
        self.size = 256 + end
        self.end = 256 if end else None
        self.token_bytes = tuple([bytes([b]) for b in range(256)] + [None] * end)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the bytes of the text's UTF-8 as ids."""
        return list(to_bytes(text))

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids as an array. Without a Python list between, 1 MB takes 1 ms instead of 40 ms."""
        return np.frombuffer(to_bytes(text), dtype=np.uint8).astype(np.int64)

    def encode_joined(self, texts: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bytes of all texts end to end, and the number of bytes of each text."""
        spelled = list(map(to_bytes, texts))
        lengths = np.fromiter(map(len, spelled), np.int64, len(spelled))
        return self.encode_array(b"".join(spelled)), lengths

    def decode(self, ids: Sequence[int]) -> bytes:
        """Return the ids as bytes."""
        a = np.asarray(ids, dtype=np.int64)
        check_ids(a, self.size)
        return a[a < 256].astype(np.uint8).tobytes()

    def spans(self, ids: Sequence[int], text: str | bytes) -> NDArray[np.int64]:
        """Return byte offsets `[t, 2]`: one byte for each id, and no byte for EOS."""
        hi = np.cumsum(np.asarray(ids, dtype=np.int64) < 256)
        return np.stack([np.append(np.int64(0), hi)[:-1], hi], axis=1)


class CharVocab(Vocab):
    """A closed set of characters, and EOS after them.

    Ids are in the order of code points. With `escape`, 256 tokens of one byte follow for other characters and stray bytes.

    Right: `CharVocab("abc")`. Wrong: `CharVocab("abc").encode("d")`, which raises `NotText` unless `escape` is set.
    """

    def __init__(self, characters: Iterable[str], end: bool = True, escape: bool = False) -> None:
        self.characters = "".join(sorted(set("".join(characters))))
        self.escape = escape
        spelled: list[bytes | None] = [to_bytes(c) for c in self.characters]
        if escape:
            spelled += [bytes([b]) for b in range(256)]
        self.size = len(spelled) + end
        self.end = len(spelled) if end else None
        self.token_bytes = tuple(spelled + [None] * end)
        self._ids = {c: i for i, c in enumerate(self.characters)}

    @classmethod
    def learn(cls, texts: Iterable[str | bytes], end: bool = True, escape: bool = False) -> CharVocab:
        """Make the vocabulary of the characters of texts; with `escape`, stray bytes in a text are ignored."""
        seen: set[str] = set()
        for t in texts:
            seen.update(to_bytes(t).decode("utf-8", "ignore") if escape else to_str(t))
        return cls(seen, end=end, escape=escape)

    def encode(self, text: str | bytes) -> list[int]:
        """Return one id a character."""
        if self.escape:
            decoded = to_bytes(text).decode("utf-8", "surrogateescape")
            n = len(self.characters)
            out: list[int] = []
            for c in decoded:
                i = self._ids.get(c)
                if i is not None:
                    out.append(i)
                else:
                    out.extend(n + b for b in c.encode("utf-8", "surrogateescape"))
            return out
        decoded = to_str(text)
        try:
            return [self._ids[c] for c in decoded]
        except KeyError as e:
            c = str(e.args[0])
            raise NotText(
                f"expected one of the {len(self.characters)} characters this model was fitted on, got {c!r} "
                f"(U+{ord(c):04X}) at character {decoded.index(c)}",
                Advice(
                    "fit a model over bytes",
                    "vocab='bytes' or vocab='chars+bytes'",
                    "--vocab bytes or --vocab chars+bytes",
                ),
            ) from None
