"""`POST /v1/infill`: what may stand in a gap, with weights and ESS, as `pofx infill --json` gives it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.model import LM
from pofx.queries.conditioning.infill import infill
from pofx.queries.scoring.terms import terms
from pofx.report.json_records import conditioned_record
from pofx.server.batching.arrivals import arrived
from pofx.server.batching.shared import SharedLM
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import InfillRequest

# The most numbers of the next-token distributions of all draws at a time: 128 MB as float64.
NUMBERS = 1 << 24


async def infill_endpoint(request: Request) -> Response:
    """Answer one request, in which each draw counts as the tokens of a middle and the tokens of the suffix."""
    app = request.app.state
    asked = await read_body(request, InfillRequest, app.settings)
    served = app.table.model(asked.model)
    lm, most = served.lm, max(NUMBERS // served.lm.vocab.size, 8)
    if asked.n > most:
        raise RequestError(
            413,
            "too_large",
            f"n: expected at most {most} draws of a model of {lm.vocab.size} tokens, got {asked.n}",
            "n",
            ("ask for fewer draws",),
        )

    def work() -> dict[str, Any]:
        arrived()
        found = infill(
            _without_turns(lm),
            asked.given,
            asked.suffix,
            n=max(asked.n, asked.runs),
            boundary=asked.boundary,
            ends=not asked.open,
            max_tokens=asked.max_tokens,
            runs=asked.runs,
            seed=asked.seed,
        )
        return {
            **conditioned_record(found),
            "model": served.name,
            "terms": asdict(terms(lm, 0, 0, 0, end=False)),
        }

    def count() -> int:
        each = asked.max_tokens + count_tokens(lm, [asked.suffix])
        return count_tokens(lm, [asked.given]) + asked.n * each

    async with app.infills:
        return await answer(request, [asked.given, asked.suffix], count, work, "n", "given")


def _without_turns(lm: LM) -> LM:
    """Return the model without turns if a token costs next to nothing, as with an n-gram; else the model as it is.

    An exact answer reads a few of the distributions after 100,000 prefixes, and a turn would compute all of them: 274 s
    instead of 12 s for an n-gram of 200 proverbs and a gap of 8 bytes.
    """
    return lm.lm if isinstance(lm, SharedLM) and not lm.work else lm
