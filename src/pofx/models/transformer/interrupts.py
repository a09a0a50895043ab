"""Ctrl-C or SIGTERM during a fit: finish the step first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM is what batch systems, service managers and `kill` send before they kill.
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def catch_interrupts() -> Iterator[threading.Event]:
    """A signal sets the event, so that a step is finished first; a second one ends the process as it always does.

    A signal that the process was started to ignore stays ignored.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] not in (signal.SIG_IGN, None)]

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        for each in heeded:
            signal.signal(each, before[each])

    for number in heeded:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number in heeded:
            signal.signal(number, before[number])
