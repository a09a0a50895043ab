"""A pretrained checkpoint as an LM without x0, which has p(x_i | x_<i) after at least one token."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from pofx.errors import Advice, TooLong, require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from numpy.typing import NDArray

from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.continuation_tree import Branches
from pofx.lm.model import LM, prepare_paths
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.paths import as_id_rows
from pofx.lm.reading_progress import report_read
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import whole_within
from pofx.models.pretrained.inference.body import Body, Carry
from pofx.models.pretrained.inference.head import ROWS, Head, LogitsHead
from pofx.models.pretrained.inference.kept_hidden import KeptHidden
from pofx.models.pretrained.inference.prefix_tree import PrefixTree, prefix_tree
from pofx.models.threads import engine_for, threads_for
from pofx.values import check_ids, check_whole_number
from pofx.vocab.vocabulary import Vocab

# Tokens of a pass. 512 tokens are as fast for short texts, and 4 % slower for windows of 1,024. A large model has fewer
# tokens, so that a core computes a pass in seconds, since a run reports its progress after each pass.
BUDGET = 1024
LEAST = 128
PRODUCTS = 2 * 10**11


class PretrainedLM(LM):
    """A pretrained LM without x0, over all V rows of the checkpoint's head.

        log p(x_i | x_<i) = log softmax(head(h(x_<i)))[x_i], nats

    The model is conditional: `begin.known` is "none", and `with_begin` puts x0 before every text. Texts longer than
    `context` raise `TooLong`, unless `windowed` adds a window rule. Control tokens and padding rows keep their mass, since
    they are outcomes that spell nothing; `audit` says how much mass leaks to them.

    Args:
        body: The network from tokens to hidden states.
        head: The output layer.
        vocab: The vocabulary, with one outcome for each row of the head.
        context: The longest text, tokens; None for any length.
        dtype: The dtype of the matrix products.
        budget: The tokens of a pass, which decide speed and memory, and no result.

    Right: `windowed(with_begin(lm, "<bos>"))`, as `load` makes an LM. Wrong: `lm.forward([[5, 7]])`, since the first token
    of a path has no distribution without x0.
    """

    def __init__(
        self,
        body: Body,
        head: Head,
        vocab: Vocab,
        context: int | None,
        dtype: str,
        budget: int | None = None,
    ) -> None:
        assert vocab.size == head.size  # noqa: S101  (ours: checked where files are read)
        budget = None if budget is None else check_whole_number("budget", budget, 1)
        self.body, self.head, self.vocab, self.context, self.dtype = body, head, vocab, context, dtype
        self.budget = budget
        self.begin = Begin("none")
        if context is not None:
            self.window = whole_within(context)
        self.positive = head.positive
        self.engine = engine_for(body.width, body.libraries)

    @property
    def tokens_a_pass(self) -> int:
        """The number of tokens that go through the network together."""
        if self.budget is not None:
            return self.budget
        return BUDGET if not self.work else max(LEAST, min(BUDGET, PRODUCTS // self.work))

    def start(self, n: int) -> State:
        """Return the state of n empty prefixes, which can be extended; reading their `logp` raises `NoBOS`."""
        return self._state(n, self.body.empty(n))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return every prefix followed by its row of `ids[n, t]`; the state keeps keys and values."""
        new = as_id_rows(ids, state.n)
        if not new.size:
            return state
        check_ids(new, self.vocab.size)
        self._fits(int(state.carry.sizes.max(initial=0)) + new.shape[1])
        with threads_for(self.body.width, new.size):
            return self._state(state.n, self.body.extend(state.carry, new))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute log p(path[i] | path[:i]) for i ≥ skip, nats; a prefix that several paths share is computed once."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        inputs, tree = self._inputs(ids, skips)
        done, of = 0, sum(len(p) - s for p, s in zip(ids, skips))
        with threads_for(self.body.width, len(tree.stream)):
            some = [i for i, p in enumerate(inputs) if len(p)]
            if some:
                row = np.concatenate([tree.rows(i)[skips[i] - 1 :] for i in some])
                targets = np.concatenate([ids[i][skips[i] :] for i in some])
                at = np.concatenate([out.offset(i) + np.arange(len(ids[i]) - skips[i]) for i in some])
                order = np.argsort(row, kind="stable")
                row, targets, at = row[order], targets[order], at[order]
                asked = np.zeros(len(tree.stream), dtype=np.bool_)
                asked[row] = True

                def report(rows: int, share: float) -> None:
                    report_read(done + int(rows * share), of)

                # Closed at an error, too, so that a memory of prefixes gives back the places of tokens that are not read.
                with closing(self.body.hidden_states(tree, asked, self.tokens_a_pass, report)) as passes:
                    for rows, hidden in passes:
                        for lo in range(0, len(rows), ROWS):
                            pairs, local = _pairs(row, rows[lo : lo + ROWS])
                            read = self.head.read(
                                hidden[lo : lo + ROWS], local, targets[pairs], want, self.vocab.end
                            )
                            out.put(at[pairs], read.of_pairs(local))
                            done += len(pairs)
                            report_read(done, of)
        return out.build()

    def path_distributions(
        self, paths: Sequence[Path], skip: int | Sequence[int] = 0
    ) -> PathDistributions | None:
        """Return distributions that the head computes when they are asked for; until then hidden states are kept."""
        if isinstance(self.head, LogitsHead):  # the hidden states are as wide as the distributions
            return None
        ids, skips = prepare_paths(self, paths, skip)
        inputs, tree = self._inputs(ids, skips)
        rows = [tree.rows(i)[skips[i] - 1 :] for i, p in enumerate(inputs) if len(p)]
        row = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        asked = np.zeros(len(tree.stream), dtype=np.bool_)
        asked[row] = True
        place = np.cumsum(asked) - 1
        kept = torch.empty(int(asked.sum()), self.head.width)
        if len(row):
            with (
                threads_for(self.body.width, len(tree.stream)),
                closing(self.body.hidden_states(tree, asked, self.tokens_a_pass, _unreported)) as passes,
            ):
                for of, hidden in passes:
                    kept[torch.from_numpy(place[of])] = hidden
        return KeptHidden(self.head, kept, place[row])

    def branches(self, state: State) -> Branches:
        """Return the reader of branches, which reads all new nodes in one pass; a node beyond `context` raises `TooLong`."""
        found = self.body.branches(state.carry, self.head, self._fits)
        return super().branches(state) if found is None else found

    def _state(self, n: int, carry: Carry) -> State:
        def logp() -> NDArray[np.float32]:
            if (carry.sizes == 0).any():
                raise refuse_unconditional(self.begin)
            with threads_for(self.body.width, n):
                out: NDArray[np.float32] = self.head.log_softmax(carry.hidden).numpy()
            return out

        return State(logp, carry, n)

    def _inputs(self, ids: Sequence[Ints], skips: Sequence[int]) -> tuple[list[Ints], PrefixTree]:
        """Return what the network reads of each path, and the tree of these inputs."""
        # Input i − 1 predicts target i, so the last token of a path is no input.
        inputs = [p[:-1] if len(p) > s else p[:0] for p, s in zip(ids, skips)]
        self._fits(max(map(len, inputs), default=0))
        return inputs, prefix_tree(inputs, self.body.worth)

    def _fits(self, tokens: int) -> None:
        if self.context is not None and tokens > self.context:
            raise TooLong(
                f"expected at most {self.context:,} tokens, the model's context, got {tokens:,}",
                [
                    "cut the text",
                    Advice("choose a window rule", "windowed(lm)", "--stride", parameter="stride"),
                ],
            )


def _unreported(rows: int, share: float) -> None:
    """Report nothing: who asks for distributions reports on them."""


def _pairs(row: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Return which of the (row, target) pairs, sorted by row, belong to `rows`, and the place of their row in `rows`."""
    lo, hi = np.searchsorted(row, rows, "left"), np.searchsorted(row, rows, "right")
    count = hi - lo
    local = np.repeat(np.arange(len(rows)), count)
    first = np.repeat(lo - (np.cumsum(count) - count), count)
    return first + np.arange(len(local)), local
