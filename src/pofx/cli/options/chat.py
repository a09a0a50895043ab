"""Conversations on the command line: the reader of their file, and the note on a text that spells a control token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import click

MOST_BYTES = 1 << 22


def read_messages(path: str) -> list[dict[str, Any]]:
    """Return the messages of a file with one JSON object a line; `BadSource` where a line is no message."""
    from pofx.errors import BadSource
    from pofx.files.json_file import parse_object

    with open(path, "rb") as f:
        raw = f.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise BadSource(
            f"{path}: expected a conversation of at most {MOST_BYTES >> 20} MiB, got a longer conversation",
            "name a shorter file",
        )
    out = []
    for k, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        noun, advice = "a JSON object with role and content", 'write {"role": "user", "content": "…"}'
        out.append(parse_object(line, f"{path}:{k}", noun, advice))
    return out


class Marks:
    """A note on standard error, printed once, that the name of a control token in a text is read as text."""

    def __init__(self) -> None:
        self._said = False
        self._names: Mapping[str, int] = {}

    def __call__(self, names: Mapping[str, int], texts: Sequence[bytes]) -> None:
        """Look for the names in the texts."""
        if self._said or not names:
            return
        self._names = names
        found = next((m for t in texts if (m := self._any.search(t))), None)
        if found is not None:
            self._said = True
            name = found[0].decode("utf-8", "replace")
            click.echo(
                f"pofx: note: a text has {name!r:.60}, which is read as text and not as the control token of that name; to "
                "condition on a conversation: --chat FILE.jsonl",
                err=True,
            )

    @cached_property
    def _any(self) -> re.Pattern[bytes]:
        long = sorted((n for n in self._names if len(n) > 2), key=len, reverse=True)
        return re.compile(b"|".join(re.escape(n.encode()) for n in long) or b"(?!)")
