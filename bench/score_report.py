"""Tables and verdicts of bench/score.py, from rows that hold one answer a repetition."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from score_run import Row

MB = 1e6


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A Markdown table, so that a run can be pasted as it is."""
    widths = [max(len(r[i]) for r in [head, *lines]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return (
            "| "
            + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths)))
            + " |"
        )

    print(line(head))
    print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for cells in lines:
        print(line(cells))
    print()


def ratios(ours: Row, theirs: Row) -> list[float]:
    """How many times as long a token took them as it took us, repetition by repetition."""
    a, b = ([x["cpu"] / x["units"] for x in row.answers] for row in (ours, theirs))
    return [y / x for x, y in zip(a, b)]


def times(ours: Row, theirs: Row) -> float:
    return statistics.median(ratios(ours, theirs))


def apart(ours: Row, theirs: Row) -> float | None:
    """The largest difference of a text's log-probability, nats."""
    if "totals" not in ours.answers[0] or "totals" not in theirs.answers[0]:
        return None
    pairs = [p for a, b in zip(ours.answers, theirs.answers) for p in zip(a["totals"], b["totals"])]
    return max(abs(x - y) for x, y in pairs)


def task_table(rows: Sequence[Row], unit: str, limit: dict[str, float], rules_differ: str = "") -> None:
    """unit: what `units` of an answer counts. limit: seconds of all repetitions together at the machine's best, by
    dtype."""
    ours = rows[0]
    lines = []
    for r in rows:
        if not r.ok:
            lines.append([name(r), "failed: " + r.failed[:60], *[""] * 6])
            continue
        speed = ratios(ours, r) if ours.ok else [math.nan]
        gap = apart(ours, r) if ours.ok else None
        rate = sum(a["units"] for a in r.answers) / r.cpu
        lines.append(
            [
                name(r),
                f"{sum(a['cpu'] for a in r.answers) / len(r.answers):.2f}",
                f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}",
                f"{statistics.median(speed):.2f} ({min(speed):.2f}-{max(speed):.2f})",
                f"{100 * limit['bfloat16' if 'bfloat16' in r.tool.name else 'float32'] / r.cpu:.0f} %",
                f"{r.peak / MB:,.0f}",
                f"{r.over / MB:,.0f}",
                "" if gap is None or r is ours else f"{gap:.1e}" + ("*" if rules_differ else ""),
            ]
        )
    head = [
        "tool",
        "CPU s",
        f"{unit}/s",
        f"times as long as {ours.tool.name}",
        "of the limit",
        "peak MB",
        "beyond load",
        "apart",
    ]
    table(head, lines)
    if rules_differ:
        print(f"* {rules_differ}\n")


def name(row: Row) -> str:
    return row.tool.name + (f" (batch {row.batch})" if row.batch else "")


class Verdicts:
    """The goals, each reached or missed, kept to the end of the run."""

    def __init__(self) -> None:
        self.said: list[tuple[bool, str]] = []

    def check(self, held: bool, what: str) -> None:
        self.said.append((bool(held), what))

    def speed(self, task: str, rows: Sequence[Row], peer: str, goal: float) -> None:
        found = [r for r in rows if r.tool.name == peer]
        if found and found[0].ok and rows[0].ok:
            x = times(rows[0], found[0])
            self.check(x >= goal, f"{task}: {x:.2f} times as fast as {peer} (goal {goal:g})")
        else:
            self.check(False, f"{task}: {peer} was not measured (goal {goal:g} times as fast)")

    def memory(self, task: str, rows: Sequence[Row]) -> None:
        peers = [r for r in rows if not r.tool.name.startswith("pofx") and r.ok]
        if peers and rows[0].ok:
            least = min(peers, key=lambda r: r.peak)
            self.check(
                rows[0].peak < least.peak,
                f"{task}: peak memory {rows[0].peak / MB:,.0f} MB, the least of the peers {least.peak / MB:,.0f} MB "
                f"({least.tool.name})",
            )

    def limit(self, task: str, row: Row, seconds: float, plain: float, goal: float) -> None:
        """plain: how many times as long the limit is with products of weights that are not packed."""
        if row.ok:
            share = seconds / row.cpu
            self.check(
                share >= goal,
                f"{task}: {100 * share:.0f} % of the machine's limit (goal {100 * goal:.0f} %), "
                f"{100 * share * plain:.0f} % of that with unpacked products",
            )

    def print(self) -> None:
        for held, what in self.said:
            print(f"{'reached' if held else 'MISSED '}  {what}")
