"""`GET /v1/vocabulary`: the properties of a model, and the bytes that each of its ids spells."""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.wire import json_bytes
from pofx.server.table import ServedModel


async def vocabulary_endpoint(request: Request) -> Response:
    """Answer one request; the model is named by the parameter `model` of the address."""
    app = request.app.state
    served = app.table.model(request.query_params.get("model"))
    # Written in a thread: 250,000 tokens have 4 MB of JSON.
    body = await app.desk.tokenise(request, lambda: json_bytes(vocabulary_record(served)))
    return Response(body, media_type="application/json")


def vocabulary_record(served: ServedModel) -> dict[str, Any]:
    """Return the vocabulary of a model: for each id the base64 of its bytes, and null for a control token."""
    lm = served.lm
    return {
        "model": served.name,
        "size": lm.vocab.size,
        "begin": {"known": lm.begin.known, "text": lm.begin.text, "id": lm.begin.id, "note": lm.begin.note},
        "end": lm.vocab.end,
        "control": {name: i for name, i in lm.vocab.control.names.items() if i < lm.vocab.size},
        "tokens": [None if b is None else base64.b64encode(b).decode() for b in lm.vocab.token_bytes],
        "context": lm.context,
        "beyond": lm.window.beyond,
        "dtype": lm.dtype,
        "positive": lm.positive,
        "fingerprint": lm.fingerprint,
    }
