"""The fit of an n-gram in bounded memory: units are counted by workers, their runs are merged, the columns are smoothed."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pofx.errors import Advice, BadValue, no_documents
from pofx.lm.fitted_documents import DocumentRecorder, FittedDocuments, join_records
from pofx.models.ngram.counting import Codes, closed
from pofx.models.ngram.external.columns import Column, failed_file
from pofx.models.ngram.external.levels import build_levels
from pofx.models.ngram.external.merging import merge_runs
from pofx.models.ngram.external.pruning import prune_columns
from pofx.models.ngram.external.runs import Run, Runs, write_runs
from pofx.models.ngram.external.smoothing import smooth_columns
from pofx.models.ngram.external.tensors import ModelColumns, write_model_columns
from pofx.models.ngram.files import write_config
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import Vocab, to_bytes

# The documents of a unit; a value that can be pickled, where there are several workers.
Unit = Callable[[], Iterable[str | bytes]]

# What a process takes before it counts anything: Python, numpy, and a piece of the input.
PROCESS = 80 << 20
_LEAST = 1 << 20
# The arrays of a step of smoothing take about so many bytes a row, temporary ones included.
_ROW = 160
_MOST_ROWS = 1 << 20


@dataclass(frozen=True)
class Counted:
    """A unit that was counted.

    Attributes:
        runs: The counts of the unit.
        record: The hashes of the documents of the unit.
        bytes: How many bytes these documents have.
    """

    runs: Runs
    record: FittedDocuments
    bytes: int


@dataclass(frozen=True)
class ExternalFit:
    """What a fit has read.

    Attributes:
        record: The hashes of all documents.
        bytes: How many bytes all documents have.
    """

    record: FittedDocuments
    bytes: int


def fit_to_files(
    units: Sequence[Unit],
    spec: NgramSpec,
    vocab: Vocab,
    directory: Path,
    scratch: Path,
    memory: int,
    workers: int = 1,
) -> ExternalFit:
    """Fit an n-gram, and write config.json and model.safetensors, with the bytes that `to_files` writes after `fit_ngram`.

    Args:
        units: The documents, in parts. Neither the cut nor the order of parts changes a bit of the result.
        spec: The order, the smoothing, and whether there is an x0.
        vocab: The vocabulary.
        directory: Where the two files are written.
        scratch: An empty directory on a disk with room for about 100 bytes for each distinct n-gram.
        memory: About how many bytes all processes may take together.
        workers: How many processes count; 1 is this process.

    Returns:
        The record and the size of the documents that were read.

    Raises:
        BadSource: There are no documents, the disk is full, a file cannot be read or written, or there are more n-grams
            than a model can have.
        BadValue: The system ended a worker.

    Right: one unit for each 100 MB of text. Wrong: one unit for each document, since every unit makes files of its own.
    """
    try:
        return _fit(units, spec, vocab, directory, scratch, memory, workers)
    except OSError as e:
        raise failed_file(scratch, e) from None


def _fit(
    units: Sequence[Unit],
    spec: NgramSpec,
    vocab: Vocab,
    directory: Path,
    scratch: Path,
    memory: int,
    workers: int,
) -> ExternalFit:
    workers = max(1, min(workers, len(units)))
    count = partial(count_unit, spec=spec, vocab=vocab, scratch=scratch, memory=_share(memory, workers))
    runs: list[Run] = []
    n_bytes = 0
    records = []
    for counted in _counted(count, units, workers):
        runs += counted.runs.runs
        n_bytes += counted.bytes
        records.append(counted.record)
        if len(records) > 1:
            records = [join_records(records)]
    record = join_records(records)
    if not record.documents:
        raise no_documents()
    packing = Codes(vocab.size).packing(spec.bound)
    alone = _share(memory, 1)
    table = merge_runs(runs, str(scratch / "table"), packing.words, alone)
    rows = max(1, min(_MOST_ROWS, alone // _ROW))
    levels, stages = build_levels(table, packing, Codes(vocab.size).begin, scratch, rows)
    smoothed = smooth_columns(levels, vocab.size, spec.smoothing, spec.alpha, scratch, rows, spec.prune)
    if any(spec.prune):
        columns = prune_columns(table, packing, levels, smoothed, scratch, rows)
    else:
        words = Column(table.words_path, np.uint64, packing.words, table.rows)
        parents = {k: level.parent for k, level in levels.items() if k > 1}
        columns = ModelColumns(words, smoothed.prob, smoothed.seen, smoothed.weight, parents, stages)
    write_model_columns(columns, directory / "model.safetensors")
    write_config(directory, spec.bound, vocab, smoothed.chain, "float64", vocab.size if spec.begin else None)
    return ExternalFit(record, n_bytes)


def count_unit(
    numbered: tuple[int, Unit], spec: NgramSpec, vocab: Vocab, scratch: Path, memory: int
) -> Counted:
    """Count one unit into runs whose names begin with the number of the unit.

    Args:
        numbered: The number of the unit, and the unit.
        spec: As in `fit_to_files`.
        vocab: As in `fit_to_files`.
        scratch: As in `fit_to_files`.
        memory: About how many bytes the counts may take.

    Returns:
        The runs, and the record of the documents.
    """
    number, unit = numbered
    recorder = DocumentRecorder()
    n_bytes = 0

    def ids() -> Iterator[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        nonlocal n_bytes
        for text in recorder.record(unit()):
            n_bytes += len(to_bytes(text))
            yield closed(vocab.encode_array(text), vocab.end)

    runs = write_runs(ids(), vocab.size, spec.bound, spec.begin, str(scratch / f"unit-{number}"), memory)
    return Counted(runs, recorder.finish(), n_bytes)


def _counted(
    count: Callable[[tuple[int, Unit]], Counted], units: Sequence[Unit], workers: int
) -> Iterator[Counted]:
    if workers == 1:
        yield from map(count, enumerate(units))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            yield from pool.map(count, enumerate(units))
        except BrokenProcessPool:
            raise BadValue(
                "expected processes that live until all is counted, got a process that ended, such as for want of memory",
                [Advice("fit with less memory", "memory=…", "--memory"), "take fewer workers"],
                argument="workers",
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _share(memory: int, processes: int) -> int:
    """Return how many bytes each process may take for its arrays."""
    return max(_LEAST, memory // processes - PROCESS)
