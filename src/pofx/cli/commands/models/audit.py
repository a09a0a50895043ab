"""pofx audit: check whether a model is a joint distribution over strings."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.layout import Layout, layout_options, tally
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.served import connect_to, is_address, served_options
from pofx.cli.options.written import Verb, lock_output
from pofx.cli.output.asking import asking_progress

# Next-token distributions that an audit asks for apart from those along the documents: 2,835 with SmolLM2.
OTHERS = 2_800
# Log-probabilities in all answers of an audit that a server sends within a minute or so.
MANY = 30_000_000

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.lm.scorer import Scorer
    from pofx.queries.findings import Audit


@click.command(cls=Verb, short_help="Check whether a model is a joint distribution.")
@click.option(
    "--test",
    "test_files",
    multiple=True,
    metavar="FILE",
    help="Documents that the model was not fitted on (repeatable); built-in ones by default.",
)
@click.option(
    "--seed",
    type=Whole(),
    default=0,
    show_default=True,
    help="Seed of the draws and of the choice of documents.",
)
@click.option(
    "--pin",
    "keep",
    is_flag=True,
    help="Store the verdict: every later use of the model takes x0 and EOS from it.",
)
@click.option(
    "--unpin", "forget", is_flag=True, help="Delete the verdict that --pin stored, and make no audit."
)
@layout_options
@served_options
@model_options
@arguments.json_option
@arguments.html_option
def command(
    test_files: tuple[str, ...],
    seed: int,
    keep: bool,
    forget: bool,
    layout: Layout,
    options: ModelOptions,
    served: str | None,
    api_key: str | None,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Check whether a model is a joint distribution over texts, or only conditional, prefix-only or improper.

    For a pretrained model, every token that may serve as x0 is tried; --pin stores the verdict for every later use of
    the model. -m URL audits a model of a server. Exit code 1 if a check failed.

    \b
    pofx audit -m model --test held-out.txt --html audit.html
    pofx audit -m smollm2 --begin "<|endoftext|>"
    pofx audit -m gemma3-270m --pin
    pofx audit -m http://127.0.0.1:8000 --served NAME --test held-out.txt
    """
    from pofx.corpus.empty_input import no_documents_in
    from pofx.queries.audit.audit import audit

    name = options.name
    if forget:
        if keep:
            raise click.UsageError("expected --pin or --unpin, got both.")
        _forget(name, options.pre)
        return
    texts = None
    if test_files:
        found = layout.documents(test_files)
        texts = [d.text for d in found]
        tally(found)
        if not texts:
            raise no_documents_in(test_files)
    if is_address(name):
        model = connect_to(options, served, api_key)
        pretrained = False
        _say_how_much(name, model, texts, seed)
    else:
        if served is not None:
            raise click.UsageError(f"--served: expected only with -m URL, got -m {name}. Leave --served out.")
        model = lm = _note_marks_in(texts or [], options.load(name))
        pretrained = _is_pretrained(lm)
    if keep and not pretrained:
        raise click.UsageError(
            f"--pin: expected a pretrained model, whose x0 is a matter of evidence, got {name!r}, which has its "
            "own x0; leave --pin out."
        )
    if keep:
        from pofx.files.pins import check_pin

        lock_output(check_pin(lm.fingerprint))
    far = asking_progress(f"auditing {name}") if is_address(name) else _working(f"auditing {name}")
    with far:
        result = audit(model, texts, seed, _coarse(options, name) if pretrained else None)
    if html_path:
        from pofx.report.html.page import audit_section

        write_page(html_path, f"Audit of {name}", [audit_section(result, name)], [(name, model)])
    if as_json:
        from pofx.report.json_records import audit_record, dumps

        click.echo(dumps(audit_record(result)))
    else:
        from rich.console import Console

        from pofx.report.terminal.audit import audit_candidates, audit_headline, audit_table

        console = Console()
        console.print(audit_headline(result))
        if result.candidates or result.endings:
            console.print(audit_candidates(result))
        console.print(audit_table(result))
    if keep:
        _keep(name, lm, result)
    if result.failed:
        click.get_current_context().exit(1)


def _say_how_much(name: str, model: LM | Scorer, texts: list[str] | None, seed: int) -> None:
    """Print a notice beforehand if a server will send so many numbers that the audit takes minutes."""
    from pofx.lm.scorer import Scorer
    from pofx.queries.audit.held_out import choose_documents

    if isinstance(model, Scorer):
        return
    n = OTHERS + sum(len(path) + 1 for path in choose_documents(model, texts, seed).paths)
    if n * model.vocab.size > MANY:
        click.echo(
            f"pofx: auditing {name}: the audit asks for about {n:,} next-token distributions of {model.vocab.size:,} "
            "tokens, which takes minutes. --test FILE with fewer documents asks for fewer.",
            err=True,
        )


def _is_pretrained(lm: LM) -> bool:
    return bool(lm.fingerprint and lm.vocab.control.candidates)


def _working(what: str) -> AbstractContextManager[Any]:
    """Return a context that shows a spinner on a terminal, since an audit takes a minute or two."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"{what} …")


def _coarse(options: ModelOptions, name: str) -> LM | None:
    """Return the same model in bfloat16, to measure the effect of rounding; None where the model is not in float32."""
    if options.dtype != "float32":
        return None
    return _note_marks_in([], replace(options, dtype="bfloat16").load(name))


def _note_marks_in(texts: list[str], lm: LM) -> LM:
    """Print a note if one of the user's texts names a control token; texts that the audit makes get no note."""
    listener = lm.vocab.listener
    if listener is not None:
        listener(lm.vocab.control.names, [text.encode("utf-8", "surrogateescape") for text in texts])
    lm.vocab.listener = None
    return lm


def _keep(name: str, lm: LM, result: Audit) -> None:
    from datetime import UTC, datetime

    from pofx.files.pins import Pin, pin
    from pofx.version import __version__

    begin = result.begin
    assert result.verdict != "scores-only"  # noqa: S101  (ours: only the verdict on an LM is kept)
    found = Pin(
        begin=None if begin is None else begin.id,
        end=lm.vocab.end,
        verdict=result.verdict,
        reason=result.reason,
        begin_text="" if begin is None else begin.text,
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
    )
    pin(lm.fingerprint, found)
    x0 = "no x0" if begin is None or result.verdict in ("conditional", "improper") else f"x0 {begin.text}"
    click.echo(
        f"pofx: kept: {name} is {result.verdict}, {x0}; forget the verdict with: pofx audit -m {name} --unpin",
        err=True,
    )


def _forget(name: str, pre: str | None) -> None:
    from pofx.files.pins import unpin
    from pofx.models.pretrained.checkpoint.rules import check_checkpoint
    from pofx.models.pretrained.checkpoint.source import find_checkpoint

    # `load` would refuse a damaged verdict, so the fingerprint is computed without `load`.
    was = unpin(check_checkpoint(find_checkpoint(name, pre=pre)).fingerprint)
    click.echo(f"pofx: {'forgot the verdict on' if was else 'no verdict was kept on'} {name}", err=True)
