"""The models of the demo: networks that are fitted in processes of their own are those of this process."""

from __future__ import annotations

import pytest
from rich.console import Console

import pofx
from pofx.cli.commands.models.demo_models import curves, fit_all

TEXTS = [
    f"Return the {noun} of the {owner}." for noun in ("length", "name", "type") for owner in ("list", "file")
]


@pytest.mark.thorough
def test_a_network_that_a_process_of_its_own_fitted_is_the_same_network() -> None:
    pytest.importorskip("torch")
    models = fit_all(Console(quiet=True), TEXTS, TEXTS[:2], TEXTS[2:4], epochs=2, seed=3)
    assert [m.name for m in models] == [
        "6-gram",
        "6-gram without x0",
        "transformer",
        "transformer without x0",
    ]
    for m in models[2:]:
        spec = pofx.TransformerSpec(begin="without" not in m.name, epochs=2, seed=3)
        here = pofx.fit(TEXTS, spec, validation=TEXTS[:2])
        given = pofx.score(here, TEXTS[2:4], given="Return")
        assert [s.total for s in pofx.score(m.lm, TEXTS[2:4], given="Return")] == [s.total for s in given]
    assert [s.title.split(":")[0] for s in curves(models)] == [
        "The transformer learns",
        "The transformer without x0 learns",
    ]
