"""The strings that stand for tokens in answers: raw text, bytes of a part of a character, names of control tokens."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.server.table import ServedModel
from pofx.server.tokens.special import control_names


class TokenStrings:
    r"""Strings for the tokens of a model, as OpenAI's legacy completions spell them.

    Args:
        served: The model.
        as_ids: Whether every token is spelled "token_id:N", as vLLM's `return_tokens_as_token_ids` has it.

    Right: `TokenStrings(served).plain(65)` is "A" for a model of bytes, and `plain(0xE2)` is r"bytes:\xe2".
    Wrong: `served.lm.vocab.show(i)` in an answer, since it shows a space as ␣.
    """

    def __init__(self, served: ServedModel, as_ids: bool = False) -> None:
        self._vocab, self._as_ids, self._names = served.lm.vocab, as_ids, control_names(served)

    def piece(self, i: int, first: bool) -> bytes:
        """Return the bytes that an id adds to a text; `first` says that no earlier id spells a byte."""
        if i >= self._vocab.size:
            return b""
        return self._vocab.pieces([i])[0] if first else self._vocab.token_bytes[i] or b""

    def plain(self, i: int, first: bool = False) -> str:
        """Return the string of one id; `first` as for `piece`."""
        if self._as_ids:
            return f"token_id:{i}"
        if i >= self._vocab.size or self._vocab.token_bytes[i] is None:
            return self._names.get(i) or f"token_id:{i}"
        spelled = self.piece(i, first)
        try:
            return spelled.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{b:02x}" for b in spelled)

    def keys(self, ids: Sequence[int], first: bool = False) -> list[str]:
        """Return a different string for each of several ids; an id whose string is taken is "token_id:N"."""
        out: dict[str, None] = {}
        for i in ids:
            name = self.plain(i, first)
            out[name if name not in out else f"token_id:{i}"] = None
        # A token may spell "token_id:7" itself.
        return list(out) if len(out) == len(ids) else [f"token_id:{i}" for i in ids]
