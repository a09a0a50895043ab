"""The notebooks of docs/notebooks/ run, their own assertions hold, and the committed outputs are those of a run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
MOST = 150_000  # bytes of a file
# No number of these depends on the float32 of a machine or on scikit-learn.
EXACT = ("chain_rule", "classroom", "evaluation", "forensics", "is_it_generative")


def tool() -> Any:
    """The module docs/run_notebooks.py."""
    spec = importlib.util.spec_from_file_location("run_notebooks", DOCS / "run_notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(notebook: Any) -> list[str]:
    """What each cell prints."""
    return ["".join(o.get("text", "") for o in c.get("outputs", [])) for c in notebook.cells]


def test_there_are_four_and_one_for_each_job() -> None:
    jobs = [p.stem for p in (DOCS / "jobs").glob("*.md")]
    assert len(jobs) == 5
    expected = ["bayes", "chain_rule", "iid_caution", "is_it_generative", *jobs]
    assert [p.stem for p in NOTEBOOKS] == sorted(expected)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_is_committed_is_a_whole_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    kinds = {o.output_type for c in code for o in c.outputs}
    assert "error" not in kinds
    assert not any(o.get("name") == "stderr" for c in code for o in c.outputs)
    assert sum("assert " in c.source for c in code) >= 4
    text = path.read_text(encoding="utf-8")
    assert len(text) < MOST
    assert "<iframe" not in text
    assert "/tmp/" not in text


@pytest.mark.thorough
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    committed = nbformat.read(path, as_version=4)
    run = tool().run(path)
    shown = [o for c in run.cells for o in c.get("outputs", []) if "<iframe srcdoc" in str(o.get("data", ""))]
    assert shown, "the last cell of a notebook shows a record"
    if path.stem in EXACT:
        assert printed(tool().tidy(run)) == printed(committed)


@pytest.mark.thorough
def test_a_cell_that_raises_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient.exceptions import CellExecutionError

    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 + 1 == 3")])
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    with pytest.raises(CellExecutionError, match="AssertionError"):
        tool().run(tmp_path / "wrong.ipynb")
