"""The distribution over bytes against genlm-bytes: bytes a second and excess bits a byte, against the width of the beam.

The excess is that of a lower bound of log P(text): genlm-bytes' `logZ`, put right where its sums in float32 make it too
large (see strings_genlm.py), and the kept mass of pofx (`Scored.low`). It is
over the largest lower bound that any of them found for that text, among them pofx at a width of its own (`WIDEST`):
so the excess of all is a little too small, by the same amount for all.

Control tokens spell nothing in pofx, whose distribution leaves out their mass; genlm-bytes reads their names as text.
Workers of pofx put that mass back (about 1e-6 bits a byte), so that both are bounds of one number.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from score_report import Verdicts, table
from score_run import Failure, Process, Setting, Tool, say

BEAMS = (1, 2, 3, 5, 10)
WIDEST = 32
# Widths of pofx besides, which are soon measured: whose excess is no larger is to be found among them, too.
OWN = (2, 5, 8)
GOAL = 5.0
# Bits a byte: the float32 numbers of two implementations differ by up to 7e-6 nats a token, always in the same direction.
ROUNDING = 5e-6

POFX = Tool("pofx", "strings_pofx:Pofx")
GENLM = Tool("genlm-bytes", "strings_genlm:Genlm", True)


@dataclass(frozen=True)
class Contender:
    """One way to use a tool; request: what its worker is told besides the width. reps: at most, for the slow."""

    name: str
    tool: Tool
    request: dict = field(default_factory=dict)
    reps: int = 1000


OURS = Contender("pofx", POFX)
CONTENDERS = (
    OURS,
    Contender("genlm-bytes", GENLM, {"threshold": 0.0, "primed": False}, 1),
    Contender("genlm-bytes, threshold 0.05", GENLM, {"threshold": 0.05, "primed": False}),
    Contender("genlm-bytes, threshold 0.001, primed", GENLM, {"threshold": 0.001, "primed": True}),
    Contender("genlm-bytes, threshold 0.05, primed", GENLM, {"threshold": 0.05, "primed": True}),
)


@dataclass
class Point:
    """One contender at one width. Per repetition: the worker's answer, the bytes of its texts, the bits missing."""

    contender: Contender
    beam: int
    answers: list[dict] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    missing: list[float] = field(default_factory=list)
    failed: str = ""

    @property
    def ok(self) -> bool:
        return not self.failed and bool(self.answers)

    @property
    def speed(self) -> float:
        """Bytes a CPU second."""
        return sum(self.bytes) / sum(a["cpu"] for a in self.answers)

    def excess(self, reps: int | None = None) -> float:
        """Bits a byte, of the first `reps` repetitions."""
        return sum(self.missing[:reps]) / sum(self.bytes[:reps])


def run(
    task: str, setting: Setting, data: dict, beams: Sequence[int], reps: int, names: Sequence[str]
) -> dict:
    """task: single or batch. What is returned can be written as JSON; the points are in it."""
    slices = data[task]
    say(f"{task}: {len(slices[0])} text(s) of {len(slices[0][0])} bytes a repetition")
    some = [c for c in CONTENDERS if c is OURS or not names or any(n in c.name for n in names)]
    points = [Point(c, k) for k in beams for c in some]
    points += [Point(OURS, k) for k in OWN if k not in beams]
    processes: dict[Tool, Process] = {}
    for tool in dict.fromkeys(c.tool for c in some):
        say(f"  {tool.name}: loading")
        processes[tool] = Process(tool, setting)
        for beam in (*beams, *OWN, WIDEST) if tool is POFX else (1, 5):
            processes[tool].ask(task=task, beam=beam, threshold=0.05, primed=True, first=1, characters=12)
    for rep in range(reps):
        for k in sorted({*beams, *OWN}):
            row = [p for p in points if p.beam == k and rep < p.contender.reps and not p.failed]
            at = rep % len(row)
            for p in row[at:] + row[:at]:
                ask(p, processes[p.contender.tool], task, rep)
    used = sorted({rep % len(slices) for rep in range(reps)})
    widest = {s: lower(processes[POFX].ask(task=task, slice=s, beam=WIDEST)) for s in used}
    for process in processes.values():
        process.close()
    best = {s: list(found) for s, found in widest.items()}
    for p in points:
        for rep, answer in enumerate(p.answers):
            s = rep % len(slices)
            best[s] = [max(pair) for pair in zip(best[s], lower(answer))]
    for p in points:
        p.bytes = [sum(len(t.encode()) for t in slices[rep % len(slices)]) for rep in range(len(p.answers))]
        p.missing = [
            sum(b - x for b, x in zip(best[rep % len(slices)], lower(answer))) / math.log(2)
            for rep, answer in enumerate(p.answers)
        ]
    return {"points": points, "best": best, "widest": widest}


def ask(p: Point, process: Process, task: str, rep: int) -> None:
    try:
        p.answers.append(process.ask(task=task, slice=rep, beam=p.beam, **p.contender.request))
    except Failure as error:
        p.failed = str(error)
        say(f"  {p.contender.name} at {p.beam}: failed: {error}")
        return
    say(f"  repetition {rep + 1}  width {p.beam:2}  {p.contender.name:36} {p.answers[-1]['cpu']:8.2f} CPU s")


def lower(answer: dict) -> list[float]:
    """log P of each text from below, nats, control tokens' mass left where it is."""
    return answer["low"] if "low" in answer else answer["totals"]


def ratio(ours: Point, theirs: Point) -> float:
    """How many times as long they took, the median over the repetitions that both did."""
    return statistics.median(b["cpu"] / a["cpu"] for a, b in zip(ours.answers, theirs.answers))


def as_good(ours: Point, theirs: Point) -> bool:
    """Whether our excess is no larger, over the repetitions that both did."""
    n = min(len(ours.answers), len(theirs.answers))
    return bool(n) and ours.excess(n) <= theirs.excess(n) + ROUNDING


def match(points: Sequence[Point], theirs: Point) -> Point | None:
    """The fastest of ours whose excess is no larger."""
    ours = [p for p in points if p.contender is OURS and as_good(p, theirs)]
    return max(ours, key=lambda p: ratio(p, theirs), default=None)


def show(title: str, points: Sequence[Point], verdicts: Verdicts) -> None:
    print(f"## Bytes, {title}\n")
    own = {p.beam: p for p in points if p.contender is OURS}
    lines = []
    for p in sorted(points, key=lambda p: (CONTENDERS.index(p.contender), p.beam)):
        name = [p.contender.name, str(p.beam)]
        if not p.ok:
            lines.append([*name, "failed: " + p.failed[:40], "", "", ""])
            continue
        name += [f"{p.speed:.1f}", f"{p.excess():.1e}"]
        if p.contender is OURS:
            lines.append([*name, "", ""])
            continue
        same, other = own[p.beam], match(points, p)
        at_same = "" if not same.ok else f"{ratio(same, p):.1f}" + ("" if as_good(same, p) else "*")
        lines.append([*name, at_same, f"{ratio(other, p):.1f} (width {other.beam})" if other else "none"])
        what = f"{title}, width {p.beam}: pofx beside {p.contender.name}"
        if other is None:
            verdicts.check(
                False, f"{what}: its excess of {p.excess():.1e} bits a byte is not reached at any width"
            )
            continue
        x = ratio(other, p)
        verdicts.check(
            x >= GOAL,
            f"{what}: {x:.1f} times its bytes a second at no larger excess (width {other.beam}; goal {GOAL:g})",
        )
    head = ["tool", "width", "bytes/s", "excess, bits/byte", "times as long, same width", "no larger excess"]
    table(head, lines)
    print("* pofx has the larger excess there\n")
