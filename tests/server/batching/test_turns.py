"""Turns at a model: new work and paused work alternate."""

from __future__ import annotations

import threading

from pofx.server.batching.turns import Turns


def test_a_free_turn_is_taken_at_once() -> None:
    turns = Turns()
    ticket = turns.enter()
    assert ticket.ready
    assert ticket.wait()
    turns.leave()
    assert turns.enter().ready


def test_new_work_goes_in_the_order_in_which_it_came() -> None:
    turns = Turns()
    turns.enter()
    tickets = [turns.enter() for _ in range(3)]
    assert not any(t.ready for t in tickets)
    for n in (1, 2, 3):
        turns.leave()
        assert [t.ready for t in tickets] == [k < n for k in range(3)]


def test_a_pause_with_nobody_waiting_returns() -> None:
    turns = Turns()
    turns.enter()
    turns.pause()
    assert not turns.enter().ready


def test_long_work_waits_for_one_new_ticket_at_a_pause_and_not_for_two() -> None:
    turns = Turns()
    turns.enter()
    new = [turns.enter() for _ in range(2)]
    resumed = threading.Event()

    def long_work() -> None:
        turns.pause()
        resumed.set()

    thread = threading.Thread(target=long_work)
    thread.start()
    assert new[0].wait()
    assert not new[1].ready
    assert not resumed.is_set()
    turns.leave()
    assert resumed.wait(10)
    assert not new[1].ready
    turns.leave()
    assert new[1].wait()
    thread.join(10)


def test_a_ticket_that_is_withdrawn_never_gets_the_turn() -> None:
    turns = Turns()
    turns.enter()
    first, second = turns.enter(), turns.enter()
    turns.withdraw(first)
    turns.leave()
    assert second.wait()
    first.call(leads=False)
    assert first.wait() is False
