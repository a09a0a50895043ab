"""How a model reads texts that are longer than its context: the window rule, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowRule:
    """What of a long text the law of a token is conditioned on.

    Attributes:
        text: The rule in words.
        beyond: The rule says how texts longer than the context are read. False: a bounded context is a longest text.

    Right: `str(lm.window)` in a table, `lm.window.beyond` to decide. Wrong: to decide by words of the text.
    """

    text: str
    beyond: bool = True

    def __str__(self) -> str:
        return self.text


WHOLE = WindowRule("no window: every token sees the whole prefix", beyond=False)


def whole_within(context: int) -> WindowRule:
    """Every token sees the whole prefix. x0 and the text have at most `context` tokens; EOS is predicted, not read."""
    return WindowRule(f"no window: at most {context:,} tokens", beyond=False)


def join_rules(rules: Sequence[WindowRule], beyond: bool) -> WindowRule:
    """The rules of several models that read a text together, each by its own."""
    return WindowRule(" | ".join(map(str, dict.fromkeys(rules))), beyond)
