"""The two sides of a filter: the directory of documents that are kept, and the directory of the rest."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pofx.errors import require
from pofx.files.folders.folder import Folder, sha256_of
from pofx.filtering.copies.text_store import TextStore
from pofx.jobs.filter_rows import COPY_OF, REASON, SIGNATURE
from pofx.jobs.filtered.decisions import Decisions
from pofx.jobs.sharded.commit import Commit, write_commit
from pofx.jobs.sharded.plan import Plan
from pofx.jobs.sharded.unit import Unit

Name = Literal["kept", "rest"]
SIDE = "side"


@dataclass(frozen=True)
class Side:
    """One of the two output directories: a whole directory of a job, with a plan, parts and commit records.

    Attributes:
        name: "kept", or "rest" for the documents that are not kept.
        folder: The directory, or the prefix of a store.
    """

    name: Name
    folder: Folder

    def plan(self, scores: Plan) -> Plan:
        """Return the plan of this side: that of the first pass, with the columns and the name of the side."""
        columns = [c for c in scores.columns if c not in (SIGNATURE, REASON) and c.name != "error"]
        settings = {**scores.settings, SIDE: self.name}
        return replace(scores, settings=settings, columns=(*columns, COPY_OF, REASON))


@dataclass(frozen=True)
class ScoredUnit:
    """A unit after the first pass.

    Attributes:
        unit: The unit.
        first: The number of its first document in the corpus.
        commit: The record of the first pass.
        part: The part of the first pass on this machine; None where the unit has no document.
        errors: The rows without a judgement on this machine; None where each row has one.
    """

    unit: Unit
    first: int
    commit: Commit
    part: Path | None
    errors: Path | None


def write_side(scored: ScoredUnit, side: Side, plan: Plan, decisions: Decisions, ids: TextStore) -> Commit:
    """Write the documents of one unit that belong to one side, and the commit record.

    Rows of the input without a judgement belong to the rest, in its folder `errors/`.

    Args:
        scored: The unit after the first pass.
        side: The side.
        plan: The plan of the side.
        decisions: The copies of the corpus.
        ids: The ids of the documents that others are copies of.

    Returns:
        The commit record.

    Raises:
        OSError: The directory cannot be written.
    """
    parquet = require("pyarrow.parquet", "data", "writing Parquet")
    unit, folder = scored.unit, side.folder
    tally = _Tally()
    with folder.scratch() as temporary:
        made = temporary / "part"
        with made.open("wb") as out:
            writer = None
            for table in _tables(scored, side, plan, decisions, ids):
                writer = writer or parquet.ParquetWriter(out, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=table.num_rows)
                tally.add(table)
            if writer is not None:
                writer.close()
        part = _moved(folder, unit.part, made) if tally.documents else ""
        bad, refused = 0, ""
        if side.name == "rest" and scored.errors is not None:
            copied = temporary / "errors"
            shutil.copyfile(scored.errors, copied)
            refused = _moved(folder, unit.errors, copied)
            bad = scored.commit.rows - scored.commit.scored
    commit = Commit(
        unit=unit.number,
        fingerprint=plan.fingerprint,
        part=part,
        errors=refused,
        rows=tally.documents + bad,
        scored=tally.documents,
        tokens=tally.tokens,
        bytes=tally.bytes,
        nats=math.fsum(tally.nats),
        fitted=tally.fitted,
        chosen=0,
    )
    return write_commit(folder, unit, commit)


class _Tally:
    """The sums over the documents of one unit. Local to `write_side`."""

    def __init__(self) -> None:
        self.documents = self.tokens = self.bytes = self.fitted = 0
        self.nats: list[float] = []

    def add(self, table: Any) -> None:
        self.documents += table.num_rows
        # EOS is a token of each text, as in the records of other jobs.
        self.tokens += sum(table.column("tokens").to_pylist()) + table.num_rows
        self.bytes += sum(table.column("bytes").to_pylist())
        self.fitted += sum(table.column("fitted").to_pylist())
        self.nats += table.column("log_p_nats").to_pylist()


def _tables(
    scored: ScoredUnit, side: Side, plan: Plan, decisions: Decisions, ids: TextStore
) -> Iterator[Any]:
    """Yield the rows of one side, a row group of the first pass at a time; groups without such a row are left out."""
    arrow = require("pyarrow", "data", "writing Parquet")
    parquet = require("pyarrow.parquet", "data", "reading Parquet")
    if scored.part is None:
        return
    names = [c.name for c in plan.columns]
    about = {"pofx": json.dumps({"fingerprint": plan.fingerprint})}
    first = scored.first
    with scored.part.open("rb") as f:
        file = parquet.ParquetFile(f)
        for g in range(file.num_row_groups):
            table = file.read_row_group(g)
            reasons = decisions.reasons(first, table.column(REASON.name).to_pylist())
            rows = [k for k, why in enumerate(reasons) if (not why) == (side.name == "kept")]
            of = decisions.copy_of[first : first + len(reasons)].tolist()
            copies = [ids[of[k]] if of[k] != first + k else None for k in rows]
            first += len(reasons)
            if not rows:
                continue
            table = table.drop_columns([REASON.name]).take(rows)
            table = table.append_column(REASON.name, arrow.array([reasons[k] for k in rows], arrow.string()))
            table = table.append_column(COPY_OF.name, arrow.array(copies, arrow.string()))
            yield table.select(names).replace_schema_metadata(about)


def _moved(folder: Folder, file: str, made: Path) -> str:
    """Put a file into the folder under the name `file`, and return its SHA-256."""
    code = sha256_of(made)
    folder.put_file(file, made)
    return code
