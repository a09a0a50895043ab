"""Forward–backward: exact conditioning of a model whose histories fall into few states with different futures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import logsumexp_runs
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.queries.conditioning.particles import WeightedPath
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.queries.conditioning.twisting_function import Logs, TokenCondition

# The most pairs of a history and a token (1 µs each), tokens of all moves (0.2 µs each), and moves (16 bytes each).
LOOKED = 3_000_000
EDGES = 24_000_000
MOVES = 8_000_000
# The most tokens that are processed side by side: 64 MB.
BLOCK = 1 << 21
# The most states times the longest text: 256 MB.
TABLE = 1 << 25


@dataclass(frozen=True, eq=False)
class ProductChain:
    """The product of a model's histories and the states of an automaton, and the moves between these pairs.

    All tokens that lead from one pair to another form one move. Under a smoothed model of bytes there are five times as
    many tokens as moves, so the chain stores moves, and `tokens` finds the tokens of a move when a caller needs them.

    Attributes:
        histories: The histories of the model.
        automaton: The automaton, moved by tokens.
        first: The number of the first move from each pair, `[G + 1]`; moves are sorted by the pair that they leave.
        to: The pair that each move leads to, `[M]`.
        logp: log p of each move, `[M]`, nats.
        end: log p(EOS) at each pair, `[G]`, nats.
        history: The history of each pair, `[G]`; pair 0 is the start.
        q: The automaton state of each pair, `[G]`.
        calls: The number of calls of the model.
    """

    histories: _Histories
    automaton: TokenAutomaton
    first: Ints
    to: Ints
    logp: Logs
    end: Logs
    history: Ints
    q: Ints
    calls: int

    def tokens(self, source: int, to: int) -> tuple[Ints, Logs]:
        """Return the tokens that lead from one pair to another, and log p of each."""
        h = int(self.history[source])
        logp = self.histories.logp[h]
        same = (self.automaton.next_states(int(self.q[source])) == self.q[to]) & (logp > -np.inf)
        token = np.flatnonzero(same & (self.histories.next[h] == self.history[to]))
        return token, logp[token]


def build_product(lm: LM, target: TokenCondition) -> ProductChain | None:
    """Build the chain whose paths are the texts of a condition.

    Args:
        lm: The model after the prefix.
        target: The condition.

    Returns:
        The chain; None where there are too many pairs, or where the model does not define which histories are equivalent
        (`LM.sufficient`, `LM.memory`).

    Right: `build_product(ngram, target)`. Wrong: a model whose `memory` is shorter than the history that p depends on.
    """
    histories = _Histories.of(lm)
    if histories is None:
        return None
    names = {(0, target.automaton.dfa.start): 0}
    size = target.automaton.dfa.size
    waiting = np.array([[0, target.automaton.dfa.start]], dtype=np.int64)
    states: list[Ints] = [waiting]
    parts: list[tuple[Ints, Ints, Logs]] = []
    edges = moves = done = 0
    rows = max(1, BLOCK // lm.vocab.size)
    for _ in range(target.max_tokens):
        if not len(waiting):
            break
        found: list[Ints] = []
        for lo in range(0, len(waiting), rows):
            block = waiting[lo : lo + rows]
            alive = np.stack([target.automaton.next_states(int(q)) for q in block[:, 1]])
            logp = histories.logp[block[:, 0]]
            row, token = np.nonzero((alive > 0) & (logp > -np.inf))
            edges += len(row)
            if edges > EDGES:
                return None
            successor = histories.successors(block[row, 0], token)
            if successor is None:
                return None
            code = successor * size + alive[row, token]
            distinct = _distinct(code)
            pairs = np.stack([distinct // size, distinct % size], axis=1)
            known = len(names)
            to = np.array([names.setdefault((h, s), len(names)) for h, s in pairs.tolist()], dtype=np.int64)
            found.append(pairs[to >= known])
            # A sort by begin and end puts all tokens of a move together.
            code = row * (int(to.max(initial=0)) + 1) + to[np.searchsorted(distinct, code)]
            order = np.argsort(code, kind="stable")
            code = code[order]
            first = np.flatnonzero(np.append(True, code[1:] != code[:-1])[: len(code)])
            source, to = np.divmod(code[first], int(to.max(initial=0)) + 1)
            count = np.diff(np.append(first, len(code)))
            parts.append((source + done + lo, to, logsumexp_runs(logp[row, token][order], count)))
            moves += len(to)
            if moves > MOVES or len(names) * (target.max_tokens + 1) > TABLE:
                return None
        done += len(waiting)
        waiting = np.concatenate(found)
        states.append(waiting)
    every = np.concatenate(states)
    none = np.zeros(0, dtype=np.int64)
    source, to, logp = (
        (np.concatenate(column) for column in zip(*parts)) if parts else (none, none, np.zeros(0))
    )
    end = np.full(len(every), -np.inf)
    if target.end is not None:
        end = histories.logp[every[:, 0], target.end]
    first = np.searchsorted(source, np.arange(len(every) + 1))
    return ProductChain(
        histories, target.automaton, first, to, logp, end, every[:, 0], every[:, 1], histories.calls
    )


class _Histories:
    """The distinct histories met so far: their next-token distributions `[H, V]`, and the history after each token."""

    def __init__(self, lm: LM, state: State, names: NDArray[np.int64] | None) -> None:
        self.lm, self.state, self.windows, self.calls = lm, state, names, 1
        self.logp = np.asarray(state.logp, dtype=np.float64)
        self.next = np.full((1, lm.vocab.size), -1, dtype=np.int64)
        self._looked = 0
        self._place = {key: k for k, key in enumerate(self._keys(state, names))}

    @classmethod
    def of(cls, lm: LM) -> _Histories | None:
        """Return the histories of the start; None where the model does not define which histories are equivalent."""
        state = lm.start(1)
        if lm.sufficient(state) is not None:
            return cls(lm, state, None)
        if lm.memory is None:
            return None
        # The start, x0 or a prefix, counts as one more token of the history.
        return cls(lm, state, np.full((1, lm.memory), -1, dtype=np.int64))

    def _keys(self, state: State, windows: NDArray[np.int64] | None) -> list[bytes]:
        rows = self.lm.sufficient(state) if windows is None else windows
        assert rows is not None  # noqa: S101  (ours: the model had a sufficient statistic at the start)
        rows = np.ascontiguousarray(rows)
        width = rows.shape[1] * rows.itemsize
        if not width:
            return [b""] * len(rows)
        keys: list[bytes] = rows.view(np.dtype((np.void, width))).ravel().tolist()  # type: ignore[assignment]
        return keys

    def successors(self, history: Ints, token: Ints) -> Ints | None:
        """Return the history after each token; None where there are too many histories."""
        size = self.lm.vocab.size
        code = _distinct((history * size + token)[self.next[history, token] < 0])
        h, v = code // size, code % size
        self._looked += len(code)
        if self._looked > LOOKED or self.next.size > 4 * LOOKED:
            return None
        if len(code):
            longer = self.lm.extend(self.state.take(h), v[:, None])
            windows = None
            if self.windows is not None:
                windows = np.concatenate([self.windows[h], v[:, None]], axis=1)[:, 1:]
            keys = self._keys(longer, windows)
            known = len(self._place)
            place = np.array([self._place.setdefault(k, len(self._place)) for k in keys], dtype=np.int64)
            self.next[h, v] = place
            new = np.unique(place, return_index=True)
            fresh = new[1][new[0] >= known]
            if len(fresh):
                # A state without the known rows is needed, since reading a distribution computes all rows of a state.
                once = self.lm.extend(self.state.take(h[fresh]), v[fresh, None])
                self._add(once, None if windows is None else windows[fresh])
        return self.next[history, token]

    def _add(self, state: State, windows: NDArray[np.int64] | None) -> None:
        self.calls += 1
        self.logp = np.concatenate([self.logp, np.asarray(state.logp, dtype=np.float64)])
        self.next = np.concatenate([self.next, np.full((state.n, self.lm.vocab.size), -1)])
        self.state = self.state.cat(state)
        if windows is not None:
            self.windows = np.concatenate([self.windows, windows])


def _distinct(a: Ints) -> Ints:
    """Return the distinct numbers in order, ten times faster than the hash table of `np.unique` for a million integers."""
    a = np.sort(a)
    return a[np.append(True, a[1:] != a[:-1])] if len(a) else a


def compute_backward(chain: ProductChain, target: TokenCondition) -> Logs:
    """Compute log P(the condition is met | t tokens are read) at each pair of the chain.

    Args:
        chain: The chain.
        target: The condition.

    Returns:
        Log probabilities `[T + 1, G]`, nats; entry [0, 0] is the evidence.
    """
    count = np.diff(chain.first)
    out = np.full((target.max_tokens + 1, len(chain.q)), -np.inf)
    for t in range(target.max_tokens, -1, -1):
        over = target.may_stop(t)[chain.q]
        if t < target.max_tokens:
            out[t] = logsumexp_runs(chain.logp + out[t + 1, chain.to], count)
        if target.end is None:
            out[t, over] = 0.0
        else:
            out[t, over] = np.logaddexp(out[t, over], chain.end[over])
    return out


def draw_texts(
    chain: ProductChain, target: TokenCondition, backward: Logs, n: int, rng: np.random.Generator
) -> list[WeightedPath]:
    """Draw independent texts from the distribution given the condition, token by token in proportion to p(v) · backward.

    Args:
        chain: The chain.
        target: The condition.
        backward: The result of `compute_backward`.
        n: The number of draws.
        rng: The generator of the draws.

    Returns:
        n sequences of equal weight.
    """
    at = np.zeros(n, dtype=np.int64)
    tokens: list[list[int]] = [[] for _ in range(n)]
    nats: list[list[float]] = [[] for _ in range(n)]
    live = np.arange(n)
    for t in range(target.max_tokens + 1):
        u, v = rng.random(n), rng.random(n)
        over = target.may_stop(t)[chain.q]
        going = []
        for g in np.unique(at[live]).tolist():
            mine = live[at[live] == g]
            lo, hi = int(chain.first[g]), int(chain.first[g + 1])
            if over[g] and target.end is None:
                continue
            further = (
                chain.logp[lo:hi] + backward[t + 1, chain.to[lo:hi]] if t < target.max_tokens else np.zeros(0)
            )
            share = np.append(further, chain.end[g] if over[g] else -np.inf)
            mass = np.cumsum(np.exp(share - share.max()))
            k = np.minimum(np.searchsorted(mass, u[mine] * mass[-1], side="right"), len(mass) - 1)
            for row, move in zip(mine.tolist(), k.tolist()):
                if move == len(further):
                    nats[row].append(float(chain.end[g]))
                    continue
                token, each = chain.tokens(g, int(chain.to[lo + move]))
                among = np.cumsum(np.exp(each - chain.logp[lo + move]))
                pick = min(int(np.searchsorted(among, v[row] * among[-1], side="right")), len(among) - 1)
                tokens[row].append(int(token[pick]))
                nats[row].append(float(each[pick]))
                going.append((row, int(chain.to[lo + move])))
        if not going:
            break
        live = np.array(sorted(row for row, _ in going))
        for row, g in going:
            at[row] = g
    return [
        WeightedPath(0, np.array(ids, dtype=np.int64), np.array(logp), 0.0) for ids, logp in zip(tokens, nats)
    ]
