"""The library's own forward pass, for checkpoints that pofx's decoder does not cover; it is slower, with equal numbers."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pofx.lm.trace import Ints
from pofx.models.pretrained.checkpoint.library_calls import quiet
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.inference.prefix_tree import PrefixTree

WHOLE_BUDGET = 256  # tokens of a pass that computes all its logits at once
NEVER = 1 << 62  # no shared run spares so many tokens, so each sequence is read by itself


@contextmanager
def report_layers(model: Any, report: Callable[[float], None]) -> Iterator[None]:
    """Call `report` after each layer of the model with the share of a pass that is done; the head counts as a layer.

    The layers are the longest list of modules. A model that calls its layers in another way reports less, or nothing.
    """
    lists = [list(m) for m in model.modules() if isinstance(m, torch.nn.ModuleList)]
    layers = max(lists, key=len, default=[])
    done = 0

    def behind_a_layer(*_: object) -> None:
        nonlocal done
        done += 1
        report(min(done / (len(layers) + 1), 1.0))

    hooks = [layer.register_forward_hook(behind_a_layer) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class TokenPrefixes:
    """The state of n prefixes: the tokens `ids[i]` of each, and `hidden[n, d]`, the final state of each last token."""

    def __init__(self, ids: tuple[Ints, ...], hidden: Tensor) -> None:
        self.ids, self.hidden = ids, hidden

    @property
    def sizes(self) -> Ints:
        """The number of tokens of each prefix, `[n]`."""
        return np.array([len(i) for i in self.ids], dtype=np.int64)

    def take(self, rows: Ints) -> TokenPrefixes:
        """Return the prefixes `rows`."""
        at = np.asarray(rows, dtype=np.int64)
        return TokenPrefixes(tuple(self.ids[int(r)] for r in at), self.hidden[torch.from_numpy(at)])

    def cat(self, others: Sequence[TokenPrefixes]) -> TokenPrefixes:
        """Return these prefixes, followed by the others."""
        every = [self, *others]
        return TokenPrefixes(tuple(i for t in every for i in t.ids), torch.cat([t.hidden for t in every]))


class LibraryBody:
    """The hidden states of the library's forward pass, which reads sequences of equal length together, without padding.

    States re-read their tokens, which is right for every architecture, also for caches other than keys and values.

    Args:
        model: A body that ends in hidden states, or a whole model, which ends in logits.
        width: The size of a hidden state.
        whole: Whether the model is a whole model.
    """

    worth = NEVER
    libraries: tuple[str, ...] = ("torch", "transformers")

    def __init__(self, model: Any, width: int, whole: bool = False) -> None:

        self.model, self.width, self.whole = model, width, whole

    def hidden_states(
        self, tree: PrefixTree, asked: NDArray[np.bool_], budget: int, report: Callable[[int, float], None]
    ) -> Generator[tuple[Ints, Tensor], None, None]:
        """Do as `Body` says; the tree's nodes are whole sequences."""
        for size in np.unique(tree.length):
            nodes = np.flatnonzero(tree.length == size)
            each = max(1, (WHOLE_BUDGET if self.whole else budget) // int(size))
            for lo in range(0, len(nodes), each):
                rows = tree.begin[nodes[lo : lo + each], None] + np.arange(size)
                flat = rows.ravel()
                wanted = np.flatnonzero(asked[flat])
                with report_layers(self.model, partial(report, len(wanted))):
                    hidden = self._read(tree.stream[rows]).reshape(rows.size, -1)
                yield flat[wanted], hidden[torch.from_numpy(wanted)]

    def empty(self, n: int) -> TokenPrefixes:
        """Do as `Body` says."""
        nothing = np.zeros(0, dtype=np.int64)
        return TokenPrefixes((nothing,) * n, torch.zeros(n, self.width))

    def extend(self, carry: TokenPrefixes, ids: Ints) -> TokenPrefixes:
        """Do as `Body` says."""
        longer = tuple(np.append(old, new) for old, new in zip(carry.ids, ids))
        hidden = torch.empty(len(longer), self.width)
        sizes = np.array([len(i) for i in longer])
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            hidden[torch.from_numpy(rows)] = self._read(np.stack([longer[r] for r in rows]))[:, -1]
        return TokenPrefixes(longer, hidden)

    def branches(self, carry: TokenPrefixes, head: Head, fits: Callable[[int], None]) -> None:
        """Return None, since this body reads branches by `extend` only."""
        return

    @torch.inference_mode()
    def _read(self, ids: Ints) -> Tensor:
        with quiet():  # some types log their choice of an algorithm for each length
            out = self.model(input_ids=torch.from_numpy(ids), use_cache=False)
        found: Tensor = out.logits if self.whole else out.last_hidden_state
        return found.float()
