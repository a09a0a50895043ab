"""A vocabulary of which only the bytes of each id are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pofx.errors import BadValue, NotText
from pofx.values import show_value, why_not_whole
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab, show_bytes, to_bytes


class ListedVocab(Vocab):
    """A vocabulary of ids and their bytes. By default `encode` cuts a text from its start into the longest tokens.

    Args:
        token_bytes: The bytes that each id spells; None for a control token, which spells nothing.
        end: The id of EOS, or None.
        control: The names of the control tokens.
        encoder: The function that cuts a text into ids by other rules; None for the longest token that fits.

    Raises:
        BadValue: `end` is no id of a control token, or an entry is neither bytes nor None.
    """

    def __init__(
        self,
        token_bytes: Sequence[bytes | None],
        end: int | None,
        control: ControlTokens | None = None,
        encoder: Callable[[str | bytes], Sequence[int]] | None = None,
    ) -> None:
        self.token_bytes = tuple(token_bytes)
        self.size = len(self.token_bytes)
        if odd := [b for b in self.token_bytes if b is not None and (not isinstance(b, bytes) or not b)]:
            raise BadValue(
                f"expected bytes, or None for a control token, got {odd[0]!r:.60}",
                "encode each token as bytes",
                argument="token_bytes",
            )
        if end is not None and (why_not_whole(end, 0, self.size - 1) or self.token_bytes[end] is not None):
            raise BadValue(
                f"expected None, or the id of a control token, whose bytes are None, got {show_value(end)}",
                "pass None in token_bytes for EOS",
                argument="end",
            )
        self.end = None if end is None else int(end)
        self.control = control or ControlTokens()
        self._encoder = encoder
        # Of two ids with the same bytes the first is the canonical one.
        self._ids: dict[bytes, int] = {}
        for i, spelled in enumerate(self.token_bytes):
            if spelled is not None:
                self._ids.setdefault(spelled, i)
        self._longest = max(map(len, self._ids), default=0)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the ids of a text; `NotText` where no token fits."""
        data = to_bytes(text)
        if self._encoder is not None:
            return list(self._encoder(text))
        out: list[int] = []
        at = 0
        while at < len(data):
            size = next(
                (
                    k
                    for k in range(min(self._longest, len(data) - at), 0, -1)
                    if data[at : at + k] in self._ids
                ),
                0,
            )
            if not size:
                raise NotText(
                    f"expected bytes that a token spells, got {show_bytes(data[at : at + 1])!r} at offset {at}",
                    "use a text of this vocabulary",
                )
            out.append(self._ids[data[at : at + size]])
            at += size
        return out
