"""The text that the normalizers of a tokenizer make: the string in which the tokenizer looks for tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pofx.vocab.tokenizer.files.control_tokens import Added
from pofx.vocab.tokenizer.library_calls import file_call, text_call

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EMPTY_MODEL = {"type": "BPE", "vocab": {}, "merges": []}


def normalizer_function(step: Mapping[str, Any]) -> Callable[[str], str]:
    """Return one normalizer of a file, as the function from a text to the normalized text.

    Args:
        step: The normalizer as tokenizer.json describes it.

    Returns:
        A function, which raises `NotText` where the library fails on a text.

    Raises:
        LibraryRefused: The library cannot make the normalizer.
    """
    from tokenizers import Tokenizer

    skeleton = {"version": "1.0", "added_tokens": [], "normalizer": step, "model": EMPTY_MODEL}
    with file_call():
        apply: Callable[[str], str] = Tokenizer.from_str(json.dumps(skeleton)).normalizer.normalize_str

    def normalized(text: str) -> str:
        with text_call():
            return apply(text)

    return normalized


class Normalization:
    """The texts that the normalizers of a file make, with spaces as spaces and bytes as bytes.

    Args:
        steps: The normalizers, in order.
        space: The character that stands for a space in the table of tokens, or None.
        kept: The added tokens that the tokenizer looks for before it normalizes. Each such token stays unchanged, and the
            text between two of these tokens is normalized by itself.

    Attributes:
        names: The types of the normalizers that may change a text.
        spelling: The normalizer that writes the result in the letters of the table, or None.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]], space: str | None, kept: Sequence[Added]) -> None:
        made = [(step, normalizer_function(step)) for step in steps]
        changing = [
            (s, function)
            for s, function in made
            if s["type"] != "ByteLevel"
            and ((s["type"], s.get("content")) != ("Replace", space) or s["pattern"] != {"String": " "})
        ]
        self.names = [s["type"] for s, _ in changing]
        self._changes = [(s["type"], function) for s, function in changing]
        self._space = space or " "
        self._finder = _finder(kept) if kept and changing else None
        self.spelling = self._spelling(made)

    def of(self, text: str) -> tuple[str, list[str]]:
        """Return the normalized text, and the names of the normalizers that changed the text."""
        names: list[str] = []
        parts = [part if whole else self._made(part, names) for part, whole in self._sections(text)]
        return ("".join(parts).replace(self._space, " ") if names else text), names

    def _made(self, text: str, names: list[str]) -> str:
        for name, change in self._changes:
            changed = change(text)
            if changed.replace(self._space, " ") != text.replace(self._space, " ") and name not in names:
                names.append(name)
            text = changed
        return text

    def _sections(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield the text in parts, and whether each is an added token."""
        at = 0
        whole: Sequence[tuple[int, int]] = ()
        if self._finder is not None:
            with text_call():
                whole = self._finder.encode(text).offsets
        for lo, hi in whole:
            if lo > at:
                yield text[at:lo], False
            yield text[lo:hi], True
            at = hi
        if at < len(text):
            yield text[at:], False

    def _spelling(
        self, made: Sequence[tuple[Mapping[str, Any], Callable[[str], str]]]
    ) -> dict[str, Any] | None:
        between = "a b"
        for _, function in made:
            between = function(between)
        out: list[dict[str, Any]] = []
        if self._space != " " and self._space in between:
            out.append({"type": "Replace", "pattern": {"String": " "}, "content": self._space})
        out += [{"type": "ByteLevel"} for s, _ in made if s["type"] == "ByteLevel"]
        return {"type": "Sequence", "normalizers": out} if out else None


def _finder(kept: Sequence[Added]) -> Tokenizer:
    """Return a tokenizer whose only tokens are the given added tokens."""
    from tokenizers import AddedToken, Tokenizer

    with file_call():
        out = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], "model": EMPTY_MODEL}))
        out.add_tokens([AddedToken(a.content, single_word=a.single_word, normalized=False) for a in kept])
    return out
