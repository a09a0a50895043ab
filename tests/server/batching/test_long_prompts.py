"""A long prompt before draws is read in slices: others come in between, and its numbers do not change."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Trace
from pofx.server.batching.cancellation import Cancellation, Cancelled, cancelled_by
from pofx.server.batching.shared import LONG, SLICE, SharedLM
from pofx.server.batching.turns import Turns
from pofx.transforms.wrapper import LMWrapper
from toy import ToyLM

DEADLINE = 20


class Noting(LMWrapper):
    """A model that notes how many tokens each call reads, and stops inside the first step until a gate opens."""

    def __init__(self, lm: LM) -> None:
        super().__init__(lm)
        self.read: list[int | str] = []
        self.entered, self.gate = threading.Event(), threading.Event()

    def over(self, lm: LM) -> LM:
        return Noting(lm)

    def extend(self, state: State, ids: Any) -> State:
        self.read.append(int(np.size(ids)))
        self.entered.set()
        assert self.gate.wait(DEADLINE)
        return self.lm.extend(state, ids)

    def forward(self, *args: Any) -> Trace:
        self.read.append("short")
        return self.lm.forward(*args)


@pytest.mark.parametrize("rows", [1, 3, 2 * SLICE])
def test_slices_have_the_numbers_of_the_whole(rows: int) -> None:
    noting = Noting(ToyLM())
    noting.gate.set()
    shared = SharedLM(noting, Turns())
    ids = np.random.default_rng(0).integers(0, 3, (rows, 2 * LONG // rows + 5))
    found = shared.extend(shared.start(rows), ids)
    assert np.array_equal(found.logp, ToyLM().extend(ToyLM().start(rows), ids).logp)
    assert all(isinstance(n, int) and n <= max(SLICE, rows) for n in noting.read)
    assert sum(n for n in noting.read if isinstance(n, int)) == ids.size


def test_a_short_call_waits_for_one_slice_of_a_long_prompt() -> None:
    noting = Noting(ToyLM())
    shared = SharedLM(noting, Turns())
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(shared.extend, shared.start(1), [[0] * 10 * LONG])
        assert noting.entered.wait(DEADLINE)
        short = pool.submit(shared.forward, [[1, 3]])
        stop = time.monotonic() + DEADLINE
        while not shared._turns.waited_for:
            assert time.monotonic() < stop
            time.sleep(0.001)
        noting.gate.set()
        short.result(DEADLINE)
        long.result(DEADLINE)
    assert noting.read[:2] == [SLICE, "short"]
    assert len(noting.read) == 10 * LONG // SLICE + 1


def test_a_long_prompt_that_nobody_waits_for_stops_at_the_next_slice() -> None:
    noting = Noting(ToyLM())
    shared = SharedLM(noting, Turns())
    gone = Cancellation()

    def work() -> State:
        with cancelled_by(gone):
            return shared.extend(shared.start(1), [[0] * 10 * LONG])

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        assert noting.entered.wait(DEADLINE)
        gone.cancel()
        noting.gate.set()
        assert isinstance(future.exception(DEADLINE), Cancelled)
    assert noting.read == [SLICE]
