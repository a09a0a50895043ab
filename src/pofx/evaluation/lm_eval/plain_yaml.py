"""A mapping in a YAML file, with the files that it includes. No code is run: the tag !function is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pofx.errors import BadSource, require
from pofx.evaluation.lm_eval.local_file import read_local

MOST_BYTES = 1 << 18  # of a YAML file; the longest task of lm-eval 0.4.13 has 14 KB
MOST_VALUES = 1 << 16  # after aliases are followed
MOST_INCLUDED = 16
CODE = (
    "no code runs from a task: write the field as a template, or put the finished strings into the data file"
)


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the mapping of a YAML file, with the files that it includes below its own values.

    Args:
        file: The file.

    Raises:
        BadSource: The file is no such mapping, has code, or includes itself.
        MissingExtra: PyYAML is not installed.

    Right: `read_mapping(Path("task.yaml"))`. Wrong: a file with a list.
    """
    return _merged(file, ())


def _merged(file: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Return the mapping of a file, with the files that it includes below its own values."""
    real = file.resolve()
    if real in above or len(above) >= MOST_INCLUDED:
        raise BadSource(
            f"{file}: expected files that do not include each other, got {file.name} again", "mend the task"
        )
    own = _loaded(file)
    named = own.pop("include", None)
    out: dict[str, Any] = {}
    for name in named if isinstance(named, list) else [named] if named is not None else []:
        if not isinstance(name, str):
            raise BadSource(f"{file}: include: expected a file, got {name!r:.60}", "mend the task")
        out |= _merged(file.parent / name, (*above, real))
    return out | own


def _loaded(file: Path) -> dict[str, Any]:
    yaml = require("yaml", "tasks", "reading a task of lm-eval")
    loader: Any = type("TaskLoader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", _refuse_function)
    raw = read_local(
        file, MOST_BYTES, "a task in YAML", "name the file of a task", "check the path and its permissions"
    )
    if len(raw) > MOST_BYTES:
        raise BadSource(
            f"{file}: expected a task of at most {MOST_BYTES >> 10} KiB, got a longer file",
            "keep rows in a data file",
        )
    try:
        found = yaml.load(raw, Loader=loader)
        plain = _plain(found, [MOST_VALUES])
    except _FunctionNamed as e:
        raise BadSource(f"{file}: expected a task without code, got !function {e!s:.60}", CODE) from None
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        told = " ".join(str(e).split())
        raise BadSource(f"{file}: expected a task in YAML, got: {told:.200}", "mend the file") from None
    if not isinstance(plain, dict):
        raise BadSource(
            f"{file}: expected a task, a mapping in YAML, got {plain!r:.60}", "name the file of a task"
        )
    return plain


class _FunctionNamed(Exception):
    """A value with the tag !function, which names a function of Python."""


def _refuse_function(loader: Any, node: Any) -> Any:
    raise _FunctionNamed(getattr(node, "value", ""))


def _plain(value: Any, left: list[int]) -> Any:
    """Return a copy without shared parts. A few aliases of aliases would unfold into more values than memory holds."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    if isinstance(value, dict):
        return {k if isinstance(k, str) else str(k): _plain(v, left) for k, v in value.items()}
    return [_plain(v, left) for v in value] if isinstance(value, list) else value
