"""One model for the threads of many requests, in which waiting calls are computed together, in bounded turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np

from pofx.errors import NoBOS
from pofx.lm.continuation_tree import Branches
from pofx.lm.model import LM, Portable, Termination
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.prefix_memory import PrefixMemory, remember_prefixes
from pofx.lm.reading_progress import listen_to_reading
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.server.batching.arrivals import arrived
from pofx.server.batching.calls import Call, ExtendCall, ForwardCall
from pofx.server.batching.cancellation import Cancelled, current_cancellation
from pofx.server.batching.turns import Turns
from pofx.transforms.wrapper import LMWrapper

R = TypeVar("R")

# A call of more tokens than this is long, and is not computed together with a short call, which would have to wait.
LONG = 512
# A computation of long calls pauses for other calls after the first number of tokens, and a computation of short calls after
# the second. 128 tokens of a model of 135 million weights take a core 0.5 s; the second is a pass of a pretrained model.
SLICE, PASS = 128, 1024
# The most tokens of one computation. A larger computation would share no more, and take more memory.
MOST = 32 * PASS
# A caller that finds the model idle waits, at most `PATIENCE` seconds, until no request is on its way to the model and no
# request has arrived for `QUIET` seconds. Ten clients that ask at once share a prefix only if they are read together. A step
# of a draw waits `STEP` seconds for the other draws of the last step, since each of them needs its next step soon.
QUIET, PATIENCE, STEP = 0.002, 0.030, 0.004
# Clients that were just answered ask again soon, so a caller waits for them, at most this share of the seconds that their
# computation took, and twice this share while requests arrive. Otherwise 16 clients that ask one text after another are
# always read in two halves: 128 texts took 12.5 s so, and 10.1 s in batches of 16.
RETURN = 0.05


class SharedLM(LMWrapper):
    """The same distribution, computed for many threads by one computation at a time.

    Calls of `forward` and `extend` that wait for the model are computed together, and their shared prefixes are read
    once. A long computation pauses for other calls between two passes.

    Args:
        lm: The model.
        turns: The turns at the machine, which all models of a server share.
        merge: Whether calls are computed together. Otherwise the bits of a number do not depend on other calls.
        preparing: A function that returns how many requests are on their way to the model; by default 0.
        observe: A function that is called after each computation with the number of calls, the number of their tokens,
            and the seconds of the computation without its pauses.
        memory: A memory of prefixes, which later calls take from earlier ones; None for no memory.

    Right: `score(shared, texts)` in the thread of each request. Wrong: `shared.lm.forward(…)`, which takes no turn.
    """

    def __init__(
        self,
        lm: LM,
        turns: Turns,
        merge: bool = True,
        preparing: Callable[[], int] = lambda: 0,
        observe: Callable[[int, int, float], None] = lambda calls, tokens, seconds: None,
        memory: PrefixMemory | None = None,
    ) -> None:
        super().__init__(lm)
        self._turns, self._merge, self._preparing, self._observe = turns, merge, preparing, observe
        self._memory = memory
        self._lock = threading.Lock()
        self._pending: list[Call] = []
        self._steps = 0  # calls in the last computation of steps
        # How many calls may come when the clients of the last computation ask again, and until when a caller waits for them.
        # The last number is the time until when it waits where requests still arrive.
        self._expected, self._until, self._latest = 0, 0.0, 0.0

    def over(self, lm: LM) -> LM:
        """Return a `SharedLM` of another model, at the same turns."""
        return SharedLM(lm, self._turns, self._merge, self._preparing, self._observe, self._memory)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return the trace of the model, which may be computed in one pass with the paths of other threads."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        trace: Trace = self._answer(ForwardCall(paths=ids, want=want, skips=skip_per_path(skip, ids)))
        return trace

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of the model, which may be computed in one step with the prefixes of other threads."""
        new = as_id_rows(ids, state.n)
        if not new.size:
            return state
        # A long prompt before draws is read in slices, so that a short call waits for one slice at most.
        width = new.shape[1] if new.size <= LONG else max(1, SLICE // state.n)
        for at in range(0, new.shape[1], width):
            last = at + width >= new.shape[1]
            state = self._answer(ExtendCall(state=state, ids=new[:, at : at + width], read=last))
        return state

    def start(self, n: int) -> State:
        """Return the state of the model; its distributions are computed in this turn, and not when they are read."""

        def started() -> State:
            state = self.lm.start(n)
            with suppress(NoBOS):  # the state can be extended without a distribution
                _ = state.logp
            return state

        return self._in_turn(started)

    def branches(self, state: State) -> Branches:
        """Return the tree of the model; each growth of the tree takes a turn."""
        return _TurnBranches(self._in_turn(lambda: self.lm.branches(state)), self._in_turn)

    def portable(self) -> Portable | None:
        """Return the portable arithmetic of the model itself."""
        return self.lm.portable()

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """Return the termination of the model itself, which is computed in a turn."""
        return self._in_turn(lambda: self.lm.termination(lengths))

    def _answer(self, call: Call) -> Any:
        _refuse_cancelled([call])
        with self._lock:
            self._pending.append(call)
            call.ticket = self._turns.enter()
        arrived()
        idle = call.ticket.ready
        if call.ticket.wait():
            try:
                self._lead(call, idle)
            finally:
                self._turns.leave()
        if call.error is not None:
            raise call.error
        return call.result

    def _lead(self, call: Call, idle: bool) -> None:
        """Compute a call together with the waiting calls of its kind."""
        if self._merge and self.work and call.tokens <= LONG:
            if isinstance(call, ExtendCall):
                _wait(STEP, lambda: len(self._pending) >= self._steps)
            else:
                now = time.monotonic()
                self._gather(max(self._latest, now + PATIENCE) if idle else self._latest)
        with self._lock:
            calls = self._together(call)
            if isinstance(call, ExtendCall):
                self._steps = len(calls)
            self._pending = [c for c in self._pending if c not in calls]
        others = [c for c in calls if c is not call]
        for other in others:
            self._turns.withdraw(other.ticket)
        began = time.monotonic()
        try:
            self._compute(calls)
        finally:
            if isinstance(call, ForwardCall):
                ended = time.monotonic()
                self._expected = len(self._pending) + len(calls) if call.tokens <= LONG else 0
                self._until = ended + RETURN * (ended - began)
                self._latest = ended + 2 * RETURN * (ended - began)
            for other in others:
                other.ticket.call(False)

    def _gather(self, latest: float) -> None:
        """Wait for calls to compute together, at most until `latest`.

        The wait ends when no request is on its way and the clients of the last computation have all asked again. It also
        ends when they had their time, no request is on its way, and none has arrived for `QUIET` seconds.
        """
        n, since = -1, 0.0

        def complete() -> bool:
            nonlocal n, since
            now = time.monotonic()
            if len(self._pending) != n:
                n, since = len(self._pending), now
            if self._preparing():
                return False
            if now < self._latest and n >= self._expected > 1:
                return True
            # A lone client may be the first of many, so its call waits for silence.
            return (n >= self._expected or now >= self._until) and now - since >= QUIET

        _wait(latest - time.monotonic(), complete)

    def _together(self, call: Call) -> list[Call]:
        """Return a call with the waiting calls of its kind and of similar length, at most `MOST` tokens in all."""
        if not self._merge or call.cancellation.cancelled:
            return [call]
        calls, tokens = [call], call.tokens
        for other in self._pending:
            fits = tokens + other.tokens <= MOST and (other.tokens > LONG) == (call.tokens > LONG)
            if other is not call and other.kind == call.kind and fits and not other.cancellation.cancelled:
                calls.append(other)
                tokens += other.tokens
        return calls

    def _compute(self, calls: Sequence[Call]) -> None:
        """Give each call its result or its error; if one of several calls fails, each call is computed alone."""
        try:
            _refuse_cancelled(calls)
            with self._pausing(calls), remember_prefixes(None if calls[0].afresh else self._memory):
                for call, result in zip(calls, type(calls[0]).compute(self.lm, calls)):  # type: ignore[attr-defined]
                    call.result = result
        except BaseException as e:
            if len(calls) > 1 and isinstance(e, Exception) and not isinstance(e, Cancelled):
                for call in calls:
                    self._compute([call])
                return
            for call in calls:
                call.error = e

    @contextmanager
    def _pausing(self, calls: Sequence[Call]) -> Iterator[None]:
        """Pause for other calls between passes, and stop if no client waits for any of the calls."""
        last, most = 0, SLICE if calls[0].tokens > LONG else PASS
        began = time.monotonic()

        def read(done: int, of: int) -> None:
            nonlocal last, began
            if done - last >= most or done < last:
                last = done
                paused = time.monotonic()
                self._turns.pause()
                began += time.monotonic() - paused
            _refuse_cancelled(calls)

        with listen_to_reading(read):
            yield
        self._observe(len(calls), sum(c.tokens for c in calls), time.monotonic() - began)

    def _in_turn(self, compute: Callable[[], R]) -> R:
        """Compute a function in a turn of its own."""
        if current_cancellation().cancelled:
            raise Cancelled
        ticket = self._turns.enter()
        arrived()
        if not ticket.wait():
            raise AssertionError("ours: only calls that are merged are withdrawn")
        try:
            return compute()
        finally:
            self._turns.leave()


class _TurnBranches:
    """A tree of continuations, each growth of which takes a turn."""

    def __init__(self, tree: Branches, in_turn: Callable[[Callable[[], Any]], Any]) -> None:
        self._tree, self._in_turn = tree, in_turn

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Any]]:
        """Grow the tree in one turn, and hold all distributions of this growth in memory."""
        yield from self._in_turn(lambda: list(self._tree.grow(parent, token)))


def _refuse_cancelled(calls: Sequence[Call]) -> None:
    """Raise `Cancelled` if no client waits for any of the calls."""
    if all(c.cancellation.cancelled for c in calls):
        raise Cancelled


def _wait(patience: float, until: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most `patience` seconds; the condition is tested every `QUIET` seconds."""
    stop = time.monotonic() + patience
    while not until() and time.monotonic() < stop:
        time.sleep(QUIET)
