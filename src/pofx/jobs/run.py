"""The run of a job: blocks of the input are answered, a journal keeps their rows, and the file is made at the end."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext, suppress
from functools import cached_property
from types import TracebackType
from typing import Any

from pofx.arithmetic import list_differences
from pofx.corpus.writing import target_writer
from pofx.errors import BadSource, BadValue, PofxError
from pofx.files.finished_runs import final_state, remember
from pofx.files.journal import Journal, open_journal
from pofx.files.journal_files import START_OVER, damaged_progress, part_of, progress_of
from pofx.files.reading_tape import recording
from pofx.jobs.events import (
    BlockEnd,
    BlockStart,
    Event,
    JobEnd,
    JobStart,
    Notice,
    OtherArithmetic,
    UnresumableInput,
)
from pofx.jobs.job import Job, JobStopped
from pofx.jobs.row_lines import BEGIN, Answers, Item, encode_answers
from pofx.queries.scoring.stream import Query, TextBlock, blocks
from pofx.queries.scoring.terms import terms


def run(job: Job) -> Generator[Event, None, None]:
    """Run the job in this process.

    Whatever stops the run (an error, Ctrl-C, a caller that asks for no further event), the answered rows are kept. The
    same job, run again, goes on after these rows and makes the same bytes.

    Args:
        job: The job.

    Yields:
        The events of the run as they happen, `JobEnd` last.

    Raises:
        PofxError: The job cannot be done; `JobStopped` after Ctrl-C.
    """
    job_run = JobRun(job)
    if not job_run.resumable:
        yield UnresumableInput()
    with job_run:
        if job_run.other_arithmetic:
            yield OtherArithmetic(job_run.other_arithmetic, job.lm.dtype)
        if job_run.ended is None:
            yield job_run.begun()
            for block in job_run.blocks():
                yield from job_run.notices()
                yield BlockStart(block.items[0], block.items[-1])
                yield job_run.keep(block, job_run.answer(block))
            yield from job_run.notices()
            job_run.finish()
    assert job_run.ended is not None  # noqa: S101  (ours)
    yield job_run.ended


class JobRun:
    """The run of a job in parts, for callers whose workers answer the blocks. `run` calls all parts in one process.

    The run is a context manager, which locks the journal, and keeps the answered rows whatever happens. A block is a value,
    so workers may answer blocks in any order. `keep` takes the answers in the order of `blocks`.

    An earlier run of the same job may have finished the file. `ended` is then set as soon as the context is entered, and
    `blocks`, `keep` and `finish` must not be called.

    Right: `with JobRun(job) as r: if r.ended is None: [r.keep(b, work(b)) for b in r.blocks()]; r.finish()`.
    Wrong: `keep` of the second block before the first.

    Args:
        job: The job.

    Attributes:
        resumable: Whether the input can be read again.
        ended: The last event of the run; None before the file is finished.
        other_arithmetic: A line for each part in which the arithmetic of kept rows differs from that of this run.

    Raises:
        BadSource: The input is a pipe and rows of a stopped run exist, or the journal is damaged or of another run.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._target = job, job.target
        self._notices: deque[Notice] = deque()
        self._items = job.documents.items(self._notices.append)
        job.documents.check(job.lm, complete=not job.rows.prefix)
        self.resumable = job.resumable
        self.ended: JobEnd | None = None
        self.other_arithmetic: tuple[str, ...] = ()
        if not self.resumable and part_of(self._target.path).exists() and not job.fresh:
            raise BadSource(
                f"{part_of(self._target.path)}: expected no rows of a stopped run, since standard input (or a pipe) cannot "
                "be read again to go on after these rows, got rows",
                ["move the file away", START_OVER],
            )

    def __enter__(self) -> JobRun:
        job, path = self._job, self._target.path
        self._parts, here = job.settings(), job.lm.engine.arithmetic().parts
        # A model without a fingerprint may have been fitted again under its name.
        self._sure = self.resumable and bool(job.lm.fingerprint)
        before = None if job.overwrite or not self._sure else final_state(path, self._parts)
        if before is not None and "arithmetic" in before:
            self.other_arithmetic = list_differences(before["arithmetic"], here)
            self.ended = self._ended(before, already=True)
            return self
        fresh = job.fresh or not self.resumable
        self._journal = open_journal(path, self._parts, here, BEGIN, fresh, job.overwrite)
        self.other_arithmetic = self._journal.other_arithmetic
        try:
            _check_state(self._journal)
            if self._journal.saved.finished:
                self._journal.discard()
                self.ended = self._ended(self._journal.saved.state)
        except BadSource:
            self._journal.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ended is not None:  # the journal is gone
            return
        journal = self._journal
        try:
            if isinstance(error, KeyboardInterrupt):
                raise self._stopped() from None
            if not (error is None or isinstance(error, Exception | GeneratorExit)):
                return  # the process ends at once, as by SystemExit, and no more rows are written
            if journal.kept.offset < journal.saved.offset:
                with suppress(PofxError):  # the disk itself may have failed
                    journal.checkpoint()
            journal.tape.flush()
            if not journal.keeps:
                journal.discard()
        finally:
            journal.close()

    @cached_property
    def _query(self) -> Query[Any]:
        return self._job.rows.bind(self._job.lm)

    def begun(self) -> JobStart:
        """Return the event of the beginning, with the rows and stretches that a stopped run had kept."""
        j = self._journal
        rows = j.saved.state["items"]
        return JobStart(rows, j.tape.left, j.part, j.tape.path, progress_of(j.target), j.in_vain)

    def blocks(self) -> Iterator[TextBlock[Item]]:
        """Yield the blocks of the input that no run has answered, in order."""
        job, done = self._job, self._journal.saved.state["items"]
        rest = itertools.islice(self._items, done, None)
        return blocks(rest, job.documents.ask, job.rows.block_size(job.lm), done)

    def notices(self) -> Iterator[Notice]:
        """Yield the notices about the input since the last call."""
        while self._notices:
            yield self._notices.popleft()

    def answer(self, block: TextBlock[Item]) -> Answers:
        """Return the answers to the next block, computed in this process.

        Stretches of a long text are kept as they are read, so a run that is killed in the middle of a text goes on there.

        Args:
            block: The next block.
        """
        with recording(self._journal.tape) if self.resumable else nullcontext():
            return block.answers(self._query)

    def keep(self, block: TextBlock[Item], answers: Answers) -> BlockEnd:
        """Keep the rows of the next block, which are on the disk within a second or so.

        Args:
            block: The next block.
            answers: An answer, or an error, for each item of the block.

        Raises:
            BadValue: The block is not the next block, or has another number of items than of answers.
            BadSource: The journal cannot be written.
        """
        journal = self._journal
        done = journal.saved.state["items"]
        if block.first != done:
            raise BadValue(
                f"expected the block that begins at row {done:,}, got a block that begins at row {block.first:,}",
                "keep the blocks in their order",
                argument="block",
            )
        if len(answers) != len(block.items):
            raise BadValue(
                f"expected {len(block.items):,} answers, got {len(answers):,}",
                "pass one answer for each item of the block",
                argument="answers",
            )
        found, state = encode_answers(self._job, block.items, answers, journal.saved.state)
        journal.append(b"".join(line for f in found for line in f.lines), state)
        term_records = [answer.terms for answer in answers if not isinstance(answer, PofxError)]
        return BlockEnd(block.items[-1], sum(t.tokens + t.end for t in term_records), len(block.items))

    def finish(self) -> JobEnd:
        """Make the file of all rows, in one step.

        Raises:
            BadSource: The input held no row.
        """
        job, journal = self._job, self._journal
        state = journal.saved.state
        if not state["items"]:
            raise job.documents.no_rows_error()
        about = terms(job.lm, 0, 0, 0, end=not job.rows.prefix)
        under = {"arithmetic": [dict(a) for a in journal.saved.arithmetic]}
        metadata = {**self._parts, "name": job.name, "kind": about.kind, **under}
        journal.finish(target_writer(self._target, job.rows.columns(state["kinds"]), metadata))
        if self._sure:
            remember(self._target.path, self._parts, {**state, **under})
        self.ended = self._ended(state)
        return self.ended

    def _stopped(self) -> JobStopped:
        """Keep the answered rows, and make the error that names them."""
        journal = self._journal
        journal.tape.flush()
        rows: int | None = journal.saved.state["items"]
        if journal.saved.offset == 0 and not journal.keeps:
            journal.discard()
        elif journal.part.exists():
            journal.checkpoint()
        else:
            rows = None
        stretches = journal.tape.kept + journal.tape.left
        return JobStopped(rows, stretches, journal.part, journal.tape.path, self.resumable)

    def _ended(self, state: Mapping[str, Any], already: bool = False) -> JobEnd:
        return JobEnd(
            self._target.path,
            state["items"],
            state["scored"],
            state["bytes"],
            state["nats"],
            state.get("fitted", 0),
            state.get("chosen", 0),
            already,
        )


def _check_state(journal: Journal) -> None:
    state = journal.saved.state
    if any(type(state.get(name)) is not type(value) for name, value in BEGIN.items()) or state["items"] < 0:
        raise damaged_progress(journal.target)
