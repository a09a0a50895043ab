"""The laws that every LM must obey, checked by enumeration on a tiny vocabulary.

`laws(lm)` raises `Broken` at the first law that fails. Each law is a function of its own, so that a test can show that a
planted fault breaks this law.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Want
from pofx.queries.sample import sample
from pofx.queries.scoring.score import score
from pofx.transforms.given import Given
from toy import Walks, letters_of, texts

LONGEST = 4


class Broken(AssertionError):
    """A law does not hold."""


def hold(condition: bool, law: str, found: object = "") -> None:
    if not condition:
        raise Broken(f"{law}: {found}")


def _tolerance(lm: LM) -> float:
    return 1e-9 if lm.dtype == "float64" else 1e-5


def _has_begin(lm: LM) -> bool:
    return lm.begin.known != "none"


def _paths(lm: LM, longest: int = LONGEST) -> list[tuple[int, ...]]:
    """All texts up to `longest` tokens that the model can score; without x0, all but the empty text."""
    return [p for p in texts(lm.vocab, longest) if p or _has_begin(lm)]


def rows_sum_to_one(lm: LM) -> None:
    """1. Every row of `State.logp` sums to 1, after seen, unseen and empty prefixes."""
    for n, group in itertools.groupby(_paths(lm), key=len):
        batch = list(group)
        state = lm.extend(lm.start(len(batch)), np.array(batch, dtype=np.int64).reshape(len(batch), n))
        hold(
            state.logp.shape == (len(batch), lm.vocab.size),
            "rows have the size of the vocabulary",
            state.logp.shape,
        )
        off = np.abs(np.exp(state.logp.astype(np.float64)).sum(axis=1) - 1).max()
        hold(off < _tolerance(lm), "rows sum to 1", off)


def strings_sum_to_one(lm: LM) -> None:
    """2. Σ_{|x| ≤ L} p(x) + alive(L) = 1, and P(x) = p(x) + Σ_v P(xv) over all v that are not EOS."""
    tolerance = 20 * _tolerance(lm)
    others = [i for i in range(lm.vocab.size) if i != lm.vocab.end]
    if not _has_begin(lm):
        return
    walks = Walks(lm)
    if lm.vocab.end is not None:
        letters = letters_of(lm.vocab)
        if len(letters) == len(others):  # no mass on control tokens, and few enough to enumerate
            # The sums are over whole passes, as queries score. Sums over steps would be 1 whenever each row sums to 1.
            strings = [[*p, lm.vocab.end] for p in texts(lm.vocab, LONGEST)]
            longer = [list(p) for p in itertools.product(letters, repeat=LONGEST + 1)]
            total, alive = (
                math.fsum(math.exp(float(a.sum())) for a in lm.forward(paths).logp)
                for paths in (strings, longer)
            )
            hold(abs(total + alive - 1) < tolerance, "strings and survivors sum to 1", total + alive)
    for p in list(texts(lm.vocab, 2 if len(others) <= 8 else 1)):
        whole = math.exp(walks.prefix(p))
        ended = math.exp(walks.string(p)) if lm.vocab.end is not None else 0.0
        parts = ended + math.fsum(math.exp(walks.prefix([*p, v])) for v in others)
        hold(abs(whole - parts) < tolerance, "P(x) = p(x) + Σ P(xv)", (p, whole, parts))


def forward_is_extend(lm: LM) -> None:
    """3. `extend` and `forward` agree, and a batch agrees with its texts one by one and permuted."""
    rng = np.random.default_rng(5)
    every = [p for p in _paths(lm) if len(p)]
    some = [every[i] for i in rng.choice(len(every), size=min(40, len(every)), replace=False)]
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths = [[*p, *end] for p in some]
    free = 0 if _has_begin(lm) else 1
    walks = {x: Walks(lm, x) for x in {p[:free] for p in some}}
    want = Want(entropy=True, rank=True, top=2, end=lm.vocab.end is not None)
    slow = forward_by_extension(lm, paths, want, free)
    fast = lm.forward(paths, want, free)
    plain = lm.forward(paths, skip=free)
    tolerance = 1e-9 if lm.dtype == "float64" else 1e-4
    order = rng.permutation(len(paths))
    shuffled = lm.forward([paths[i] for i in order], skip=free)
    back = {int(i): j for j, i in enumerate(order)}
    for i, p in enumerate(paths):
        alone = lm.forward([p], skip=free).logp[0]
        by_hand = walks[tuple(p[:free])].prefix(p[free:])
        for name, found in (
            ("forward", fast.logp[i]),
            ("forward without extras", plain.logp[i]),
            ("forward, shuffled batch", shuffled.logp[back[i]]),
            ("forward, alone", alone),
        ):
            hold(_near(found, slow.logp[i], tolerance), f"extend ≡ {name}", (p, found, slow.logp[i]))
        hold(
            _near(np.array([slow.logp[i].sum()]), np.array([by_hand]), tolerance), "the chain rule by hand", p
        )
        assert None not in (fast.entropy, slow.entropy, fast.rank, slow.rank, fast.top_logp, slow.top_logp)
        hold(_near(fast.entropy[i], slow.entropy[i], tolerance), "entropy", p)
        if lm.dtype == "float64":
            hold(bool((fast.rank[i] == slow.rank[i]).all()), "rank", (p, fast.rank[i], slow.rank[i]))
        hold(_near(fast.top_logp[i], slow.top_logp[i], tolerance), "top", p)
        if fast.end and slow.end:
            hold(_near(fast.end[i], slow.end[i], tolerance), "log p(EOS)", p)
        half = len(p) // 2
        if half > free:
            behind = lm.forward([p], skip=half).logp[0]
            hold(_near(behind, slow.logp[i][half - free :], tolerance), "forward with skip", p)
    hold(lm.forward([], want).logp == (), "no texts, no numbers")


def _near(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    with np.errstate(invalid="ignore"):
        return a.shape == b.shape and bool(np.all((a == b) | (np.abs(a - b) < tolerance)))


def chain_rule_through_given(lm: LM) -> None:
    """4. log p(xy) = log P(x) + log p(y | x), with empty x and empty y, token by token."""
    tolerance = 1e-9 if lm.dtype == "float64" else 1e-4
    free = 0 if _has_begin(lm) else 1
    every = list(texts(lm.vocab, 2))
    # Without x0 the first token is conditioned on.
    walks = {x[:free]: Walks(lm, x[:free]) for x in every if len(x) == 1}
    heads = [p for p in every if p and (free or math.isfinite(walks[()].prefix(p)))]
    for x in heads:
        behind = Given(lm, x, lm.vocab.decode(x))
        walk, walk_behind = walks[x[:free]], Walks(behind)
        head = walk.prefix(x[free:])
        in_one_pass = behind.forward([y for y in every if y]).logp
        for y, passed in zip(every, [np.zeros(0), *in_one_pass]):
            if lm.vocab.end is None:
                whole, tail = walk.prefix([*x, *y][free:]), walk_behind.prefix(y)
            else:
                whole, tail = walk.string([*x, *y][free:]), walk_behind.string(y)
            hold(
                _near(np.array([whole]), np.array([head + tail]), tolerance),
                "log p(xy) = log P(x) + log p(y|x)",
                (x, y),
            )
            if y:
                direct = float(passed.sum())
                by_hand = walk_behind.prefix(y)
                hold(
                    _near(np.array([direct]), np.array([by_hand]), tolerance),
                    "given, forward",
                    (x, y),
                )


def draws_follow_p(lm: LM, n: int = 2000) -> None:
    """5. A draw has the log p that `score` gives it, frequencies match p (chi-square), and a seed fixes the draws for any n."""
    given = "" if _has_begin(lm) else lm.vocab.decode(letters_of(lm.vocab)[:1])
    draws = sample(lm, n, given=given, max_tokens=3, seed=7)
    again = sample(lm, 5, given=given, max_tokens=3, seed=7)
    hold([d.bytes for d in again] == [d.bytes for d in draws[:5]], "same seed, same draws")
    walks = Walks(lm, lm.vocab.encode(given))
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    expected: dict[tuple[int, ...], float] = {}
    seen: Counter[tuple[int, ...]] = Counter()
    for d in draws:
        path = (*map(int, d.tokens), *(end if d.ended else []))
        hold(d.ended or len(path) == 3, "a draw that has not ended has max_tokens", path)
        seen[path] += 1
        if path not in expected:
            expected[path] = walks.prefix(path)
        hold(
            abs(d.total - expected[path]) < 1e-4 * (1 + len(path)),
            "a draw's logp is its score",
            (path, d.total),
        )
    # Cells expected fewer than 8 times are pooled; 6 standard deviations of chi-square: 1 false alarm in 10^8.
    rest_p, rest_n, chi, cells = 1.0, n, 0.0, 0
    for path, lp in expected.items():
        p = math.exp(lp)
        if p * n >= 8:
            chi += (seen[path] - n * p) ** 2 / (n * p)
            rest_p, rest_n, cells = rest_p - p, rest_n - seen[path], cells + 1
    if rest_p * n >= 8:
        chi += (rest_n - n * rest_p) ** 2 / (n * rest_p)
        cells += 1
    hold(chi < cells + 6 * math.sqrt(2 * cells) + 6, "draws follow p", (chi, cells))


def states_are_values(lm: LM) -> None:
    """6. `take`, `cat` and `extend` leave siblings untouched."""
    letters = letters_of(lm.vocab)
    first = lm.vocab.encode(lm.vocab.decode(letters[:1]))[0]
    state = lm.extend(lm.start(3), [[letters[0]], [letters[-1]], [first]])
    tolerance = 1e-12 if lm.dtype == "float64" else 1e-5
    before = np.array(state.logp)
    longer = lm.extend(state, [[letters[-1]]] * 3)
    frozen = np.array(longer.logp)
    fresh = lm.extend(lm.start(3), [[i, letters[0]] for i in (letters[0], letters[-1], first)])
    again = lm.extend(state, [[letters[0]]] * 3)
    hold(
        _near(np.array(again.logp), np.array(fresh.logp), tolerance),
        "extend a second time, as the first time",
    )
    picked = state.take([2, 0, 2])
    joined = picked.cat(longer, state.take([1]))
    hold(joined.n == 7, "cat counts its rows", joined.n)
    lm.extend(joined, [[letters[0]]] * 7).logp  # noqa: B018
    hold(_near(np.array(state.logp), before, 1e-300), "extend leaves the old state alone")
    hold(_near(np.array(longer.logp), frozen, 1e-300), "cat leaves its parts alone")
    hold(_near(np.array(joined.logp[:3]), before[[2, 0, 2]], tolerance), "take takes its rows")
    hold(_near(np.array(joined.logp[3:6]), frozen, tolerance), "cat keeps the order")
    further = lm.extend(joined, [[letters[0]]] * 7).logp
    alone = lm.extend(state.take([1]), [[letters[0]]]).logp
    hold(_near(np.array(further[6:]), np.array(alone), tolerance), "a row goes on as it would alone")
    hold(lm.extend(state, np.zeros((3, 0), dtype=np.int64)).n == 3, "extend by nothing")
    hold(lm.extend(lm.start(0), np.zeros((0, 1), dtype=np.int64)).n == 0, "an empty batch")


def parts_sum_to_total(lm: LM) -> None:
    """8. The sum of per-token terms is the total; spans tile the text."""
    given = b"" if _has_begin(lm) else lm.vocab.decode(letters_of(lm.vocab)[:1])
    walks = Walks(lm, lm.vocab.encode(given))
    every = [lm.vocab.decode(p) for p in texts(lm.vocab, 3)]
    for text, s in zip(every, score(lm, every, given)):
        ids = [int(i) for i in s.tokens]
        hold(lm.vocab.decode(ids) == text, "decode ∘ encode = id", text)
        hold([text[a:b] for a, b in s.spans] == lm.vocab.pieces(ids), "spans tile the text", text)
        by_hand = walks.prefix(ids)
        hold(_near(np.array([s.prefix_total]), np.array([by_hand]), 1e-4), "prefix_total", (text, by_hand))
        if lm.vocab.end is not None:
            hold(len(s.logp) == len(ids) + 1, "one term a token, and EOS", s.logp)
            lo, hi = s.interval
            hold(lo <= s.total <= hi and (lm.interval or lo == hi), "exact, or within bounds", s.interval)
            hold(_near(np.array([s.total]), np.array([s.logp.sum()]), 1e-12), "terms sum to the total", text)
            hold(s.terms.end and s.terms.tokens == len(ids) and s.terms.bytes == len(text), "terms", s.terms)


def unseen_does_not_matter(lm: LM) -> None:
    """9. `seen` depends on the position only, and the distribution at a position depends on at most `seen` tokens."""
    tolerance = 1e-9 if lm.dtype == "float64" else 1e-5
    n = 2 * LONGEST
    seen = lm.seen(n)
    hold(seen.shape == (n,) and seen.dtype == np.int64, "seen is a number a position", seen)
    hold(all((lm.seen(k) == seen[:k]).all() for k in range(n)), "seen depends on the position only", seen)
    letters = letters_of(lm.vocab)
    path = [letters[i % len(letters)] for i in range(n)]
    for i in range(1, n):
        lost = i - int(seen[i])
        if lost > 0:
            other = [*[letters[-1] if t == letters[0] else letters[0] for t in path[:lost]], *path[lost:i]]
            states = lm.extend(lm.start(2), [path[:i], other])
            hold(_near(states.logp[0], states.logp[1], tolerance), "what is not seen does not matter", i)


def branches_are_extend(lm: LM) -> None:
    """10. The distribution after a node of a tree is that of its path, whatever other nodes the tree has."""
    rng = np.random.default_rng(7)
    letters = letters_of(lm.vocab)
    first = [[letters[0]], [letters[-1]]]
    state = lm.extend(lm.start(2), first)
    tree = lm.branches(state)
    paths: list[tuple[int, list[int]]] = []
    for n in (1, 7, 5):
        parent = [int(rng.integers(-2, len(paths) + k)) for k in range(n)]
        token = [letters[i] for i in rng.integers(0, len(letters), size=n)]
        for above, last in zip(parent, token):
            row, before = paths[above] if above >= 0 else (-1 - above, [])
            paths.append((row, [*before, last]))
        reported = []
        for nodes, logp in tree.grow(np.array(parent), np.array(token)):
            for node, law in zip(nodes.tolist(), logp):
                row, path = paths[node]
                alone = lm.extend(lm.start(1), [[*first[row], *path]]).logp[0]
                tolerance = 1e-9 if lm.dtype == "float64" else 1e-4
                hold(_near(np.array(law), np.array(alone), tolerance), "branch ≡ extend", (row, path))
                reported.append(node)
        hold(sorted(reported) == list(range(len(paths) - n, len(paths))), "every new node once", reported)


def _few(lm: LM) -> list[list[int]]:
    """A few paths of two to four tokens, EOS after half of them."""
    rng = np.random.default_rng(11)
    letters = letters_of(lm.vocab)
    some = [[letters[i] for i in rng.integers(0, len(letters), size=n)] for n in (2, 2, 3, 4, 4)]
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    return [[*p, *(end if k % 2 else [])] for k, p in enumerate(some)]


def _walked(lm: LM, path: list[int]) -> list[State]:
    """The state before each token of a path."""
    states = [lm.start(1)]
    for i in path[:-1]:
        states.append(lm.extend(states[-1], [[i]]))
    return states


def bounds_hold(lm: LM, exact: LM | None = None) -> None:
    """11. Bounds of traces and states hold the exact value, and the leak of a trace is the leak of the states.

    Args:
        lm: The model.
        exact: The model whose values the bounds must hold; by default the model itself.
    """
    exact = exact or lm
    tolerance = 1e-9 if lm.dtype == "float64" else 1e-4
    for path in _few(lm):
        free = 0 if _has_begin(lm) else 1
        truth = exact.forward([path], skip=free).logp[0]
        if np.isneginf(truth[:-1]).any():
            continue  # after an impossible prefix every bound is right
        running = np.cumsum(np.append(0.0, truth))
        for skip in sorted({free, len(path) // 2} - ({0} if free else set())):
            trace = lm.forward([path], skip=skip)
            hold(
                (trace.low is not None) == lm.interval == (trace.high is not None), "bounds if interval", path
            )
            if trace.low is not None and trace.high is not None:
                true = running[skip - free + 1 :] - running[skip - free]
                low, high = np.cumsum(trace.low[0]), np.cumsum(trace.high[0])
                hold(_below(low, true, tolerance), "low ≤ log P", (path, skip, low, true))
                hold(_below(true, high, tolerance), "log P ≤ high", (path, skip, true, high))
            hold((trace.leak is not None) == lm.leaks, "a leak if it leaks", path)
        if not (lm.interval or lm.leaks):
            continue
        states = _walked(lm, path)[free:]
        exactly = states if exact is lm else _walked(exact, path)[free:]
        first = states[0].bounds
        for i, (state, other) in enumerate(zip(states, exactly)):
            found = state.bounds
            hold(found is not None or not lm.interval, "states have bounds if interval", path)
            if found is not None and first is not None:
                true = np.array([running[i]])
                hold(_below(found.kept - first.most, true, tolerance), "kept ≤ P(x)", (path, i))
                hold(_below(true, found.most - first.most, tolerance), "P(x) ≤ kept + dropped", (path, i))
                low, high = found.following()
                hold(_below(low, other.logp, tolerance), "low ≤ log p(v | x)", (path, i))
                hold(_below(other.logp, high, tolerance), "log p(v | x) ≤ high", (path, i))
            if lm.leaks:
                leak = lm.forward([path], skip=free).leak
                assert leak is not None
                assert state.leak is not None
                hold(_near(leak[0][i : i + 1], state.leak, tolerance), "leak of trace and state", (path, i))


def asking_changes_nothing(lm: LM) -> None:
    """12. A `Want` changes no log p, bound or leak, and entropy, rank, top, log p(EOS) and masses are right."""
    tolerance = 1e-9 if lm.dtype == "float64" else 1e-4
    free = 0 if _has_begin(lm) else 1
    paths = _few(lm)
    rng = np.random.default_rng(13)
    sets = rng.random((2, lm.vocab.size)) < 0.4
    wants = [
        Want(entropy=True),
        Want(rank=True),
        Want(top=2),
        Want(masses=sets),
        Want(True, True, 3, masses=sets),
    ]
    wants += [Want(end=True)] if lm.vocab.end is not None else []
    plain = lm.forward(paths, skip=free)
    laws = [np.concatenate([s.logp for s in _walked(lm, p)[free:]]).astype(np.float64) for p in paths]
    for want in wants:
        trace = lm.forward(paths, want, free)
        for name in ("logp", "low", "high", "leak"):
            a, b = getattr(plain, name), getattr(trace, name)
            hold((a is None) == (b is None), f"asking for more keeps {name}", want)
            for p, x, y in zip(paths, a or (), b or ()):
                x, y = (x, y) if name == "leak" else (np.cumsum(x), np.cumsum(y))
                hold(_near(x, y, 10 * tolerance), f"asking for more changes no {name}", (want, p, x, y))
        for i, law in enumerate(laws):
            p = np.exp(law)
            if trace.entropy is not None:
                h = -np.sum(np.where(p > 0, p * np.where(p > 0, law, 0.0), 0.0), axis=1)
                hold(_near(trace.entropy[i], h, 10 * tolerance), "entropy", (paths[i], h))
            if trace.end is not None:
                hold(_near(trace.end[i], law[:, lm.vocab.end], tolerance), "log p(EOS)", paths[i])
            if trace.top_logp is not None:
                best = -np.sort(-law, axis=1)[:, : trace.top_logp[i].shape[1]]
                hold(_near(trace.top_logp[i][:, : best.shape[1]], best, tolerance), "top", paths[i])
            if trace.masses is not None:
                with np.errstate(divide="ignore"):
                    masses = np.log(p @ sets.T)
                hold(_near(trace.masses[i], masses, 10 * tolerance), "masses", (paths[i], masses))


def threads_do_not_matter(lm: LM) -> None:
    """13. Several threads that use one model at once get the numbers that one thread gets."""
    tolerance = 1e-12 if lm.dtype == "float64" else 1e-5
    free = 0 if _has_begin(lm) else 1

    def work(path: list[int]) -> tuple[np.ndarray, np.ndarray]:
        whole = lm.forward([path], skip=free).logp[0]
        return whole, np.concatenate([s.logp for s in _walked(lm, path)[free:]])

    jobs = _few(lm) * 2
    alone = [work(p) for p in jobs[: len(jobs) // 2]] * 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, jobs))
    for p, (a, b), (c, d) in zip(jobs, alone, together):
        hold(
            _near(a, c, tolerance) and _near(np.array(b), np.array(d), tolerance), "threads do not matter", p
        )


def _below(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    return bool(np.all(np.asarray(a) <= np.asarray(b) + tolerance))


LAWS = {
    "1 rows": rows_sum_to_one,
    "2 strings": strings_sum_to_one,
    "3 forward": forward_is_extend,
    "4 given": chain_rule_through_given,
    "5 draws": draws_follow_p,
    "6 values": states_are_values,
    "8 parts": parts_sum_to_total,
    "9 seen": unseen_does_not_matter,
    "10 branches": branches_are_extend,
    "11 bounds": bounds_hold,
    "12 asking": asking_changes_nothing,
    "13 threads": threads_do_not_matter,
}


def laws(lm: LM, exact: LM | None = None) -> None:
    """Check all laws but law 7 (the training loss is −score), which each family tests beside its fit.

    Args:
        lm: The model.
        exact: The model whose values the bounds of `lm` must hold, where `lm` leaves terms out.
    """
    for name, law in LAWS.items():
        if name == "11 bounds":
            bounds_hold(lm, exact)
        else:
            law(lm)
