"""The strings that a task's templates make of its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pofx.errors import BadSource, require
from pofx.files.isolated.process import Failed, run_isolated

CHILD = "pofx.evaluation.lm_eval.rendering"
SECONDS, MEMORY = 20.0, 1 << 30
# Characters of rows for one process, which starts in 0.2 s; and the most that a process answers.
TOGETHER, MOST_ANSWER = 1 << 18, 1 << 19


def render_rows(
    path: str, templates: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Render each template with each row, in Jinja's sandbox and in a process of its own.

    Args:
        path: The file of the task, for messages.
        templates: The templates by name.
        rows: The rows.

    Returns:
        A list for each template, with a string for each row.

    Raises:
        BadSource: A template cannot be rendered, names a field that a row lacks, or exceeds its limits.
        MissingExtra: Jinja is not installed.
    """
    require("jinja2", "tasks", "rendering a task of lm-eval")
    out: dict[str, list[str]] = {name: [] for name in templates}
    for first, some in _parts(rows) if templates else ():
        request = {"templates": dict(templates), "rows": some, "first": first, "most": MOST_ANSWER}
        try:
            found = run_isolated("render", request, SECONDS, MEMORY, CHILD)
        except BadSource as e:
            raise BadSource(f"{path}: {e.message}", "mend the template, or the row") from None
        except Failed as e:
            raise BadSource(
                f"{path}: expected templates that render within {SECONDS:g} s and {MEMORY >> 20} MiB, got {e!s:.200}",
                "put the finished strings into the data file",
            ) from None
        for name, strings in found.items():
            out[name] += strings
    return out


def _parts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, list[Mapping[str, Any]]]]:
    """Return the rows in parts of about `TOGETHER` characters, each with the number of its first row."""
    out: list[tuple[int, list[Mapping[str, Any]]]] = []
    size = TOGETHER
    for k, row in enumerate(rows):
        here = len(json.dumps(row))
        if size + here > TOGETHER:
            out.append((k, []))
            size = 0
        out[-1][1].append(row)
        size += here
    return out
