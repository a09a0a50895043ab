"""pofx score FILE… --cross-fit K: score each document by an n-gram that was fitted without the document."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from pofx.cli.options import arguments
from pofx.cli.options.ngram import ngram_options, vocab_option
from pofx.cli.options.numbers import Whole
from pofx.cli.output.notices import print_notice
from pofx.jobs.documents import Documents
from pofx.models.specs import NgramSpec

F = TypeVar("F", bound=Callable[..., Any])

MOST_FOLDS = 1_000
_CONDITION = "With --cross-fit"
OPTIONS = (
    click.option(
        "--cross-fit",
        type=Whole(2, MOST_FOLDS),
        metavar="K",
        help="Cut the documents of FILES into K parts, and score each part by an n-gram that is fitted to the other parts.",
    ),
    ngram_options(_CONDITION),
    vocab_option(_CONDITION),
)
# Options that name another model, or rows of their own, which --cross-fit does not have.
_OTHERS = {
    "model_name": "--model",
    "begin": "--begin",
    "end": "--end",
    "context": "--context",
    "stride": "--stride",
    "unknown": "--unknown",
    "deterministic": "--deterministic",
    "given": "--given",
    "given_field": "--given-field",
    "prefix": "--prefix",
    "out": "--out",
    "html_path": "--html",
    "peer": "--as",
}


@dataclass(frozen=True)
class Cross:
    """The number of parts, each of which is scored by a model of the other parts, and the spec of the model."""

    folds: int
    spec: NgramSpec


def cross_options(function: F) -> F:
    """Give a verb --cross-fit and the options of an n-gram as one argument `cross`, which is None without --cross-fit."""

    @functools.wraps(function)
    def with_cross(
        *args: Any,
        cross_fit: int | None,
        order: int | None,
        smoothing: str,
        alpha: float,
        vocab: str,
        **others: Any,
    ) -> Any:
        if cross_fit is None:
            idle = next((n for n in ("order", "smoothing", "alpha", "vocab") if arguments.typed(n)), None)
            if idle:
                raise click.UsageError(f"--{idle}: expected only with --cross-fit K, got without.")
            return function(*args, cross=None, **others)
        odd = next((n for n in _OTHERS if arguments.typed(n)), None)
        if (
            odd == "out"
        ):  # a run with -o can be resumed, and K models have no common state from which a run could go on
            raise click.UsageError(
                "--cross-fit: expected lines on standard output, got --out; write --json > FILE, a row a document with "
                "its id."
            )
        if odd or not others["files"]:
            raise click.UsageError(
                "--cross-fit: expected FILES and no option that names a model or rows of its own, got "
                f"{_OTHERS[odd] if odd else 'no FILES'}."
            )
        spec = NgramSpec(order, smoothing, alpha, vocab)
        return function(*args, cross=Cross(cross_fit, spec), **others)

    out: Any = with_cross
    for option in reversed(OPTIONS):
        out = option(out)
    return out  # type: ignore[no-any-return]


def print_cross(cross: Cross, asked: Documents, tokens: bool, as_json: bool, quiet: bool) -> int:
    """Print a line for each document, in order, and return how many rows have no score."""
    from pofx.cli.output.score_lines import print_blocks
    from pofx.corpus.documents import Document
    from pofx.cross_fitting.folds import cross_fit

    items = list(asked.items(print_notice))
    texts = [i.text for i in items if isinstance(i, Document)]
    if not texts:
        raise asked.no_rows_error()
    found = iter(cross_fit(texts, cross.spec, cross.folds))
    block = [(i, next(found) if isinstance(i, Document) else i.error) for i in items]
    return print_blocks([block], asked, False, tokens, as_json, quiet)
