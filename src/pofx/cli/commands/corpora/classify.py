"""pofx classify: P(class | text) by Bayes' rule, from a model of each class."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from pofx.cli.command import Group
from pofx.cli.commands.corpora.classify_train import train
from pofx.cli.options import arguments
from pofx.cli.options.arguments import Keeping, keeping_options
from pofx.cli.options.classify_input import label_option, likelihoods, prior_option, read_labelled
from pofx.cli.options.layout import Layout, layout_options
from pofx.cli.options.model import ModelOptions, optional_model
from pofx.cli.options.numbers import Real
from pofx.cli.options.pages import write_page
from pofx.cli.options.rows import keep_option, rows_out_option
from pofx.cli.options.sharding import Sharding, sharding_options
from pofx.cli.options.written import Verb
from pofx.cli.output.notices import EVALUATE, print_fitted
from pofx.cli.output.terms import terms_option
from pofx.cli.running.class_recipe import load_classifier
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.classification.evaluation import Evaluation
    from pofx.classification.joint import Joint
    from pofx.jobs.class_rows import ClassRows


outside_model = optional_model(
    "Only for a classifier that was trained with --given and -m: the model that was named then.",
    environment=False,
)


@click.group(cls=Group, short_help="Classify texts by Bayes' rule.", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Classify texts by Bayes' rule: P(class | text) = P(class) p(text | class) / p(text), with one model per class.

    \b
    pofx classify train reviews.csv --label-field stars -o stars
    pofx classify train en=english.txt fr=french.txt -o languages
    pofx classify predict languages --text "Rien ne va plus."
    pofx classify predict stars new.csv --reject 0.01 -o labels.csv
    pofx classify evaluate stars held-out.csv --label-field stars
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


command.add_command(train)


@command.command(cls=Verb, short_help="Give the class of each text.")
@click.argument("directory", metavar="DIR")
@click.argument("files", nargs=-1)
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Classify this text (repeatable).")
@prior_option
@click.option(
    "--reject",
    type=Real(0, 1, above=True, below=True),
    metavar="SHARE",
    help="Give outliers no label. About this share of ordinary texts, at most, loses its label too.",
)
@click.option("--all-classes", is_flag=True, help="Also give the posterior of every class.")
@rows_out_option("text")
@keep_option
@terms_option
@keeping_options
@sharding_options
@layout_options
@outside_model
@arguments.quiet_option
@arguments.json_option
def predict(
    directory: str,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    prior: str | None,
    reject: float | None,
    all_classes: bool,
    out: str | None,
    keep: tuple[str, ...],
    with_terms: bool,
    keeping: Keeping,
    sharding: Sharding,
    layout: Layout,
    options: ModelOptions | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Give the most probable class of each text of FILES (or --text), its posterior, and log p(text).

    outlier_p is the share of held-out texts that are at most as probable, per byte. --reject 0.01 gives no label to
    texts whose outlier_p is at most 0.01. Exit code 1 if some documents have no class; their errors are in the rows.
    """
    from pofx.cli.output.row_lines import print_rows
    from pofx.cli.running.class_recipe import ClassRecipe
    from pofx.cli.running.run_rows import check_rows_out, run_rows
    from pofx.errors import BadValue
    from pofx.jobs.documents import Documents

    arguments.check_texts(files, texts, "", None)
    if reject is not None and prior is not None:
        raise click.UsageError("--reject and --prior exclude each other; leave one of them out.")
    arguments.check_out(files, out, as_json, "classify")
    asked = Documents(layout.files(files), layout, keep=keep)
    if files:  # these checks come before a model is loaded
        asked.look()
    joint, reference = load_classifier(directory, options, prior)
    if reject is not None and reference is None:
        raise BadValue(
            "--reject: expected a classifier that was trained with documents held out, got none in "
            f"{directory}",
            "train the classifier with --held-out 0.1",
        )
    recipe = ClassRecipe(
        directory, options, prior, asked, keep, out or "", keeping, reject, all_classes, with_terms
    )
    own = recipe.rows(joint, reference)
    job = recipe.job(own)
    if texts:
        _texts(own, [arguments.argument_text(t) for t in texts], as_json)
    elif out is not None:
        check_rows_out(out, job.rows, sharding)
        run_rows(job, recipe, sharding, quiet)
    elif print_rows(job.lm, job.documents, job.rows, as_json, "class", ""):
        click.get_current_context().exit(1)


@command.command(cls=Verb, short_help="Measure accuracy, log-loss, calibration and confusions.")
@click.argument("directory", metavar="DIR")
@click.argument("files", nargs=-1, required=True)
@label_option
@prior_option
@layout_options
@outside_model
@arguments.json_option
@arguments.html_option
def evaluate(
    directory: str,
    files: tuple[str, ...],
    label_field: str | None,
    prior: str | None,
    layout: Layout,
    options: ModelOptions | None,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Compare predicted classes with the labels of documents that the classifier was not trained on.

    Exit code 1 if some documents are not counted, since the classifier does not know their label, or they have
    probability zero under every class.
    """
    from pofx.classification.bayes import bayes
    from pofx.classification.evaluation import evaluate as evaluated
    from pofx.errors import BadSource

    joint, _ = load_classifier(directory, options, prior)
    at = {str(t): i for i, t in enumerate(joint.classes)}
    texts, labels = read_labelled(files, label_field, layout, at)
    some = [i for i, t in enumerate(labels) if t in at]
    known, others = _some(at), _some(dict.fromkeys(t for t in labels if t is not None and t not in at))
    if not some:
        raise BadSource(
            f"{' '.join(files)}: expected documents with labels of this classifier ({known}), got "
            f"{(f'only {others}' if others else 'none')}",
            "check --label-field",
        )
    if len(some) < len(texts):
        click.echo(
            f"pofx: warning: {len(texts) - len(some):,} of {count_noun(len(texts), 'document')} without a label of this "
            f"classifier ({known}){f'; got also {others}' if others else ''}",
            err=True,
        )
    found = likelihoods(joint, texts, labels, some, at)
    left_out = len(some) - len(found.truth)
    if left_out:
        click.echo(
            f"pofx: warning: {count_noun(left_out, 'document')} with probability zero under every class",
            err=True,
        )
    if not len(found.truth):
        raise BadSource(
            f"{' '.join(files)}: expected documents that some class can produce, got none",
            "check the files, or train the classifier on texts like these",
        )
    read = [texts[i] for i in some]
    print_fitted(int(joint.fitted_on(read).sum()), int(joint.chosen_by(read).sum()), len(read), EVALUATE)
    evaluation = evaluated(bayes(found.log_likelihood, joint.log_prior, joint.power).log_p, found.truth)
    if html_path:
        from pofx.report.html.page import Section, evaluation_block

        names = [str(t) for t in joint.classes]
        title = f"The classifier {directory} on {count_noun(evaluation.n, 'document')}"
        models = [(f"{directory}: {name}", lm) for name, lm in zip(names, joint.lms)]
        write_page(html_path, title, [Section(title, (evaluation_block(evaluation, names),))], models)
    _show(joint, evaluation, as_json)
    if left_out or len(some) < len(texts):
        click.get_current_context().exit(1)


def _texts(rows: ClassRows, texts: list[str | bytes], as_json: bool) -> None:
    if as_json:
        from pofx.report.json_records import dumps

        for text, found in zip(texts, rows.classify(texts)):
            click.echo(dumps({"text": text, **rows.record(found)}))
        return
    from rich.console import Console

    from pofx.report.numerals import fixed_point, significant_digits
    from pofx.report.terminal.classification import class_posterior_table

    console = Console()
    for found in rows.classify(texts):
        console.print(class_posterior_table([str(t) for t in rows.joint.classes], found.log_p))
        told = f"log p(text) = {fixed_point(found.log_evidence)} nats"
        if found.outlier_p is not None:
            told += (
                f"; as improbable a byte: {significant_digits(100 * found.outlier_p)} % of the texts held out"
            )
            if rows.reject is not None and found.outlier_p <= rows.reject:
                told += " (rejected)"
        click.echo(told)


def _show(joint: Joint, evaluation: Evaluation, as_json: bool) -> None:
    names = [str(t) for t in joint.classes]
    if as_json:
        from pofx.report.json_records import dumps, evaluation_record

        click.echo(dumps(evaluation_record(evaluation, names)))
        return
    from rich.console import Console

    from pofx.report.terminal.classification import (
        SQUARE,
        calibration_table,
        confusion_table,
        most_confused_pairs,
        summary_lines,
    )

    console = Console()
    for told in summary_lines(evaluation):
        click.echo(told)
    console.print(calibration_table(evaluation))
    if most_confused_pairs(evaluation) or len(names) <= SQUARE:
        console.print(confusion_table(names, evaluation))


def _some(labels: Iterable[str]) -> str:
    """Return the first six labels, for a message."""
    first = list(islice(labels, 7))
    return ", ".join(t if t.isprintable() else repr(t) for t in first[:6]) + (" …" if len(first) > 6 else "")
