"""The display of a value in a Python session: one line, and HTML in a notebook.

Records stand on low floors, and `report/`, which makes lines and pages, stands on a higher floor. So a record only calls
registered functions, and `pofx/__init__.py`, which stands outside the floors, registers the two functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Maker = Callable[[Any], str | None]

_makers: dict[str, Maker] = {}


def register(line: Maker, html: Maker) -> None:
    """Register the two functions that show all values.

    Args:
        line: A function of a value that returns its one line; None for a value of an unknown type.
        html: A function of a value that returns its HTML; None for a value of an unknown type.
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
        """Return HTML for a notebook; None where there is no HTML, so that the notebook shows the one line."""
        html = _makers["html"](self) if "html" in _makers else None
        if html is not None:
            return html
        above = getattr(super(), "_repr_html_", None)
        return None if above is None else above()
