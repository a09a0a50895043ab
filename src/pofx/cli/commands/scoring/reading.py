"""pofx reading: how well surprisals predict reading times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.layout import Layout, table_options
from pofx.cli.options.numbers import Whole
from pofx.cli.options.whole_tables import read_table

if TYPE_CHECKING:
    from pofx.stimuli.predictive_power import PredictivePower

# On normal values, the 95 % interval of a bootstrap holds the mean of 51 % of samples of 2, 84 % of 5, 89 % of 10 and
# 92 % of 20.
FEW = 20


@click.command(cls=Command, short_help="Measure how well surprisals predict reading times.")
@click.argument("file")
@click.option("--time", "time_field", required=True, metavar="NAME", help="The column of the times.")
@click.option(
    "--item",
    "item_fields",
    multiple=True,
    metavar="NAME",
    help="A column that names the item of a row, which is held out as a whole; repeatable. By default a known name "
    "(item, Text_ID, …).",
)
@click.option(
    "--by",
    "by_fields",
    multiple=True,
    metavar="NAME[,NAME]",
    help="The column of a random intercept, such as the reader; repeatable, or with commas, for crossed intercepts, such as "
    "of reader and item. Without it, least squares.",
)
@click.option(
    "--surprisal",
    "surprisals",
    multiple=True,
    metavar="NAME",
    help="A predictor of the one model that is tested; repeatable, the surprisal first. By default the columns that "
    "'pofx stimuli' wrote, for each of its models.",
)
@click.option(
    "--baseline",
    multiple=True,
    metavar="NAME",
    help="A predictor of the baseline; repeatable. By default index, length and log_frequency, "
    "and the length and frequency of the words before, if FILE has these columns.",
)
@click.option("--log", "log_times", is_flag=True, help="Predict log time.")
@click.option("--folds", type=Whole(2), default=10, show_default=True, help="The number of folds of items.")
@click.option(
    "--seed", type=Whole(0), default=0, show_default=True, help="The seed of the folds and of the bootstrap."
)
@table_options
@arguments.json_option
def command(
    file: str,
    time_field: str,
    item_fields: tuple[str, ...],
    by_fields: tuple[str, ...],
    surprisals: tuple[str, ...],
    baseline: tuple[str, ...],
    log_times: bool,
    folds: int,
    seed: int,
    layout: Layout,
    as_json: bool,
) -> None:
    """Measure how well surprisals predict reading times: Δ log-likelihood, in nats per row, on held-out items.

    Two linear regressions predict the time of a word, with and without its surprisal. FILE is a table of 'pofx stimuli'.
    Each row counts under regressions that were fitted without its item. The interval is of a bootstrap of items.

    A word that is hard to read slows the next words, too (spill-over). With --previous 2, 'pofx stimuli' adds the surprisal,
    length and frequency of the two words before to each row, and these columns are predictors here. The first two words of
    each text have no such words, so their rows are left out.

    \b
    pofx stimuli times.csv -m small -m large --previous 2 -o measured.csv
    pofx reading measured.csv --time RT --by subject
    pofx reading measured.csv --time RT --by subject,item
    """
    from pofx.stimuli.predictive_power import predictive_power

    table = read_table(file, layout)
    own = {"": surprisals} if surprisals else None
    by = [name for given in by_fields for name in ((given,) if given in table.names else given.split(","))]
    found = predictive_power(
        table.rows,
        time_field,
        item_fields or None,
        by or None,
        own,
        baseline or None,
        log_times,
        folds,
        seed,
    )
    if as_json:
        from pofx.report.json_records import dumps

        click.echo(dumps(_record(found, seed)))
    else:
        _print(found, seed)


def _differences(found: PredictivePower, seed: int) -> list[tuple[str, str, tuple[float, float, float]]]:
    """Return the difference of the model of the largest gain and each other model."""
    order = sorted(range(len(found.models)), key=lambda k: -found.models[k].gain)
    best = found.models[order[0]].name
    return [(best, found.models[k].name, found.difference(order[0], k, seed)) for k in order[1:]]


def _record(found: PredictivePower, seed: int) -> dict[str, Any]:
    of_rows = {"gains", "items", "models"}
    out = {name: value for name, value in vars(found).items() if name not in of_rows}
    models = [{k: v for k, v in vars(m).items() if k not in of_rows} for m in found.models]
    differences = [
        {"model": a, "less": b, "difference": gap, "low": low, "high": high}
        for a, b, (gap, low, high) in _differences(found, seed)
    ]
    return {**out, "models": models, "differences": differences}


def _print(found: PredictivePower, seed: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from pofx.report.numerals import fixed_point, significant_digits
    from pofx.report.visible import visible
    from pofx.units import count_noun

    console = Console(highlight=False)

    def say(label: str, told: str) -> None:
        console.print(f"{label:<18}{visible(told)}", markup=False)

    left = f"; {found.left_out:,} without a number in some column" if found.left_out else ""
    say("rows", f"{found.rows:,} of {count_noun(found.n_items, 'item')}{left}")
    of = " and ".join(f"each of {n:,} {name!r}" for n, name in zip(found.n_groups, found.by))
    grouped = f", a random intercept for {of}" if of else ""
    say("time", f"{'log ' if found.log else ''}{found.time!r}{grouped}")
    say("baseline", ", ".join(found.baseline) or "the mean alone")
    bare = [tuple(p.removeprefix(f"{m.name}_") for p in m.predictors) for m in found.models]
    say("predictors", "; or ".join(", ".join(own) for own in dict.fromkeys(bare)))
    say("log-likelihood", f"{fixed_point(found.log_likelihood)} nats a row, {found.folds} folds of items")
    if found.n_items < FEW:
        say("few items", f"the intervals of fewer than {FEW} items are too narrow")
    if found.first_words:
        say("first words", f"{found.first_words:,} rows, whose surprisal is given x0 alone")
    table = Table("model", "Δ nats a row", "95 %", "slope a nat", box=None, pad_edge=False)
    for m in found.models:
        table.add_row(
            visible(m.name) or "surprisal",
            significant_digits(m.gain),
            f"{significant_digits(m.low)} – {significant_digits(m.high)}",
            significant_digits(m.slope),
        )
    console.print(table)
    for a, b, (gap, low, high) in _differences(found, seed):
        told = f"{significant_digits(gap)} nats a row, 95 % from {significant_digits(low)} to {significant_digits(high)}"
        console.print(f"{visible(a)} less {visible(b)}: {told}", markup=False)
