"""The interface that turns tokens into hidden states, which pofx's decoder and the library's models implement."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Any, Protocol

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.lm.continuation_tree import Branches
from pofx.lm.prefix_memory import prefix_memory
from pofx.lm.state import CarryRows
from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.attention import PackedAttention
from pofx.models.pretrained.inference.continuation_tree import DecoderBranches
from pofx.models.pretrained.inference.decoder import Decoder
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.inference.prefix_tree import WORTH, PrefixTree
from pofx.models.pretrained.inference.prefixes import Prefixes, extend_prefixes
from pofx.models.pretrained.inference.recalled import PrefixStore, Recalled
from pofx.models.pretrained.inference.recalled_prompts import extend_recalled
from pofx.models.pretrained.inference.schedule import schedule_passes

# A function that is called during a pass with the number of its requested rows and the share of the pass that is done.
ReportPass = Callable[[int, float], None]


class Carry(CarryRows, Protocol):
    """The state of n prefixes: `sizes[n]` in tokens, and `hidden[n, d]`, the final state of the last token of each."""

    hidden: Tensor

    @property
    def sizes(self) -> Ints:
        """The number of tokens of each prefix, `[n]`."""


class Body(Protocol):
    """A network that turns tokens into hidden states.

    Attributes:
        worth: How many tokens a shared run must spare to be a node of its own (`prefix_tree`).
        width: The size of a hidden state.
        libraries: The packages that compute.
    """

    worth: int
    width: int
    libraries: tuple[str, ...]

    def hidden_states(
        self, tree: PrefixTree, asked: NDArray[np.bool_], budget: int, report: ReportPass
    ) -> Generator[tuple[Ints, Tensor], None, None]:
        """Yield the requested rows of the tree's stream with their hidden states, a pass at a time.

        A body may take from `prefix_memory()` what it has computed before.

        Args:
            tree: The sequences.
            asked: `[stream]`, whether the hidden state of a token is requested.
            budget: The tokens of a pass.
            report: A function that is called after each layer of a pass.
        """

    def empty(self, n: int) -> Any:
        """Return the `Carry` of n empty prefixes, in the form of this body."""

    def extend(self, carry: Any, ids: Ints) -> Any:
        """Return the prefixes after each has read its row of `ids[n, t]`.

        A body may take from `prefix_memory()` what it has computed before.
        """

    def branches(self, carry: Any, head: Head, fits: Callable[[int], None]) -> Branches | None:
        """Return the reader of branches of the prefixes, which calls `fits(tokens)`; None where only `extend` works."""


class DecoderBody:
    """The decoder of pofx, which reads packed tokens, and each shared prefix once."""

    libraries: tuple[str, ...] = ("torch",)

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.worth, self.width = WORTH, decoder.shape.hidden_width

    def hidden_states(
        self, tree: PrefixTree, asked: NDArray[np.bool_], budget: int, report: ReportPass
    ) -> Generator[tuple[Ints, Tensor], None, None]:
        """Do as `Body` says."""
        memory = prefix_memory()
        if memory is None:
            yield from self._passes(tree, asked, budget, report, None)
            return
        store = memory.room(self, self._store)
        with closing(store.recall(tree, asked)) as recalled:
            known = int(recalled.known.sum())
            memory.observe(recalled.texts, known, len(tree.stream) - known)
            yield from self._passes(tree, asked, budget, report, recalled)

    def _passes(
        self,
        tree: PrefixTree,
        asked: NDArray[np.bool_],
        budget: int,
        report: ReportPass,
        recalled: Recalled | None,
    ) -> Generator[tuple[Ints, Tensor], None, None]:
        s = self.decoder.shape
        kept: list[Tensor] = []
        # Known rows go to the head together with the first pass: the head reads its 113 MB of weights once (SmolLM2).
        rows = np.zeros(0, dtype=np.int64) if recalled is None else recalled.found
        known = torch.zeros(0, s.hidden_width) if recalled is None else recalled.hidden(rows)
        for now in schedule_passes(tree, budget, None if recalled is None else recalled.known):
            of_pass = None if recalled is None else recalled.of_pass(now)
            attention = PackedAttention(now, kept, s.kv_heads, s.head_dim, of_pass)
            wanted = np.flatnonzero(asked[now.rows])
            with torch.inference_mode():
                hidden = self.decoder.hidden(
                    torch.from_numpy(now.ids),
                    torch.from_numpy(now.positions),
                    attention,
                    torch.from_numpy(wanted),
                    partial(report, len(wanted)),
                )
                if recalled is not None:
                    recalled.passed(now, wanted, hidden)
            kept = attention.next
            yield np.concatenate([rows, now.rows[wanted]]), torch.cat([known, hidden])
            rows, known = rows[:0], known[:0]
        if len(rows):
            yield rows, known

    def _store(self, size: int) -> PrefixStore:
        s = self.decoder.shape
        return PrefixStore(len(s.layers), 2 * s.kv_heads * s.head_dim, s.hidden_width, size)

    def empty(self, n: int) -> Prefixes:
        """Do as `Body` says."""
        return Prefixes.empty(self.decoder, n)

    def extend(self, carry: Prefixes, ids: Ints) -> Prefixes:
        """Do as `Body` says."""
        memory = prefix_memory()
        if memory is None or carry.ids is None or ids.shape[1] < WORTH:
            return extend_prefixes(self.decoder, carry, ids)
        return extend_recalled(self.decoder, memory.room(self, self._store), memory, carry, ids)

    def branches(self, carry: Prefixes, head: Head, fits: Callable[[int], None]) -> Branches:
        """Do as `Body` says."""
        return DecoderBranches(self.decoder, head, carry, fits)
