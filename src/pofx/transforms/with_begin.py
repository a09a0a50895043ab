"""A token put before every text as x0, for a model that has none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pofx.errors import BadValue
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.trace import Path, Trace, Want
from pofx.transforms.given import Given
from pofx.values import show_value, why_not_whole
from pofx.vocab.vocabulary import Vocab


def with_begin(lm: LM, begin: str | int, known: Literal["trained", "declared", "assumed"] = "assumed") -> LM:
    """p(· | begin) used as p(·): behind a token that stands for x0.

    begin: a control token by its name, an id (0 is one), or the text of a single token. known: what speaks for it:
    "trained" (an audit found so), "declared" (the tokenizer puts it there by itself), "assumed" (the caller says
    so). Only for a model without x0 (`BadValue` for one that has its own). Whether p(x1 | begin) knows how texts
    begin is for `audit` to say.

    Right: `with_begin(lm, "\\n")` for a model of lines. Wrong: as a cure of `NoBOS`: the number is still an assumption.
    """
    if lm.begin.known != "none":
        raise BadValue(
            f"begin: expected no other x0 for a model that has one ({lm.begin}), found {begin!r}",
            "leave begin out, or condition on a text with given=",
        )
    return WithBegin(lm, token_id(lm.vocab, begin, "begin"), known)


class WithBegin(Given):
    """Behind one token that stands for x0; made by `with_begin`."""

    def __init__(self, lm: LM, i: int, known: Literal["trained", "declared", "assumed"]) -> None:
        # The vocabulary stays: texts open behind x0, they do not go on.
        info = replace(lm.info, begin=Begin(known, token_name(lm.vocab, i), i))
        super().__init__(lm, [i], lm.vocab.token_bytes[i] or b"", info)
        self._known = known
        self._control = lm.vocab.token_bytes[i] is None

    def over(self, lm: LM) -> LM:
        """Behind the same x0."""
        return WithBegin(lm, int(self.ids[0]), self._known)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """The model's pass over x0 + path. `BadValue` for a path that begins with x0, where no text spells it."""
        # x0 twice raises the log p of a short sentence by 2 nats and costs a paragraph 7 to 14 (Gemma 3 270M).
        skips = [skip] * len(paths) if isinstance(skip, int) else skip
        if self._control and any(self._doubled(p) for p, s in zip(paths, skips) if s == 0):
            raise BadValue(
                "expected paths without x0, which is put before each, found one that begins with it "
                f"({self.begin.text}, id {self.begin.id})",
                "leave it out: x0 stands before a text once",
            )
        return super().forward(paths, want, skip)

    def _doubled(self, path: Path) -> bool:
        """Whether a path begins with x0. Where that is EOS, too, the path of the empty text is EOS alone.

        A window may begin with an x0 that was drawn inside a text: it is read there, not scored.
        """
        over = len(path) == 1 and self.begin.id == self.vocab.end
        return len(path) > 0 and path[0] == self.begin.id and not over

    def bare(self) -> LM | None:
        """The model itself."""
        return self.lm


def token_name(vocab: Vocab, i: int) -> str:
    """A control token by its own name, any other as `show` writes it."""
    return next((name for name, at in vocab.control.names.items() if at == i), "") or vocab.show(i)


def token_id(vocab: Vocab, token: str | int, what: str) -> int:
    """The id of a token given by id, by a control token's name or by its text; `BadValue` where it is no token."""
    if not isinstance(token, str):
        if why_not_whole(token, 0, vocab.size - 1):
            raise BadValue(
                f"{what}: expected a token id in [0, {vocab.size}), found {show_value(token)}", None
            )
        return int(token)
    control = vocab.control.names
    if token in control:
        return control[token]
    ids = vocab.encode(token)
    if len(ids) != 1:
        named = f", or a control token ({list_names(list(control))})" if control else ""
        raise BadValue(
            f"{what}: expected the text of a single token{named}, found {token!r}, which is {len(ids)} tokens",
            None,
        )
    return ids[0]


def list_names(named: Sequence[str], most: int = 6) -> str:
    """Names in a message, the first few of many."""
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")
