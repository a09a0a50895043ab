"""A job in a store of this process; `make test-stores` has one that other processes reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from shard_toys import Recipe, files_of, run

from pofx.jobs.sharded.verify import verify


@pytest.fixture
def store() -> Iterator[Any]:
    yield fsspec.filesystem("memory")
    fsspec.filesystem("memory").rm("/sharded", recursive=True)


def test_a_store_holds_the_bytes_of_a_directory(recipe: Recipe, tmp_path: Path, store: Any) -> None:
    run(recipe, tmp_path / "here")
    _, ended = run(recipe, "memory://sharded/out/")
    assert ended.failed == ()
    assert {p.removeprefix("/sharded/out/"): store.cat(p) for p in store.find("/sharded")} == files_of(
        tmp_path / "here"
    )
    assert verify("memory://sharded/out") == []
