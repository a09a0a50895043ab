"""The bytes of the tokens of a pretrained vocabulary: byte-level, or with a mark for the space and tokens of bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource
from pofx.vocab.subwords import BYTE_CHARACTERS
from pofx.vocab.tokenizer.files.tokenizer_json import TokenizerFile

_BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")
# The table from GPT-2's alphabet to Latin-1. Characters of Latin-1 that are not in the alphabet must not count as bytes.
_TO_LATIN = dict.fromkeys(range(256), "\uffff") | {ord(c): chr(b) for b, c in enumerate(BYTE_CHARACTERS)}
# Decoders that write the space as a suffix, or not at all: the bytes of a token then depend on its neighbours.
_INEXACT = ("BPEDecoder", "WordPiece", "CTC")
_LOSSY = ("Whitespace", "WhitespaceSplit", "BertPreTokenizer")


@dataclass(frozen=True)
class Spelling:
    """The rule by which a token of the model's table becomes bytes.

    Attributes:
        byte_level: Whether tokens are written in GPT-2's alphabet, a character a byte; otherwise tokens are UTF-8.
        space: The character that stands for a space, such as the "▁" of SentencePiece; None without such a character.
        byte_tokens: Whether a token such as "<0x0A>" stands for a byte.
    """

    byte_level: bool
    space: str | None
    byte_tokens: bool

    @classmethod
    def of(cls, file: TokenizerFile) -> Spelling:
        """Return the spelling of a tokenizer.

        Raises:
            BadSource: The tokens of the tokenizer do not determine the bytes of a text.
        """
        before, decoders = file.normalizers + file.pre_tokenizers, file.decoders
        for step in before + decoders:
            if step["type"] in _INEXACT + _LOSSY:
                what = "drops white space" if step["type"] in _LOSSY else "does not say where the spaces are"
                raise BadSource(
                    f"{file.name}: expected a tokenizer that spells a text exactly, got {step['type']}, which {what}",
                    "use another model: this model gives no probability of the text itself",
                )
        for affix in ("continuing_subword_prefix", "end_of_word_suffix"):
            if file.model.get(affix):
                raise BadSource(
                    f"{file.name}: expected tokens that spell a text exactly, got the {affix} "
                    f"{file.model[affix]!r:.20}",
                    "use another model: this model gives no probability of the text itself",
                )
        if any(step["type"] == "ByteLevel" for step in before + decoders):
            return cls(byte_level=True, space=None, byte_tokens=False)
        byte_tokens = bool(file.model.get("byte_fallback")) or any(
            s["type"] == "ByteFallback" for s in decoders
        )
        space = next((mark for step in before + decoders if (mark := _space_mark(step)) is not None), None)
        return cls(byte_level=False, space=space, byte_tokens=byte_tokens)

    def spell(self, token: str) -> bytes:
        """Return the bytes of one token of the table."""
        if self.byte_level:
            try:
                return token.translate(_TO_LATIN).encode("latin-1")
            except UnicodeEncodeError:  # the library's decoder keeps characters that are not in the alphabet
                return token.encode()
        if self.byte_tokens and (found := _BYTE_TOKEN.fullmatch(token)):
            return bytes([int(found[1], 16)])
        return (token.replace(self.space, " ") if self.space else token).encode()

    def spell_all(self, tokens: Iterable[str]) -> list[bytes]:
        """Return the bytes of each token, 262,144 tokens in 0.1 s, since this runs at every start."""
        if self.byte_level:
            return [self.spell(t) for t in tokens]
        mark = self.space or " "
        return [self.spell(t) if t[:3] == "<0x" else t.replace(mark, " ").encode() for t in tokens]

    def byte_ids(self, table: Mapping[str, int]) -> list[int | None]:
        """Return the id of the token for each byte, None where the vocabulary has none."""
        if self.byte_level:
            return [table.get(c) for c in BYTE_CHARACTERS]
        return [table.get(f"<0x{b:02X}>") if self.byte_tokens else None for b in range(256)]


def token_bytes(
    file: TokenizerFile, spelling: Spelling, control: frozenset[int], rows: int
) -> tuple[bytes | None, ...]:
    """Return the bytes that each outcome of a distribution spells; None for control tokens and rows without a token.

    Control tokens and added tokens may have ids beyond the outcomes, as Gemma's image token has. Texts are then spelled
    without these tokens.

    Args:
        file: The tokenizer.
        spelling: How its tokens become bytes.
        control: The ids of control tokens.
        rows: V, the number of outcomes.

    Raises:
        BadSource: A token of text has an id beyond the outcomes, so the tokenizer belongs to another model.
    """
    out: list[bytes | None] = [None] * rows
    for i, b in zip(file.table.values(), spelling.spell_all(file.table)):
        if i < rows:
            out[i] = b or None
        elif i not in control:
            raise BadSource(
                f"{file.name}: expected ids below the {rows} rows of the model, got {i}",
                "use the tokenizer of this model",
            )
    for a in file.added:
        if a.id < rows and a.content not in file.table:
            out[a.id] = a.content.encode()
    for i in control:
        if i < rows:
            out[i] = None
    return tuple(out)


def _space_mark(step: Mapping[str, Any]) -> str | None:
    """Return the character that stands for a space, if a step of the pipeline names such a character."""
    if step["type"] == "Metaspace":
        mark = step["replacement"]
    elif step["type"] == "Replace" and step["pattern"].get("String") == " ":
        mark = step["content"]
    elif step["type"] == "Replace" and step["content"] == " ":
        mark = step["pattern"].get("String")
    else:
        return None
    return mark if isinstance(mark, str) and len(mark) == 1 and mark != " " else None
