"""A picture of P(length > L) of the texts of a model, from an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pofx.errors import BadValue
from pofx.plot.style import MARKERS, by_name, picture
from pofx.queries.findings import Audit, Check, Series


def alive(audits: Audit | Mapping[str, Audit], *, ax: Any = None, dark: bool = False) -> Any:
    """Draw P(length > L), the probability that a text has more than L tokens; of a proper model it falls to 0.

    Args:
        audits: An audit, or audits by the name of their model.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes, with logarithmic scales; a P of 0 is left out.

    Raises:
        BadValue: An audit has no such curve, since its model has no EOS or is a scorer.
        MissingExtra: matplotlib is not installed.

    Right: `alive(audit(lm, held_out))`. Wrong: taking a curve that is flat from some L on for a good one, since texts of
    this mass never end.
    """
    pairs = by_name(audits, Audit, "audits")
    curves = [(name, _curve(audit, name)) for name, audit in pairs]
    made = picture(ax, dark, "L, tokens", "P(length > L)", grid="both")
    for k, (name, series) in enumerate(curves):
        shown = [(float(length), p) for length, p in series.points if p > 0]
        made.ax.plot(
            [x for x, _ in shown],
            [p for _, p in shown],
            color=made.colour(k),
            marker=MARKERS[k % len(MARKERS)],
            markersize=4,
            label=name,
        )
    made.ax.set_xscale("log", base=2)
    made.ax.set_yscale("log")
    made.legend([name for name, _ in curves])
    return made.ax


def _curve(audit: Audit, name: str) -> Series:
    for finding in audit.findings:
        if finding.check == Check.ALIVE and finding.series is not None:
            return finding.series
    raise BadValue(
        f"expected an audit with P(length > L), got an audit without it{f' for {name}' if name else ''}",
        "audit an LM with EOS",
        argument="audits",
    )
