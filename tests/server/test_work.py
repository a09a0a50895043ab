"""Admission, threads and the going away of a client, without a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from pofx.server.batching import cancellation
from pofx.server.batching.arrivals import arrived
from pofx.server.batching.cancellation import Cancellation, Cancelled, current_cancellation
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.limits import check_ids, check_texts
from pofx.server.settings import Settings
from pofx.server.work import AT_ONCE, Desk


class Asked:
    """A request whose client goes away when `gone` is set."""

    def __init__(self) -> None:
        self.gone = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


def until_cancelled(started: threading.Event) -> Callable[[], None]:
    """Work that ends when it is told to, as at a pass of a model."""
    tick = threading.Event()

    def work() -> None:
        started.set()
        while not current_cancellation().cancelled:
            tick.wait(0.001)
        raise Cancelled

    return work


async def refused(desk: Desk, asked: Asked, work: Callable[[], None]) -> RequestError:
    with pytest.raises(RequestError) as caught, desk.admitted(5):
        await desk.run(asked, work)  # type: ignore[arg-type]
    return caught.value


def test_the_queue_is_bounded_by_tokens_and_one_request_always_fits() -> None:
    desk = Desk(10, 2)
    with desk.admitted(50) as seat:
        with pytest.raises(RequestError, match="at most 10") as caught, desk.admitted(1):
            pass
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
        seat.resize(4)
        with desk.admitted(6), pytest.raises(RequestError, match="expected room for 7 tokens"):
            seat.resize(7)
        assert desk.waiting == 4
    assert desk.waiting == 0
    desk.close()
    with pytest.raises(RequestError) as caught, desk.admitted(1):
        pass
    assert caught.value.status == 503


def test_requests_are_on_their_way_until_their_first_call() -> None:
    desk = Desk(10, 2)

    async def main() -> None:
        with desk.admitted(1):
            assert desk.preparing == 1
            await desk.tokenise(Asked(), lambda: None)  # type: ignore[arg-type]
            assert desk.preparing == 1
            await desk.run(Asked(), lambda: (arrived(), arrived()))  # type: ignore[arg-type]
            assert desk.preparing == 0
        assert desk.preparing == 0

    anyio.run(main)


def test_few_tokens_are_cut_at_once_and_many_in_a_thread() -> None:
    desk = Desk(10, 2)

    async def main() -> None:
        here, thread = threading.get_ident(), threading.get_ident
        assert await desk.tokenise(Asked(), thread, AT_ONCE) == here  # type: ignore[arg-type]
        assert await desk.tokenise(Asked(), thread, AT_ONCE + 1) != here  # type: ignore[arg-type]
        assert await desk.tokenise(Asked(), thread) != here  # type: ignore[arg-type]
        desk.stop()
        with pytest.raises(RequestError, match="shuts down"):
            await desk.tokenise(Asked(), thread, 1)  # type: ignore[arg-type]

    anyio.run(main)


@pytest.mark.parametrize("free", [True, False], ids=["in its thread", "before a thread is free"])
def test_a_client_that_goes_away_frees_its_work(free: bool) -> None:
    desk = Desk(100, 1)

    async def main() -> None:
        started, first, second = threading.Event(), Asked(), Asked()
        found: list[RequestError] = []

        async def ask(asked: Asked) -> None:
            found.append(await refused(desk, asked, until_cancelled(started)))

        async with anyio.create_task_group() as group:
            group.start_soon(ask, first)
            await anyio.to_thread.run_sync(started.wait)
            group.start_soon(ask, second)
            while desk.waiting < 10:
                await anyio.sleep(0)
            (first if free else second).gone.set()
            while not found:
                await anyio.sleep(0)
            assert desk.waiting == 5
            (second if free else first).gone.set()
        assert [e.status for e in found] == [499, 499]
        assert (desk.waiting, desk.running, desk.preparing) == (0, 0, 0)

    anyio.run(main)


def test_a_server_that_stops_ends_what_runs_at_the_next_pass() -> None:
    desk = Desk(100, 1)

    async def main() -> None:
        started = threading.Event()
        found: list[RequestError] = []

        async def ask() -> None:
            found.append(await refused(desk, Asked(), until_cancelled(started)))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.to_thread.run_sync(started.wait)
            desk.stop()
        assert [(e.status, e.code) for e in found] == [(503, "shutting_down")]
        assert (desk.waiting, desk.running) == (0, 0)
        with pytest.raises(RequestError) as caught:  # admitted before, and between two pieces of its work
            await desk.run(Asked(), lambda: pytest.fail("it runs"))  # type: ignore[arg-type]
        assert caught.value.code == "shutting_down"

    anyio.run(main)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that deadlines see."""
    now = [100.0]
    monkeypatch.setattr(cancellation, "monotonic", lambda: now[0])
    return now


def test_the_time_of_work_begins_in_its_thread(clock: list[float]) -> None:
    work = Cancellation(5)
    clock[0] += 10
    assert not work.cancelled
    work.begin()
    clock[0] += 4.9
    assert not work.cancelled
    clock[0] += 0.1
    assert work.cancelled
    assert work.expired


def test_work_that_takes_too_long_ends_at_its_next_pass(clock: list[float]) -> None:
    desk, passes = Desk(100, 1, timeout=5), 0

    def work() -> None:
        nonlocal passes
        while not current_cancellation().cancelled:
            passes += 1
            clock[0] += 1
        raise Cancelled

    async def main() -> None:
        error = await refused(desk, Asked(), work)
        assert (error.status, error.code, error.headers) == (503, "timeout", {})
        assert "at most 5 s" in str(error)
        assert error.advice
        assert passes == 5
        assert (desk.waiting, desk.running, desk.preparing) == (0, 0, 0)
        with desk.admitted(1):
            assert await desk.run(Asked(), lambda: 1) == 1  # type: ignore[arg-type]

    anyio.run(main)


def test_an_error_of_the_work_is_that_of_the_request() -> None:
    def work() -> None:
        raise KeyError("x")

    async def main() -> None:
        with pytest.raises(KeyError):
            await Desk(1, 1).run(Asked(), work)  # type: ignore[arg-type]

    anyio.run(main)


def test_the_bodies_of_all_clients_are_bounded_and_one_always_fits() -> None:
    desk = Desk(10, 2, bodies=10)
    with desk.receiving() as first:
        first(8)
        first(8)
        with desk.receiving() as second, pytest.raises(RequestError) as caught:
            second(1)
        assert (caught.value.status, caught.value.code) == (429, "too_many_bodies")
        assert desk.received == 16
    assert desk.received == 0
    with desk.receiving() as first, desk.receiving() as second:
        first(5)
        second(5)
        with pytest.raises(RequestError):
            first(1)
    assert desk.received == 0


def test_what_a_request_may_ask() -> None:
    limits = Settings(text=10, prompts=2, tokens=8)
    assert check_texts("prompt", ["ab", "é"], limits) == 6
    assert check_texts("prompt", ["abcdefgh", "é"], limits) == 8
    with pytest.raises(RequestError, match="prompt: expected texts of at most 10 bytes in all, got 11"):
        check_texts("prompt", ["x" * 11], limits)
    with pytest.raises(RequestError, match="prompt: expected at most 2 prompts, got 3"):
        check_texts("prompt", ["", "", ""], limits)
    check_ids("prompt.0", [0, 4], 5)
    for wrong in (-1, 5):
        with pytest.raises(RequestError, match=rf"prompt.0.1: expected an id from 0 to 4, got {wrong}"):
            check_ids("prompt.0", [0, wrong], 5)
