"""Exact language models on a handful of tokens, and an enumerator of all their texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.vocab.vocabulary import Vocab


class ToyVocab(Vocab):
    """Letters a, b, c, …, then EOS."""

    def __init__(self, letters: int = 3, end: bool = True) -> None:
        self.size = letters + end
        self.end = letters if end else None
        self.token_bytes = tuple([bytes([97 + i]) for i in range(letters)] + [None] * end)

    def encode(self, text: str | bytes) -> list[int]:
        data = text.encode() if isinstance(text, str) else text
        return [b - 97 for b in data]


class ToyLM(LM):
    """A law of the next token drawn once for each history of up to `memory` tokens, by a hash of it."""

    def __init__(
        self, vocab: Vocab | None = None, seed: int = 0, memory: int = 3, begin: bool = True
    ) -> None:
        self.vocab = vocab or ToyVocab()
        self.seed, self.memory = seed, memory
        self.begin = Begin("trained", "<s>", self.vocab.size) if begin else Begin("none")
        self._rows: dict[tuple[int, ...], np.ndarray] = {}

    def row(self, history: Sequence[int]) -> np.ndarray:
        recent = tuple(int(h) for h in history)[-self.memory :]
        if recent not in self._rows:
            rng = np.random.default_rng([self.seed, len(recent), *[h + 1 for h in recent]])
            p = rng.dirichlet(np.full(self.vocab.size, 0.7)) + 1e-3
            self._rows[recent] = np.log(p / p.sum())
        return self._rows[recent]

    def _state(self, histories: np.ndarray) -> State:
        # The carry is a plain array: -1 pads the left of a short history.
        def law() -> np.ndarray:
            rows = []
            for h in histories:
                known = [i for i in h if i >= 0]
                if not known and self.begin.known == "none":
                    raise refuse_unconditional(self.begin)
                rows.append(self.row(known))
            return np.array(rows).reshape(len(histories), self.vocab.size)

        return State(law, histories, len(histories))

    def start(self, n: int) -> State:
        return self._state(np.full((n, self.memory), -1))

    def extend(self, state: State, ids: Sequence[Sequence[int]]) -> State:
        new = as_id_rows(ids, state.n)
        return self._state(np.concatenate([state.carry, new], axis=1)[:, -self.memory :])


def letters_of(vocab: Vocab) -> list[int]:
    """The ids that spell text; of a large vocabulary three of them, spread out, the last token among them."""
    letters = [i for i, b in enumerate(vocab.token_bytes) if b is not None]
    return (
        letters
        if len(letters) <= 8
        else [letters[ord("a") % len(letters)], letters[ord("b") % len(letters)], letters[-1]]
    )


def texts(vocab: Vocab, longest: int) -> Iterator[tuple[int, ...]]:
    """Every sequence of text ids up to a length (of three ids, where there are many)."""
    letters = letters_of(vocab)
    for n in range(longest + 1):
        yield from itertools.product(letters, repeat=n)


class Walks:
    """log P(path | after) of many paths, by one `extend` a token from one root: each prefix is extended once.

    States are values, as law 6 says, so that a path's number is that of `log_prefix`.
    """

    def __init__(self, lm: LM, behind: Sequence[int] = ()) -> None:
        self._lm = lm
        self._states: dict[tuple[int, ...], State] = {(): _read(lm, behind)}

    def _behind(self, path: tuple[int, ...]) -> State:
        if path not in self._states:
            self._states[path] = self._lm.extend(self._behind(path[:-1]), np.array([path[-1:]]))
        return self._states[path]

    def prefix(self, path: Sequence[int]) -> float:
        """log P(path | after)."""
        ids = tuple(map(int, path))
        return sum((float(self._behind(ids[:i]).logp[0, v]) for i, v in enumerate(ids)), 0.0)

    def string(self, path: Sequence[int]) -> float:
        """log p(path | after), EOS counted."""
        assert self._lm.vocab.end is not None
        return self.prefix([*path, self._lm.vocab.end])


def _read(lm: LM, behind: Sequence[int]) -> State:
    return lm.extend(lm.start(1), np.array([list(behind)], dtype=np.int64).reshape(1, -1))


def log_prefix(lm: LM, path: Sequence[int], behind: Sequence[int] = ()) -> float:
    """log P(path | after), one `extend` and one look-up a token: the definition, nothing else."""
    state = _read(lm, behind)
    total = 0.0
    for i in path:
        total += float(state.logp[0, i])
        state = lm.extend(state, np.array([[i]]))
    return total


def log_string(lm: LM, path: Sequence[int], behind: Sequence[int] = ()) -> float:
    """log p(path | after), EOS counted."""
    assert lm.vocab.end is not None
    return log_prefix(lm, [*path, lm.vocab.end], behind)
