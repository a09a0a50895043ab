"""The page of an evaluation: accuracy with intervals, calibration, and the items whose answers differ or are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pofx.algorithms.statistics.proportions import wilson
from pofx.report.html.amounts import Amount, Fact, amounts_block
from pofx.report.html.blocks import Block, Cell, Numeral, Section, paragraph, table
from pofx.report.numerals import fixed_point, significant_digits, with_commas
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.evaluation.choice_report import ChoiceReport, ScoredItem
    from pofx.evaluation.comparison import Comparison
    from pofx.evaluation.lm_eval.group import GroupReport
    from pofx.evaluation.lm_eval.report import TaskReport
    from pofx.evaluation.pairs import PairReport

# The most rows of a table, and the most characters of a text in one.
ROWS, SHOWN = 50, 240


def choice_sections(
    names: Sequence[str], reports: Sequence[ChoiceReport], comparison: Comparison | None = None
) -> list[Section]:
    """Return the sections of questions with choices.

    Args:
        names: The name of each model.
        reports: The report of each model, all of the same items.
        comparison: The comparison of the first two models; None for one model.
    """
    out = []
    for name, report in zip(names, reports):
        out.append(Section(_titled("Accuracy", name, names), tuple(_accuracy(report))))
        out.append(Section(_titled("Calibration", name, names), (_calibration(report),)))
    if comparison is not None:
        answers = [_chosen(r) for r in reports[:2]]
        out.append(_compared(names, comparison, _differing(names[:2], reports[0], answers)))
    for name, report in zip(names, reports):
        rules = [str(r.rule) for r in report.rules]
        found = [_chosen(report, rule) for rule in rules]
        shown = _differing(rules, report, found)
        out.append(Section(_titled("Answers that differ by rule", name, names), (shown,)))
        out.append(Section(_titled("Wrong answers, the most certain first", name, names), (_wrong(report),)))
    return out


def pair_sections(
    names: Sequence[str], reports: Sequence[PairReport], comparison: Comparison | None = None
) -> list[Section]:
    """Return the sections of minimal pairs; the arguments are those of `choice_sections`."""
    out = [
        Section(_titled("Accuracy", name, names), (_pair_accuracy(report),))
        for name, report in zip(names, reports)
    ]
    if comparison is not None:
        first, second = reports[:2]
        places = np.flatnonzero(first.right != second.right)
        headings = ["pair", "right text", "other text", *(f"margin of {n}, nats" for n in names[:2])]
        rows: list[list[Cell]] = [
            [first.pairs[k].id, *_texts(first, k), float(first.margins()[k]), float(second.margins()[k])]
            for k in places.tolist()
        ]
        out.append(_compared(names, comparison, _listed("verdict", headings, rows)))
    for name, report in zip(names, reports):
        margins = report.margins()
        wrong = [k for k in np.argsort(margins, kind="stable").tolist() if not report.right[k]]
        log_p = np.stack([*report.log_p, margins])
        rows = [
            [report.pairs[k].id, *_texts(report, k), *(Numeral(fixed_point(x)) for x in log_p[:, k].tolist())]
            for k in wrong
        ]
        p = "log p" if report.end else "log P"
        headings = [
            "pair",
            "right text",
            "other text",
            f"{p}, right text",
            f"{p}, other text",
            "margin, nats",
        ]
        shown = _listed("wrong verdict", headings, rows, "is wrong")
        out.append(Section(_titled("Wrong verdicts, largest margin first", name, names), (shown,)))
    return out


def task_sections(names: Sequence[str], reports: Sequence[TaskReport]) -> list[Section]:
    """Return the sections of lm-eval's numbers for a task, one for each model."""
    out = []
    for name, report in zip(names, reports):
        numbers: list[list[Cell]] = [[m.name, m.value, m.error, m.own] for m in report.metrics]
        told = [
            f"{with_commas(report.across)} of {count_noun(report.strings, 'string')} have a token across the join of "
            f"context and string; lm-eval cuts the context of {with_commas(report.cut)}."
        ]
        if report.no_own:
            told.append(f"pofx has no numbers: {report.no_own}.")
        metrics = table(["metric", "lm-eval", "± error", "pofx"], numbers)
        blocks = [metrics, *map(paragraph, told)]
        if report.changes is not None:
            blocks.append(_task_differences(report))
        out.append(Section(_titled(f"Task {report.task.name}", name, names), tuple(blocks)))
    return out


def group_sections(
    names: Sequence[str], reports: Sequence[GroupReport], comparison: Comparison | None = None
) -> list[Section]:
    """Return the sections of lm-eval's numbers for tasks, and of the means over groups of tasks; as `choice_sections`."""
    out = []
    for name, report in zip(names, reports):
        for group in report.group.walk():
            found = report.metrics[group.name]
            if found:
                rows: list[list[Cell]] = [[m.name, m.value, m.error, m.own] for m in found]
                told = f"The means are over {count_noun(len(group.tasks), 'task')}."
                block = table(["metric", "lm-eval", "± error", "pofx"], rows, told)
                out.append(Section(_titled(f"Group {group.name}", name, names), (block,)))
    for tasks in zip(*(r.reports for r in reports)):
        out += task_sections(names, tasks)
    return out if comparison is None else [*out, _compared(names, comparison, None)]


def _accuracy(report: ChoiceReport) -> list[Block]:
    first = report.rules[0]
    facts = [
        Fact(f"{_percent(first.accuracy)} %", "right by log P(choice | context)"),
        Fact(f"{_percent(first.low)} to {_percent(first.high)} %", "95 % interval"),
        Fact(f"{_percent(report.chance)} %", "by chance"),
        Fact(with_commas(first.n), "items" if first.n != 1 else "item"),
    ]
    rows = [
        Amount(str(r.rule), r.accuracy, f"{_percent(r.accuracy)} %", f"{_percent(r.low)}–{_percent(r.high)}")
        for r in report.rules
    ]
    told = f"EOS {'counted' if report.end else 'not counted'} after a choice; {report.terms.common}"
    changes = [f"{r.rule}: {with_commas(r.end_changes)}" for r in report.rules if r.end_changes is not None]
    note = f"Answers that change if EOS counts the other way: {', '.join(changes)}." if changes else ""
    blocks = [amounts_block(facts, rows, "Right answers by rule", "right", "95 % interval", told, note)]
    groups = report.groups()
    if len(groups) > 1:
        cells = [_group(name, right, n) for name, (right, n) in groups.items()]
        blocks.append(table(["group", "items", "right", "95 % interval"], cells))
    return blocks


def _calibration(report: ChoiceReport) -> Block:
    found = report.calibration
    facts = [
        Fact(f"{_percent(found.calibration_error)} %", "calibration error"),
        Fact(significant_digits(found.log_loss), "nats an item", "log loss"),
        Fact(fixed_point(report.brier), "", "Brier score"),
        Fact(fixed_point(report.bits_per_byte), "bits per byte", "right choices"),
    ]
    rows = [
        Amount(
            f"{b.low:.1f}–{b.high:.1f}, {count_noun(b.n, 'item')}",
            b.accuracy,
            f"{_percent(b.accuracy)} %",
            f"{_percent(b.confidence)} %",
        )
        for b in found.bins
    ]
    note = "A row has the items whose best choice has a posterior in this range. In a calibrated model both numbers agree."
    return amounts_block(
        facts, rows, "Items by posterior of the best choice", "right", "mean posterior", note=note
    )


def _pair_accuracy(report: PairReport) -> Block:
    whole = report.whole
    facts = [
        Fact(f"{_percent(whole.accuracy)} %", "right"),
        Fact(f"{_percent(whole.low)} to {_percent(whole.high)} %", "95 % interval"),
        Fact(fixed_point(whole.margin), "nats", "mean margin"),
        Fact(with_commas(whole.n), "pairs" if whole.n != 1 else "pair"),
    ]
    rows = [
        Amount(
            f"{g.group or '(none)'}, {count_noun(g.n, 'pair')}",
            g.accuracy,
            f"{_percent(g.accuracy)} %",
            f"{_percent(g.low)}–{_percent(g.high)}",
        )
        for g in report.groups
    ]
    told = f"EOS {'counted' if report.end else 'not counted'}; {report.terms.common}"
    notes = (
        []
        if report.end_changes is None
        else [f"{count_noun(report.end_changes, 'verdict')} would change if EOS counted the other way."]
    )
    notes += [
        f"Behind {b.name}: {_percent(b.right / whole.n)} % right, {count_noun(b.changes, 'verdict')} differ."
        for b in report.begins
    ]
    return amounts_block(
        facts, rows, "Right verdicts by group", "right", "95 % interval", told, " ".join(notes)
    )


def _compared(names: Sequence[str], found: Comparison, shown: Block | None) -> Section:
    first, second = names[:2]
    facts = [
        Fact(f"{_signed(found.difference)} %", f"{first} less {second}"),
        Fact(f"{_signed(found.low)} to {_signed(found.high)} %", "95 % interval"),
        Fact(significant_digits(found.p_value), "", "McNemar's exact test, p ="),
    ]
    whole = max(found.n, 1)
    rows = [
        Amount(f"only {first} right", found.only_first / whole, with_commas(found.only_first)),
        Amount(f"only {second} right", found.only_second / whole, with_commas(found.only_second)),
    ]
    block = amounts_block(facts, rows, "Items that one model alone answers right", "items")
    return Section(f"{first} and {second}", (block,) if shown is None else (block, shown))


def _differing(names: Sequence[str], report: ChoiceReport, answers: Sequence[list[int]]) -> Block:
    """Return a table of the items that do not have the same answer in all columns."""
    rows: list[list[Cell]] = []
    for k, scored in enumerate(report.items):
        here = [found[k] for found in answers]
        if len(set(here)) > 1:
            rows.append([*_about(scored), *(_choice(scored, place) for place in here)])
    return _listed("answer", ["item", "context", "right choice", *names], rows)


def _wrong(report: ChoiceReport) -> Block:
    """Return a table of the wrong answers by log P, the most certain first."""
    answers = _chosen(report)
    p = np.exp(report.log_posterior)
    wrong = [(float(p[k, a]), k, a) for k, a in enumerate(answers) if a >= 0 and a != report.labels[k]]
    rows: list[list[Cell]] = []
    for posterior, k, a in sorted(wrong, reverse=True):
        scored = report.items[k]
        rows.append([*_about(scored), _choice(scored, a), Numeral(f"{_percent(posterior)} %")])
    headings = ["item", "context", "right choice", "answer", "posterior"]
    return _listed("answer by log P", headings, rows, "is wrong")


def _task_differences(report: TaskReport) -> Block:
    from pofx.evaluation.lm_eval.metrics import answers

    rows: list[list[Cell]] = []
    for s in report.scores:
        places = [answers("acc", s.item, x) for x in (s.log_p, s.own) if x is not None]
        if len(set(places)) > 1:
            right = ", ".join(s.item.choices[g] for g in s.item.gold)
            rows.append([s.item.id, _cut(s.item.contexts[0]), right, *(s.item.choices[k] for k in places)])
    return _listed("answer", ["row", "context", "right choice", "lm-eval", "pofx"], rows)


def _listed(
    what: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], which: str = "differs"
) -> Block:
    """Return the first rows as a table, with a line that says how many there are."""
    if not rows:
        return paragraph(f"No {what} {which}.")
    left = len(rows) - ROWS
    note = f"{with_commas(left)} more {'row is' if left == 1 else 'rows are'} left out." if left > 0 else ""
    return table(headings, [list(r) for r in rows[:ROWS]], note)


def _chosen(report: ChoiceReport, rule: str = "log-p") -> list[int]:
    found = report.answers(rule)  # type: ignore[arg-type]
    return [] if found is None else [int(k) for k in found]


def _about(scored: ScoredItem) -> list[Cell]:
    item = scored.item
    return [item.id, _cut(item.context), _cut(item.choices[item.label])]


def _choice(scored: ScoredItem, place: int) -> str:
    return "(none)" if place < 0 else _cut(scored.item.choices[place])


def _texts(report: PairReport, k: int) -> list[Cell]:
    return [_cut(report.pairs[k].good), _cut(report.pairs[k].bad)]


def _group(name: str, right: int, n: int) -> list[Cell]:
    low, high = wilson(right, n)
    return [name or "(none)", n, Numeral(f"{_percent(right / n)} %"), f"{_percent(low)}–{_percent(high)}"]


def _titled(title: str, name: str, names: Sequence[str]) -> str:
    return title if len(names) == 1 else f"{title}: {name}"


def _cut(text: str) -> str:
    """Return a text whose beginning is left out where it is long: an answer depends on the end of a context most."""
    return text if len(text) <= SHOWN else f"… {text[-SHOWN:]}"


def _percent(share: float) -> str:
    return fixed_point(100 * share, 1)


def _signed(share: float) -> str:
    return ("+" if share > 0 else "") + _percent(share)
