"""The heat text of a page: each piece is a span in its shade, and page.js shows the numbers of a chosen token."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from pofx.queries.scoring.score import Scored
from pofx.report import heat
from pofx.report.chain import token_ids
from pofx.report.html.sections import text
from pofx.report.numerals import with_commas
from pofx.report.pieces import Piece, pieces
from pofx.report.visible import token_name
from pofx.units import count_noun

# The most spans that a browser lays out and moves through without delay.
LIMIT = 5000


def heat_html(scored: Scored, below: str = "", limit: int = LIMIT) -> str:
    """Return the text on shades of surprisal, every character once. Arrow keys, pointer and touch choose a token.

    The numbers of the tokens lie in a JSON script beside the text.

    Args:
        scored: The text.
        below: HTML that stands under the legend.
        limit: The most tokens that are shown; a note says how many more there are.
    """
    shown = pieces(scored, limit)
    stop = shown[-1].hi if shown else 0
    left_out = len(scored.tokens) - stop
    spans = [_span(p) for p in shown]
    ends = not left_out and len(scored.logp) > len(scored.tokens)
    if ends:
        step = heat.shade(-float(scored.logp[-1]))
        spans.append(f'<span class="eos h{step}">EOS</span>')
    note = (
        f'<p class="note">{count_noun(left_out, "more token")} of {with_commas(len(scored.tokens))} not shown here; '
        "the numbers are of all.</p>"
        if left_out
        else ""
    )
    return (
        '<div class="heat"><div class="tokens" dir="auto" translate="no">'
        f"{''.join(spans)}</div>"
        '<div class="detail" hidden></div>'
        f'<div class="under">{note}{legend_html()}</div>{below}'
        f'<script type="application/json">{script_json(_numbers(scored, shown, stop + ends))}</script></div>'
    )


def legend_html() -> str:
    """Return the heat scale, with its steps in nats."""
    steps = "".join(f'<li class="h{i}">{text(label)}</li>' for i, label in enumerate(heat.LABELS))
    return f'<div class="legend"><span>surprisal −log p, nats</span><ol>{steps}</ol></div>'


def script_json(value: Any) -> str:
    """A value as JSON for a script element. It holds no `<`, so no text can end the element by `</script>` or `<!--`."""
    packed = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _span(piece: Piece) -> str:
    step = heat.shade(piece.surprisal)
    # The style sheet draws the ⏎, so a text that is copied has its line ends and nothing else.
    inner = '<i class="nl">\n</i>'.join(text(line) for line in piece.data.split(b"\n"))
    return f'<span class="h{step}">{inner}</span>'


def _numbers(scored: Scored, shown: Sequence[Piece], stop: int) -> dict[str, Any]:
    """Return the numbers of tokens `0 … stop − 1` for page.js. −∞ is null, since JSON has no infinity."""
    names: dict[int, int] = {}

    def named(i: int) -> int:
        return names.setdefault(i, len(names))

    out: dict[str, Any] = {
        "token": [named(i) for i in token_ids(scored)[:stop]],
        "size": [p.hi - p.lo for p in shown] + [1] * (stop - (shown[-1].hi if shown else 0)),
        "logp": [_rounded(v) for v in scored.logp[:stop].tolist()],
        "outcomes": scored.vocab.size,
    }
    if scored.rank is not None:
        out["rank"] = scored.rank[:stop].tolist()
    if scored.entropy is not None:
        out["entropy"] = [_rounded(v) for v in scored.entropy[:stop].tolist()]
    if scored.top_ids is not None and scored.top_logp is not None:
        # Where the vocabulary is smaller than k, the places left over have p = 0; they are dropped.
        rows = list(zip(scored.top_ids[:stop].tolist(), scored.top_logp[:stop].tolist()))
        out["top"] = [[named(i) for i, v in zip(*row) if v > -math.inf] for row in rows]
        out["topLogp"] = [[_rounded(v) for v in values if v > -math.inf] for _, values in rows]
    out["names"] = [token_name(scored.vocab, i) for i in names]
    return out


def _rounded(x: float) -> float | None:
    return float(f"{x:.5g}") if math.isfinite(x) else None
