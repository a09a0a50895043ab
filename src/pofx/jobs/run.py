"""A job at work: blocks of the input are answered, their rows kept in a journal, and the file made of it at the end."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any

from pofx.arithmetic import list_differences
from pofx.corpus.documents import BadRow, Document
from pofx.corpus.writing import encode_row, kind_of_value, target_writer
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
from pofx.jobs.row_query import Entry
from pofx.queries.scoring.stream import Query, TextBlock, blocks
from pofx.queries.scoring.terms import terms

# Texts that the model knows, by the names of `Terms`.
SEEN = ("fitted", "chosen")
# Where a run begins. items: rows of the input that are done; kinds: what each kept column held, for its type.
BEGIN: dict[str, Any] = {"items": 0, "scored": 0, "bytes": 0, "nats": 0.0, "kinds": {}}

Item = Document | BadRow
Answers = Sequence[Any | PofxError]


def run(job: Job) -> Generator[Event, None, None]:
    """Run the job in this process; what it tells comes as it happens, `JobEnd` last.

    Whatever stops the run (an error, Ctrl-C, a caller that asks for no further event), what was done is kept. The same
    job, run again, goes on from there and makes the same bytes.

    Raises:
        PofxError: where the job cannot be done; `JobStopped` behind Ctrl-C.
    """
    at_work = JobRun(job)
    if not at_work.resumable:
        yield UnresumableInput()
    with at_work:
        if at_work.other_arithmetic:
            yield OtherArithmetic(at_work.other_arithmetic, job.lm.dtype)
        if at_work.ended is None:
            yield at_work.begun()
            for block in at_work.blocks():
                yield from at_work.notices()
                yield BlockStart(block.items[0], block.items[-1])
                yield at_work.keep(block, at_work.answer(block))
            yield from at_work.notices()
            at_work.finish()
    assert at_work.ended is not None  # noqa: S101  (ours)
    yield at_work.ended


class JobRun:
    """A job between its beginning and its end, in parts: for whoever answers blocks elsewhere. `run` is all of them.

    Not a record: it is a context, which locks the journal and keeps what was done whatever happens. A block is a value,
    so a worker may answer it, in any order; `keep` takes blocks in the order in which `blocks` gave them.

    Where the very same run has finished the file before, `ended` holds its event as soon as the context is entered:
    there is nothing to answer, and `blocks`, `keep` and `finish` must not be called. `resumable` says whether the input
    can be read again, and `other_arithmetic` names each part in which the arithmetic of kept rows differs.

    Raises:
        BadSource: The input is a pipe, and rows of a stopped run lie there; or the journal is damaged or of another run.

    Right: `with JobRun(job) as r: if r.ended is None: [r.keep(b, work(b)) for b in r.blocks()]; r.finish()`.
    Wrong: `keep` of the second block before the first.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._target = job, job.target
        self._notices: deque[Notice] = deque()
        self._items = job.documents.items(self._notices.append)
        job.documents.check(job.lm, complete=not job.rows.prefix)
        self.resumable = job.resumable
        self.ended: JobEnd | None = None
        # In which parts the arithmetic of rows that are kept is not that of this run: a line for each part.
        self.other_arithmetic: tuple[str, ...] = ()
        if not self.resumable and part_of(self._target.path).exists() and not job.fresh:
            raise BadSource(
                f"{part_of(self._target.path)}: expected no rows of a stopped run, since standard input (or a pipe) cannot "
                "be read again to go on with them, found some",
                ["move them away", START_OVER],
            )

    def __enter__(self) -> JobRun:
        job, path = self._job, self._target.path
        self._parts, here = job.settings(), job.lm.engine.arithmetic().parts
        # A model without a fingerprint may have been fitted anew under its name.
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
                return  # the process ends: nothing more is written
            if journal.kept.offset < journal.saved.offset:
                with suppress(PofxError):  # the disk may be what failed
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
        """Where the run begins."""
        j = self._journal
        rows = j.saved.state["items"]
        return JobStart(rows, j.tape.left, j.part, j.tape.path, progress_of(j.target), j.in_vain)

    def blocks(self) -> Iterator[TextBlock[Item]]:
        """The blocks of the input that are not done, in order."""
        job, done = self._job, self._journal.saved.state["items"]
        rest = itertools.islice(self._items, done, None)
        return blocks(rest, job.documents.ask, job.rows.block_size(job.lm), done)

    def notices(self) -> Iterator[Notice]:
        """What was noticed of the input since the last call."""
        while self._notices:
            yield self._notices.popleft()

    def answer(self, block: TextBlock[Item]) -> Answers:
        """The answers to the next block, by this process.

        What is read of a long text is kept: a run that is killed in the middle of the text goes on there.
        """
        with recording(self._journal.tape) if self.resumable else nullcontext():
            return block.answers(self._query)

    def keep(self, block: TextBlock[Item], answers: Answers) -> BlockEnd:
        """Keep the rows of the next block; on the disk within a second or so.

        Raises:
            BadValue: for another block than the next one, or answers that are not one for each of its items.
            BadSource: where nothing more can be written.
        """
        journal = self._journal
        done = journal.saved.state["items"]
        if block.first != done:
            raise BadValue(
                f"block: expected the block that begins at row {done:,}, found one that begins at row {block.first:,}",
                "keep the blocks in their order",
            )
        if len(answers) != len(block.items):
            raise BadValue(
                f"answers: expected {len(block.items):,} answers, found {len(answers):,}",
                "hand in one for each item",
            )
        lines, state = self._rows(block, answers)
        journal.append(lines, state)
        held = [found.terms for found in answers if not isinstance(found, PofxError)]
        return BlockEnd(block.items[-1], sum(t.tokens + t.end for t in held), len(block.items))

    def finish(self) -> JobEnd:
        """Make the file of all rows, in one step; `BadSource` where the input held no row."""
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

    def _rows(self, block: TextBlock[Item], answers: Answers) -> tuple[bytes, dict[str, Any]]:
        """The lines of a block, and where the run stands behind it."""
        rows, before = self._job.rows, self._journal.saved.state
        state = {**before, "items": before["items"] + len(block.items)}
        kinds = {name: set(before["kinds"].get(name, [])) for name in rows.keep}
        lines = []
        for item, found in zip(block.items, answers):
            entry = Entry(item.id, item.kept)
            for name, value in zip(rows.keep, item.kept):
                kinds[name].add(kind_of_value(value))
            if isinstance(item, Document):
                entry = replace(entry, text=item.text, given=self._job.documents.prefix(item))
            if isinstance(found, PofxError):
                told = self._job.spell(found)
                why = f"{type(found).__name__}: {told}" if isinstance(item, Document) else told
                lines += [encode_row(r) for r in rows.make_rows(entry, " ".join(why.split()))]
            else:
                state["scored"] += 1
                state["bytes"] += found.terms.bytes
                state["nats"] += rows.nats(found)
                for name in SEEN:
                    state[name] = state.get(name, 0) + getattr(found.terms, name)
                lines += [encode_row(r) for r in rows.make_rows(entry, found)]
        state["kinds"] = {name: sorted(held) for name, held in kinds.items()}
        return b"".join(lines), state

    def _stopped(self) -> JobStopped:
        """Keep what was done, and say what that is."""
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
