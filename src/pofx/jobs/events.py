"""What a job tells while it runs: values, which a command line prints and a server sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pofx.corpus.documents import BadRow, Document


@dataclass(frozen=True)
class BlankLines:
    """So many lines of the input were blank, and are no documents."""

    lines: int


@dataclass(frozen=True)
class RepeatedId:
    """Two rows of the input have one id; `more` further rows repeat an id.

    Attributes:
        id: the first id that was repeated.
        first: file and line of the row that had the id first.
        second: file and line of the row that repeated the id.
        more: how many further rows repeat an id, be it this one or another.
    """

    id: str
    first: str
    second: str
    more: int


@dataclass(frozen=True)
class UncomparedIds:
    """Ids were compared with the first `most` different ones only, since more are not remembered."""

    most: int


Notice = BlankLines | RepeatedId | UncomparedIds
Notify = Callable[[Notice], None]


@dataclass(frozen=True)
class UnresumableInput:
    """The input is standard input or a pipe: a job that is stopped cannot be taken up again."""


@dataclass(frozen=True)
class JobStart:
    """The job has begun, or goes on where a stopped job was.

    Attributes:
        rows: rows of the input that the stopped job had done.
        stretches: parts of the next text that the stopped job had read.
        rows_file: where the rows are kept.
        reads_file: where the parts of the next text are kept.
        progress_file: where it is kept how many of the rows count.
        in_vain: whether a stopped job had kept no row.
    """

    rows: int
    stretches: int
    rows_file: Path
    reads_file: Path
    progress_file: Path
    in_vain: bool


@dataclass(frozen=True)
class OtherArithmetic:
    """Rows that are kept were computed under other arithmetic than this run's.

    Log p may differ by about 1e-4 nats a token in float32. `fresh=True` computes all rows again, and `overwrite=True` those
    of a file that is finished.

    Attributes:
        differences: a line for each part of the arithmetic that differs, with both values.
        dtype: the dtype that the model computes in.
    """

    differences: tuple[str, ...]
    dtype: str


@dataclass(frozen=True)
class BlockStart:
    """A block of the input was read, and is about to be answered: its first and its last row."""

    first: Document | BadRow
    last: Document | BadRow


@dataclass(frozen=True)
class BlockEnd:
    """A block was answered and kept.

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
    """The file is made.

    Attributes:
        path: the file.
        rows: rows of the input.
        scored: rows of the input that have a score; of the others the column `error` says why.
        bytes: bytes of the texts that have a score.
        nats: log p of all those texts, or log P of them as prefixes.
        fitted: how many of those texts the model was fitted on.
        chosen: how many of those texts the model's weights were chosen by.
        already: whether this very job had made the file before.
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
