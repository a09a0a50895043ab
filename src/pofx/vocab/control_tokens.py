"""The control tokens of a vocabulary: ids that no text spells, by name and by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens that the files of a tokenizer declare; empty for a vocabulary without such files.

    Attributes:
        names: The id of each control token by its text, EOS included.
        candidates: (role, id) of each token that may stand for x0 or EOS, each id once. Roles are "bos" (where the
            tokenizer declares a BOS), "eos", "unk", "pad" and "separator".
        adds_before: The ids that the tokenizer itself puts before a text.
        adds_after: The ids that the tokenizer itself puts after a text.
        unknown: The id of a class of words, such as `<unk>` of an ARPA file, which stands for any word without an id;
            None without such a class.

    Right: `ControlTokens(names={"<s>": 0}, candidates=(("bos", 0),))`. Wrong: the ids of tokens that spell text.
    """

    names: Mapping[str, int] = field(default_factory=dict)
    candidates: tuple[tuple[str, int], ...] = ()
    adds_before: tuple[int, ...] = ()
    adds_after: tuple[int, ...] = ()
    unknown: int | None = None

    def with_end(self, end: int) -> ControlTokens:
        """Return the same tokens with `end` as a candidate for "eos"; no change without candidates or if `end` is "bos"."""
        if not self.candidates or ("bos", end) in self.candidates:
            return self
        others = tuple(c for c in self.candidates if c[1] != end)
        return replace(self, candidates=(*others, ("eos", end)))
