"""A unit is done: its rows are answered and written as one part, and a commit record says so."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from pofx.arithmetic import one_thread
from pofx.corpus.documents import Document
from pofx.corpus.writing import Column, Target, common_kind, kind_of_value, target_writer
from pofx.errors import Advice, BadSource, PofxError
from pofx.files.folders.folder import Folder, sha256_of
from pofx.jobs.documents import Documents
from pofx.jobs.job import Job
from pofx.jobs.row_lines import BEGIN, SEEN, Answers, Item, encode_answers, reason
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.commit import Commit, write_commit
from pofx.jobs.sharded.kept_memory import keep_freed_memory
from pofx.jobs.sharded.plan import Plan
from pofx.jobs.sharded.unit import Unit
from pofx.jobs.total_rows import (
    TOTALS_SIZE,
    ColumnFile,
    RefusedItem,
    answer_totals,
    asks_for_totals,
    total_cells,
)
from pofx.queries.scoring.stream import blocks


def do_unit(job: Job, plan: Plan, unit: Unit, folder: Folder) -> Commit:
    """Answer the rows of a unit, and write its part, its errors and its commit record, in this order.

    Each file appears in one step. The unit alone decides its name, and the unit and the plan alone decide its bytes. So a
    worker may die at any moment, and two workers may do the same unit.

    Args:
        job: The job; its model computes with one thread, so that any number of workers gives the same bits.
        plan: The plan that the unit is of.
        unit: The unit.
        folder: The output folder.

    Returns:
        The commit record; its `nats` is the sum of log p over the texts with a score, in nats.

    Raises:
        BadSource: The file of the unit was edited or cannot be read, or a store has other bytes in place of the part.
        OSError: The folder cannot be written.

    Right: `do_unit(job, plan, plan.units[0], open_folder("out"))`. Wrong: a unit of another plan, whose record would
    name this plan.
    """
    unit.check_input()
    keep_freed_memory()
    documents = replace(job.documents, files=(unit.path,), stretch=unit.stretch)
    answer = _answer_totals if asks_for_totals(job) else _answer_rows
    with folder.scratch() as temporary, one_thread():
        made, refused = Path(temporary, "part"), Path(temporary, "errors")
        with refused.open("wb") as bad:
            state, tokens, terms = answer(job, plan, unit, documents, made, bad)
        commit = Commit(
            unit=unit.number,
            fingerprint=plan.fingerprint,
            part=_placed(folder, unit.part, made) if terms else "",
            errors=_placed(folder, unit.errors, refused) if state["items"] > state["scored"] else "",
            rows=state["items"],
            scored=state["scored"],
            tokens=tokens,
            bytes=state["bytes"],
            nats=math.fsum(terms),
            **{name: state.get(name, 0) for name in SEEN},
        )
    return write_commit(folder, unit, commit)


# The state of a run after the unit's rows, the number of tokens, and the term of each row in the sum, nats.
_Answered = tuple[dict[str, Any], int, list[float]]


def _answer_rows(
    job: Job, plan: Plan, unit: Unit, documents: Documents, made: Path, bad: BinaryIO
) -> _Answered:
    """Answer the rows of a unit one by one, as lines of JSON of which the part is made."""
    query, size = job.rows.bind(job.lm), job.rows.block_size(job.lm)
    state: dict[str, Any] = BEGIN
    tokens, terms = 0, []
    lines = made.with_name("lines")
    with lines.open("wb") as good:
        for block in blocks(documents.items(), documents.ask, size, 0):
            answers = _fitting(job, plan.columns, block.items, block.answers(query))
            found, state = encode_answers(job, block.items, answers, state)
            for item, rows, answer in zip(block.items, found, answers):
                if isinstance(answer, PofxError):
                    bad.write(_refusal(item, unit, rows.error))
                else:
                    good.writelines(rows.lines)
                    terms.append(job.rows.nats(answer))
                    tokens += answer.terms.tokens + answer.terms.end
    if terms:
        writer = target_writer(Target(made, "parquet", ""), plan.columns, {"fingerprint": plan.fingerprint})
        assert writer is not None  # noqa: S101  (ours: only JSON lines need no writer)
        writer(lines, made)
    return state, tokens, terms


def _answer_totals(
    job: Job, plan: Plan, unit: Unit, documents: Documents, made: Path, bad: BinaryIO
) -> _Answered:
    """Answer the rows of a unit as columns; a row without a score takes the way of `_answer_rows`."""
    rows = job.rows
    assert isinstance(rows, ScoreRows)  # noqa: S101  (ours: `asks_for_totals` holds)
    state: dict[str, Any] = {**BEGIN, **dict.fromkeys(SEEN, 0)}
    tokens, terms = 0, list[float]()
    with ColumnFile(made, plan.columns, {"fingerprint": plan.fingerprint}) as file:
        for block in blocks(documents.items(), documents.ask, TOTALS_SIZE, 0):
            state["items"] += len(block.items)
            for run in answer_totals(job.lm, block):
                if isinstance(run, RefusedItem):
                    bad.write(_refusal(run.item, unit, reason(job, run.item, run.error)))
                    continue
                cells, sums = total_cells(rows, run)
                file.add(cells, len(run.items), sums.bytes)
                state["scored"] += len(run.items)
                for name in ("bytes", *SEEN):
                    state[name] += getattr(sums, name)
                tokens += sums.tokens
                terms += sums.nats
    return state, tokens, terms


def _fitting(job: Job, columns: tuple[Column, ...], items: tuple[Item, ...], answers: Answers) -> Answers:
    """Return the answers, with an error for each item whose kept fields do not fit the columns of the plan."""
    if not job.rows.keep:
        return answers
    kinds = {c.name: c.kind for c in columns}
    out = list(answers)
    for k, item in enumerate(items):
        for name, value in zip(job.rows.keep, item.kept):
            kind = kind_of_value(value)
            if isinstance(item, Document) and kind and common_kind([kinds[name], kind]) != kinds[name]:
                out[k] = BadSource(
                    f"{item.id}: expected {kinds[name]} in field {name!r}, as in the first rows of the input, got {kind}",
                    Advice("leave the field out, or write its values as text", "keep=…", "--keep"),
                )
                break
    return out


def _refusal(item: Item, unit: Unit, why: str) -> bytes:
    """Return a row without a score as a line of JSON: where it stands, and the reason."""
    stretch = unit.stretch
    where = {} if stretch is None else {"start": stretch.start, "stop": stretch.stop}
    record = {"id": item.id, "source": item.source, "line": item.line, **where, "error": why}
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _placed(folder: Folder, file: str, made: Path) -> str:
    """Give a file its name, and return its SHA-256."""
    code = sha256_of(made)
    folder.put_file(file, made)
    return code
