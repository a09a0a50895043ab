"""What stands for a value in a Python session: one line, and HTML in a notebook.

Records stand on low floors, and lines and pages are made in `report/`, on a higher one. So a record only asks for
them, and `pofx/__init__.py`, which stands outside the floors, registers the two functions that make them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Maker = Callable[[Any], str | None]

_makers: dict[str, Maker] = {}


def register(line: Maker, html: Maker) -> None:
    """Let two functions show all values.

    Args:
        line: A function of a value that returns its one line; None for a value that it does not know.
        html: The same for HTML.
    """
    _makers.update(line=line, html=html)


class Shown:
    """A value that a session shows by one line, and a notebook by HTML.

    Without the registered functions, or where they return None, the next base class shows the value.

    Right: `@dataclass(frozen=True, repr=False) class Draw(Shown)`. Wrong: without `repr=False`, since `dataclass` then
    writes all fields of a record, arrays included.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        line = _makers["line"](self) if "line" in _makers else None
        return super().__repr__() if line is None else line

    def _repr_html_(self) -> str | None:
        """Return HTML for a notebook; None where no function makes it, so that the notebook shows the one line."""
        html = _makers["html"](self) if "html" in _makers else None
        if html is not None:
            return html
        above = getattr(super(), "_repr_html_", None)
        return None if above is None else above()
