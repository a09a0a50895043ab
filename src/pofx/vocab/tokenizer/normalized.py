"""What the normalizers of a tokenizer make of a text: the string that its tokens are looked for in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pofx.vocab.tokenizer.files.tokenizer_json import Added
from pofx.vocab.tokenizer.stretches import encoding

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EMPTY_MODEL = {"type": "BPE", "vocab": {}, "merges": []}


def normalizer_function(step: Mapping[str, Any]) -> Callable[[str], str]:
    """What one normalizer makes of a text."""
    from tokenizers import Tokenizer

    skeleton = {"version": "1.0", "added_tokens": [], "normalizer": step, "model": EMPTY_MODEL}
    found: Callable[[str], str] = Tokenizer.from_str(json.dumps(skeleton)).normalizer.normalize_str

    def normalized(text: str) -> str:
        with encoding():
            return found(text)

    return normalized


class Normalization:
    """The texts that some normalizers make, with spaces as spaces and bytes as bytes.

    steps: the normalizers. space: what stands for a space in the table of tokens, or None. kept: added tokens that are
    looked for in the text as it was written; each stays what it is, and what stands between two is normalized by itself.
    names: of the normalizers that may change a text. spelling: the normalizer, or None, that writes the result in the
    letters of the table.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]], space: str | None, kept: Sequence[Added]) -> None:
        changing = [
            s
            for s in steps
            if s["type"] != "ByteLevel"
            and ((s["type"], s.get("content")) != ("Replace", space) or s["pattern"] != {"String": " "})
        ]
        self.names = [s["type"] for s in changing]
        self._changes = [(s["type"], normalizer_function(s)) for s in changing]
        self._space = space or " "
        self._finder = _finder(kept) if kept and changing else None
        self.spelling = self._spelling(steps)

    def of(self, text: str) -> tuple[str, list[str]]:
        """The text, and the names of the normalizers that changed it."""
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
        """The text in parts, and whether each is an added token."""
        at = 0
        whole: Sequence[tuple[int, int]] = ()
        if self._finder is not None:
            with encoding():
                whole = self._finder.encode(text).offsets
        for lo, hi in whole:
            if lo > at:
                yield text[at:lo], False
            yield text[lo:hi], True
            at = hi
        if at < len(text):
            yield text[at:], False

    def _spelling(self, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        between = "a b"
        for step in steps:
            between = normalizer_function(step)(between)
        out: list[dict[str, Any]] = []
        if self._space != " " and self._space in between:
            out.append({"type": "Replace", "pattern": {"String": " "}, "content": self._space})
        out += [{"type": "ByteLevel"} for s in steps if s["type"] == "ByteLevel"]
        return {"type": "Sequence", "normalizers": out} if out else None


def _finder(kept: Sequence[Added]) -> Tokenizer:
    """A tokenizer whose only tokens are these."""
    from tokenizers import AddedToken, Tokenizer

    out = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], "model": EMPTY_MODEL}))
    out.add_tokens([AddedToken(a.content, single_word=a.single_word, normalized=False) for a in kept])
    return out
