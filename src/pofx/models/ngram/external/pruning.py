"""Pruning of columns on disk: what `pofx.models.ngram.pruning` does in memory, chunk by chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pofx.algorithms.prefix_table import Packing
from pofx.models.ngram.external.columns import Column, chunks
from pofx.models.ngram.external.levels import LevelColumns, StageColumns
from pofx.models.ngram.external.runs import Run
from pofx.models.ngram.external.smoothing import SmoothedColumns
from pofx.models.ngram.external.tensors import ModelColumns
from pofx.models.ngram.pruning import PADDING_PROB, PADDING_WEIGHT, Compaction, Piece, mark


def prune_columns(
    table: Run,
    packing: Packing,
    levels: dict[int, LevelColumns],
    smoothed: SmoothedColumns,
    directory: Path,
    rows: int,
) -> ModelColumns:
    """Write the columns of a model that has only the n-grams that are `seen`, and their histories and suffixes.

    Args:
        table: The distinct n-grams of the full order.
        packing: The packing of the n-grams.
        levels: The levels, with their histories, whose files are removed.
        smoothed: The numbers of all n-grams.
        directory: Where the columns are made.
        rows: How many rows are in memory at a time.

    Returns:
        The columns of the smaller model.

    Raises:
        OSError: The disk is full.
    """
    order = packing.depth
    kept, inner = _marked(levels, smoothed, directory, rows)
    compaction = Compaction(
        packing, {k: c.array() for k, c in kept.items()}, {k: c.array() for k, c in inner.items()}
    )

    def column(name: str, k: int, dtype: type) -> Column:
        return Column(directory / f"kept-{name}.{k}", dtype)

    out = ModelColumns(
        Column(directory / "kept-words", np.uint64, packing.words),
        {k: column("prob", k, np.float64) for k in range(1, order + 1)},
        {k: column("seen", k, np.bool_) for k in range(1, order + 1)},
        {0: smoothed.weight[0]} | {k: column("weight", k, np.float64) for k in range(1, order)},
        {k: column("parent", k, np.int32) for k in range(2, order + 1)},
        [
            StageColumns(column("values", w, np.uint64), column("rows", w, np.int32))
            for w in range(packing.words - 1)
        ],
    )
    for part in chunks(table.rows, rows):
        words, _ = table.read(part.start, part.stop - part.start)
        groups = [np.arange(part.start, part.stop)]
        for k in range(order, 1, -1):
            groups.append(levels[k].parent.array()[groups[-1]])
        groups.append(np.zeros(len(words), dtype=np.int32))
        _append(out, compaction.cut(words, groups[::-1]), packing, smoothed)
        for k in range(1, order + 1):
            for used in (smoothed.prob[k], smoothed.seen[k], smoothed.weight[k - 1], levels[k].parent):
                used.release()
            kept[k].release()
            inner[k].release()
    return out


def _marked(
    levels: dict[int, LevelColumns], smoothed: SmoothedColumns, directory: Path, rows: int
) -> tuple[dict[int, Column], dict[int, Column]]:
    """Return two columns for each level: whether each group is kept, and whether the group has a kept group one level up."""
    order = len(levels)
    kept = {k: Column(directory / f"kept.{k}", np.bool_) for k in range(1, order + 1)}
    inner = {k: Column(directory / f"inner.{k}", np.bool_) for k in range(1, order + 1)}
    for k in range(1, order + 1):
        kept[k].reserve(len(levels[k]))
        inner[k].reserve(len(levels[k]))
    kept[1].array()[:] = True  # all tokens, and x0, which no event has
    for k in range(order, 1, -1):
        for part in chunks(len(levels[k]), rows):
            seen = smoothed.seen[k].array()[part]
            here = kept[k].array()
            here[part] |= seen
            below = (kept[k - 1].array(), inner[k - 1].array())
            mark(here[part], levels[k].history.array()[part], levels[k].parent.array()[part], seen, *below)
            for used in (smoothed.seen[k], kept[k], levels[k].history, levels[k].parent):
                used.release()
        levels[k].history.remove()
    return kept, inner


def _append(out: ModelColumns, piece: Piece, packing: Packing, smoothed: SmoothedColumns) -> None:
    done = len(out.words)
    out.words.append(piece.words)
    for k, source in piece.source.items():
        padding, at = source < 0, np.maximum(source, 0)
        out.prob[k].append(np.where(padding, PADDING_PROB, smoothed.prob[k].array()[at]))
        out.seen[k].append(~padding & smoothed.seen[k].array()[at])
        if k < packing.depth:
            out.weight[k].append(np.where(padding, PADDING_WEIGHT, smoothed.weight[k].array()[at]))
        if k > 1:
            out.parent[k].append(piece.parent[k])
        w, place = divmod(k - 1, packing.per_word)
        if place == packing.per_word - 1 and w < len(out.stages):
            out.stages[w].values.append(piece.words[piece.fresh[k], w])
            out.stages[w].rows.append(done + piece.fresh[k])
