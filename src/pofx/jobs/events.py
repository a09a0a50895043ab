"""The events of a job while it runs: values, which a command line prints and a server sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document


@dataclass(frozen=True)
class BlankLines:
    """Some lines of the input were blank, and are no documents.

    Attributes:
        lines: The number of blank lines.
    """

    lines: int


@dataclass(frozen=True)
class RepeatedId:
    """Two rows of the input have the same id.

    Attributes:
        id: The first id that was repeated.
        first: File and line of the row that had the id first.
        second: File and line of the row that repeated the id.
        more: How many further rows repeat an id.
    """

    id: str
    first: str
    second: str
    more: int


@dataclass(frozen=True)
class UncomparedIds:
    """Some ids were not compared, since the job remembers a limited number of ids.

    Attributes:
        most: How many different ids are remembered.
    """

    most: int


Notice = BlankLines | RepeatedId | UncomparedIds
Notify = Callable[[Notice], None]


@dataclass(frozen=True)
class UnresumableInput:
    """The input is standard input or a pipe, so the job cannot be resumed after a stop."""


@dataclass(frozen=True)
class JobStart:
    """The job begins, or goes on from the last row of a stopped run.

    Attributes:
        rows: How many rows of the input the stopped run had answered.
        stretches: How many stretches of the next text the stopped run had read.
        rows_file: The file that the rows are kept in.
        reads_file: The file that the stretches are kept in.
        progress_file: The file that says how many of the kept rows count.
        in_vain: Whether there was a stopped run that left no row.
    """

    rows: int
    stretches: int
    rows_file: Path
    reads_file: Path
    progress_file: Path
    in_vain: bool


@dataclass(frozen=True)
class OtherArithmetic:
    """Rows of an earlier run were computed under other arithmetic than this run's.

    Log p may differ by about 1e-4 nats a token in float32. `fresh=True` computes the rows of a stopped run again, and
    `overwrite=True` the rows of a finished file.

    Attributes:
        differences: A line for each part of the arithmetic that differs, with both values.
        dtype: The dtype that the model computes in.
    """

    differences: tuple[str, ...]
    dtype: str


@dataclass(frozen=True)
class BlockStart:
    """A block of the input was read, and is answered next.

    Attributes:
        first: The first row of the block.
        last: The last row of the block.
    """

    first: Document | BadRow
    last: Document | BadRow


@dataclass(frozen=True)
class BlockEnd:
    """A block was answered, and its rows are kept.

    Attributes:
        last: The last row of the input in the block.
        tokens: The tokens of the texts that have an answer, EOS counted.
        rows: The rows of the input in the block.
    """

    last: Document | BadRow
    tokens: int
    rows: int


@dataclass(frozen=True)
class JobEnd:
    """The file is written.

    Attributes:
        path: The file.
        rows: The number of rows of the input.
        scored: How many rows have a score. In a row without a score the column `error` has the reason.
        bytes: The bytes of the texts that have a score.
        nats: The sum of log p over the texts that have a score, or of log P where texts are prefixes; nats.
        fitted: How many scored texts the model was fitted on.
        chosen: How many scored texts decided the choice of the model's weights.
        already: Whether an earlier run of the same job had written the file.
    """

    path: Path
    rows: int
    scored: int
    bytes: int
    nats: float
    fitted: int
    chosen: int
    already: bool


Event = Notice | UnresumableInput | OtherArithmetic | JobStart | BlockStart | BlockEnd | JobEnd
