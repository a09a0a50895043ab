"""The two sides of a filter: the directory of documents that are kept, and the directory of the rest."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pofx.errors import require
from pofx.files.atomic import replaced_file
from pofx.filtering.copies.text_store import TextStore
from pofx.jobs.filter_rows import COPY_OF, REASON, SIGNATURE
from pofx.jobs.filtered.decisions import Decisions
from pofx.jobs.sharded.commit import Commit, sha256_of, write_commit
from pofx.jobs.sharded.plan import Plan
from pofx.jobs.sharded.unit import Places, Unit

Name = Literal["kept", "rest"]
SIDE = "side"


@dataclass(frozen=True)
class Side:
    """One of the two output directories: a whole directory of a job, with a plan, parts and commit records.

    Attributes:
        name: "kept", or "rest" for the documents that are not kept.
        places: The files of the directory.
    """

    name: Name
    places: Places

    def plan(self, scores: Plan) -> Plan:
        """Return the plan of this side, from the plan of the first pass."""
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
        places: The files of the first pass.
    """

    unit: Unit
    first: int
    commit: Commit
    places: Places


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
        The record.

    Raises:
        OSError: The directory cannot be written.
    """
    parquet = require("pyarrow.parquet", "data", "writing Parquet")
    unit, places = scored.unit, side.places
    for path in (places.part(unit), places.errors(unit), places.commit(unit)):
        path.parent.mkdir(parents=True, exist_ok=True)
    tally = _Tally()
    with TemporaryDirectory(prefix=".unit-", dir=places.directory) as temporary:
        made = Path(temporary, "part")
        with made.open("wb") as out:
            writer = None
            for table in _tables(scored, side, plan, decisions, ids):
                writer = writer or parquet.ParquetWriter(out, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=table.num_rows)
                tally.add(table)
            if writer is not None:
                writer.close()
        part = _moved(made, places.part(unit)) if tally.documents else ""
        bad, refused = 0, ""
        if side.name == "rest" and scored.commit.errors:
            copied = Path(temporary, "errors")
            shutil.copyfile(scored.places.errors(unit), copied)
            refused = _moved(copied, places.errors(unit))
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
    write_commit(places.commit(unit), commit)
    return commit


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
    if not scored.commit.part:
        return
    names = [c.name for c in plan.columns]
    about = {"pofx": json.dumps({"fingerprint": plan.fingerprint})}
    first = scored.first
    with scored.places.part(scored.unit).open("rb") as f:
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


def _moved(made: Path, path: Path) -> str:
    with replaced_file(path, made):
        pass
    return sha256_of(path)
