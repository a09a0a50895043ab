"""A text that grows by the bytes of tokens: its settled part, the places of tokens, and its end at a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints

# So many bytes are decoded at once where some of them are no UTF-8.
WINDOW = 256


@dataclass(frozen=True)
class Settled:
    """The text that has become certain with the last bytes.

    Attributes:
        text: The further text.
        offsets: For each token whose bytes are all in the text now, the code point at which it begins. A token that
            begins inside a character has the offset of that character.
        stopped: Whether a stop string ends the text here.
    """

    text: str
    offsets: tuple[int, ...]
    stopped: bool = False


class SettledText:
    r"""A text that grows by tokens. The settled parts, joined, are the text of all bytes together.

    An incomplete character is not settled, nor is text in which a stop string may have begun. Bytes that are no UTF-8 become
    U+FFFD.

    Args:
        stops: The strings before which the text ends. A stop string does not count in bytes added with `stoppable=False`.

    Right: `text = SettledText(["\n"])`, `text.add([b"a", b"b\n"])`, then `text.close()`. Wrong: `add` after `close`.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = [s.encode("utf-8") for s in stops]
        self._data = b""  # the bytes that are not settled
        self._begins: list[int] = []  # the places in `_data` where unsettled tokens begin
        self._opened: int | None = (
            None  # the offset of the first unsettled token, if it begins in settled text
        )
        self._free = 0  # the number of bytes of `_data` in which no stop string is searched
        self._chars = 0  # the number of settled characters

    def add(self, pieces: Sequence[bytes], stoppable: bool = True) -> Settled:
        """Let the text grow by the bytes of some tokens."""
        ends = np.cumsum([len(self._data), *map(len, pieces)])
        self._begins += ends[:-1].tolist()
        self._data += b"".join(pieces)
        if not stoppable:
            self._free = len(self._data)
            return self._settle(len(self._data), False)
        found = [at for s in self._stops if (at := self._data.find(s, self._free)) >= 0]
        if found:
            self._data = self._data[: min(found)]
            self._begins = [min(b, len(self._data)) for b in self._begins]
            return self._settle(len(self._data), True, stopped=True)
        return self._settle(len(self._data) - self._beginning_of_stop(), False)

    def close(self) -> Settled:
        """Settle the rest of the text, since no further token follows."""
        return self._settle(len(self._data), True)

    def _beginning_of_stop(self) -> int:
        """Return how many of the last bytes may be the beginning of a stop string."""
        tail = self._data[self._free :]
        return max(
            (
                k
                for s in self._stops
                for k in range(min(len(s) - 1, len(tail)), 0, -1)
                if tail.endswith(s[:k])
            ),
            default=0,
        )

    def _settle(self, limit: int, last: bool, stopped: bool = False) -> Settled:
        text, used = codecs.utf_8_decode(self._data[:limit], "replace", last)
        if last:
            done = len(self._begins)
        else:
            ends = [*self._begins[1:], len(self._data)]
            done = next((k for k, end in enumerate(ends) if end > used), len(self._begins))
        at = character_of_each_byte(self._data[:used]).tolist()
        offsets = [self._chars + at[b] for b in self._begins[: done + 1] if b <= used]
        if self._opened is not None:
            offsets[0] = self._opened
        self._opened = offsets[done] if len(offsets) > done else None
        self._data, self._begins = self._data[used:], [max(0, b - used) for b in self._begins[done:]]
        self._free = max(0, self._free - used)
        self._chars += len(text)
        return Settled(text, tuple(offsets[:done]), stopped)


def character_of_each_byte(data: bytes) -> Ints:
    """Find the character to which each byte belongs in `data.decode("utf-8", "replace")`.

    Returns:
        `[len(data) + 1]`, the number of the character of each byte, and at last the number of characters.
    """
    firsts = np.zeros(len(data), dtype=np.bool_)
    at = 0
    while at < len(data):
        window = data if at == 0 else data[at : at + WINDOW]
        good, bad = len(window), 0
        try:
            _, good = codecs.utf_8_decode(window, "strict", at + len(window) == len(data))
        except UnicodeDecodeError as e:
            good, bad = e.start, e.end - e.start
        head = np.frombuffer(window[:good], dtype=np.uint8)
        firsts[at : at + good] = (head & 0xC0) != 0x80
        at += good
        if bad:
            firsts[at] = True
            at += bad
    count = np.cumsum(firsts)
    return np.append(count - 1, count[-1] if len(data) else 0).astype(np.int64)
