"""What all tests share: a cache and pins of their own, so that none reads or writes the user's.

Workers that run side by side share them, too: a checkpoint is converted once.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

# The same cases in every run and no clock: `make fuzz` is where new cases are tried.
settings.register_profile("tests", derandomize=True, deadline=None)
settings.load_profile("tests")

# Whoever starts the tests in the background may have Ctrl-C ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that a collection makes is garbage, so nobody looks for any: 17 s of CPU instead of 20 for all tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Subprocesses inherit it; the built-in documents are then walked once a session."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with pytest.MonkeyPatch.context() as patch:
        for name in ("cache", "data"):
            (base / name).mkdir(mode=0o700, exist_ok=True)
            patch.setenv(f"POFX_{name.upper()}", str(base / name))
        patch.delenv("POFX_MODEL", raising=False)
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names of tests without packed bytes: gzip writes the time into them, and workers must name tests alike."""
    return argname if isinstance(val, bytes) and val[:2] == b"\x1f\x8b" else None
