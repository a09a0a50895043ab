"""A unit of a job: rows of one file that one worker answers, and the names of the files that the unit becomes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pofx.corpus.remote import url_fingerprint
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource
from pofx.files.urls import is_url
from pofx.jobs.sharded.content import content_of_file, content_of_stretch


@dataclass(frozen=True)
class Unit:
    """A run of rows of one file. The unit alone decides the names and the bytes of its part.

    Attributes:
        number: The place of the unit in the plan, from 0.
        path: The file or URL.
        stretch: The rows of the file; None for the whole file.
        bytes: How many bytes of the file the unit reads, packed where the file is packed.
        content: The hash of these bytes in hexadecimal; for Parquet and for a URL, the hash of the whole file.
        modified: When the file was changed last, in nanoseconds since 1970; 0 for a URL.
        size: The size of the file, bytes.
    """

    number: int
    path: str
    stretch: Stretch | None
    bytes: int
    content: str
    modified: int
    size: int

    @property
    def name(self) -> str:
        """The number with seven digits, which the names of its files contain, so that these names sort as the numbers do."""
        return f"{self.number:07d}"

    def check_input(self) -> None:
        """Refuse a file that was edited after the plan was made.

        A file with the size and the time of the plan is accepted unread. Otherwise the bytes of the unit are hashed.

        Raises:
            BadSource: The file is gone, or the bytes of the unit differ.
        """
        try:
            if is_url(self.path):
                found = url_fingerprint(self.path)
            else:
                status = os.stat(self.path)
                if (status.st_size, status.st_mtime_ns) == (self.size, self.modified):
                    return
                byte_ranges = self.stretch is not None and not self.path.lower().endswith(".parquet")
                found = (
                    content_of_stretch(self.path, self.stretch)
                    if byte_ranges and self.stretch is not None
                    else content_of_file(self.path)
                )
        except OSError as e:
            raise BadSource(
                f"{self.path}: expected the file of the plan, got: {e.strerror or e}", "bring the file back"
            ) from None
        if found != self.content:
            raise BadSource(
                f"{self.path}: expected the file as it was when the plan was made, got a file that was edited since",
                ["bring the file back", "write to a new directory"],
            )


@dataclass(frozen=True)
class Places:
    """The files of an output directory.

    Attributes:
        directory: The directory.
    """

    directory: Path

    @property
    def plan(self) -> Path:
        """The path of the plan, which holds the settings and the units."""
        return self.directory / "plan.parquet"

    @property
    def totals(self) -> Path:
        """The path of the sums over all units; this file is written last."""
        return self.directory / "totals.json"

    def part(self, unit: Unit) -> Path:
        """Return the path of the rows of a unit that have a score."""
        return self.directory / "parts" / f"part-{unit.name}.parquet"

    def errors(self, unit: Unit) -> Path:
        """Return the path of the rows of a unit that have no score, each with the reason."""
        return self.directory / "errors" / f"errors-{unit.name}.jsonl"

    def commit(self, unit: Unit) -> Path:
        """Return the path of the record that a unit is done."""
        return self.directory / "commits" / f"commit-{unit.name}.json"
