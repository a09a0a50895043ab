"""The paths of an application as templates: a label for each path that a client may ask, and as many labels as routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from starlette.routing import BaseRoute, Mount, Route, compile_path


def templates(routes: Iterable[BaseRoute], before: str = "") -> Iterator[str]:
    """Yield the path of each route, with `{name}` for a part that the client chooses.

    The path of a mount stands before the paths inside.
    """
    for route in routes:
        if isinstance(route, Mount):
            yield from templates(route.routes, before + route.path)
        elif isinstance(route, Route):
            yield before + route.path


class Labels:
    """The label of a path.

    Args:
        known: The paths that have a label of their own, with `{name}` for a part that the client chooses.

    Right: `Labels(["/models/{served}/tokenize"]).of("/models/big/tokenize")`, which is the template.
    Wrong: the path of a client as a label, since a client can ask as many paths as it likes.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._whole = {path: path for path in known if "{" not in path}
        self._parts: list[tuple[re.Pattern[str], str]] = []
        for path in known:
            if "{" in path:
                pattern, label, _ = compile_path(path)
                self._parts.append((pattern, label))

    def of(self, path: str) -> str:
        """Return the label of a path; "other" for an unknown path."""
        whole = self._whole.get(path)
        return whole or next((label for pattern, label in self._parts if pattern.match(path)), "other")
