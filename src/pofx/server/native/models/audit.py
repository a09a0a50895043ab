"""`POST /v1/audit`: the x0 and EOS of a model, and the verdict on them that `pofx audit --pin` kept."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.errors import BadSource
from pofx.files.pins import find_pin
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer
from pofx.server.native.requests import AuditRequest
from pofx.server.table import ServedModel


async def audit_endpoint(request: Request) -> Response:
    """Answer one request. An audit takes minutes of a core, so none is made here."""
    app = request.app.state
    asked = await read_body(request, AuditRequest, app.settings)
    served = app.table.model(asked.model)
    return await answer(request, [], lambda: 0, lambda: audit_record(served), "model")


def audit_record(served: ServedModel) -> dict[str, Any]:
    """Return the x0 and EOS that the server scores with, and the kept verdict."""
    lm = served.lm
    kept, advice = None, list[str]()
    try:
        kept = find_pin(lm.fingerprint)
    except BadSource:
        # Its message names a file of the server.
        advice = ["make the verdict again: the file that keeps it is damaged (pofx audit --pin)"]
    pretrained = lm.fingerprint and lm.vocab.control.candidates  # others have the x0 of their fit
    if kept is None and not advice and pretrained:
        # The name that clients call the model by need not be one that -m takes, and a client learns no file of the server.
        advice = [
            "audit the served model where its files are, and keep the verdict: pofx audit -m MODEL --pin"
        ]
    return {
        "model": served.name,
        "verdict": None if kept is None else kept.verdict,
        "reason": None if kept is None else kept.reason,
        "begin": {"id": lm.begin.id, "text": lm.begin.text, "known": lm.begin.known, "note": lm.begin.note},
        "end": lm.vocab.end,
        "kept": None if kept is None else dataclasses.asdict(kept),
        "advice": advice,
    }
