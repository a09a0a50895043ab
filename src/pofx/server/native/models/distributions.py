"""`POST /v1/distributions`: whole next-token distributions after prefixes of ids, for a client that is an LM itself."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StrictStr
from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.model import LM
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_count, check_ids, check_tokens
from pofx.server.incoming.stated import Ids
from pofx.server.incoming.wire import json_bytes
from pofx.server.settings import PROMPTS

# The most numbers of one answer: 22 characters each at most, 44 MB of JSON.
NUMBERS = 2_000_000


class DistributionsRequest(BaseModel):
    """The request of `POST /v1/distributions`.

    Attributes:
        model: The name of a model; null for the first one.
        prefixes: The ids of each prefix, without x0, which stands before every prefix. An answer has at most 2,000,000
            numbers, so there are at most so many prefixes divided by the number of tokens of the vocabulary.
    """

    model_config = ConfigDict(extra="forbid")

    model: StrictStr | None = None
    prefixes: Annotated[list[Ids], Field(min_length=1, max_length=PROMPTS)]


async def distributions_endpoint(request: Request) -> Response:
    """Answer one request: log p of every token after each prefix, nats; null is log 0."""
    app = request.app.state
    asked = await read_body(request, DistributionsRequest, app.settings)
    served = app.table.model(asked.model)
    size, n = served.lm.vocab.size, len(asked.prefixes)
    check_count("prefixes", n, app.settings)
    tokens = sum(len(prefix) + 1 for prefix in asked.prefixes)
    check_tokens("prefixes", tokens, app.settings)  # before the ids, of which a body may hold four million
    for k, prefix in enumerate(asked.prefixes):
        check_ids(f"prefixes.{k}", prefix, size)
    if n > 1 and n * size > NUMBERS:
        raise RequestError(
            413,
            "too_large",
            f"prefixes: expected at most {max(NUMBERS // size, 1)} prefixes of a model of {size} tokens, got {n}",
            "prefixes",
            ("split the request",),
        )

    def work() -> bytes:
        return json_bytes(_record(served.name, whole_distributions(served.lm, asked.prefixes)))

    with app.desk.admitted(tokens):
        body = await app.desk.run(request, work)
    return Response(body, media_type="application/json")


def whole_distributions(lm: LM, prefixes: list[list[int]]) -> NDArray[np.float64]:
    """Log p of every token after each prefix, `[n, V]` nats; prefixes of one length are read together."""
    out = np.empty((len(prefixes), lm.vocab.size))
    sizes = np.array([len(prefix) for prefix in prefixes])
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        state = lm.start(len(rows))
        if size:
            state = lm.extend(state, np.array([prefixes[i] for i in rows], dtype=np.int64))
        out[rows] = state.logp
    return out


def _record(name: str, rows: NDArray[np.float64]) -> dict[str, Any]:
    if np.isfinite(rows).all():
        return {"model": name, "distributions": rows}
    cells = [[x if np.isfinite(x) else None for x in row.tolist()] for row in rows]
    return {"model": name, "distributions": cells}
