"""One server of small models for all tests of completions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from served_models import Asked, asked, make


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with asked(make(tmp_path_factory.mktemp("served"))) as client:
        yield client
