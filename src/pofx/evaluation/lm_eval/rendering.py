"""The process that renders the templates of a task: in Jinja's sandbox, within limits on time and memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pofx.errors import BadSource
from pofx.files.isolated.child import serve


def render(request: Mapping[str, Any]) -> Callable[[], dict[str, list[str]]]:
    """Return the task that renders each template with each row, under the settings of lm-eval."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def work() -> dict[str, list[str]]:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
        environment.filters["regex_replace"] = _regex_replace
        left = request["most"]
        out: dict[str, list[str]] = {}
        for name, source in request["templates"].items():
            out[name] = []
            at: int | None = None
            try:
                template = environment.from_string(source)
                for at, row in enumerate(request["rows"], request["first"]):
                    out[name].append(template.render(row))
                    left -= len(out[name][-1])
                    if left < 0:
                        raise BadSource(f"row {at:,}: {name}: expected a shorter text, got a longer one", ())
            except (BadSource, MemoryError):
                raise
            except Exception as e:
                where = name if at is None else f"row {at:,}: {name}"
                told = " ".join(f"{type(e).__name__}: {e}".split())
                raise BadSource(f"{where}: expected a template that renders, got {told:.200}", ()) from None
        return out

    return work


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """Return `re.sub`, the filter that lm-eval adds to Jinja."""
    return re.sub(pattern, repl, string, count=count)


if __name__ == "__main__":
    serve({"render": render})
