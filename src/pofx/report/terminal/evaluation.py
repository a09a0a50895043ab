"""Questions with choices and minimal pairs as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from pofx.algorithms.statistics.proportions import wilson
from pofx.evaluation.choice_report import ChoiceReport
from pofx.evaluation.comparison import Comparison
from pofx.evaluation.pairs import PairReport, PhenomenonResult
from pofx.report.numerals import fixed_point, significant_digits, with_commas
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import visible

_RULES = {
    "log-p": "log P(choice | context)",
    "per-byte": "… / bytes of the choice",
    "per-token": "… / tokens of the choice",
    "pmi": "… − log P(choice alone)",
}


def choices_table(report: ChoiceReport) -> Table:
    """Return the accuracy of each rule, with its 95 % interval, and how many answers EOS would change."""
    table = make_table()
    table.add_column("rule", no_wrap=True)
    table.add_column("number of a choice", overflow="fold", style=DIM)
    table.add_column("right", justify="right", no_wrap=True)
    table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column("EOS changes", justify="right", no_wrap=True)
    for found in report.rules:
        table.add_row(
            found.rule,
            _RULES[found.rule],
            f"{_percent(found.accuracy)} %",
            f"{_percent(found.low)}–{_percent(found.high)}",
            "" if found.end_changes is None else with_commas(found.end_changes),
        )
    return table


def choices_lines(report: ChoiceReport) -> Iterable[str]:
    """Yield the numbers of a report beside its rules, a line each."""
    n = len(report.items)
    yield f"items              {with_commas(n)}, {_percent(report.chance)} % right by chance"
    found = report.calibration
    yield f"posterior          log-loss {significant_digits(found.log_loss)} nats, Brier score {fixed_point(report.brier)}"
    yield f"calibration error  {_percent(found.calibration_error)} %"
    yield f"right choices      {fixed_point(report.bits_per_byte, 3)} bits per byte"
    yield f"EOS                {'counted' if report.end else 'not counted'} after a choice"
    if report.no_pmi:
        yield f"pmi                left out: {report.no_pmi}"
    if report.undecided:
        yield f"undecided          {with_commas(report.undecided)} answers, within the bounds of log P"


def groups_table(groups: Mapping[str, tuple[int, int]]) -> Table:
    """Return the accuracy of each group, from how many items are right and how many there are."""
    return _groups([(name, right, n, None) for name, (right, n) in groups.items()])


def phenomena_table(groups: Sequence[PhenomenonResult]) -> Table:
    """Return the accuracy and the mean margin of each phenomenon."""
    return _groups([(g.group, g.right, g.n, g.margin) for g in groups])


def pairs_lines(report: PairReport) -> Iterable[str]:
    """Yield the numbers of a report on minimal pairs, a line each."""
    whole = report.whole
    yield f"pairs              {with_commas(whole.n)}"
    yield f"right              {_percent(whole.accuracy)} %, 95 % from {_percent(whole.low)} to {_percent(whole.high)}"
    yield f"mean margin        {fixed_point(whole.margin)} nats"
    changes = report.end_changes
    told = "" if changes is None else f"; the other way {with_commas(changes)} verdicts differ"
    yield f"EOS                {'counted' if report.end else 'not counted'}{told}"
    for other in report.begins:
        yield (
            f"x0 {visible(other.name)}: {_percent(other.right / whole.n)} % right, "
            f"{with_commas(other.changes)} verdicts differ"
        )


def comparison_lines(names: tuple[str, str], found: Comparison) -> Iterable[str]:
    """Yield the comparison of two models, a line each."""
    first, second = (visible(n) for n in names)
    yield f"{first} less {second}: {_signed(found.difference)} %, 95 % from {_signed(found.low)} to {_signed(found.high)}"
    yield (
        f"only {first} right: {with_commas(found.only_first)}; only {second} right: {with_commas(found.only_second)}; "
        f"McNemar's exact test: p = {probability_of(found.p_value)}"
    )


def probability_of(p: float) -> str:
    """Return a p-value with three significant digits."""
    return significant_digits(p, 3)


def _groups(rows: Sequence[tuple[str, int, int, float | None]]) -> Table:
    table = make_table()
    table.add_column("group", overflow="fold")
    table.add_column("items", justify="right", no_wrap=True)
    table.add_column("right", justify="right", no_wrap=True)
    table.add_column("95 %", justify="right", no_wrap=True)
    margins = all(margin is not None for *_, margin in rows)
    if margins:
        table.add_column("mean margin", justify="right", no_wrap=True)
    for name, right, n, margin in rows:
        low, high = wilson(right, n)
        table.add_row(
            Text(visible(name) or "(none)"),
            with_commas(n),
            f"{_percent(right / n)} %",
            f"{_percent(low)}–{_percent(high)}",
            *([fixed_point(margin)] if margin is not None and margins else []),
        )
    return table


def _percent(share: float) -> str:
    return fixed_point(100 * share, 1)


def _signed(share: float) -> str:
    return ("+" if share > 0 else "") + _percent(share)
