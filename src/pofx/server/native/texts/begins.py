"""`POST /v1/begins`: one text after each candidate for x0, and after none."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.audit.begin.candidates import candidates_for
from pofx.queries.audit.begin.one_text import TextAfter, text_after_each
from pofx.report.json_records import scored_record
from pofx.server.incoming.errors import failure_record
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import BeginsRequest


async def begins_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, BeginsRequest, app.settings)
    served = app.table.model(asked.model)

    def count() -> int:
        rows = 1 if served.bare is None else len(candidates_for(served.bare, served.lm.begin))
        return rows * count_tokens(served.lm, [asked.text])

    def work() -> dict[str, Any]:
        rows = text_after_each(served.lm, served.bare, asked.text)
        return {"model": served.name, "text": asked.text, "begins": [begin_record(row) for row in rows]}

    return await answer(request, [asked.text], count, work, "text")


def begin_record(row: TextAfter) -> dict[str, Any]:
    """Return the record of one candidate: the first term, the sum of the other terms, and the total, or an error."""
    out: dict[str, Any] = {"name": row.name, "id": row.id, "role": row.role, "current": row.current}
    if row.scored is None:
        assert row.error is not None  # noqa: S101  (ours: a row has a score or an error)
        return {**out, "rest_nats": row.rest, "error": failure_record(row.error)}
    record = scored_record(row.scored, tokens=True)
    total = record["total_nats"]
    return {
        **out,
        "first_nats": float(row.scored.logp[0]) if len(row.scored.logp) else None,
        "rest_nats": row.rest,
        "total_nats": total,
        "prefix_nats": record["prefix_nats"],
        "first": record["tokens"][0]["token"] if record["tokens"] else None,
        "terms": record["terms"],
    }
