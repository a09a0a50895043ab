"""A unit of a job: rows of one file that one worker answers, and the names of the files that the unit becomes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pofx.corpus.remote import url_fingerprint
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource
from pofx.files.urls import is_url
from pofx.jobs.sharded.content import content_of_file, content_of_stretch

# The files of an output folder that are of no single unit: the settings and the units; the sums, which are written last.
PLAN, TOTALS = "plan.parquet", "totals.json"


@dataclass(frozen=True)
class Unit:
    """A run of rows of one file. The unit alone decides the names and the bytes of its part.

    Attributes:
        number: The place of the unit in the plan, from 0.
        path: The file or URL.
        stretch: The rows of the file; None for the whole file.
        bytes: How many bytes of the file the unit reads, packed where the file is packed.
        content: The hash of these bytes in hexadecimal; for Parquet, a packed file and a URL, the hash of the whole file.
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

    @property
    def part(self) -> str:
        """The file of the rows of the unit that have a score."""
        return f"parts/part-{self.name}.parquet"

    @property
    def errors(self) -> str:
        """The file of the rows of the unit that have no score, each with the reason."""
        return f"errors/errors-{self.name}.jsonl"

    @property
    def commit(self) -> str:
        """The file of the record that the unit is done."""
        return f"commits/commit-{self.name}.json"

    @property
    def files(self) -> tuple[str, str, str]:
        """All files that the unit becomes, the record last."""
        return self.part, self.errors, self.commit

    def check_input(self) -> None:
        """Refuse a file that was edited after the plan was made.

        A file with the size and the time of the plan is accepted unread. Otherwise the bytes of the unit are hashed, and if
        their hash is another one, the whole file.

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
                found = "" if self.stretch is None else content_of_stretch(self.path, self.stretch)
                if found != self.content:
                    found = content_of_file(self.path)
        except OSError as e:
            raise BadSource(
                f"{self.path}: expected the file of the plan, got: {e.strerror or e}", "bring the file back"
            ) from None
        if found != self.content:
            raise BadSource(
                f"{self.path}: expected the file as it was when the plan was made, got a file that was edited since",
                ["bring the file back", "write to a new directory"],
            )
