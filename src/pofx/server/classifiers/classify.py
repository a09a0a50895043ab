"""`POST /v1/classify`: P(label | text), as `pofx classify predict --all-classes --json` gives it, and its arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.classification.joint import Joint
from pofx.jobs.class_rows import Classified, ClassRows
from pofx.server.classifiers.served import ServedClassifier
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import ClassifyRequest
from pofx.server.native.texts.each_text import records_of_each


async def classify_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, ClassifyRequest, app.settings)
    served = app.classifiers.classifier(asked.classifier)
    rows = _rows(served, asked)
    joint = rows.joint

    def count() -> int:
        if joint.given is None:
            return sum(count_tokens(lm, asked.texts) for lm in joint.lms)
        prefixes = [g if isinstance(g, str) else g.decode("utf-8", "replace") for g in joint.given]
        each = count_tokens(joint.lms[0], asked.texts)
        return len(prefixes) * each + len(asked.texts) * count_tokens(joint.lms[0], prefixes)

    def work() -> dict[str, Any]:
        found = records_of_each(
            asked.texts,
            [""] * len(asked.texts),
            lambda texts, _: list(zip(texts, rows.classify(texts))),
            lambda pair: _record(rows, *pair),
        )
        return {"classifier": served.name, "power": joint.power, "posteriors": found}

    return await answer(request, asked.texts, count, work)


def _rows(served: ServedClassifier, asked: ClassifyRequest) -> ClassRows:
    """Return the query of the verb.

    log p(text) depends on the prior, so held-out texts under the prior of the training say nothing about another prior.
    """
    if asked.reject is not None and asked.prior is not None:
        raise RequestError(
            400,
            "invalid_value",
            "reject: expected no value beside prior, got both",
            "reject",
            ("leave one of the two out",),
        )
    if asked.reject is not None and served.rejection is None:
        raise RequestError(
            422,
            "no_rejection",
            f"reject: expected a classifier that was trained with documents held out, got {served.name} without",
            "reject",
            ("train it with --held-out 0.1",),
        )
    joint = (
        served.joint if asked.prior is None else served.joint.with_prior(_prior(served.joint, asked.prior))
    )
    reference = served.rejection if asked.prior is None else None
    return ClassRows(joint, reference, asked.reject, all_classes=True)


def _prior(joint: Joint, prior: str | dict[str, float]) -> Any:
    """Return a prior as `Joint.with_prior` takes it; JSON names a class by the text of its label."""
    if isinstance(prior, str):
        return prior
    named = {str(label): label for label in joint.classes}
    return {named.get(label, label): weight for label, weight in prior.items()}


def _record(rows: ClassRows, text: str | bytes, found: Classified) -> dict[str, Any]:
    return {"text": text, **rows.record(found), "classes": _arithmetic(rows.joint, found)}


def _arithmetic(joint: Joint, found: Classified) -> Sequence[dict[str, Any]]:
    return [
        {
            "label": label,
            "prior_nats": float(joint.log_prior[c]),
            "likelihood_nats": float(found.log_likelihood[c]),
            "posterior_nats": float(found.log_p[c]),
            "posterior": math.exp(found.log_p[c]),
        }
        for c, label in enumerate(joint.classes)
    ]
