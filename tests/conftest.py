"""What all tests share: a cache and pins of their own, so that none reads or writes the user's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Subprocesses inherit it; the built-in documents are then walked once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POFX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("POFX_DATA", str(tmp_path_factory.mktemp("data")))
        patch.delenv("POFX_MODEL", raising=False)
        yield
