"""The options of an n-gram, the same in every verb that fits one: order, smoothing, alpha and vocabulary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from pofx.cli.command import Numbers
from pofx.cli.options.arguments import typed
from pofx.cli.options.numbers import Real, WholeOrNone
from pofx.models.specs import MOST_ORDER, SMOOTHINGS

F = TypeVar("F", bound=Callable[..., Any])


def ngram_options(condition: str = "") -> Callable[[F], F]:
    """Give a verb --order, --smoothing and --alpha.

    Args:
        condition: The option with which these options are of use, such as "With --cross-fit"; empty for always.
    """

    def decorate(function: F) -> F:
        for option in (
            click.option(
                "--alpha",
                type=Real(above=True),
                default=1.0,
                show_default=True,
                help=_help(condition, "number that additive smoothing adds to each count."),
            ),
            click.option(
                "--smoothing",
                type=click.Choice(SMOOTHINGS),
                default="kneser-ney",
                show_default=True,
                help=_help(
                    condition,
                    "how unseen n-grams get their probability. kneser-ney: from shorter n-grams; additive: from --alpha, "
                    "added to each count; mle: zero.",
                ),
            ),
            click.option(
                "--order",
                type=WholeOrNone(1, MOST_ORDER),
                default=6,
                show_default=True,
                help=_help(
                    condition,
                    "number of tokens in an n-gram; 1 is naive Bayes; none: without bound.",
                ),
            ),
        ):
            function = option(function)
        return function

    return decorate


def vocab_option(condition: str = "") -> Callable[[F], F]:
    """Give a verb --vocab; `condition` as in `ngram_options`."""
    return click.option(
        "--vocab",
        default="bytes",
        show_default=True,
        help=_help(
            condition,
            "tokens of the model: bytes; chars (the characters of FILES); chars+bytes (bytes spell all other "
            "characters); bpe:8000 (8,000 subwords, learned from FILES).",
        ),
    )


def compact_options(function: F) -> F:
    """Give a verb --prune and --quantize, as the one argument `compact`: the thresholds, and the bits or None."""

    @functools.wraps(function)
    def with_both(*args: Any, prune: tuple[int, ...], quantize: str | None, **others: Any) -> Any:
        return function(*args, compact=(prune, quantize and int(quantize)), **others)

    bits = click.option(
        "--quantize",
        type=click.Choice(["8"]),
        help="ngram: store probabilities and weights in 8 bits, and make the distributions sum to 1 again; pofx.json "
        "says how far they changed.",
    )
    thresholds = click.option(
        "--prune",
        cls=Numbers,
        default="",
        callback=_thresholds,
        metavar="N …",
        help="ngram: leave out the n-grams of length 1, 2, … that were counted at most N times, such as 0 0 1 2 "
        "(KenLM's --prune). The first N is 0, since every token stays; the last N holds for all longer n-grams.",
    )
    return bits(thresholds(with_both))  # type: ignore[return-value]


def _thresholds(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() and len(word) < 16 for word in words):
        raise click.UsageError(f"--prune: expected whole numbers such as 0 0 1 2, got {text!r:.40}.")
    return tuple(map(int, words))


def check_family(only: Mapping[str, Sequence[str]], family: str | None) -> None:
    """Refuse options that only other families use.

    Args:
        only: The options that not every family uses, without dashes, by these families: "ngram", or "ngram or mixing".
        family: The family of the fit; None where -m names a model.
    """
    for owner, names in only.items():
        idle = [
            f"--{name.replace('_', '-')}"
            for name in names
            if family not in owner.split(" or ") and typed(name)
        ]
        if idle:
            found = "-m, which fits nothing" if family is None else f"--family {family}"
            raise click.UsageError(
                f"{', '.join(idle)}: expected only with --family {owner}, got {found}; leave one out."
            )


def check_alpha(smoothing: str) -> None:
    """Refuse --alpha beside a smoothing other than additive, which does not use alpha."""
    if typed("alpha") and smoothing != "additive":
        raise click.UsageError(
            f"--alpha: expected only with --smoothing additive, got {smoothing}; leave one out."
        )


def check_place(family: str, order: int | None, out: str, workers: int | None, memory: int | None) -> None:
    """Refuse a file or a fit in parts that the model cannot have: only n-grams with a bound on their order have both."""
    from pofx.models.saving import is_arpa_name

    if family == "ngram" and order is not None:
        return
    if is_arpa_name(out):
        kinds = {"ngram": "a model of --order none", "mixing": "a mixing model"}
        kind = kinds.get(family, "a transformer")
        raise click.UsageError(
            f"--out: expected a directory for {kind}, got an .arpa file; name a directory."
        )
    if family == "ngram" and (workers is not None or memory is not None):
        raise click.UsageError(
            "--workers, --memory: expected only with an --order from 1 to 16, got --order none; leave one out."
        )


def _help(condition: str, text: str) -> str:
    return f"{condition}: {text}" if condition else text[0].upper() + text[1:]
