"""The window rule of a model: how the model reads texts that are longer than its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowRule:
    """The rule for which earlier tokens the distribution of a token is conditioned on.

    Attributes:
        text: The rule in words.
        beyond: Whether the rule reads texts longer than the context. If False, a bounded context bounds the texts.

    Right: `str(lm.window)` in a table, `lm.window.beyond` to decide. Wrong: deciding by the words of `text`.
    """

    text: str
    beyond: bool = True

    def __str__(self) -> str:
        return self.text


WHOLE = WindowRule("no window: every token sees the whole prefix", beyond=False)


def whole_within(context: int) -> WindowRule:
    """Return the rule that every token sees the whole prefix, where x0 and the text have at most `context` tokens.

    EOS is predicted and never read, so EOS takes no place in the context.
    """
    return WindowRule(f"no window: at most {context:,} tokens", beyond=False)


def join_rules(rules: Sequence[WindowRule], beyond: bool) -> WindowRule:
    """Return the rules of several models that each read the text by their own rule, as one rule."""
    return WindowRule(" | ".join(map(str, dict.fromkeys(rules))), beyond)
