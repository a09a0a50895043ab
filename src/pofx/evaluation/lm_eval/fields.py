"""The fields of a mapping in a YAML file, each checked for its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource
from pofx.evaluation.lm_eval.plain_yaml import CODE


@dataclass(frozen=True)
class Fields:
    """The fields of a mapping in a YAML file, and the place of the mapping for messages.

    Attributes:
        path: The file.
        values: The mapping.
        inside: The place of the mapping in the file, such as "fewshot_config."; "" for the file itself.
    """

    path: str
    values: Mapping[str, Any]
    inside: str = ""

    def refused(self, name: str, told: str, advice: str = "mend the task") -> BadSource:
        """Return the error of a field."""
        return BadSource(f"{self.path}: {self.inside}{name}: {told}", advice)

    def value(self, name: str, otherwise: Any) -> Any:
        """Return the value of a field, or another value where the field is absent or empty."""
        found = self.values.get(name)
        return otherwise if found is None else found

    def text(self, name: str, otherwise: str | None) -> str | None:
        """Return the string of a field; raise `BadSource` for another value."""
        found = self.value(name, otherwise)
        if found is not None and not isinstance(found, str):
            raise self.refused(name, f"expected a string, got {found!r:.60}")
        return found

    def whole(self, name: str) -> int:
        """Return the whole number of a field, 0 where it is absent; raise `BadSource` for another value."""
        found = self.value(name, 0)
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= 1000:
            raise self.refused(name, f"expected a whole number from 0 to 1,000, got {found!r:.60}")
        return found

    def mapping(self, name: str) -> dict[str, Any]:
        """Return the mapping of a field, {} where it is absent; raise `BadSource` for another value."""
        found = self.value(name, {})
        if not isinstance(found, dict):
            raise self.refused(name, f"expected a mapping, got {found!r:.60}")
        return found

    def choice(self, name: str, allowed: Sequence[str], otherwise: str) -> Any:
        """Return the value of a field with few values; raise `BadSource` for another value."""
        found = self.value(name, otherwise)
        if found not in allowed:
            raise self.refused(
                name, f"expected {' or '.join(allowed)}, got {found!r:.60}", "choose another task"
            )
        return found

    def check_only(self, allowed: set[str]) -> None:
        """Raise `BadSource` for a field that is not allowed."""
        for name in self.values:
            if name not in allowed and self.values[name] is not None:
                raise self.refused(str(name), "expected no such field", CODE)
