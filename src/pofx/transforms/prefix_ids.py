"""A prefix of ids, such as the control tokens of a conversation, which no text can spell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prefix:
    """Ids to condition on; the text that follows begins with a new token.

    Attributes:
        ids: The ids.
        text: How a message shows them.

    Right: `log_prob(lm, "Hello.", given=Prefix((1, 4093, 2), "a greeting"))`. Wrong: a text with names of control tokens.
    """

    ids: tuple[int, ...]
    text: str

    def __len__(self) -> int:
        return len(self.ids)
