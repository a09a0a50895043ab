"""Safe cuts of a long text: places where the ids of the two parts together are the ids of the whole text."""

from __future__ import annotations

from collections.abc import Callable, Iterable

WINDOW = 512  # characters on either side of a cut that are encoded to try it
TRIES = 16  # places tried, at 1 ms each, before the block is made longer


class SafeCuts:
    """Cuts between a letter or digit and another character, proved for the model and tried for the steps before it.

    The proof for BPE and Unigram: suppose that no token of the vocabulary has the two sides of a cut next to each other.
    Then no token spans the cut, and the parts have the ids of the whole text. The steps before the model are regular
    expressions of any kind, so a trial is needed: the text around the cut must have the same ids with and without the cut.
    """

    def __init__(self, tokens: Iterable[bytes], encode: Callable[[str], list[int]], byte_level: bool) -> None:
        self._all = b"\xff".join(tokens)  # UTF-8 has no 0xFF, so no pair is found across two tokens
        self._encode, self._byte_level = encode, byte_level
        self._spanned: dict[str, bool] = {}

    def last(self, text: str, low: int, high: int) -> int | None:
        """Return the last safe cut in (low, high]; None if no tried place is a safe cut."""
        tries = 0
        for at in range(min(high, len(text) - 1), low, -1):
            if (
                text[at - 1].isalnum()
                and not text[at].isalnum()
                and not self._is_spanned(text[at - 1 : at + 1])
            ):
                if self._same(text[max(0, at - WINDOW) : at], text[at : at + WINDOW]):
                    return at
                tries += 1
                if tries == TRIES:
                    return None
        return None

    def _is_spanned(self, pair: str) -> bool:
        """Return whether a token may contain both sides of a cut; a byte-level token may contain only a part of each."""
        found = self._spanned.get(pair)
        if found is None:
            left, right = pair[0].encode(), pair[1].encode()
            joint = left[-1:] + right[:1] if self._byte_level else left + right
            found = self._spanned[pair] = joint in self._all
        return found

    def _same(self, left: str, right: str) -> bool:
        return self._encode(left + right) == self._encode(left) + self._encode(right)
