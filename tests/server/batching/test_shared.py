"""One model for many threads: what waits together is computed together, and nothing else changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pofx
from laws import laws
from pofx.errors import NoBOS, TooLong
from pofx.lm.model import LM
from pofx.lm.reading_progress import report_read
from pofx.lm.trace import Path, Trace, Want
from pofx.server.batching import shared as batching
from pofx.server.batching.calls import ForwardCall
from pofx.server.batching.cancellation import Cancellation, Cancelled, cancelled_by
from pofx.server.batching.shared import LONG, SLICE, SharedLM
from pofx.server.batching.turns import Turns
from pofx.transforms.wrapper import LMWrapper
from toy import ToyLM

DEADLINE = 20


class Gated(LMWrapper):
    """A model that notes every call, and stops inside the first one until a gate opens."""

    def __init__(self, lm: LM, bad: int | None = None) -> None:
        super().__init__(lm)
        self.calls: list[list[tuple[int, ...]]] = []
        self.entered, self.gate, self.bad = threading.Event(), threading.Event(), bad

    def over(self, lm: LM) -> LM:
        return Gated(lm)

    def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        self.calls.append([tuple(map(int, p)) for p in paths])
        if len(self.calls) == 1:
            self.entered.set()
            assert self.gate.wait(DEADLINE)
        if self.bad is not None and any(self.bad in p for p in self.calls[-1]):
            raise TooLong("planted")
        return self.lm.forward(paths, want, skip)

    def extend(self, state, ids):  # type: ignore[no-untyped-def]
        self.calls.append([tuple(row) for row in np.asarray(ids).tolist()])
        return self.lm.extend(state, ids)


class Slow(LMWrapper):
    """A model that says after every `SLICE` tokens of a path how far it is, and notes what it did."""

    def __init__(self, lm: LM) -> None:
        super().__init__(lm)
        self.log: list[str] = []
        self.begun, self.meanwhile = threading.Event(), threading.Event()

    def over(self, lm: LM) -> LM:
        return Slow(lm)

    def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        n = sum(map(len, paths))
        name = "long" if n > LONG else "short"
        for done in range(0, n, SLICE):
            self.log.append(name)
            if name == "long" and not self.begun.is_set():
                self.begun.set()
                assert self.meanwhile.wait(DEADLINE)
            report_read(min(n, done + SLICE), n)
        return self.lm.forward([p[:3] for p in paths], want, skip)


def wait_until(condition: Callable[[], bool]) -> None:
    stop = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < stop
        time.sleep(0.001)


def together(gated: Gated, shared: SharedLM, works: Sequence[Callable[[], object]]) -> list[object]:
    """Run the first work, and the others while it is inside the model; results or errors."""
    pool = ThreadPoolExecutor(len(works))
    futures = [pool.submit(works[0])]
    assert gated.entered.wait(DEADLINE)
    futures += [pool.submit(w) for w in works[1:]]
    wait_until(lambda: len(shared._pending) == len(works) - 1)
    gated.gate.set()
    out = [f.exception(DEADLINE) or f.result() for f in futures]
    pool.shutdown()
    return out


def forward_work(lm: LM, path: Sequence[int], want: Want = Want()) -> Callable[[], object]:
    return lambda: lm.forward([path], want)


def test_the_laws_hold() -> None:
    laws(SharedLM(ToyLM(), Turns()))
    laws(SharedLM(ToyLM(begin=False), Turns()))


def test_what_waits_is_computed_in_one_call_and_each_caller_gets_its_own() -> None:
    toy = ToyLM()
    gated = Gated(toy)
    shared = SharedLM(gated, Turns())
    paths = [[0, 1, 3], [1, 1, 1, 3], [2, 3], [0, 3], [3]]
    found = together(gated, shared, [forward_work(shared, p, Want(entropy=True, top=2)) for p in paths])
    assert len(gated.calls) == 2
    assert sorted(gated.calls[1]) == sorted(tuple(p) for p in paths[1:])
    for p, trace in zip(paths, found):
        alone = toy.forward([p], Want(entropy=True, top=2))
        assert isinstance(trace, Trace)
        for name in ("logp", "entropy", "top_ids", "top_logp"):
            assert np.array_equal(getattr(trace, name)[0], getattr(alone, name)[0])
        assert len(trace.logp) == 1
        assert trace.rank is None


def test_calls_that_ask_for_other_things_are_computed_apart() -> None:
    gated = Gated(ToyLM())
    shared = SharedLM(gated, Turns())
    wants = [Want(), Want(rank=True), Want(rank=True), Want(top=1), Want()]
    together(gated, shared, [forward_work(shared, [k % 3, 3], w) for k, w in enumerate(wants)])
    assert sorted(map(len, gated.calls)) == [1, 1, 1, 2]


def test_sets_of_tokens_are_never_mixed_up() -> None:
    toy = ToyLM()
    gated = Gated(toy)
    shared = SharedLM(gated, Turns())
    masses = [np.eye(4, dtype=bool)[[k]] for k in range(3)]
    found = together(gated, shared, [forward_work(shared, [0, 3], Want(masses=m)) for m in masses])
    for m, trace in zip(masses, found):
        assert np.array_equal(trace.masses[0], toy.forward([[0, 3]], Want(masses=m)).masses[0])  # type: ignore[attr-defined, index]


def test_steps_of_many_draws_are_one_step() -> None:
    toy = ToyLM()
    gated = Gated(toy)
    gated.gate.set()
    shared = SharedLM(gated, Turns())
    states = [toy.start(1), toy.start(2), toy.start(1)]
    with ThreadPoolExecutor(4) as pool:
        turn = shared._turns.enter()
        futures = [pool.submit(shared.extend, s, [[k % 3]] * s.n) for k, s in enumerate(states)]
        wait_until(lambda: len(shared._pending) == 3)
        assert turn.wait()
        shared._turns.leave()
        found = [f.result(DEADLINE) for f in futures]
    assert len(gated.calls) == 1
    for k, (s, state) in enumerate(zip(states, found)):
        assert np.array_equal(state.logp, toy.extend(s, [[k % 3]] * s.n).logp)


def test_one_bad_call_leaves_its_neighbours_alone() -> None:
    toy = ToyLM()
    gated = Gated(toy, bad=2)
    shared = SharedLM(gated, Turns())
    found = together(gated, shared, [forward_work(shared, p) for p in ([0, 3], [1, 3], [2, 3], [1, 1])])
    assert isinstance(found[2], TooLong)
    for p, k in (([0, 3], 0), ([1, 3], 1), ([1, 1], 3)):
        assert np.array_equal(found[k].logp[0], toy.forward([p]).logp[0])  # type: ignore[attr-defined]


def test_a_model_without_x0_says_so() -> None:
    shared = SharedLM(ToyLM(begin=False), Turns())
    with pytest.raises(NoBOS):
        shared.forward([[0, 3]])
    with pytest.raises(NoBOS):
        _ = shared.start(1).logp
    assert shared.forward([[0, 3]], skip=1).logp[0].shape == (1,)


def test_without_merging_every_call_is_alone() -> None:
    gated = Gated(ToyLM())
    shared = SharedLM(gated, Turns(), merge=False)
    together(gated, shared, [forward_work(shared, [k % 3, 3]) for k in range(4)])
    assert [len(c) for c in gated.calls] == [1, 1, 1, 1]


def test_a_short_call_waits_for_one_slice_of_a_long_one() -> None:
    slow = Slow(ToyLM())
    shared = SharedLM(slow, Turns())
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(shared.forward, [[0] * (LONG + 3 * SLICE)])
        assert slow.begun.wait(DEADLINE)
        short = pool.submit(shared.forward, [[1, 2]])
        wait_until(lambda: len(shared._pending) == 1)
        slow.meanwhile.set()
        short.result(DEADLINE)
        long.result(DEADLINE)
    assert slow.log.index("short") == 1
    assert slow.log.count("long") == (LONG + 3 * SLICE) // SLICE


def test_long_calls_are_computed_with_long_ones_only() -> None:
    shared = SharedLM(ToyLM(), Turns())
    calls = [ForwardCall(paths=[[0] * n], want=Want(), skips=[0]) for n in (1, LONG + 1, 2, LONG + 2)]
    shared._pending = list(calls)
    assert shared._together(calls[0]) == [calls[0], calls[2]]
    assert shared._together(calls[3]) == [calls[3], calls[1]]


def test_nobody_computes_what_nobody_waits_for() -> None:
    gated = Gated(ToyLM())
    shared = SharedLM(gated, Turns())
    gone = Cancellation()

    def work() -> object:
        with cancelled_by(gone):
            return shared.forward([[2, 3]])

    def stay_then_cancel() -> object:
        gone.cancel()
        return shared.forward([[1, 3]])

    found = together(gated, shared, [forward_work(shared, [0, 3]), work, stay_then_cancel])
    assert isinstance(found[1], Cancelled)
    assert (2, 3) not in [p for call in gated.calls for p in call]
    with pytest.raises(Cancelled):
        work()


def test_a_long_call_stops_at_the_next_slice() -> None:
    slow = Slow(ToyLM())
    shared = SharedLM(slow, Turns())
    gone = Cancellation()

    def work() -> object:
        with cancelled_by(gone):
            return shared.forward([[0] * 10 * LONG])

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        assert slow.begun.wait(DEADLINE)
        gone.cancel()
        slow.meanwhile.set()
        assert isinstance(future.exception(DEADLINE), Cancelled)
    assert slow.log == ["long"]
    shared.forward([[0, 3]])


def test_many_threads_get_what_one_gets() -> None:
    toy = ToyLM()
    shared = SharedLM(toy, Turns())

    def ask(lm: LM, k: int) -> object:
        text = "abc"[: k % 4]
        drawn = [d.text for d in pofx.sample(lm, 3, max_tokens=9, seed=k)]
        return pofx.log_prob(lm, text), pofx.log_prob(lm, "ab", given=text), drawn

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda k: ask(shared, k), range(64))) == [ask(toy, k) for k in range(64)]


def worked(lm: LM) -> LM:
    """A model that says that a token costs something: only such a model waits for others."""
    return lm.with_info(work=1)


def test_a_call_waits_for_requests_that_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PATIENCE", DEADLINE)
    gated = Gated(worked(ToyLM()))
    gated.gate.set()
    shared = SharedLM(gated, Turns(), preparing=lambda: 2 - len(shared._pending))
    with ThreadPoolExecutor(2) as pool:
        for path in ([0, 3], [1, 3]):
            pool.submit(shared.forward, [path])
    assert [sorted(c) for c in gated.calls] == [[(0, 3), (1, 3)]]


def test_a_call_waits_no_longer_than_its_patience() -> None:
    shared = SharedLM(worked(ToyLM()), Turns(), preparing=lambda: 1)
    assert shared.forward([[0, 3]]).logp[0].shape == (2,)


def test_a_step_waits_for_the_draws_of_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "STEP", DEADLINE)
    toy = ToyLM()
    gated = Gated(worked(toy))
    gated.gate.set()
    shared = SharedLM(gated, Turns())
    shared._steps = 2
    with ThreadPoolExecutor(2) as pool:
        for letter in range(2):
            pool.submit(shared.extend, toy.start(1), [[letter]])
    assert [sorted(c) for c in gated.calls] == [[(0,), (1,)]]


def test_a_call_waits_for_the_callers_that_were_just_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else clients that ask one text after another are for ever computed in two halves."""
    monkeypatch.setattr(batching, "RETURN", 1e9)
    monkeypatch.setattr(batching, "PATIENCE", 0)
    gated = Gated(worked(ToyLM()))
    shared = SharedLM(gated, Turns())
    first, second = forward_work(shared, [0, 3]), forward_work(shared, [2, 3])
    # A client needs a while to ask again; without the wait the other call goes first.
    together(gated, shared, [lambda: (first(), time.sleep(0.05), second()), forward_work(shared, [1, 3])])
    assert [sorted(c) for c in gated.calls] == [[(0, 3)], [(1, 3), (2, 3)]]


def test_the_first_that_asks_again_waits_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one client takes a pass of its own whenever the others need longer to ask again than the silence lasts."""
    monkeypatch.setattr(batching, "RETURN", 1e9)
    gated = Gated(worked(ToyLM()))
    gated.gate.set()
    shared = SharedLM(gated, Turns())
    shared._expected, shared._until = 2, time.monotonic() + DEADLINE
    shared._latest = shared._until
    slow = forward_work(shared, [1, 3])
    with ThreadPoolExecutor(2) as pool:
        pool.submit(forward_work(shared, [0, 3]))
        pool.submit(lambda: (time.sleep(0.05), slow()))
    assert [sorted(c) for c in gated.calls] == [[(0, 3), (1, 3)]]


def test_nobody_waits_for_callers_that_stay_away() -> None:
    shared = SharedLM(worked(ToyLM()), Turns())
    shared._expected, shared._until, shared._latest = 9, time.monotonic() + 0.05, time.monotonic() + DEADLINE
    shared.forward([[0, 3]])
    assert time.monotonic() < shared._latest
    assert shared._expected == 1


def test_nobody_waits_for_callers_of_long_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "RETURN", 1e9)
    gated = Gated(worked(ToyLM()))
    shared = SharedLM(gated, Turns())
    long = [0] * (LONG + 1)
    together(gated, shared, [forward_work(shared, long), forward_work(shared, [1, 3])])
    assert [len(c[0]) for c in gated.calls] == [len(long), 2]
