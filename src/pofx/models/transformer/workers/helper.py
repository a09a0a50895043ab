"""A helper: a process that takes part in a fit by `--workers`, reads and writes no file, and learns all from process 0."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from pofx.errors import BadValue, Interrupted, require

require("torch", "torch", "fitting a transformer")

from pofx.arithmetic import one_thread
from pofx.models.torchrun import Torchrun
from pofx.models.transformer.training import help_train
from pofx.models.transformer.workers.group import LostWorker
from pofx.models.transformer.workers.launch import join_torchrun
from pofx.models.transformer.workers.local import join_local


def main() -> None:
    """Take part in a fit of another process on this machine; the arguments are rank, size and directory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches process 0, which tells the others
    rank, size, directory = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    threading.Thread(target=_end_with_parent, args=(directory,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with one_thread():
        _help(rank, size, directory)


def help_torchrun(place: Torchrun) -> int:
    """Take part in the fit of process 0 of `torchrun`.

    Args:
        place: The place of this process, whose rank is above 0.

    Returns:
        The exit code.

    Raises:
        BadValue: The connection to another process ended before the fit did.
    """
    try:
        help_train(join_torchrun(place))
        return 0
    except Interrupted:
        return 130  # process 0 says so
    except LostWorker as e:
        raise BadValue(
            f"expected processes that live until the fit ends, got no answer of another process ({e})",
            "read what process 0 says",
            argument="workers",
        ) from None


def _help(rank: int, size: int, directory: Path) -> None:
    try:
        help_train(join_local(rank, size, directory))
    except Interrupted:
        pass  # process 0 says so
    except LostWorker as e:
        sys.exit(f"lost the connection to another worker: {e}")


def _end_with_parent(directory: Path) -> None:
    while os.read(0, 1):  # unbuffered: a lock of `sys.stdin` would be held at the exit
        pass
    shutil.rmtree(directory, ignore_errors=True)  # which is there until all processes have met
    os._exit(1)
