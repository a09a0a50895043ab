"""Surprisal of words against minicons: words a second, and how far apart the numbers are, in three steps.

minicons counts as a boundary the tokens that begin with a space. pofx counts EOS and every white space, new lines
among them: it asks for the mass of all that can end a word. So the two differ by the mass of the rest, most where a
text may end. The same formula with minicons' set (`strings_pofx.Space`) shows that nothing else does.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from score_report import Verdicts, table, times
from score_run import Row, Setting, Tool, in_turns, say

POFX = Tool("pofx", "strings_pofx:Pofx")
SPACE = Tool("pofx, minicons' boundary", "strings_pofx:Space")
MINICONS = Tool("minicons, corrected", "strings_minicons:Words", True, (4, 1, 16))
CLOSE = 1e-3  # nats


def run(setting: Setting, data: dict, reps: int, tune: bool) -> list[Row]:
    slices = data["words"]
    say(f"words: {count(t for s in slices for t in s)} in {sum(map(len, slices))} sentences")
    part = {"first": 20} if tune else None
    rows = in_turns("words", [POFX, MINICONS, SPACE], setting, {}, reps, {"first": 4}, part)
    for row in rows:
        for rep, answer in enumerate(row.answers):
            answer["units"] = count(slices[rep % len(slices)])
    return rows


def count(texts) -> int:
    return sum(len(t.split()) for t in texts)


def pairs(ours: Row, theirs: Row) -> list[tuple[float, float, bool, bool, str]]:
    """(ours, theirs, the first word of its text, the last one, its text), each word once."""
    out, seen = [], set()
    for a, b in zip(ours.answers, theirs.answers):
        for x, y in zip(a["words"], b["words"]):
            spelled = tuple(w for w, _ in x)
            if spelled in seen:
                continue
            seen.add(spelled)
            if spelled != tuple(w for w, _ in y):
                raise SystemExit(
                    f"words: {ours.tool.name} and {theirs.tool.name} cut otherwise: {spelled} and {y}"
                )
            for k, ((word, s), (_, t)) in enumerate(zip(x, y)):
                out.append((s, t, k == 0, k == len(x) - 1, word))
    return out


def apart(found: Sequence[tuple[float, float, bool, bool, str]]) -> list[str]:
    gaps = [abs(s - t) for s, t, *_ in found]
    if not gaps:
        return ["0", "", "", ""]
    close = sum(g <= CLOSE for g in gaps) / len(gaps)
    return [str(len(gaps)), f"{statistics.fmean(gaps):.1e}", f"{max(gaps):.1e}", f"{100 * close:.1f} %"]


def show(rows: Sequence[Row], verdicts: Verdicts) -> None:
    ours, theirs, space = rows
    print("## Words\n")
    lines = []
    for r in rows:
        if not r.ok:
            lines.append([r.tool.name, "failed: " + r.failed[:60], "", ""])
            continue
        speed = sum(a["units"] for a in r.answers) / r.cpu
        name = r.tool.name + (f" (batch {r.batch})" if r.batch else "")
        lines.append(
            [name, f"{speed:.0f}", f"{times(ours, r):.2f}" if ours.ok else "", f"{r.peak / 1e6:,.0f}"]
        )
    table(["tool", "words/s", "times as long as pofx", "peak MB"], lines)
    if not all(r.ok for r in rows):
        verdicts.check(False, "words: not all tools were measured")
        return
    raw, same = pairs(ours, theirs), pairs(space, theirs)
    steps = [
        ("as they are, EOS left out", raw),
        ("  a text's first word", [p for p in raw if p[2] and not p[3]]),
        ("  words inside", [p for p in raw if not p[2] and not p[3]]),
        ("  a text's last word", [p for p in raw if p[3]]),
        ("minicons' boundary in pofx's formula", same),
    ]
    head = ["words compared, nats", "words", "mean apart", "largest", f"within {CLOSE:g}"]
    table(head, [[what, *apart(found)] for what, found in steps])
    worst = sorted(raw, key=lambda p: -abs(p[0] - p[1]))[:3]
    print("furthest: " + "; ".join(f"{w!r} {s:.3f} and {t:.3f}" for s, t, _, _, w in worst) + "\n")
    x = times(ours, theirs)
    verdicts.check(x >= 1, f"words: {x:.2f} times minicons' words a second")
    agree = sum(abs(s - t) <= CLOSE for s, t, *_ in same) / len(same)
    verdicts.check(
        agree == 1,
        f"words: {100 * agree:.1f} % within {CLOSE:g} nats of minicons once the boundary is the same",
    )
