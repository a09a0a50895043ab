"""How documents lie in files, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pofx.files.limits import DEFAULT

if TYPE_CHECKING:
    from pofx.corpus.documents import BadRow, Records
    from pofx.corpus.readers import Quoting, Split


@dataclass(frozen=True)
class DocumentLayout:
    """How documents lie in files: the arguments of `corpus.records` under the same names."""

    field: str = "text"
    id: str | None = None
    split: Split = "line"
    separator: str | None = None
    format: str | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    max_document: int = DEFAULT.document
    max_expansion: float = DEFAULT.expansion

    @property
    def decides(self) -> dict[str, Any]:
        """What decides the rows, by the name of its option: all but the limits, which only refuse."""
        told = {f"--{name}": value for name, value in asdict(self).items()}
        return {name: value for name, value in told.items() if not name.startswith("--max_")}

    def records(
        self,
        files: tuple[str, ...],
        report: Callable[[BadRow], None],
        given: str | None = None,
        keep: tuple[str, ...] = (),
    ) -> Records:
        """The records of files; report: told of each bad row. given, keep: further fields, as `records` has them."""
        from pofx.corpus.documents import records

        return records(*files, **asdict(self), report=report, given=given, keep=keep)
