"""The trie of recent prefixes beside a slow one, which keeps every prefix as a tuple with the time of its last use."""

from __future__ import annotations

import numpy as np
import pytest

from pofx.algorithms.recent_prefixes import RecentPrefixes


class Slow:
    """Prefixes with the time of their last use; the oldest leave, and of equally old ones the longest."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.used, self.now = capacity, {}, 0  # type: ignore[var-annotated]

    def read(self, path: tuple[int, ...]) -> int:
        """Read a path, and return how many of its tokens were known."""
        prefixes = [path[: k + 1] for k in range(len(path))]
        known = sum(p in self.used for p in prefixes)
        loose = sorted(
            (p for p in self.used if p not in prefixes[:known]), key=lambda p: (self.used[p], -len(p))
        )
        for p in loose[: max(0, len(self.used) + len(path) - known - self.capacity)]:
            del self.used[p]
        self.now += 1
        for p in prefixes:
            if p in self.used or len(self.used) < self.capacity:
                self.used[p] = self.now
        return known


def read(trie: RecentPrefixes, path: tuple[int, ...]) -> tuple[int, list[int]]:
    """Read a path, and return how many of its tokens were known, and the place of each token that is kept now."""
    places: list[int] = []
    for token in path:
        at = trie.find(places[-1] if places else -1, token)
        if at < 0:
            break
        places.append(at)
    known = len(places)
    trie.hold(np.array(places, dtype=np.int64))
    trie.free(len(path) - known)
    for depth, token in enumerate(path[known:], start=known):
        at = trie.add(places[-1] if places else -1, token, depth)
        if at < 0:
            break
        places.append(at)
    trie.release(np.array(places[:known], dtype=np.int64))
    trie.touch(np.array(places, dtype=np.int64))
    return known, places


@pytest.mark.parametrize("capacity", [1, 5, 12, 30])
def test_the_oldest_prefixes_leave_as_in_the_slow_trie(capacity: int) -> None:
    rng = np.random.default_rng(capacity)
    trie, slow = RecentPrefixes(capacity), Slow(capacity)
    for _ in range(400):
        path = tuple(rng.integers(0, 3, int(rng.integers(1, 6))).tolist())
        known, places = read(trie, path)
        assert known == slow.read(path)
        assert len(set(places)) == len(places)
        assert len(trie) == len(slow.used) <= capacity


def test_prefixes_that_are_held_stay() -> None:
    trie = RecentPrefixes(4)
    _, held = read(trie, (0, 1))
    trie.hold(np.array(held))
    for token in range(2, 9):
        read(trie, (token, token))
    assert read(trie, (0, 1)) == (2, held)
    assert len(read(trie, (5, 6, 7, 8))[1]) == 2
    trie.release(np.array(held))
    assert len(read(trie, (5, 6, 7, 8))[1]) == 4
    assert read(trie, (0, 1))[0] == 0


def test_a_full_trie_whose_nodes_are_held_adds_nothing() -> None:
    trie = RecentPrefixes(2)
    _, held = read(trie, (0, 1))
    trie.hold(np.array(held))
    assert read(trie, (1,)) == (0, [])
    assert trie.find(-1, 0) == held[0]


def test_removed_nodes_are_gone_and_their_places_free() -> None:
    trie = RecentPrefixes(3)
    _, places = read(trie, (0, 1, 2))
    trie.remove(np.array(places[1:]))
    assert len(trie) == 1
    assert read(trie, (0, 1, 2))[0] == 1
    assert len(trie) == 3
