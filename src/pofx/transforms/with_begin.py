"""An x0 for a model without x0: a token stands before every text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pofx.errors import Advice, BadValue
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.trace import Path, Trace, Want
from pofx.transforms.given import Given
from pofx.values import show_value, why_not_whole
from pofx.vocab.vocabulary import Vocab


def with_begin(lm: LM, begin: str | int, known: Literal["trained", "declared", "assumed"] = "assumed") -> LM:
    r"""Use p(x | begin) as p(x): a token stands for x0.

    `audit` measures whether p(x1 | begin) is a distribution of how texts begin.

    Args:
        lm: A model without x0.
        begin: A control token by its name, an id (0 is a valid id), or the text of a single token.
        known: The evidence: "trained" by an audit, "declared" by the tokenizer, which adds the token itself, or "assumed"
            by the caller.

    Raises:
        BadValue: The model has an x0 of its own, or `begin` is no single token.

    Returns:
        The model with x0.

    Right: `with_begin(lm, "\n")` for a model of lines. Wrong: reporting its log p(x) as the model's own: x0 is assumed.
    """
    if lm.begin.known != "none":
        raise BadValue(
            f"expected no other x0 for a model that has one ({lm.begin}), got {begin!r}",
            ["leave begin out", Advice("condition on a text", "given=…", "--given", parameter="given")],
            argument="begin",
        )
    return WithBegin(lm, token_id(lm.vocab, begin, "begin"), known)


class WithBegin(Given):
    """A model with a token that stands for x0; made by `with_begin`."""

    def __init__(self, lm: LM, i: int, known: Literal["trained", "declared", "assumed"]) -> None:
        # The vocabulary is not `continuation`, since the text after x0 is a beginning.
        info = replace(lm.info, begin=Begin(known, token_name(lm.vocab, i), i))
        super().__init__(lm, [i], lm.vocab.token_bytes[i] or b"", info)
        self._known = known
        self._control = lm.vocab.token_bytes[i] is None

    def over(self, lm: LM) -> LM:
        """Put the same x0 before another model."""
        return WithBegin(lm, int(self.ids[0]), self._known)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Make one pass of the model over x0 and each path.

        Raises:
            BadValue: A path begins with x0, and x0 is a control token, which no text spells.
        """
        self._refuse_doubled(paths, skip)
        return super().forward(paths, want, skip)

    def path_distributions(
        self, paths: Sequence[Path], skip: int | Sequence[int] = 0
    ) -> PathDistributions | None:
        """Return the model's distributions along x0 and each path; the errors are those of `forward`."""
        self._refuse_doubled(paths, skip)
        return super().path_distributions(paths, skip)

    def _refuse_doubled(self, paths: Sequence[Path], skip: int | Sequence[int]) -> None:
        # A second x0 raises log p of a short sentence by 2 nats, and costs a paragraph 7 to 14 nats (Gemma 3 270M).
        skips = [skip] * len(paths) if isinstance(skip, int) else skip
        if self._control and any(self._doubled(p) for p, s in zip(paths, skips) if s == 0):
            raise BadValue(
                "expected paths without x0, since x0 is put before each path, got a path that begins with x0 "
                f"({self.begin.text}, id {self.begin.id})",
                "leave x0 out, since it stands before a text once",
            )

    def _doubled(self, path: Path) -> bool:
        """Return whether a path begins with x0.

        Where x0 is EOS, too, the path of the empty text is EOS alone, and this EOS is no second x0. A window may begin with
        an x0 that was drawn inside a text; such an x0 is read, and not scored.
        """
        over = len(path) == 1 and self.begin.id == self.vocab.end
        return len(path) > 0 and path[0] == self.begin.id and not over

    def bare(self) -> LM | None:
        """Return the model inside this transform, without x0."""
        return self.lm


def token_name(vocab: Vocab, i: int) -> str:
    """Return the name of a control token; for any other token its bytes, as `show` writes them."""
    return next((name for name, at in vocab.control.names.items() if at == i), "") or vocab.show(i)


def token_id(vocab: Vocab, token: str | int, what: str) -> int:
    """Return the id of a token.

    Args:
        vocab: The vocabulary.
        token: An id, the name of a control token, or the text of a single token.
        what: The argument that a message names.

    Raises:
        BadValue: There is no such token.
    """
    if not isinstance(token, str):
        if why_not_whole(token, 0, vocab.size - 1):
            raise BadValue(
                f"expected a token id in [0, {vocab.size}), got {show_value(token)}",
                "write the id or the name of a token of this model",
                argument=what,
            )
        return int(token)
    control = vocab.control.names
    if token in control:
        return control[token]
    ids = vocab.encode(token)
    if len(ids) != 1:
        named = f", or a control token ({list_names(list(control))})" if control else ""
        near = difflib.get_close_matches(token, control, 1, 0.6)
        raise BadValue(
            f"expected the text of a single token{named}, got {token!r}, which is {len(ids)} tokens",
            f"did you mean {near[0]!r}?" if near else "name one token",
            argument=what,
        )
    return ids[0]


def list_names(named: Sequence[str], most: int = 6) -> str:
    """Return the first few of many names, for a message."""
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")
