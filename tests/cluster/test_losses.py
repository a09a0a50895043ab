"""The loss of an actor, of a node, and a stopped process: the directory has the bytes of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shard_toys import Recipe, files_of, run

from pofx.jobs.sharded.running import UnitDone

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),
]


def test_three_nodes_make_the_bytes_of_one_process(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    events, ended = run(recipe, tmp_path / "out", workers=3, ray=cluster.address)
    assert ended.failed == ()
    done = [e.unit.number for e in events if isinstance(e, UnitDone)]
    assert sorted(done) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole
