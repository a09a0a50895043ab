"""The plan of a sharded job: its settings and its units, written once and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pofx.corpus.arrow_columns import arrow_column
from pofx.corpus.documents import Document
from pofx.corpus.stretch import Stretch
from pofx.corpus.writing import Column, kind_of_value
from pofx.errors import Advice, BadSource, require
from pofx.files.folders.folder import Folder
from pofx.files.json_file import seal_of
from pofx.jobs.job import Job
from pofx.jobs.sharded.cutting import cut
from pofx.jobs.sharded.unit import PLAN, Unit

# The rows that decide the kinds of kept columns, so that all parts have the same columns.
LOOK = 1000
FORMAT = 2
ARITHMETIC = "arithmetic: "
START_OVER = Advice("write to a new directory, or start over", "fresh=True", "--fresh")


@dataclass(frozen=True)
class Plan:
    """What a sharded job does.

    Attributes:
        settings: All settings that the rows depend on, and the arithmetic, by name.
        files: The files of the input, in order.
        columns: The columns of every part.
        units: The units, in the order of the rows.
    """

    settings: Mapping[str, Any]
    files: tuple[str, ...]
    columns: tuple[Column, ...]
    units: tuple[Unit, ...]

    @property
    def fingerprint(self) -> str:
        """The hash of the settings, which every commit record repeats."""
        return seal_of(dict(self.settings))


def settings_of(job: Job) -> dict[str, Any]:
    """Return the settings of a job, and the arithmetic of this process.

    The content of the input is no setting, since the units hold its hashes.
    """
    arithmetic = job.lm.engine.arithmetic().parts
    return {
        **job.settings(inputs=False),
        **{f"{ARITHMETIC}{name}": value for name, value in arithmetic.items()},
    }


def make_plan(job: Job, n_bytes: int) -> Plan:
    """Cut the input of a job into units of about `n_bytes` bytes, and fix the columns of the parts.

    Args:
        job: The job, whose first `LOOK` rows decide the types of kept fields.
        n_bytes: The size of a unit, bytes.

    Returns:
        The plan, which is not written yet.

    Raises:
        BadSource: A file cannot be read, or the input holds no row.
        BadValue: Two columns would have the same name.
    """
    units = tuple(cut(job.documents, n_bytes))
    if not units:
        raise job.documents.no_rows_error()
    kinds: dict[str, set[str]] = {name: set() for name in job.rows.keep}
    if kinds:
        for item in islice(job.documents.items(), LOOK):
            if isinstance(item, Document):
                for name, value in zip(job.rows.keep, item.kept):
                    kinds[name].add(kind_of_value(value))
    # A field without a value so far may hold anything later: "any" is a column of text, as "text" is, and refuses nothing.
    columns = job.rows.columns({name: sorted(found - {""}) or ["any"] for name, found in kinds.items()})
    return Plan(settings_of(job), job.documents.files, tuple(columns), units)


def write_plan(plan: Plan, folder: Folder) -> Plan:
    """Write the plan in one step, and return the plan that the folder has: in a store the first plan counts.

    Raises:
        BadSource: The store has a damaged plan.
        MissingExtra: pyarrow is missing.
        OSError: The folder cannot be written.
    """
    arrow = require("pyarrow", "data", "writing Parquet")
    parquet = require("pyarrow.parquet", "data", "writing Parquet")
    about = {
        "format": FORMAT,
        "settings": dict(plan.settings),
        "files": list(plan.files),
        "columns": [asdict(c) for c in plan.columns],
    }
    rows = [_cells(u) for u in plan.units]
    schema = arrow.schema(
        [("path", arrow.string()), ("content", arrow.string())]
        + [(name, arrow.int64()) for name in _NUMBERS],
        metadata={"pofx": json.dumps({**about, "seal": _seal(about, rows)})},
    )
    columns = [arrow_column([row[f.name] for row in rows], f.type) for f in schema]
    table = arrow.Table.from_arrays(columns, schema=schema)
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    return plan if folder.put_new(PLAN, sink.getvalue().to_pybytes()) else read_plan(folder)


_STRETCH = ("start", "stop", "skipped", "header", "packed", "unpacked")
_NUMBERS = (*_STRETCH, "bytes", "modified", "size")


def _cells(unit: Unit) -> dict[str, Any]:
    stretch = {} if unit.stretch is None else asdict(unit.stretch)
    numbers = {**dict.fromkeys(_NUMBERS), **stretch}
    numbers |= {"bytes": unit.bytes, "modified": unit.modified, "size": unit.size}
    return {"path": unit.path, "content": unit.content, **numbers}


def _seal(about: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    return seal_of({"about": dict(about), "units": rows})


def read_plan(folder: Folder) -> Plan:
    """Read the plan of an output folder.

    Raises:
        BadSource: The folder has no plan, or the plan is damaged.
        MissingExtra: pyarrow is missing.
    """
    arrow = require("pyarrow", "data", "reading Parquet")
    parquet = require("pyarrow.parquet", "data", "reading Parquet")
    try:
        data = folder.find(PLAN)
    except OSError as e:
        raise BadSource(
            f"{folder.path(PLAN)}: expected the plan of a job, got: {e.strerror or e}", "check the path"
        ) from None
    if data is None:
        raise BadSource(
            f"{folder.name}: expected the directory of a job, got no {PLAN} in it", "check the path"
        )
    try:
        table = parquet.read_table(arrow.BufferReader(data))
        about = json.loads(table.schema.metadata[b"pofx"])
        rows = table.to_pylist()
        seal = about.pop("seal")
        if seal != _seal(about, rows) or about["format"] != FORMAT:
            raise ValueError("a seal that does not fit")
        units = tuple(_unit(k, row) for k, row in enumerate(rows))
        return Plan(
            about["settings"], tuple(about["files"]), tuple(Column(**c) for c in about["columns"]), units
        )
    except (arrow.ArrowException, OSError, ValueError, KeyError, TypeError) as e:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise BadSource(
            f"{folder.path(PLAN)}: expected the plan of a job, got a damaged file ({said})", START_OVER
        ) from None


def _unit(number: int, row: Mapping[str, Any]) -> Unit:
    stretch = None if row["start"] is None else Stretch(*(row[name] for name in _STRETCH))
    return Unit(number, row["path"], stretch, row["bytes"], row["content"], row["modified"], row["size"])


def check_settings(plan: Plan, job: Job) -> None:
    """Refuse to go on with a job whose files or settings are not those of the plan.

    Raises:
        BadSource: The files or some settings differ; the message names each setting with both values.
    """
    if job.documents.files != plan.files:
        more = [f for f in job.documents.files if f not in set(plan.files)]
        less = [f for f in plan.files if f not in set(job.documents.files)]
        found = f"also {more[0]!r}" if more else f"no {less[0]!r}" if less else "another order"
        raise BadSource(
            f"{job.out}: expected the files of the plan in this directory, got {found}", START_OVER
        )
    here = settings_of(job)
    differ = [name for name in {**plan.settings, **here} if plan.settings.get(name) != here.get(name)]
    if differ:
        told = "; ".join(f"{n}: {plan.settings.get(n)!r} then, {here.get(n)!r} now" for n in differ[:4])
        rest = f"; and {len(differ) - 4} more" if len(differ) > 4 else ""
        raise BadSource(
            f"{job.out}: expected the settings of the plan in this directory, got others ({told}{rest})",
            START_OVER,
        )
