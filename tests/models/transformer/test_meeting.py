"""The meeting of a fit's processes: a process that ends before it is named at once, where gloo alone waits ten minutes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pofx.errors import BadValue  # noqa: E402
from pofx.models.transformer.workers import local  # noqa: E402
from pofx.models.transformer.workers.crew import Group, meet, no_answer  # noqa: E402

# Ten minutes of gloo are longer.
pytestmark = pytest.mark.timeout(100)


def test_a_process_that_ends_before_the_meeting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_HELPER", "import sys; print('ready', flush=True); sys.exit('no memory')")
    said = (
        r"^workers: expected 2 processes that meet, got worker 2 of 2 \(process \d+\), which ended with exit code 1 "
        r"\(no memory\); run the fit again"
    )
    with pytest.raises(BadValue, match=said), local.local_crew(2):
        pass


def test_what_gloo_says_ends_the_meeting() -> None:
    def joining() -> Group:
        raise RuntimeError("[pair.cc:42] Connection refused. This may be a firewall")

    said = r"got no answer of another process \(Connection refused\); run"
    with pytest.raises(BadValue, match=said):
        meet(joining, 2, lambda: False, no_answer)
