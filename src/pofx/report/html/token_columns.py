"""The tokens of a text as columns, since a page holds 100,000 tokens, and a record for each takes four times the room."""

from __future__ import annotations

import math
from typing import Any

from pofx.queries.scoring.score import Scored
from pofx.report.chain import token_ids
from pofx.report.json_records import spelled

# The most tokens of a text whose likeliest alternatives stand in a page. All tokens have their numbers in the page.
WITH_ALTERNATIVES = 20_000


def token_columns(scored: Scored) -> dict[str, Any]:
    """Return the list `tokens` of `scored_record` as columns, of which `web/src/offline/tokens.ts` makes a list again.

    `names` has each distinct token once: its id, its name, and its bytes in base64. `token` and `top` count in `names`.
    log p is exact, so that its sum is the total to the digit. Entropies and log p of alternatives have 7 digits.

    Args:
        scored: The text.
    """
    names: dict[int, int] = {}

    def named(i: int) -> int:
        return names.setdefault(i, len(names))

    n, bytes_in_all = len(scored.tokens), scored.terms.bytes
    out: dict[str, Any] = {
        "token": [named(i) for i in token_ids(scored)],
        "start": [int(a) for a, _ in scored.spans] + [bytes_in_all] * (len(scored.logp) - n),
        "end": [int(b) for _, b in scored.spans] + [bytes_in_all] * (len(scored.logp) - n),
        "nats": scored.logp.tolist(),
        "seen": scored.seen.tolist(),
    }
    if scored.rank is not None:
        out["rank"] = scored.rank.tolist()
    if scored.entropy is not None:
        out["entropy"] = [_rounded(v) for v in scored.entropy.tolist()]
    if scored.top_ids is not None and scored.top_logp is not None:
        rows = list(
            zip(scored.top_ids[:WITH_ALTERNATIVES].tolist(), scored.top_logp[:WITH_ALTERNATIVES].tolist())
        )
        # Where the vocabulary is smaller than k, the places left over have p = 0; they are dropped.
        out["top"] = [[named(i) for i, v in zip(*row) if v > -math.inf] for row in rows]
        out["top_nats"] = [[_rounded(v) for v in values if v > -math.inf] for _, values in rows]
    vocab = scored.vocab
    out["names"] = [[i, vocab.show(i), spelled(vocab, i)] for i in names]
    return out


def _rounded(x: float) -> float:
    return float(f"{x:.7g}")
