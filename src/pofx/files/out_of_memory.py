"""An out-of-memory failure, recognised in the forms in which Python, the system and torch report it."""

from __future__ import annotations

import errno
import re

from pofx.errors import Advice, OutOfMemory

# torch on a CPU and oneDNN have no exception of their own for a lack of memory, only messages.
_SAID = re.compile(
    r"unable to mmap|can.t allocate memory|not enough memory|Cannot allocate memory|bad_alloc|"
    r"could not create a (?:memory|primitive)",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that there is no more memory: Python's, the system's, or torch's on any device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True  # torch's is known by its name, so that torch need not be imported
    return isinstance(error, RuntimeError) and _SAID.search(str(error)) is not None


def out_of_memory_error() -> OutOfMemory:
    """Return the error of work for which the memory did not suffice."""
    return OutOfMemory(
        "out of memory: expected enough memory for the work, got none left",
        [
            "use a smaller model, or smaller files",
            Advice(
                "let the model read fewer tokens at once", "budget=512", "--budget 512", parameter="budget"
            ),
        ],
    )
