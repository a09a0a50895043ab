"""pofx classify train: fit a model of each class, or one model with a prefix for each class, and count P(class)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.classify_input import (
    label_option,
    likelihoods,
    prior_of,
    prior_option,
    read_labelled,
    set_aside,
    split_pairs,
)
from pofx.cli.options.layout import Layout, layout_options
from pofx.cli.options.model import ModelOptions, optional_model
from pofx.cli.options.ngram import check_alpha, check_family, compact_options, ngram_options, vocab_option
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.written import Values, Verb, Written
from pofx.cli.output.classify_report import report, step_printer

outside_model = optional_model(
    "With --given: take this model as it is, instead of fitting one.", environment=False
)


def _finished(out: Path, values: Values) -> bool:
    from pofx.classification.files import CARD

    return (out / CARD).is_file()


@click.command(cls=Verb, numbers="Fit", short_help="Fit a model of each class.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=Written(dir_okay=True, finished=_finished),
    metavar="DIR",
    help="Directory of the saved classifier.",
)
@label_option
@ngram_options()
@compact_options
@vocab_option()
@click.option(
    "--family",
    type=click.Choice(["ngram", "transformer"]),
    default="ngram",
    show_default=True,
    help="transformer: a neural network for each class (with --given: one for all), of the sizes that 'pofx fit' has "
    "by default.",
)
@click.option(
    "--seconds",
    type=Real(above=True),
    default=60.0,
    show_default=True,
    help="transformer: seconds for which each model is fitted.",
)
@click.option(
    "--length",
    type=click.Choice(["own", "shared"]),
    default="own",
    show_default=True,
    help="own: lengths of texts are evidence of their class; shared: they are not.",
)
@prior_option
@click.option(
    "--em",
    type=Whole(),
    default=0,
    metavar="N",
    help="Learn from rows without a label, by at most N steps of expectation-maximisation.",
)
@click.option(
    "--background",
    type=Real(0, 1, below=True),
    default=0.0,
    show_default=True,
    help="Weight, within each class's model, of a model of all documents; with few documents 0.7 to 0.9 help.",
)
@click.option(
    "--power",
    type=Real(0, above=True),
    default=1.0,
    show_default=True,
    help="Take p(text | class)^POWER in Bayes' rule; a POWER below 1 tempers a classifier that is too sure.",
)
@click.option(
    "--given",
    multiple=True,
    metavar="LABEL=TEXT",
    help="The prefix that stands for a label (repeatable): one model for all classes, p(text | class) = p(text | TEXT).",
)
@click.option(
    "--held-out",
    type=Real(0, 1),
    default=0.1,
    show_default=True,
    help="Share of documents to hold out, chosen by a hash of their text; they serve to evaluate, and to tell "
    "outliers.",
)
@layout_options
@outside_model
@arguments.json_option
def train(
    files: tuple[str, ...],
    out: str,
    label_field: str | None,
    order: int | None,
    smoothing: str,
    alpha: float,
    compact: tuple[tuple[int, ...], int | None],
    vocab: str,
    family: str,
    seconds: float,
    length: Any,
    prior: str | None,
    em: int,
    background: float,
    power: float,
    given: tuple[str, ...],
    held_out: float,
    layout: Layout,
    options: ModelOptions | None,
    as_json: bool,
) -> None:
    """Fit p(text | class) to the documents of each class, and count P(class).

    The label is a field of each row (--label-field), or each class has files of its own: LABEL=FILE. With --given, one
    model serves all classes, and each class is a prefix on which it is conditioned. That model is fitted to the texts
    after their prefixes; with -m it is the named model, unchanged. The named model is not saved with the classifier, so
    that predict needs -m, too.
    """
    import numpy as np

    from pofx.classification.bayes import bayes
    from pofx.classification.evaluation import evaluate
    from pofx.classification.files import ClassifierSettings, check_target, is_savable, save_joint
    from pofx.classification.outliers import make_rejection
    from pofx.classification.training import UNLABELLED, fit_joint
    from pofx.errors import BadSource
    from pofx.models.specs import NgramSpec, TransformerSpec

    _check_heeded(family, smoothing, given, options)
    check_target(out)
    asked_prior = "empirical" if prior is None else prior_of(prior)
    prefixes = split_pairs(given, "--given") or None
    texts, labels = read_labelled(files, label_field, layout, prefixes or ())
    if not prefixes and all(t is None for t in labels):
        raise BadSource(f"{' '.join(files)}: expected documents with labels, got none", "check --label-field")
    texts, labels = _with_labels(texts, labels, em)
    fitted, kept = set_aside(texts, labels, held_out)
    classes = sorted(prefixes or {t for t in labels if t is not None})
    at = {t: i for i, t in enumerate(classes)}
    unknown = next((t for t in labels if t is not None and t not in at), None)
    if unknown is not None:
        raise BadSource(
            f"--given: expected a prefix for each label, got none for {unknown!r}", "add the prefix"
        )
    spec: Any = None
    if options is None and family == "ngram":
        spec = NgramSpec(order, smoothing, alpha, vocab, prune=compact[0], quantize=compact[1])
    elif options is None:
        spec = TransformerSpec(vocab=vocab, seconds=seconds)
    places = np.array(
        [UNLABELLED if labels[i] is None else at[str(labels[i])] for i in fitted], dtype=np.int64
    )
    joint, steps = fit_joint(
        [texts[i] for i in fitted],
        places,
        classes,
        spec if options is None else options.load(),
        prefixes,
        asked_prior,
        length,
        em,
        power,
        background,
        step_printer(em),
    )
    reference, evaluation, left_out = None, None, 0
    if kept:
        found = likelihoods(joint, texts, labels, kept, at)
        left_out = len(kept) - len(found.truth)
        if len(found.truth):
            posterior = bayes(found.log_likelihood, joint.log_prior, joint.power)
            evaluation = evaluate(posterior.log_p, found.truth)
            reference = make_rejection(posterior.log_evidence, found.sizes)
    save_joint(joint, ClassifierSettings(spec, asked_prior, length, em, background), reference, out)
    if left_out:
        from pofx.units import count_noun

        click.echo(
            f"pofx: warning: {count_noun(left_out, 'document')} held out with probability zero under every class, counted "
            "in no number; smoothing and --vocab bytes give every text its share",
            err=True,
        )
    model = "" if options is None or is_savable(joint.lms[0]) else options.name
    report(joint, out, model, len(fitted), steps, evaluation, as_json)


# Options that only some ways of fitting use. With other ways such an option is a mistake, which nobody would notice.
ONLY = {"ngram": ("order", "smoothing", "alpha", "prune", "quantize"), "transformer": ("seconds",)}


def _check_heeded(family: str, smoothing: str, given: tuple[str, ...], options: ModelOptions | None) -> None:
    if options is not None and not given:
        raise click.UsageError("-m needs --given LABEL=TEXT for each class; without --given, leave -m out.")
    check_family(ONLY, None if options else family)
    for name in ("vocab", "family"):
        if options and arguments.typed(name):
            raise click.UsageError(f"--{name}: expected only where models are fitted, got -m; leave one out.")
    for name in ("length", "background"):
        if given and arguments.typed(name):
            raise click.UsageError(
                f"--{name}: expected only with a model for each class, got --given; leave one out."
            )
    check_alpha(smoothing)


def _with_labels(texts: list[str], labels: list[str | None], em: int) -> tuple[list[str], list[str | None]]:
    """Return all documents, or without --em the labelled documents, and print how many were left out."""
    some = [i for i, t in enumerate(labels) if t is not None or em]
    if len(some) < len(texts):
        from pofx.units import count_noun

        click.echo(
            f"pofx: warning: {count_noun(len(texts) - len(some), 'document')} without a label left out; --em 20 learns "
            "from them, too",
            err=True,
        )
    return [texts[i] for i in some], [labels[i] for i in some]
