"""pofx evaluate: which of several strings a model holds for the most probable."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.commands.scoring.evaluate_tasks import (
    evaluate_as_peer,
    questions_of,
    read_tasks_named,
    refuse_with_task,
)
from pofx.cli.options import arguments
from pofx.cli.options.item_files import ItemFiles, item_options
from pofx.cli.options.layout import row_options
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.pages import note_of, write_noted_page
from pofx.cli.options.written import Verb, Written
from pofx.cli.output.report_rows import write_reports
from pofx.cli.output.terms import print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pofx.evaluation.choice_report import ChoiceReport
    from pofx.evaluation.items import ChoiceItem, Pair
    from pofx.evaluation.pairs import PairReport
    from pofx.lm.model import LM
    from pofx.queries.scoring.joins import JoinRequest
    from pofx.report.html.made import ModelNote


@click.command(cls=Verb, short_help="Answer questions with choices; judge minimal pairs.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--against", metavar="MODEL", help="A second model, which answers the same items and is compared."
)
@click.option(
    "--eos/--no-eos",
    "counted",
    default=None,
    help="Count p(EOS) after a choice or a text; by default after the texts of pairs, and not after choices.",
)
@click.option(
    "--between",
    default=" ",
    metavar="TEXT",
    help="choices: the string between a context and a choice, where neither has white space; one space by default.",
)
@click.option(
    "--neutral",
    metavar="TEXT",
    help="choices: the context of a choice alone, for pmi; by default the beginning of a text.",
)
@click.option(
    "--begins",
    is_flag=True,
    help="pairs: also judge behind each other candidate for x0 of a pretrained model.",
)
@click.option("--given", default="", metavar="TEXT", help="pairs: condition both texts on this prefix.")
@click.option(
    "--as",
    "peer",
    type=click.Choice(["lm-eval"]),
    help="Show the numbers that lm-eval computes, beside pofx's for the same strings.",
)
@arguments.boundary_option
@click.option(
    "-o",
    "--out",
    type=Written(),
    metavar="FILE",
    help="Write a row for each choice, or for each pair, to a .csv, .tsv, .jsonl (also .gz, .zst), .parquet or .arrow file.",
)
@row_options
@item_options
@model_options
@arguments.json_option
@arguments.html_option
def command(
    files: tuple[str, ...],
    against: str | None,
    counted: bool | None,
    between: str,
    neutral: str | None,
    begins: bool,
    given: str,
    peer: str | None,
    boundary: JoinRequest,
    out: str | None,
    item_files: ItemFiles,
    options: ModelOptions,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Let a model choose among continuations of a context, or between the two texts of minimal pairs.

    A row of FILES is a question (context, choices, label) or a pair (good, bad). A choice is answered by log P(choice |
    context); per-byte, per-token and pmi are shown beside it. A .yaml file is a task of lm-eval with local data files, or a
    group of such tasks, from which no code runs. Exit code 1 if some rows hold no item.

    \b
    pofx evaluate questions.jsonl -m model
    pofx evaluate questions.jsonl -m model --against other
    pofx evaluate blimp/*.jsonl -m smollm2 --begin "<|endoftext|>" --begins
    pofx evaluate task.yaml -m smollm2 --as lm-eval
    """
    names = [options.name, *([] if against is None else [against])]
    if peer is not None:
        bad = evaluate_as_peer(files, names, item_files, options, between, out, as_json, html_path)
        click.get_current_context().exit(int(bad > 0))
    tasks = read_tasks_named(files)
    items, bad = item_files.read(files) if tasks is None else (questions_of(tasks), 0)
    if tasks is not None:
        refuse_with_task()
        between = ""  # a task's own choices begin with its delimiter
    _refuse_unheeded(items)
    reports, notes = [], []
    for name in names:
        lm = replace(options, name=name).load()
        reports.append(_report(lm, items, counted, between, neutral, begins, given, boundary))
        notes.append(note_of(name, lm))
    if out is not None:
        write_reports(names, reports, out)
    if html_path is not None:
        _write_page(html_path, files, names, reports, notes)
    if as_json:
        _print_json(names, reports)
    else:
        _print(names, reports)
    if bad:
        click.get_current_context().exit(1)


def _refuse_unheeded(items: list[ChoiceItem] | list[Pair]) -> None:
    """Refuse options that are of the other kind of item, before a model is loaded."""
    from pofx.evaluation.items import Pair

    here, there = ("pairs", "choices") if isinstance(items[0], Pair) else ("choices", "pairs")
    for name in ("between", "neutral", "boundary") if here == "pairs" else ("begins", "given"):
        if arguments.typed(name):
            raise click.UsageError(f"--{name}: expected only with {there}, got {here}. Leave out --{name}.")


def _report(
    lm: LM,
    items: list[ChoiceItem] | list[Pair],
    counted: bool | None,
    between: str,
    neutral: str | None,
    begins: bool,
    given: str,
    boundary: JoinRequest,
) -> ChoiceReport | PairReport:
    from pofx.evaluation.choices import evaluate_choices
    from pofx.evaluation.items import ChoiceItem, Pair
    from pofx.evaluation.pairs import evaluate_pairs

    pairs = [i for i in items if isinstance(i, Pair)]
    if pairs:
        return evaluate_pairs(lm, pairs, counted, given, begins)
    questions = [i for i in items if isinstance(i, ChoiceItem)]
    return evaluate_choices(lm, questions, bool(counted), between, neutral or "", boundary)


def _write_page(
    path: str, files: tuple[str, ...], names: list[str], reports: Sequence[Any], notes: Sequence[ModelNote]
) -> None:
    from pofx.evaluation.comparison import compare
    from pofx.evaluation.pairs import PairReport
    from pofx.report.html.page import choice_sections, pair_sections
    from pofx.units import count_noun

    found = compare(*(r.right for r in reports)) if len(reports) == 2 else None
    pairs = isinstance(reports[0], PairReport)
    sections = (pair_sections if pairs else choice_sections)(names, reports, found)
    n = count_noun(len(reports[0].right), "minimal pair" if pairs else "question")
    write_noted_page(path, f"{' and '.join(names)} on {n} of {', '.join(files[:3])}", sections, notes)


def _print_json(names: list[str], reports: Sequence[Any]) -> None:
    from pofx.evaluation.comparison import compare
    from pofx.report.evaluation_records import comparison_record, evaluation_of_items
    from pofx.report.json_records import dumps

    for name, report in zip(names, reports):
        click.echo(dumps({"model": name, **evaluation_of_items(report)}))
    if len(reports) == 2:
        found = compare(*(r.right for r in reports))
        click.echo(dumps(comparison_record(names, found)))


def _print(names: list[str], reports: Sequence[Any]) -> None:
    from rich.console import Console

    from pofx.evaluation.comparison import compare
    from pofx.evaluation.pairs import PairReport
    from pofx.report.terminal import evaluation as shown

    console = Console(highlight=False)
    for name, report in zip(names, reports):
        print_line(name, report.terms)
        if isinstance(report, PairReport):
            for told in shown.pairs_lines(report):
                console.print(told, markup=False)
            if len(report.groups) > 1:
                console.print(shown.phenomena_table(report.groups))
            continue
        for told in shown.choices_lines(report):
            console.print(told, markup=False)
        console.print(shown.choices_table(report))
        groups = report.groups()
        if len(groups) > 1:
            console.print(shown.groups_table(groups))
    if len(reports) == 2:
        found = compare(*(r.right for r in reports))
        for told in shown.comparison_lines((names[0], names[1]), found):
            console.print(told, markup=False)
