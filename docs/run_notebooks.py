"""Run the notebooks of docs/notebooks/ and write their outputs: `cd docs && python run_notebooks.py [NAME …]`.

Times and the frames of `_repr_html_` are left out. A frame has 33 to 55 kB, and a hosting site shows none of it. Without the
frame the site shows the one line of the value. A running notebook shows the frame.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parent / "notebooks"
SECONDS = 120  # the most of a cell


def run(path: Path) -> Any:
    """Return the notebook with fresh outputs; a cell that raises ends the run."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return notebook


def tidy(notebook: Any) -> Any:
    """Leave out what differs from run to run, and what only a running notebook can show."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if "<iframe srcdoc" in output.get("data", {}).get("text/html", ""):
                del output["data"]["text/html"]
            output.get("metadata", {}).clear()
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main() -> None:
    """Run all notebooks, or those that are named."""
    import nbformat

    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            nbformat.write(tidy(run(path)), path)


if __name__ == "__main__":
    main()
