"""The options that `pofx condition` and `pofx infill` share, and the printing of their answers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pofx.cli.options import arguments
from pofx.cli.options.numbers import Whole
from pofx.cli.output.terms import print_line
from pofx.jobs.term_columns import term_cells

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.conditioning.conditions import Condition, Unit
    from pofx.queries.conditioning.problem import Boundary

F = TypeVar("F", bound=Callable[..., Any])


CONDITIONS = (
    click.option(
        "--contains",
        multiple=True,
        metavar="TEXT",
        help="The text (infill: the middle) contains TEXT (repeatable).",
    ),
    click.option(
        "--matches",
        metavar="REGEX",
        help="The text (infill: the middle) as a whole matches this regular expression.",
    ),
    click.option(
        "--length",
        type=Whole(),
        metavar="N",
        help="The text (infill: the middle) has exactly this length, counted in --unit.",
    ),
    click.option(
        "--unit",
        type=click.Choice(["characters", "bytes", "tokens"]),
        default="characters",
        show_default=True,
        help="The unit that --length counts.",
    ),
)

SAMPLING = (
    click.option(
        "-n",
        type=Whole(8),
        default=512,
        show_default=True,
        help="Number of samples over all runs: independent draws, or particles of sequential Monte Carlo.",
    ),
    click.option(
        "--boundary",
        type=click.Choice(["exact", "token"]),
        default="exact",
        show_default=True,
        help="After a prefix. exact: the first token may begin inside the prefix and reach beyond it; token: the "
        "first token begins where the prefix ends.",
    ),
    click.option(
        "--runs",
        type=Whole(8),
        default=8,
        show_default=True,
        help="Number of independent runs, which give the standard error.",
    ),
    click.option(
        "--seed", type=Whole(), default=0, show_default=True, help="The same seed gives the same answer."
    ),
    click.option(
        "--max-tokens",
        type=Whole(),
        default=64,
        show_default=True,
        help="Count only texts of at most this many tokens (infill: at most this many in the middle).",
    ),
    click.option(
        "--open",
        "open_",
        is_flag=True,
        help="The text may go on after the condition is met (infill: after the suffix), so EOS is not counted.",
    ),
    click.option(
        "-k",
        "show_",
        type=Whole(),
        default=10,
        show_default=True,
        help="Number of outcomes to show.",
    ),
)


def condition_options(function: F) -> F:
    """Give a verb --contains, --matches, --length and --unit as one argument `on`, which is None without them."""

    @functools.wraps(function)
    def with_condition(
        *args: Any,
        contains: tuple[str, ...],
        matches: str | None,
        length: int | None,
        unit: Unit,
        **others: Any,
    ) -> Any:
        return function(*args, on=_named(contains, matches, length, unit), **others)

    return _decorated(with_condition, CONDITIONS)  # type: ignore[no-any-return]


def sampling_options(function: F) -> F:
    """Give a verb -n, --boundary, --runs, --seed, --max-tokens and --open as one argument `how`; and -k."""

    @functools.wraps(function)
    def with_sampling(
        *args: Any,
        n: int,
        boundary: Boundary,
        runs: int,
        seed: int,
        max_tokens: int,
        open_: bool,
        **others: Any,
    ) -> Any:
        how = {
            "n": n,
            "boundary": boundary,
            "ends": not open_,
            "max_tokens": max_tokens,
            "runs": runs,
            "seed": seed,
        }
        return function(*args, how=how, **others)

    return _decorated(with_sampling, SAMPLING)  # type: ignore[no-any-return]


def _decorated(function: Any, options: Sequence[Callable[[Any], Any]]) -> Any:
    for option in reversed(options):
        function = option(function)
    return function


def _named(
    contains: tuple[str, ...], matches: str | None, length: int | None, unit: Unit
) -> Condition | None:
    """Return the condition that the options name; None without such options."""
    from pofx.queries.conditioning.conditions import Contains, Length, Matches

    if length is None and arguments.typed("unit"):
        raise click.UsageError("--unit: expected with --length N, got without.")
    parts: list[Condition] = [Contains(arguments.argument_text(text)) for text in contains]
    if matches is not None:
        parts.append(Matches(matches))
    if length is not None:
        parts.append(Length(length, unit))
    found = None
    for part in parts:
        found = part if found is None else found & part
    return found


def show(found: Conditioned, what: str, most: int, as_json: bool, lm: LM, model: str) -> None:
    """Print the answer and its terms; `model` is the name that the user gave `lm`."""
    from pofx.queries.scoring.terms import terms

    about = terms(lm, 0, 0, 0, end=False)
    if as_json:
        from pofx.report.json_records import conditioned_record, dumps

        click.echo(dumps({**conditioned_record(found), "model": model, "terms": term_cells(model, about)}))
        return
    from rich.console import Console

    from pofx.report.terminal.conditioning import conditioned_table

    Console(highlight=False).print(conditioned_table(found, what, most))
    print_line(model, about)
