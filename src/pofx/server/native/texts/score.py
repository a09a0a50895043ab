"""`POST /v1/score`: log p of texts, term by term, as `pofx score --json` gives it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.trace import Want
from pofx.queries.scoring.score import Scored, score
from pofx.report.json_records import scored_record
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_listed
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import ScoreRequest
from pofx.server.native.texts.each_text import prefix_of_each, records_of_each

# How many tokens a byte counts for where all its spellings are read. A random checkpoint of 64 tokens of context took 80 ms
# a byte for them, and 0.1 ms for one spelling; with this number a request has at most 4 kB.
EXACT = 32


async def score_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, ScoreRequest, app.settings)
    served = app.table.model(asked.model)
    givens = prefix_of_each(asked.given, len(asked.texts))
    every = [*asked.texts, *dict.fromkeys(givens)]
    want = Want(entropy=asked.entropy, rank=asked.rank, top=asked.top)

    def count() -> int:
        tokens = count_tokens(served.lm, every)
        if asked.boundary == "exact" and not served.lm.vocab.unambiguous:
            tokens = EXACT * sum(1 + len(t.encode()) for t in every)
        check_listed("top", asked.top, tokens)
        return tokens

    def record(scored: Scored) -> dict[str, Any]:
        return scored_record(
            scored.without_end() if asked.prefix else scored, asked.tokens, asked.tokens and asked.top > 0
        )

    def work() -> dict[str, Any]:
        found = records_of_each(
            asked.texts,
            givens,
            lambda texts, given: score(served.lm, texts, given, want, asked.boundary),
            record,
        )
        return {"model": served.name, "scores": found}

    return await answer(request, every, count, work)
