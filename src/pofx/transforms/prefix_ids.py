"""A prefix that holds ids: what no text can say, such as the control tokens of a conversation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prefix:
    """Ids to condition on, and the text that they are shown as.

    Wherever `given=` takes one, what follows begins with a new token.
    """

    ids: tuple[int, ...]
    text: str

    def __len__(self) -> int:
        return len(self.ids)
