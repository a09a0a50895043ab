"""The keys and values of the prefixes that a decoder has read last, in memory of fixed size."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from dataclasses import dataclass

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.algorithms.recent_prefixes import RecentPrefixes
from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.prefix_tree import WORTH, PrefixTree
from pofx.models.pretrained.inference.schedule import Pass

# The bytes that the trie takes for a token, and the most tokens, which bounds the time to find the oldest tokens.
NODE, MOST = 256, 1 << 16
# Marks of a row without a place in the memory. `TOP`: above the first row of a path, or a row that gets a place later.
# `LOST`: a row that gets no place, so that no row below it gets a place.
TOP, LOST = -1, -2


class PrefixStore:
    """The keys and values of each layer, and the final hidden state, of the tokens of recent prefixes.

    A hidden state is kept where it was computed, that is, where the distribution after the token was requested.

    Args:
        layers: The number of layers.
        width: How many numbers the keys and values of a token have in one layer, 2·K·D.
        hidden: The size of a hidden state.
        size: The bytes for all tokens. The store has at most `MOST` tokens, whatever the size.
    """

    def __init__(self, layers: int, width: int, hidden: int, size: int) -> None:
        self._bytes = 4 * (layers * width + hidden) + NODE
        capacity = min(MOST, size // self._bytes)
        self.prefixes = RecentPrefixes(capacity)
        # The system gives memory to a tensor where the tensor is first written, so an unused store takes no memory.
        self.keys_values = torch.empty(layers, capacity, width)
        self.hidden = torch.empty(capacity, hidden)
        self.complete = np.zeros(capacity, dtype=np.bool_)  # whether keys and values are there
        self.with_hidden = np.zeros(capacity, dtype=np.bool_)

    @property
    def bytes_kept(self) -> int:
        """The bytes of all tokens that are kept."""
        return len(self.prefixes) * self._bytes

    def recall(self, tree: PrefixTree, asked: NDArray[np.bool_]) -> Recalled:
        """Find the beginnings of a tree's sequences, and make room for the rest; `close` the result after the passes.

        Args:
            tree: The sequences.
            asked: `[stream]`, whether the hidden state of a token is requested.
        """
        return Recalled(self, tree, asked)

    def forget(self, places: Ints) -> None:
        """Note that the tokens of these places have left, with their keys, values and hidden states."""
        self.complete[places] = False
        self.with_hidden[places] = False


@dataclass(frozen=True, eq=False)
class RecalledPass:
    """The keys and values that a pass takes from the memory, and those that the pass leaves there.

    Attributes:
        store: The memory.
        found: `[R]`, the places of the known tokens to which the pass attends.
        rows: The numbers of the tokens of the pass whose keys and values are kept.
        places: The place of each of these tokens.
    """

    store: PrefixStore
    found: Tensor
    rows: Tensor
    places: Tensor

    def take(self, layer: int) -> list[Tensor]:
        """Return the keys and values of the found tokens, `[R, 2·K·D]`; an empty list for no tokens."""
        return [self.store.keys_values[layer].index_select(0, self.found)] if len(self.found) else []

    def keep(self, layer: int, computed: Tensor) -> None:
        """Keep keys and values, of those that a pass has computed for its N tokens, `computed[N, 2·K·D]`."""
        if len(self.places):
            self.store.keys_values[layer].index_copy_(0, self.places, computed.index_select(0, self.rows))


class Recalled:
    """The tokens of a tree that a memory has, and the places of the tokens that the memory will have.

    Attributes:
        known: For each node of the tree, how many tokens at its beginning are not computed again.
        texts: The number of sequences of which at least `WORTH` tokens are known.
    """

    def __init__(self, store: PrefixStore, tree: PrefixTree, asked: NDArray[np.bool_]) -> None:
        self._store, self._tree, self._asked = store, tree, asked
        nodes = list(zip(tree.begin.tolist(), tree.length.tolist(), tree.parent.tolist()))
        places = self._find(nodes)
        found = np.unique(np.array([p for p in places if p >= 0], dtype=np.int64))
        store.prefixes.hold(found)
        store.forget(store.prefixes.free(places.count(TOP)))
        self._fresh = np.zeros(len(places), dtype=np.bool_)
        added = self._add(nodes, places)
        store.prefixes.hold(added)
        self._held = np.concatenate([found, added])
        store.prefixes.touch(self._held)
        self._places = np.array(places, dtype=np.int64)
        self.texts = self._texts()

    @property
    def found(self) -> Ints:
        """The rows of the tree's stream that are requested and known already."""
        known = np.zeros(len(self._asked), dtype=np.bool_)
        for begin, n in zip(self._tree.begin.tolist(), self.known.tolist()):
            known[begin : begin + n] = True
        return np.flatnonzero(known & self._asked)

    def hidden(self, rows: Ints) -> Tensor:
        """Return the hidden states of known rows of the stream."""
        return self._store.hidden.index_select(0, torch.from_numpy(self._places[rows]))

    def of_pass(self, now: Pass) -> RecalledPass:
        """Return the part of the memory that a pass reads and writes."""
        kept = np.flatnonzero(self._fresh[now.rows])
        places = self._places[now.rows[kept]]
        return RecalledPass(
            self._store,
            torch.from_numpy(self._places[now.known]),
            torch.from_numpy(kept),
            torch.from_numpy(places),
        )

    def passed(self, now: Pass, wanted: Ints, hidden: Tensor) -> None:
        """Keep hidden states of a pass, and let later calls find the tokens of the pass.

        Args:
            now: The pass, whose keys and values are kept already.
            wanted: The numbers of the tokens of the pass whose hidden states were requested.
            hidden: The hidden state of each of these tokens, `[wanted, hidden]`.
        """
        places = self._places[now.rows]
        self._store.complete[places[self._fresh[now.rows]]] = True
        places = places[wanted]
        some = np.flatnonzero(places >= 0)
        some = some[~self._store.with_hidden[places[some]]]
        places = places[some]
        self._store.hidden.index_copy_(
            0, torch.from_numpy(places), hidden.index_select(0, torch.from_numpy(some))
        )
        self._store.with_hidden[places] = True

    def close(self) -> None:
        """Give back the places of tokens that no pass has computed, and release the other places."""
        self._store.prefixes.release(self._held)
        undone = self._places[self._fresh]
        undone = undone[~self._store.complete[undone]]
        self._store.prefixes.remove(undone)

    def _find(self, nodes: list[tuple[int, int, int]]) -> list[int]:
        """Set `known`, and return the place of each row; `TOP` for a row without a place, `LOST` for a row that gets none.

        A token that another, paused computation will keep has a place, but no keys yet. This computation computes the
        token, too, and keeps neither the token nor the tokens below it.
        """
        store, tokens, asked = self._store, self._tree.stream.tolist(), self._asked.tolist()
        places = [TOP] * len(tokens)
        known: list[int] = []
        whole: list[bool] = []  # whether all tokens down to the end of each node are known
        end: list[int] = []  # the place of the last token of each node
        for begin, length, parent in nodes:
            above = TOP if parent < 0 else end[parent]
            usable, n = parent < 0 or whole[parent], 0
            # Below a row without a place nothing is found: `TOP` is the place above the first row of a path only.
            missing = parent >= 0 and above == TOP
            for row in range(begin, begin + length):
                if above == LOST:
                    places[row] = LOST
                    continue
                at = TOP if missing else store.prefixes.find(above, tokens[row])
                if at >= 0 and not store.complete[at]:
                    at = LOST
                places[row] = above = at
                missing = at == TOP
                usable = usable and at >= 0 and (not asked[row] or bool(store.with_hidden[at]))
                n += usable
            known.append(n)
            whole.append(usable)
            end.append(above)
        self.known = np.array(known, dtype=np.int64)
        return places

    def _add(self, nodes: list[tuple[int, int, int]], places: list[int]) -> Ints:
        """Give the rows without a place a place, as far as there is room, and return the new places."""
        prefixes, tokens = self._store.prefixes, self._tree.stream.tolist()
        depths = self._tree.depth.tolist()
        added: dict[int, None] = {}
        end: list[int] = []
        for (begin, length, parent), depth in zip(nodes, depths):
            above = TOP if parent < 0 else end[parent]
            for row in range(begin, begin + length):
                if above == LOST or places[row] == LOST:
                    places[row] = above = LOST
                    continue
                if places[row] == TOP:
                    at = prefixes.find(above, tokens[row])  # the same token of an earlier row of this tree
                    if at < 0:
                        at = prefixes.add(above, tokens[row], depth + row - begin)
                        if at >= 0:
                            added[at] = None
                            self._fresh[row] = True
                    places[row] = at if at >= 0 else LOST
                above = places[row]
            end.append(above)
        return np.array(list(added), dtype=np.int64)

    def _texts(self) -> int:
        depth: list[int] = []  # how many tokens are known down to the end of each node
        for n, above, parent in zip(
            self.known.tolist(),
            self._tree.depth.tolist(),
            self._tree.parent.tolist(),
        ):
            depth.append(above + n if n else (0 if parent < 0 else depth[parent]))
        return sum(depth[leaf] >= WORTH for leaf in self._tree.leaf.tolist() if leaf >= 0)
