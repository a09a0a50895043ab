"""`GET /v1/classifiers`: the classifiers of a server, with the labels and priors of each."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.classifiers.served import ServedClassifier
from pofx.server.incoming.wire import json_response
from pofx.server.native.wire_record import wire_record


async def classifiers_endpoint(request: Request) -> Response:
    """Answer one request."""
    found = [_record(c) for c in request.app.state.classifiers]
    return json_response(wire_record({"classifiers": found}))


def _record(served: ServedClassifier) -> dict[str, Any]:
    joint = served.joint
    return {
        "classifier": served.name,
        "classes": [
            {
                "label": label,
                "documents": float(joint.count[c]),
                "prior_nats": float(joint.log_prior[c]),
                "prior": math.exp(joint.log_prior[c]),
            }
            for c, label in enumerate(joint.classes)
        ],
        "models": len(joint.lms),
        "power": joint.power,
        "held_out": 0 if served.rejection is None else len(served.rejection.held_out),
    }
