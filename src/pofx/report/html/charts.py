"""Small SVG charts: bars or a line for a `Series`, and the surprisals of a text.

Colours and type come from the page's style sheet. An infinite value or nan has a label, but no mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pofx.queries.findings import Series
from pofx.report.html.sections import text
from pofx.report.numerals import significant_digits, typeset

WIDTH = 340
BESIDE = 10
PLOT_HEIGHT = 130
LEFT, TOP, BOTTOM = 46, 10, 22
# The most bars. In a longer text each bar is the mean of several tokens, since a bar under a pixel wide shows nothing.
BARS = 240
BAR = 16


def chart(series: Series) -> str:
    """Return a figure of the series, with its title, unit and labelled values."""
    drawing = bars(series) if series.kind == "bars" else line(series)
    caption = f"{text(series.title)} <small>{text(series.unit)}</small>"
    odd = [typeset(significant_digits(v)) for _, v in series.points if not math.isfinite(v)]
    if odd and series.kind == "line":
        # A bar says its value; a line only has a gap.
        caption += f" <small>({len(odd)} not drawn: {', '.join(dict.fromkeys(odd))})</small>"
    return f'<figure class="chart"><figcaption>{caption}</figcaption>{drawing}</figure>'


def bars(series: Series) -> str:
    """Horizontal bars from zero, each with its name and its value. The bars of negative values run left."""
    finite = [v for _, v in series.points if math.isfinite(v)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    span = (high - low) or 1.0
    # Short names stand beside their bars, long ones above.
    beside = all(len(name) <= BESIDE for name, _ in series.points)
    left = 12 + 8 * max((len(name) for name, _ in series.points), default=0) if beside else 0
    row, drop = (22, 4) if beside else (36, 17)
    room = WIDTH - left - 64
    zero = left + room * -low / span
    parts = []
    for k, (name, value) in enumerate(series.points):
        y = k * row
        end = left + room * (value - low) / span if math.isfinite(value) else zero
        x, width = min(zero, end), abs(end - zero)
        parts.append(
            f'<text x="0" y="{y + 13}" class="name">{text(_short(name, 52))}</text>'
            f'<rect x="{x:.1f}" y="{y + drop}" width="{max(width, 0.5):.1f}" height="10" class="mark"/>'
            f'<text x="{max(zero, end) + 6:.1f}" y="{y + drop + 9}">{typeset(significant_digits(value))}</text>'
        )
    height = max(len(series.points), 1) * row
    axis = f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height}" class="axis"/>' if low < 0 else ""
    return _svg(height, f"{series.title}, {series.unit}: {_spoken(series)}", "".join(parts) + axis)


def line(series: Series) -> str:
    """Return a line through the points, left to right.

    Where all names are rising numbers, they are the abscissae; else the points are evenly spaced.
    """
    xs = _abscissae([name for name, _ in series.points])
    ys = [v for _, v in series.points]
    finite = [v for v in ys if math.isfinite(v)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    span = (high - low) or 1.0
    left, right = (min(xs), max(xs)) if xs else (0.0, 1.0)
    wide = (right - left) or 1.0
    room = WIDTH - LEFT - 8

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + room * (x - left) / wide, TOP + PLOT_HEIGHT * (high - y) / span

    parts = []
    middle = 0.0 if low < 0 < high else low + span / 2
    for level in dict.fromkeys((low, middle, low + span)):
        y = at(left, level)[1]
        kind = "axis" if level == 0 else "grid"
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="tick end">{typeset(significant_digits(level))}</text>'
        )
    for run in _runs(xs, ys):
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(x, y) for x, y in run))
        parts.append(f'<polyline points="{path}" class="line"/>')
        if len(run) == 1 or len(ys) <= 12:
            parts += [
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" class="mark"/>'
                for px, py in (at(*p) for p in run)
            ]
    # The middle label is that of the point nearest the middle: points may crowd at one end.
    middles = sorted(range(len(xs)), key=lambda k: abs(xs[k] - (left + right) / 2))[:1]
    for k in dict.fromkeys((0, *middles, len(xs) - 1)) if xs else ():
        px = at(xs[k], low)[0]
        anchor = "start" if k == 0 else "end" if k == len(xs) - 1 else "mid"
        name = text(_short(series.points[k][0], 14))
        parts.append(f'<text x="{px:.1f}" y="{TOP + PLOT_HEIGHT + 17}" class="tick {anchor}">{name}</text>')
    return _svg(
        TOP + PLOT_HEIGHT + BOTTOM, f"{series.title}, {series.unit}: {_spoken(series)}", "".join(parts)
    )


def surprisals(logp: NDArray[np.float64], entropy: NDArray[np.float64] | None, end: bool) -> str:
    """The surprisal of every token as a bar, and the entropy, which is the expected surprisal, as a line over the bars.

    In a long text each bar is the mean of several tokens, and the caption says of how many. ∞ is drawn to the top.

    Args:
        logp: `[T]`, log p of each token, nats.
        entropy: `[T]`, the entropy of each distribution, nats; None for no line.
        end: Whether the last token is EOS.
    """
    n = len(logp)
    if not n:
        return ""
    per = -(-n // BARS)
    heights = _means(-logp, per)
    expected = None if entropy is None else _means(entropy, per)
    seen = [v for v in (*heights, *(expected if expected is not None else ())) if math.isfinite(v)]
    top = max([*seen, 1.0])
    rects = "".join(
        f'<rect x="{k}" y="{100 * (1 - h):.2f}" width="0.8" height="{100 * h:.2f}" class="mark"/>'
        for k, h in enumerate(_share(v, top) for v in heights)
    )
    steps = ""
    if expected is not None:
        corners = " ".join(
            f"{k},{y:.2f} {k + 1},{y:.2f}" for k, y in enumerate(100 * (1 - _share(v, top)) for v in expected)
        )
        steps = f'<polyline points="{corners}" class="line"/>'
    what = "surprisal −log p of each token" if per == 1 else f"surprisal, mean of every {per} tokens"
    also = ' <span class="key line">entropy: the surprisal expected</span>' if steps else ""
    infinite = int(np.isinf(logp).sum())
    note = f" <small>{infinite} of them ∞</small>" if infinite else ""
    last = "EOS" if end else f"{n:,}"
    return (
        '<figure class="chart">'
        f'<figcaption><span class="key mark">{what}, nats</span>{also}{note}</figcaption>'
        f'<div class="plot"><div class="y"><span>{significant_digits(top)}</span><span>0</span></div>'
        f'<svg viewBox="0 0 {len(heights)} 100" width="{BAR * len(heights)}" '
        f'preserveAspectRatio="none" role="img" aria-label="surprisals, at most {significant_digits(top)} nats">'
        f"{rects}{steps}</svg>"
        f'<div class="x">{"" if n == 1 else "<span>1</span>"}<span>{last}</span></div></div></figure>'
    )


def _svg(height: float, label: str, inner: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
        f'aria-label="{text(label)}">{inner}</svg>'
    )


def _spoken(series: Series) -> str:
    shown = [f"{name} {significant_digits(value)}" for name, value in series.points[:12]]
    return "; ".join(shown) + ("; …" if len(series.points) > 12 else "")


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _abscissae(names: Sequence[str]) -> list[float]:
    try:
        xs = [float(name.replace(",", "")) for name in names]
    except ValueError:
        return [float(k) for k in range(len(names))]
    rising = all(a < b for a, b in pairwise(xs))
    return xs if rising and all(math.isfinite(x) for x in xs) else [float(k) for k in range(len(names))]


def _runs(xs: Sequence[float], ys: Sequence[float]) -> list[list[tuple[float, float]]]:
    """Return the runs of points between infinite values and nan. The line has a gap between two runs."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(xs, ys):
        if math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _means(values: NDArray[np.float64], per: int) -> list[float]:
    return [float(values[k : k + per].mean()) for k in range(0, len(values), per)]


def _share(value: float, top: float) -> float:
    if math.isnan(value):
        return 0.0
    return min(max(value / top, 0.0), 1.0)
