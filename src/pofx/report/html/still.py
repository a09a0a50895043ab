"""A block of a page as a plain table, for a browser that runs no scripts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from pofx.report.html.blocks import Block
from pofx.report.json_records import plain
from pofx.report.numerals import fixed_point, significant_digits, typeset
from pofx.report.sums import addends
from pofx.report.visible import visible

# The most rows, since a frame carries them beside its data.
ROWS = 20

Rows = tuple[Sequence[str], Sequence[Sequence[str]]]


def still_table(block: Block) -> str:
    """Return the numbers of a block as a table in HTML; "" for a block of no table. Texts are escaped."""
    make = _TABLES.get(block.kind)
    if make is None:
        return ""
    headings, rows = make(plain(block.data))
    shown = [_row("th", headings)] if any(headings) else []
    shown += [_row("td", row) for row in rows[:ROWS]]
    more = f"<p>and {len(rows) - ROWS:,} more rows</p>" if len(rows) > ROWS else ""
    return f"<table>{''.join(shown)}</table>{more}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(visible(c))}</{tag}>" for c in cells) + "</tr>"


def _log(x: Any) -> float:
    """Return a log-probability of a record, where log 0 is a text or None."""
    return -math.inf if x is None or isinstance(x, str) else float(x)


def _nats(x: Any) -> str:
    return typeset(fixed_point(_log(x)))


def _share(x: float) -> str:
    return typeset(significant_digits(x))


def _plain(data: Mapping[str, Any]) -> Rows:
    def shown(cell: Any) -> str:
        return str(cell["number"]) if isinstance(cell, dict) else str(cell or "")

    return data["headings"], [[shown(c) for c in row] for row in data["rows"]]


def _amounts(data: Mapping[str, Any]) -> Rows:
    facts = [(f["before"], f"{f['number']} {f['after']}".strip()) for f in data["facts"]]
    return (data["title"], data["unit"]), [*facts, *((a["name"], a["shown"]) for a in data["amounts"])]


def _curve(data: Mapping[str, Any]) -> Rows:
    # The newest losses first, since the last rows of a long table are left out.
    rows = [(_share(x), typeset(fixed_point(y))) for x, y in reversed(data["curve"]["validation"])]
    training = data["curve"]["training"][-1:]
    return ("passes", "bits per byte"), [
        *((f"{_share(x)}, training", typeset(fixed_point(y))) for x, y in training),
        *((f"{x}, validation", y) for x, y in rows),
    ]


def _model(data: Mapping[str, Any]) -> Rows:
    model = data["model"]
    begin = model["begin"]
    x0 = "none" if begin["known"] == "none" else f"{begin['text'] or 'x0'} ({begin['known']})"
    rows = [("x0", x0), ("EOS", model["end"] or "none: texts never end"), ("window rule", model["window"])]
    return ("model", model["name"]), [*rows, *((name, value) for name, value in model["facts"])]


def _summed(heading: str, names: Iterable[str], terms: Sequence[Any], total: float) -> Rows:
    """Return terms with their sum; the sum is the first row, since the last rows of a long table are left out."""
    shown = addends([_log(x) for x in terms], total)
    rows = [(name, typeset(x)) for name, x in zip(names, shown)]
    return (heading, "nats"), [("Σ", typeset(fixed_point(total))), *rows]


def _scores(data: Mapping[str, Any]) -> Rows:
    (text,) = data["texts"]
    score, tokens = text["score"], text["score"]["tokens"]
    total = _log(score["total_nats"] if score["terms"]["end"] else score["prefix_nats"])
    names = (tokens["names"][k][1] for k in tokens["token"])
    return _summed("token", names, tokens["nats"], total)


def _words(data: Mapping[str, Any]) -> Rows:
    (text,) = data["texts"]
    words = text["words"]["words"]
    surprisals = [-_log(w["surprisal_nats"]) for w in words]
    return _summed("word", (w["word"] for w in words), surprisals, -_log(text["words"]["total_nats"]))


def _next(data: Mapping[str, Any]) -> Rows:
    top = data["next"]["top"]
    return ("next", "p"), [(str(o.get("token", o.get("text", ""))), _share(o["p"])) for o in top]


def _draws(data: Mapping[str, Any]) -> Rows:
    return ("draw", "log p, nats"), [(d["text"], _nats(d["nats"])) for d in data["draws"]]


def _findings(data: Mapping[str, Any]) -> Rows:
    found = data["audit" if "audit" in data else "report"]["findings"]
    rows = [
        (f["check"], f["verdict"], "" if f["value"] is None else f"{_share(float(f['value']))} {f['unit']}")
        for f in found
    ]
    return ("check", "verdict", "value"), rows


def _conditioned(data: Mapping[str, Any]) -> Rows:
    found = data["conditioned"]["outcomes"]
    return (data["outcome"], "p"), [(o["text"], _share(o["p"])) for o in found]


def _posteriors(data: Mapping[str, Any]) -> Rows:
    (text,) = data["texts"]
    rows = [
        (m["model"], _nats(m["evidence_nats"]), _share(m["posterior"])) for m in text["posterior"]["models"]
    ]
    return ("model", "log p(text | model), nats", "posterior"), rows


def _evaluation(data: Mapping[str, Any]) -> Rows:
    found = data["evaluation"]
    rows = [
        ("documents", f"{found['documents']:,}"),
        ("accuracy", f"{fixed_point(100 * found['accuracy'], 2)} %"),
    ]
    return ("", ""), rows


_TABLES: dict[str, Callable[[Mapping[str, Any]], Rows]] = {
    "table": _plain,
    "amounts": _amounts,
    "curve": _curve,
    "model": _model,
    "scores": _scores,
    "words": _words,
    "next": _next,
    "draws": _draws,
    "audit": _findings,
    "corpus": _findings,
    "conditioned": _conditioned,
    "posteriors": _posteriors,
    "evaluation": _evaluation,
}
