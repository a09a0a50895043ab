"""Units of documents that a model is fitted to: the documents of a stretch of a file that the split leaves for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pofx.corpus.documents import Document
from pofx.corpus.source import source_of
from pofx.corpus.split import is_held_out
from pofx.corpus.stretch import Stretch
from pofx.jobs.documents import Documents
from pofx.jobs.sharded.cutting import cut

# Every worker has several units, so that all end at about the same time. A unit leaves files of its own, so none is small.
_EACH = 4
_LEAST, _MOST = 1 << 20, 1 << 26


@dataclass(frozen=True)
class TrainingUnit:
    """The documents of one stretch that are not held out; calling the unit reads them.

    Attributes:
        documents: How all files are read.
        path: The file.
        stretch: The rows of the file; None for all rows.
        held_out: The share of documents that is held out.
    """

    documents: Documents
    path: str
    stretch: Stretch | None
    held_out: float

    def __call__(self) -> Iterator[str]:
        """Yield the documents; bad rows are left out, as in a fit in memory."""
        part = replace(self.documents, files=(self.path,), stretch=self.stretch)
        for item in part.items():
            if isinstance(item, Document) and not is_held_out(item.text, self.held_out):
                yield item.text


def training_units(documents: Documents, held_out: float, workers: int) -> list[TrainingUnit]:
    """Cut the files into units.

    Args:
        documents: The files, which can be read again.
        held_out: The share of documents that is held out.
        workers: How many processes read the units.

    Returns:
        The units, in the order of the files.
    """
    total = sum(source_of(path, documents.reading.format).size for path in documents.files)
    n_bytes = min(max(total // (_EACH * workers), _LEAST), _MOST)
    return [
        TrainingUnit(documents, u.path, u.stretch, held_out) for u in cut(documents, n_bytes, hashed=False)
    ]
