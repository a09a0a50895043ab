"""The tokens that lm-eval reads for a string after a context, and log p of the tokens that it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pofx.errors import Advice, BadValue, TooLong
from pofx.lm.model import LM
from pofx.lm.trace import Trace, Want
from pofx.queries.scoring.peer_marks import Marks, marks_of

# The requests of one pass of a model, whose common beginnings are read once.
TOGETHER = 256


@dataclass(frozen=True)
class TokenRequest:
    """A path of tokens, of which lm-eval counts the last ones.

    Attributes:
        path: The ids.
        counted: The number of ids at the end whose log p is counted.
        across: Whether a token spans the join, so that the counted ids follow another beginning than the context's ids.
        cut: Whether the beginning was cut off, since the path exceeds the window of the model.
    """

    path: tuple[int, ...]
    counted: int
    across: bool = False
    cut: bool = False


class Requests:
    """The requests of lm-eval to a model: what its class for models of Hugging Face does with strings.

    Attributes:
        lm: The model.
        prefix: The id before a string without a context: BOS, or EOS where the tokenizer declares no BOS.
    """

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self._marks: Marks = marks_of(lm)
        self.prefix = self._marks.end if self._marks.begin is None else self._marks.begin
        core = lm if self._marks.own else lm.bare()
        assert core is not None  # noqa: S101  (ours: `own` says when there is no core)
        self._core = core
        # The longest input of the model. x0 of a model of pofx's own is in `context`, too.
        self._longest = core.context

    def pair(self, context: str, continuation: str) -> TokenRequest:
        """Return the request of a continuation after a context.

        White space at the end of the context moves to the continuation. Both together are encoded, and so is the context
        alone. The path is the ids of the context alone, then the ids of both after as many first ids.

        Raises:
            BadValue: lm-eval stops at this string.
            NotText: The vocabulary cannot spell a string.
        """
        if not context:
            ids = self._encode(continuation)
            return self._fitted([self._before_all()], ids, f"{continuation!r:.60}")
        moved = len(context) - len(context.rstrip())
        if moved:
            context, continuation = context[:-moved], context[-moved:] + continuation
        whole, alone = self._around(context + continuation), self._around(context)
        n = len(alone)
        across = whole[: n - len(self._marks.after)] != alone[: n - len(self._marks.after)]
        return self._fitted(alone, whole[n:], f"{continuation!r:.60} after {context!r:.60}", across)

    def rolling(self, text: str) -> list[TokenRequest]:
        """Return the requests of a text: windows that do not overlap in the tokens they count.

        Raises:
            BadValue: The tokenizer has no token that lm-eval puts before a text.
            NotText: The vocabulary cannot spell the text.
        """
        # A model of pofx's own has x0 before a text once, as lm-eval asks a server.
        ids = self._encode(text) if self._marks.own else self._around(text)
        longest = max(len(ids), 1) if self._longest is None else self._longest
        out = []
        path = [self._before_all(), *ids]
        for end in [*range(longest, len(ids), longest), len(ids)] if ids else []:
            counted = end - (end - 1) // longest * longest
            out.append(TokenRequest(tuple(path[max(end - longest, 0) : end + 1]), counted))
        return out

    def log_probs(self, asked: Sequence[TokenRequest], greedy: bool) -> Iterator[tuple[float, bool]]:
        """Yield log p of the counted tokens of each request, nats, and whether each of them is the likeliest one.

        Args:
            asked: The requests.
            greedy: Whether the second value is requested, which costs time; else it is False.

        Raises:
            TooLong: A model of pofx's own has to read a window without its x0.
        """
        for some in (asked[i : i + TOGETHER] for i in range(0, len(asked), TOGETHER)):
            trace = self._trace(some, Want(rank=greedy))
            ranks = trace.rank if trace.rank is not None else [np.zeros(1)] * len(some)
            for logp, rank in zip(trace.logp, ranks):
                yield float(logp.sum()), bool(np.all(rank == 1))

    def terms(self, asked: TokenRequest) -> list[float]:
        """Return log p of each counted token of a request, nats.

        Raises:
            TooLong: A model of pofx's own has to read a window without its x0.
        """
        return [float(x) for x in self._trace([asked], Want()).logp[0]]

    def _trace(self, asked: Sequence[TokenRequest], want: Want) -> Trace:
        own = int(self._marks.own)
        if own and any(r.path[0] != self.prefix for r in asked):
            raise TooLong(
                "lm-eval reads a part of the text without x0, which this model always reads",
                Advice("score the text as pofx does", "evaluate_choices, score", "without --as"),
            )
        paths = [np.array(r.path[own:], dtype=np.int64) for r in asked]
        skips = [len(r.path) - r.counted - own for r in asked]
        return self._core.forward(paths, want, skips)

    def _encode(self, text: str) -> list[int]:
        read, _ = self.lm.vocab.read(text)
        return [int(i) for i in self.lm.vocab.encode(read)]

    def _around(self, text: str) -> list[int]:
        return [*self._marks.before, *self._encode(text), *self._marks.after]

    def _before_all(self) -> int:
        if self.prefix is None:
            raise BadValue(
                "lm-eval puts BOS or EOS before a text without a context, but the tokenizer of this model declares neither",
                None,
            )
        return self.prefix

    def _fitted(self, before: list[int], after: list[int], told: str, across: bool = False) -> TokenRequest:
        """Return the request whose path is cut from the left to what the model reads, its last id being no input."""
        if not before or not after:
            raise BadValue(
                f"expected tokens before and after the join, since lm-eval stops without any, got none in {told}",
                "evaluate without lm-eval's numbers, or change the task",
                "task",
            )
        path = [*before, *after]
        if self._longest is None or len(path) <= self._longest + 1:
            return TokenRequest(tuple(path), len(after), across)
        if len(after) > self._longest:
            raise TooLong(f"lm-eval stops at a string of more than {self._longest:,} tokens: {told}", None)
        return TokenRequest(tuple(path[-(self._longest + 1) :]), len(after), across, True)
