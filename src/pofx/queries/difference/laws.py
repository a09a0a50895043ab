"""The next-token distributions of two models along known paths, read side by side and never kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.model import LM
from pofx.lm.trace import Ints

Floats = NDArray[np.float64]
# Probabilities of one model that are in memory together: 64 MB of float32.
NUMBERS = 2**24
# The tokens of the texts that are read together by branches, whose keys and values stay in memory.
TOKENS = 2048


@dataclass(frozen=True, eq=False)
class PathLaws:
    """The numbers of one path under two models A and B with one vocabulary, each `[t]`, nats.

    Attributes:
        log_a: log p_A(x_i | x_<i).
        log_b: log p_B(x_i | x_<i).
        entropy: The entropy of A's next-token distribution, −Σ_v p_A(v) log p_A(v).
        kl: KL(A‖B) of the next-token distributions, Σ_v p_A(v) log (p_A(v) / p_B(v)).
        kl_back: KL(B‖A).
    """

    log_a: Floats
    log_b: Floats
    entropy: Floats
    kl: Floats
    kl_back: Floats


def read_laws(a: LM, b: LM, paths: Sequence[Ints]) -> list[PathLaws]:
    """Compare the next-token distributions of two models at each position of each path.

    Each model reads each token once. At most some 2²⁴ probabilities of each model are in memory together.

    Args:
        a: The model A, which has x0.
        b: The model B, which has x0 and the vocabulary of A.
        paths: Token ids of each path, without x0; EOS stands at the end of a complete text.

    Right: `read_laws(a, b, [np.append(a.vocab.encode_array("a"), a.vocab.end)])`. Wrong: two models whose ids spell
    different tokens.
    """
    out = [np.full((5, len(p)), np.nan) for p in paths]
    some = [i for i, p in enumerate(paths) if len(p)]
    if all(m.path_distributions([]) is not None for m in (a, b)):
        for rows in _parts(some, [len(paths[i]) for i in some], TOKENS):
            _along(out, a, b, paths, rows)
    else:
        _step_by_step(out, a, b, paths, some)
    return [PathLaws(*found) for found in out]


def _along(out: list[Floats], a: LM, b: LM, paths: Sequence[Ints], rows: Sequence[int]) -> None:
    """Read paths by the passes of `forward`, and compute both distributions of some positions at a time."""
    of_a, of_b = (m.path_distributions([paths[i] for i in rows]) for m in (a, b))
    assert of_a is not None  # noqa: S101  (ours: asked before)
    assert of_b is not None  # noqa: S101
    ids = np.concatenate([paths[i] for i in rows])
    found = np.empty((5, len(ids)))
    step = max(1, NUMBERS // a.vocab.size)
    for lo in range(0, len(ids), step):
        hi = min(lo + step, len(ids))
        (law_a, found[0, lo:hi]), (law_b, found[1, lo:hi]) = (
            of.rows(lo, hi, ids[lo:hi]) for of in (of_a, of_b)
        )
        found[2:, lo:hi] = divergences(law_a, law_b).T
    for i, part in zip(rows, np.split(found, np.cumsum([len(paths[i]) for i in rows])[:-1], axis=1)):
        out[i] = part


def _step_by_step(out: list[Floats], a: LM, b: LM, paths: Sequence[Ints], some: list[int]) -> None:
    """Read paths by branches, or else a token of each at a time."""
    if some:
        _put(
            out,
            paths,
            [(i, 0) for i in some],
            a.start(1).logp,
            b.start(1).logp,
            np.zeros(len(some), np.int64),
        )
    inside = [i for i in some if _whole(a, len(paths[i])) and _whole(b, len(paths[i]))]
    roots = [m.branches(m.start(1)) for m in (a, b)] if inside else []
    if any(isinstance(r, ExtensionBranches) for r in roots):
        inside = []
    far = sorted(set(some) - set(inside), key=lambda i: -len(paths[i]))
    for rows in _parts(inside, [len(paths[i]) for i in inside], TOKENS):
        _by_branches(out, a, b, paths, rows)
    wide = max(1, NUMBERS // a.vocab.size)
    for lo in range(0, len(far), wide):
        _by_extension(out, a, b, paths, far[lo : lo + wide])


def _whole(lm: LM, n: int) -> bool:
    """Return whether each position of a path of n tokens sees its whole prefix."""
    return int(lm.seen(n)[-1]) == n


def _parts(rows: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield rows in groups of at most `most` tokens, or of one row."""
    part: list[int] = []
    held = 0
    for row, size in zip(rows, sizes):
        if part and held + size > most:
            yield part
            part, held = [], 0
        part.append(row)
        held += size
    if part:
        yield part


def _by_branches(out: list[Floats], a: LM, b: LM, paths: Sequence[Ints], rows: Sequence[int]) -> None:
    """Read paths as chains of a tree: a stretch of all paths is one pass of each model."""
    trees = [m.branches(m.start(len(rows))) for m in (a, b)]
    last = [-1 - k for k in range(len(rows))]
    made, at, longest = 0, 0, max(len(paths[i]) for i in rows) - 1
    while at < longest:
        live = [k for k, i in enumerate(rows) if len(paths[i]) - 1 > at]
        stop = at + max(1, NUMBERS // (a.vocab.size * len(live)))
        parent: list[int] = []
        token: list[int] = []
        places: list[tuple[int, int]] = []
        for k in live:
            i = rows[k]
            for j in range(at, min(stop, len(paths[i]) - 1)):
                parent.append(last[k])
                token.append(int(paths[i][j]))
                last[k] = made + len(token) - 1
                places.append((i, j + 1))
        above, ids = np.array(parent, dtype=np.int64), np.array(token, dtype=np.int64)
        law_a, law_b = (_grown(tree, above, ids, made) for tree in trees)
        _put(out, paths, places, law_a, law_b)
        made, at = made + len(token), stop


def _grown(tree: Branches, parent: Ints, token: Ints, first: int) -> NDArray[np.floating]:
    """Return the distributions after new nodes, `[m, V]` nats."""
    found: NDArray[np.floating] | None = None
    for nodes, logp in tree.grow(parent, token):
        if found is None:
            found = np.empty((len(parent), logp.shape[1]), dtype=logp.dtype)
        found[nodes - first] = logp
    assert found is not None  # noqa: S101  (ours: there is a node)
    return found


def _by_extension(out: list[Floats], a: LM, b: LM, paths: Sequence[Ints], rows: list[int]) -> None:
    """Read paths, the longest first, a token of each at a time."""
    states = [m.start(len(rows)) for m in (a, b)]
    for j in range(len(paths[rows[0]]) - 1):
        live = sum(len(paths[i]) - 1 > j for i in rows)
        ids = np.array([[paths[i][j]] for i in rows[:live]], dtype=np.int64)
        if live < states[0].n:
            states = [s.take(np.arange(live)) for s in states]
        states = [m.extend(s, ids) for m, s in zip((a, b), states)]
        _put(out, paths, [(i, j + 1) for i in rows[:live]], states[0].logp, states[1].logp)


def _put(
    out: list[Floats],
    paths: Sequence[Ints],
    places: Sequence[tuple[int, int]],
    law_a: NDArray[np.floating],
    law_b: NDArray[np.floating],
    which: Ints | None = None,
) -> None:
    """Store the numbers of places (path, position), whose distributions are rows of two tables."""
    each = np.arange(len(places)) if which is None else which
    rows = divergences(law_a, law_b)
    for (i, j), row in zip(places, each.tolist()):
        token = int(paths[i][j])
        out[i][:, j] = law_a[row, token], law_b[row, token], *rows[row]


def divergences(log_a: NDArray[np.floating], log_b: NDArray[np.floating]) -> Floats:
    """Return the entropy of A, KL(A‖B) and KL(B‖A) of distributions `[n, V]` in nats, as `[n, 3]`.

    The sum over terms p log (p / q) − p + q ≥ 0 is KL. The terms −p + q sum to 0, and keep KL ≥ 0 where float32 rounded p
    and q.
    """
    # The five tables of a block are 4 MB, and stay in the cache.
    step = max(1, 2**17 // log_a.shape[1])
    found = [_of_block(log_a[lo : lo + step], log_b[lo : lo + step]) for lo in range(0, len(log_a), step)]
    return np.concatenate([np.zeros((0, 3)), *found])


def _of_block(log_a: NDArray[np.floating], log_b: NDArray[np.floating]) -> Floats:
    la, lb = log_a.astype(np.float64), log_b.astype(np.float64)
    p, q = np.exp(la), np.exp(lb)
    spare = q.sum(1) - p.sum(1)
    with np.errstate(invalid="ignore"):
        entropy = -np.einsum("ij,ij->i", p, la)
        gain = np.subtract(la, lb, out=lb)
        kl, kl_back = np.einsum("ij,ij->i", p, gain), -np.einsum("ij,ij->i", q, gain)
        if np.isnan(
            entropy + kl + kl_back
        ).any():  # an outcome is impossible: 0 log 0 = 0, and 0 log (0 / q) = 0
            entropy = -np.einsum("ij,ij->i", p, np.where(p > 0, la, 0.0))
            kl = np.einsum("ij,ij->i", p, np.where(p > 0, gain, 0.0))
            kl_back = -np.einsum("ij,ij->i", q, np.where(q > 0, gain, 0.0))
    return np.stack([entropy, np.maximum(kl + spare, 0), np.maximum(kl_back - spare, 0)], axis=1)
