"""`POST /v1/score`: log p of texts, term by term, as `pofx score --json` gives it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool, StrictStr
from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.trace import Want
from pofx.queries.scoring.score import score
from pofx.report.json_records import plain, scored_record
from pofx.server.json_body import read_body
from pofx.server.wire import json_response


class ScoreRequest(BaseModel):
    """The request of `POST /v1/score`.

    Attributes:
        model: The name of a model; None for the first one.
        texts: The texts.
        given: The prefix of all texts.
        boundary: How the prefix and a text join.
        entropy: Whether the entropy of each next-token distribution is reported.
        rank: Whether the rank of each token is reported.
    """

    model: StrictStr | None = None
    texts: Annotated[list[StrictStr], Field(min_length=1, max_length=256)]
    given: StrictStr = ""
    boundary: Literal["auto", "token", "exact", "error"] = "auto"
    entropy: StrictBool = False
    rank: StrictBool = False


async def score_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, ScoreRequest, app.settings)
    served = app.table.model(asked.model)
    want = Want(entropy=asked.entropy, rank=asked.rank)
    cost = len(asked.given) + sum(map(len, asked.texts))
    with app.desk.admitted(cost):
        found = await app.desk.run(
            request, lambda: score(served.lm, asked.texts, asked.given, want, asked.boundary)
        )
    return json_response(
        {"model": served.name, "scores": [plain(scored_record(s, tokens=True)) for s in found]}
    )
