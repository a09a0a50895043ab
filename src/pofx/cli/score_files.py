"""FILE… -o OUT, of several verbs: rows into a file, in constant memory; a run that was stopped goes on where it was."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.fitted_notice import tell_fitted
from pofx.cli.keeping import Keeping
from pofx.cli.rows import Rows, plain_text
from pofx.cli.score_input import STDIN, Input
from pofx.cli.spelling import in_shell
from pofx.cli.stopped import cannot_resume, interrupted, tell_begin

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Document
    from pofx.journal import Journal
    from pofx.lm import LM
    from pofx.writing import Target


# Where a run begins. items: rows of the input that are done; kinds: what each kept column held, for its type.
SEEN = ("fitted", "chosen")  # texts that the model knows, by the names of `Terms`
BEGIN: dict[str, Any] = {"items": 0, "scored": 0, "bytes": 0, "nats": 0.0, "kinds": {}}


def write_rows(
    lm: LM,
    name: str,
    asked: Input,
    rows: Rows,
    out: str,
    options: Mapping[str, Any],
    keeping: Keeping,
    quiet: bool,
) -> None:
    """Score all of the input into `out`; exit code 1 if a row has no score, 130 if interrupted.

    name: of the model, as the user calls it. options: what else decides the numbers, by the name of its option.
    """
    from pofx.cli.progress import meter
    from pofx.cli.terms import line
    from pofx.errors import PofxError
    from pofx.finished import remember, state_of
    from pofx.journal import opened
    from pofx.journal_files import part_of
    from pofx.queries.terms import terms
    from pofx.tape import recording
    from pofx.writing import target_of

    target = target_of(out)
    items = asked.items()
    asked.check(lm, whole=not rows.prefix)
    again = all(_is_regular(f) for f in asked.files)
    if not again:
        cannot_resume(part_of(target.path), keeping.fresh, quiet)
    parts = _parts(lm, name, asked, rows, options, again)
    about = terms(lm, 0, 0, 0, end=not rows.prefix)
    # A model without a fingerprint may have been fitted anew under its name.
    sure = again and bool(lm.fingerprint)
    before = None if keeping.overwrite or not sure else state_of(target.path, parts)
    if before is not None:
        _tell(
            target,
            before,
            rows.prefix,
            quiet,
            line(name, about),
            "nothing to do (--overwrite makes it anew): this very run wrote",
        )
        return
    journal = opened(target.path, parts, BEGIN, keeping.fresh or not again, keeping.overwrite)
    try:
        _check_state(journal)
        if journal.saved.finished:
            journal.discard()
            _tell(target, journal.saved.state, rows.prefix, quiet, line(name, about))
            return
        done = journal.saved.state["items"]
        if not quiet:
            tell_begin(journal)
        with (
            meter(asked.files, shown=not quiet) as so_far,
            recording(journal.tape) if again else nullcontext(),
        ):
            so_far.begin(done)
            for block in rows.stream(lm, so_far.pulled(itertools.islice(items, done, None)), asked.ask):
                lines, state = _written(rows, asked, block, journal.saved.state)
                journal.append(lines, state)
                so_far.moved(block[-1][0], *_amount(block))
        _finish(journal, target, rows, {**parts, "name": name, "kind": about.kind}, asked)
        if sure:
            remember(target.path, parts, journal.saved.state)
    except KeyboardInterrupt:
        interrupted(journal, again)
    except Exception:
        if journal.kept.offset < journal.saved.offset:
            with suppress(PofxError):  # the disk may be what failed
                journal.checkpoint()
        journal.tape.flush()
        if not journal.keeps:
            journal.discard()
        raise
    finally:
        journal.close()
    _tell(target, journal.saved.state, rows.prefix, quiet, line(name, about))


def check_target(out: str, rows: Rows) -> None:
    """Refuse what needs no model to be refused: an ending, two columns of one name."""
    from pofx.writing import target_of

    target_of(out)
    rows.columns({})


# A row of the input, and what a query found of its text, or the error that stands in for it.
Block = Sequence[tuple["Document | BadRow", Any]]


def _written(
    rows: Rows,
    asked: Input,
    block: Block,
    before: Mapping[str, Any],
) -> tuple[bytes, dict[str, Any]]:
    """The lines of a block, and where the run stands behind it."""
    from pofx.corpus import Document
    from pofx.errors import PofxError
    from pofx.writing import kind_of, line

    state = {**before, "items": before["items"] + len(block)}
    kinds = {name: set(before["kinds"].get(name, [])) for name in rows.keep}
    lines = []
    for item, found in block:
        kept = item.kept
        for name, value in zip(rows.keep, kept):
            kinds[name].add(kind_of(value))
        text, given = (item.text, asked.prefix(item)) if isinstance(item, Document) else (None, None)
        if isinstance(found, PofxError):
            told = in_shell(found)
            why = str(told) if not isinstance(item, Document) else f"{type(found).__name__}: {told}"
            lines += [line(r) for r in rows.of(item.id, kept, text, given, " ".join(why.split()))]
        else:
            state["scored"] += 1
            state["bytes"] += found.terms.bytes
            state["nats"] += rows.nats(found)
            for name in SEEN:
                state[name] = state.get(name, 0) + getattr(found.terms, name)
            lines += [line(r) for r in rows.of(item.id, kept, text, given, found)]
    state["kinds"] = {name: sorted(held) for name, held in kinds.items()}
    return b"".join(lines), state


def _amount(block: Block) -> tuple[int, int]:
    from pofx.errors import PofxError

    held = [found.terms for _, found in block if not isinstance(found, PofxError)]
    return sum(t.tokens + t.end for t in held), len(block)


def _finish(journal: Journal, target: Target, rows: Rows, parts: Mapping[str, Any], asked: Input) -> None:
    from pofx.writing import maker

    state = journal.saved.state
    if not state["items"]:
        raise asked.nothing()
    journal.finish(maker(target, rows.columns(state["kinds"]), parts))


def _parts(
    lm: LM, name: str, asked: Input, rows: Rows, options: Mapping[str, Any], again: bool
) -> dict[str, Any]:
    """All that decides the rows, by name: another run may go on only where every part is the same."""
    from pofx import __version__
    from pofx.fingerprint import file_fingerprint, fingerprint

    own = {
        "--given": plain_text(asked.given),
        "--given-field": asked.given_field,
        "--keep": list(asked.keep),
        **asked.layout.decides,
        **rows.decides,
    }
    content = {f"input {f}": file_fingerprint(f) if again else "read once" for f in asked.files}
    return {
        "pofx": __version__,
        **fingerprint(lm, name),
        **own,
        **options,
        "inputs": list(asked.files),
        **content,
    }


def _is_regular(path: str) -> bool:
    return path != STDIN and stat.S_ISREG(os.stat(path).st_mode)


def _check_state(journal: Journal) -> None:
    from pofx.errors import BadSource
    from pofx.journal_files import progress_of

    state = journal.saved.state
    if any(type(state.get(name)) is not type(value) for name, value in BEGIN.items()) or state["items"] < 0:
        raise BadSource(
            f"{progress_of(journal.target)}: expected how far a stopped run came, found a damaged file",
            "start over: --fresh",
        )


def _tell(
    target: Target, state: Mapping[str, Any], prefix: bool, quiet: bool, about: str, did: str = "wrote"
) -> None:
    from pofx.report.numerals import counted

    failed = state["items"] - state["scored"]
    if not quiet:
        click.echo(summary(state["scored"], state["bytes"], state["nats"], prefix), err=True)
        click.echo(f"pofx: {about}", err=True)
        click.echo(f"pofx: {did} {target.path}", err=True)
    tell_fitted(state.get("fitted", 0), state.get("chosen", 0), state["scored"])
    if failed:
        click.echo(
            f"pofx: warning: {failed:,} of {counted(state['items'], 'row')} without a score; the column 'error' says why",
            err=True,
        )
        click.get_current_context().exit(1)


def summary(n: int, n_bytes: int, nats: float, prefix: bool) -> str:
    """The sum over all documents, in a line."""
    from pofx.report.numerals import counted
    from pofx.units import bits_per_byte

    if not n:
        return "pofx: no document has a score"
    what = "log P (prefixes)" if prefix else "log p"
    mean = f", {nats / n:.4f} a document"
    rate = f", {bits_per_byte(-nats, n_bytes):.4f} bits per byte" if n_bytes else ""
    return f"pofx: {counted(n, 'document')}, {counted(n_bytes, 'byte')}: {what} = {nats:.2f} nats{mean}{rate}"
