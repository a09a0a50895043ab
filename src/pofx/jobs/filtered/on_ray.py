"""The join of copies on Ray: keys are shuffled by Ray Data, so that no process holds the keys of all documents."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import Labels
from pofx.errors import BadSource, require
from pofx.files.folders.folder import Folder
from pofx.files.folders.opening import open_folder
from pofx.files.urls import is_url
from pofx.filtering.copies.candidates import ALL_BANDS, Pairs, band_keys, hopeful, no_pairs, pair_bucket
from pofx.filtering.copies.joining import Batches, merge_pairs
from pofx.filtering.copies.key_files import group_by_key
from pofx.filtering.copies.signature import MINIMA, Dedupe, read_signatures
from pofx.jobs.filtered.decisions import column
from pofx.ray_session import LOCAL, ray_session

# The rows of one partition, of 24 bytes each, are sorted in the memory of one process.
_ROWS = 1 << 20

Table = dict[str, NDArray[Any]]


def check_ray_join() -> None:
    """Refuse a Python without the package that Ray Data needs beside Ray, before long work; Ray is not imported.

    Raises:
        MissingExtra: The package is missing.
    """
    if find_spec("pandas") is None:
        require("pandas", "ray", "--dedupe with --ray")


@dataclass(frozen=True)
class RayJoin:
    """The join of `join_copies` on Ray: the same arguments but for the memory, and the same result.

    The nodes read signatures and send keys to each other. Equal keys meet in one partition, which returns copies of equal
    documents, or candidate pairs. This process holds 24 bytes a document and 32 bytes a candidate pair, and compares the
    texts of the pairs in their order. The result depends neither on the partitions nor on the order in which they end.

    Attributes:
        scores: The folder of the first pass, which all nodes reach under its name.
        parts: Each part of the first pass: its name, the number of its first document, and how many documents it has.
        workers: How many CPUs a private Ray has; None for all CPUs of a cluster.
        address: The address of the cluster, as in `ray_session`.
        bits: How many first bits of a hash choose its partition; None for as many as memory and CPUs ask for.
    """

    scores: Folder
    parts: Sequence[tuple[str, int, int]]
    workers: int | None
    address: str
    bits: int | None = None

    def __call__(
        self, n: int, signatures: Batches, texts: Batches, dedupe: Dedupe, directory: Path
    ) -> tuple[Labels, Labels]:
        """Group the copies of a corpus, as `join_copies` does.

        Raises:
            BadSource: There is no such cluster, or a node cannot read the parts.
            MissingExtra: Ray, or the package that Ray Data needs, is missing.
            OSError: The disk is full.
        """
        exact = np.arange(n, dtype=np.int64)
        if not n:
            return exact, exact
        pairs = no_pairs()
        with ray_session(self.address, self.workers or 1) as ray, _quiet_data() as data:
            cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
            try:
                for found in self._shuffled(data, cpus, exact, dedupe, None):
                    exact[found["document"]] = found["first"]
                if dedupe != "near":
                    return exact, exact
                for found in self._shuffled(data, cpus, exact, dedupe, ALL_BANDS):
                    some = np.stack([found["first"], found["document"]], axis=1)
                    pairs = np.unique(np.concatenate([pairs, some]), axis=0)
            except ray.exceptions.RayError as e:
                said = (str(e).strip().splitlines() or [type(e).__name__])[-1]
                where = "this machine" if self.address == LOCAL else self.address
                raise BadSource(
                    f"{where}: expected a Ray whose nodes can join the copies, got {type(e).__name__}: {said:.200}",
                    "check that each node has this version of pofx and sees the output, and run the command again",
                ) from e
        return exact, merge_pairs(exact, _hopeful_pairs(pairs, signatures, directory), texts, directory)

    def _shuffled(
        self, data: Any, cpus: int, exact: Labels, dedupe: Dedupe, bands: int | None
    ) -> Iterator[Table]:
        """Yield what each partition returns; `bands` is None for the hashes of whole documents."""
        distinct = exact == np.arange(len(exact))
        rows = int(distinct.sum())
        bits = max(rows // _ROWS, 2 * cpus - 1).bit_length() if self.bits is None else self.bits
        items = [
            {
                "part": part,
                "first": first,
                "documents": count,
                "distinct": np.packbits(distinct[first : first + count]).tobytes(),
            }
            for part, first, count in self.parts
        ]
        name = self.scores.name if is_url(self.scores.name) else os.path.abspath(self.scores.name)
        # As many blocks as CPUs keep busy, and more where a block would be larger than a partition.
        blocks = min((bands or 1) << bits, max(2 * cpus, rows * (bands or 1) // _ROWS))
        yield from (
            data.from_items(items, override_num_blocks=len(items))
            .map_batches(_Keys(name, dedupe, bits, bands), batch_size=1, batch_format="numpy")
            .groupby("partition", num_partitions=blocks)
            .map_groups(_copies if bands is None else _candidates, batch_format="numpy")
            .iter_batches(batch_size=None, batch_format="numpy")
        )


@dataclass(frozen=True)
class _Keys:
    """Reads the keys of a part on a node.

    Attributes:
        folder: The name of the folder of the first pass.
        dedupe: As in `join_copies`.
        bits: As in `RayJoin`.
        bands: How many keys each distinct document has; None for the hash of each document.
    """

    folder: str
    dedupe: Dedupe
    bits: int
    bands: int | None

    def __call__(self, items: Mapping[str, NDArray[Any]]) -> Iterator[Table]:
        for part, first, count, packed in zip(
            *(items[k] for k in ("part", "first", "documents", "distinct"))
        ):
            distinct = np.unpackbits(np.frombuffer(packed, np.uint8), count=int(count)).astype(np.bool_)
            with TemporaryDirectory(prefix="pofx-part-") as temporary:
                file = open_folder(self.folder).fetch(str(part), Path(temporary))
                at = 0
                for encoded in column([file], "signature"):
                    hashes, minima = read_signatures(encoded, self.dedupe)
                    numbers = np.arange(at, at + len(encoded))
                    at += len(encoded)
                    if self.bands is None:
                        yield self._rows(hashes, numbers + int(first), 0)
                        continue
                    some = distinct[numbers]
                    for band in range(self.bands):
                        keys = band_keys(minima[some], band)[:, None]
                        yield self._rows(keys, numbers[some] + int(first), band)

    def _rows(self, keys: NDArray[np.uint64], documents: NDArray[np.int64], band: int) -> Table:
        """Return the rows of some keys, `[n, words]`, with the partition in which equal keys of one band meet."""
        high = keys[:, 0] >> np.uint64(64 - self.bits) if self.bits else np.zeros(len(keys), np.uint64)
        partition = (high + np.uint64(band << self.bits)).astype(np.int64)
        return {"partition": partition, "document": documents, **{f"key{k}": c for k, c in enumerate(keys.T)}}


def _grouped(table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the documents of a partition, grouped by key, as `group_by_key` does."""
    words = [np.asarray(table[name], np.uint64) for name in ("key0", "key1") if name in table]
    return group_by_key(np.stack(words, axis=1), np.asarray(table["document"], np.int64))


def _copies(table: Table) -> Table:
    """Return each document of a partition that is equal to an earlier one, with the first document that is equal to it."""
    documents, cuts = _grouped(table)
    first = np.repeat(documents[cuts[:-1]], np.diff(cuts))
    return {"first": first[first != documents], "document": documents[first != documents]}


def _candidates(table: Table) -> Table:
    """Return the candidate pairs of a partition."""
    documents, cuts = _grouped(table)
    buckets = np.flatnonzero(np.diff(cuts) > 1).tolist()
    pairs = np.concatenate([no_pairs(), *(pair_bucket(documents[cuts[k] : cuts[k + 1]]) for k in buckets)])
    return {"first": pairs[:, 0], "document": pairs[:, 1]}


def _hopeful_pairs(pairs: Pairs, signatures: Batches, directory: Path) -> Pairs:
    """Return the pairs whose minima give hope; the minima of the documents in pairs lie in a file."""
    within = np.unique(pairs)
    if not len(within):
        return pairs
    minima = np.memmap(directory / "minima", np.uint32, "w+", shape=(len(within), MINIMA))
    at = 0
    for batch in signatures():
        low, high = np.searchsorted(within, (at, at + len(batch)))
        if low < high:
            minima[low:high] = read_signatures([batch[k - at] for k in within[low:high].tolist()], "near")[1]
        at += len(batch)
    return pairs[hopeful(np.searchsorted(within, pairs), minima)]


@contextmanager
def _quiet_data() -> Iterator[Any]:
    """Give the module `ray.data`, which prints neither progress nor its plan within this context."""
    with warnings.catch_warnings():
        # Ray Data warns of fields of its own context.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield from _quiet()


def _quiet() -> Iterator[Any]:
    data = require("ray.data", "ray", "--dedupe with --ray")
    context = data.DataContext.get_current()
    names = ("enable_progress_bars", "enable_operator_progress_bars", "print_on_execution_start")
    before = {name: getattr(context, name) for name in names}
    logger = logging.getLogger("ray.data")
    level = logger.level
    for name in names:
        setattr(context, name, False)
    logger.setLevel(logging.ERROR)
    try:
        yield data
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)
