"""A choice of an answer, which grows: its text, its tokens with their offsets, and the reason of its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pofx.server.completions.settled_text import Settled, SettledText
from pofx.server.completions.token import Token
from pofx.server.tokens.strings import TokenStrings

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Part:
    """A part of a choice; the parts in order are the whole choice.

    Attributes:
        text: The further text.
        tokens: The further tokens, and whether each is the first token that spells anything.
        offsets: The place where each token begins, in code points of the text of the whole choice.
        finish: The reason why the choice ended; None while the choice goes on.
    """

    text: str
    tokens: tuple[tuple[Token, bool], ...]
    offsets: tuple[int, ...]
    finish: Finish | None = None


class GrowingChoice:
    """A choice that makes parts of its tokens.

    Args:
        prompt: The tokens of the prompt that `echo` shows.
        echo: Whether the tokens of the prompt are part of the choice.
        strings: The strings of tokens.
        stops: The strings before which the text ends.
        end: The id of EOS; None for a model without EOS.
        most: The most tokens of the continuation.

    Right: `open()` once, then `grow(token)` until a part has a `finish`. Wrong: `grow` after a part with a `finish`.
    """

    def __init__(
        self,
        prompt: Sequence[Token],
        echo: bool,
        strings: TokenStrings,
        stops: Sequence[str],
        end: int | None,
        most: int,
    ) -> None:
        self._strings, self._end, self._most = strings, end, most
        self._text = SettledText(stops)
        self._waiting: list[tuple[Token, bool]] = []
        self._spelled = False
        self._grown = 0
        pieces = [self._take(t) for t in prompt]
        self._opening = pieces if echo else None
        if not echo:
            self._waiting = []

    def open(self) -> Part:
        """Return the part of the prompt, which is empty without echo, and the whole choice if no token is generated."""
        settled = [self._text.add(self._opening, False)] if self._opening is not None else []
        if self._most == 0:
            settled.append(self._text.close())
        return self._part(settled, "length" if self._most == 0 else None)

    def grow(self, token: Token) -> Part:
        """Return the part that one more token settles."""
        self._grown += 1
        settled = [self._text.add([self._take(token)])]
        ended = token.id == self._end or settled[0].stopped
        if not ended and self._grown < self._most:
            return self._part(settled, None)
        if not settled[0].stopped:
            settled.append(self._text.close())
        return self._part(settled, "stop" if ended else "length")

    def _take(self, token: Token) -> bytes:
        """Add the bytes of a token to the text, and keep the token until its text is settled."""
        first = not self._spelled
        piece = self._strings.piece(token.id, first)
        # The space that a tokenizer puts before the text adds no text, and still counts as the first token.
        self._spelled = self._spelled or bool(self._strings.piece(token.id, False))
        self._waiting.append((token, first))
        return piece

    def _part(self, settled: Sequence[Settled], finish: Finish | None) -> Part:
        offsets = tuple(at for s in settled for at in s.offsets)
        done, self._waiting = self._waiting[: len(offsets)], self._waiting[len(offsets) :]
        return Part("".join(s.text for s in settled), tuple(done), offsets, finish)


def joined(parts: Sequence[Part]) -> Part:
    """Join all parts into one part."""
    return Part(
        "".join(p.text for p in parts),
        tuple(t for p in parts for t in p.tokens),
        tuple(at for p in parts for at in p.offsets),
        parts[-1].finish,
    )
