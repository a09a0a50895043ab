"""The prefixes of a sorted table of n-grams as columns on disk: for each length, what smoothing asks of each n-gram.

The groups of a level are those of `PrefixTable`: the distinct prefixes of k codes, numbered in sorted order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import PackedStrings, Packing
from pofx.errors import BadSource
from pofx.models.ngram.external.columns import Array, Column, chunks
from pofx.models.ngram.external.runs import Run

# Kinds of the oldest code of an n-gram: padding, a token, x0.
PADDING, TOKEN, BEGIN = 0, 1, 2
# Groups have 32-bit numbers, on disk and in a model that is loaded.
_MOST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class StageColumns:
    """The distinct values of a word after each distinct prefix, as in `PrefixTable.outer_stages`.

    Attributes:
        values: The values.
        rows: The first row of each value.
    """

    values: Column
    rows: Column


@dataclass(frozen=True, eq=False)
class LevelColumns:
    """The n-grams of one length k: each column is `[groups]`, a number for each group of level k.

    Attributes:
        parent: The group at level k − 1 of the k − 1 newest codes.
        kind: The kind of the oldest code: `PADDING`, `TOKEN` or `BEGIN`.
        history: The group at level k − 1 of the k − 1 oldest codes.
        raw: How often each n-gram was an event.
        extensions: How many n-grams that are longer by one older code were events; None for the longest n-grams.
    """

    parent: Column
    kind: Column
    history: Column
    raw: Column
    extensions: Column | None

    def __len__(self) -> int:
        return len(self.parent)

    def remove(self, keep_history: bool = False) -> None:
        """Remove the columns but `parent`, which is a tensor of the model; with `keep_history` also keep `history`."""
        self.parent.release()
        self.history.release()
        for column in (self.kind, None if keep_history else self.history, self.raw, self.extensions):
            if column is not None:
                column.remove()


def build_levels(
    table: Run, packing: Packing, begin_code: int, directory: Path, rows: int
) -> tuple[dict[int, LevelColumns], list[StageColumns]]:
    """Build the columns of all levels of a table.

    Args:
        table: The distinct n-grams of the full order.
        packing: Their packing.
        begin_code: The code of x0.
        directory: Where the columns are made.
        rows: How many rows are in memory at a time.

    Returns:
        The columns of each level 1 … order by its length, and a `StageColumns` for each word of a string but the last.

    Raises:
        BadSource: The table has more than 2^31 − 1 n-grams.
        OSError: The disk is full.
    """
    if table.rows > _MOST:
        raise BadSource(
            f"{directory}: expected at most {_MOST:,} distinct n-grams, got {table.rows:,}",
            "fit a model of a lower order, or to fewer documents",
        )
    order = packing.depth

    def column(name: str, k: int, dtype: type) -> Column:
        return Column(directory / f"{name}.{k}", dtype)

    parent = {k: column("parent", k, np.int32) for k in range(1, order + 1)}
    kind = {k: column("kind", k, np.uint8) for k in range(1, order + 1)}
    keys = Column(directory / "keys", np.uint64, packing.words)
    stages = [
        StageColumns(column("values", w, np.uint64), column("rows", w, np.int32))
        for w in range(packing.words - 1)
    ]
    _split(table, packing, begin_code, rows, parent, kind, keys, stages)
    history = {order: column("history", order, np.int32)}
    _find_histories(table, packing, rows, keys, history[order])
    keys.remove()
    for k in range(order - 1, 0, -1):
        history[k] = column("history", k, np.int32)
        _shorten(parent[k + 1].array(), history[k + 1].array(), parent[k], history[k], rows)
    raw = {order: column("raw", order, np.int64)}
    for part in chunks(table.rows, rows):
        raw[order].append(table.read(part.start, part.stop - part.start)[1])
    extensions: dict[int, Column | None] = {order: None}
    for k in range(order - 1, 0, -1):
        raw[k], distinct = column("raw", k, np.int64), column("extensions", k, np.int64)
        raw[k].reserve(len(parent[k]))
        distinct.reserve(len(parent[k]))
        _sum_children(parent[k + 1].array(), raw[k + 1].array(), raw[k].array(), distinct.array(), rows)
        for used in (parent[k + 1], raw[k + 1], raw[k], distinct):
            used.release()
        extensions[k] = distinct
    levels = {
        k: LevelColumns(parent[k], kind[k], history[k], raw[k], extensions[k]) for k in range(1, order + 1)
    }
    return levels, stages


def _split(
    table: Run,
    packing: Packing,
    begin_code: int,
    rows: int,
    parent: dict[int, Column],
    kind: dict[int, Column],
    keys: Column,
    stages: list[StageColumns],
) -> None:
    """Write the parent and the kind of every group, the stages, and the first string of each group at level order − 1."""
    order = packing.depth
    before: PackedStrings = np.zeros((0, packing.words), dtype=np.uint64)
    for part in chunks(table.rows, rows):
        words, _ = table.read(part.start, part.stop - part.start)
        both = np.concatenate([before, words])
        fresh = np.zeros(len(words), dtype=bool)
        fresh[: 1 - len(before)] = True  # the first row of the table
        group = np.zeros(len(words), dtype=np.int64)
        for k in range(1, order + 1):
            w, place = divmod(k - 1, packing.per_word)
            column = both[:, w] >> packing.shift(place)
            fresh[1 - len(before) :] |= column[1:] != column[:-1]
            at = np.flatnonzero(fresh)
            done = len(parent[k])
            parent[k].append(group[at])
            codes = packing.code(words[at], k - 1)
            kind[k].append(np.where(codes == 0, PADDING, np.where(codes == begin_code, BEGIN, TOKEN)))
            if k == order - 1:
                keys.append(words[at])
            if place == packing.per_word - 1 and w < len(stages):
                stages[w].values.append(words[at, w])
                stages[w].rows.append(part.start + at)
            group = done - 1 + np.cumsum(fresh)
        before = words[-1:]


def _find_histories(table: Run, packing: Packing, rows: int, keys: Column, history: Column) -> None:
    """Write, for each row, the group at level order − 1 of the string without its newest code."""
    order = packing.depth
    for part in chunks(table.rows, rows):
        if order == 1:
            history.append(np.zeros(part.stop - part.start))
            continue
        words, _ = table.read(part.start, part.stop - part.start)
        columns = [packing.code(words, k) for k in range(1, order)]
        wanted = packing.pack_columns([*columns, np.zeros(len(words), dtype=np.uint64)])
        # A wanted string ends in padding, so the first group that is not below the string is the group of the string: the
        # text had the string one position earlier. Only the empty string, after x0 or a first token, is in no group, and
        # gets group 0.
        found = _search(keys.array(), wanted)
        history.append(np.minimum(found, len(keys) - 1))
        keys.release()


def _search(keys: PackedStrings, wanted: PackedStrings) -> NDArray[np.int64]:
    """For each wanted string, find the first string of `keys` that is not below the wanted string.

    Args:
        keys: Strings in rising order, `[n, words]`.
        wanted: The wanted strings, `[q, words]`.

    Returns:
        Row numbers of `keys`, `[q]`; n where all keys are below.
    """
    if keys.shape[1] == 1:
        return np.searchsorted(keys[:, 0], wanted[:, 0]).astype(np.int64)
    lo, hi = np.zeros(len(wanted), dtype=np.int64), np.full(len(wanted), len(keys), dtype=np.int64)
    while (active := lo < hi).any():
        middle = (lo + hi) >> 1
        seen = keys[np.minimum(middle, len(keys) - 1)]
        below, equal = np.zeros(len(wanted), dtype=bool), np.ones(len(wanted), dtype=bool)
        for w in range(keys.shape[1]):
            below |= equal & (seen[:, w] < wanted[:, w])
            equal &= seen[:, w] == wanted[:, w]
        lo = np.where(active & below, middle + 1, lo)
        hi = np.where(active & ~below, middle, hi)
    return lo


def _shorten(children: Array, longer: Array, parent: Column, out: Column, rows: int) -> None:
    """Write the history of each group as the group, one level up, of the history of its first child."""
    up = parent.array()
    last = -1
    for part in chunks(len(children), rows):
        owner = children[part]
        first = np.diff(owner, prepend=last) != 0
        last = int(owner[-1])
        out.append(up[longer[part][first]])
        parent.release()


def _sum_children(children: Array, raw: Array, total: Array, distinct: Array, rows: int) -> None:
    """Add, for each group, the events of its children to `total`, and how many of the children were events to `distinct`."""
    for part in chunks(len(children), rows):
        owner, events = children[part], raw[part]
        starts = np.flatnonzero(np.diff(owner, prepend=-1) != 0)
        # Owners rise by steps of one, so they are a stretch of the column.
        span = slice(int(owner[0]), int(owner[-1]) + 1)
        total[span] += np.add.reduceat(events, starts)
        distinct[span] += np.add.reduceat(events > 0, starts, dtype=np.int64)
