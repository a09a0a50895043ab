"""`POST /v1/posterior`: which of the served models a text is from, as `pofx posterior --json` gives it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.posterior import posterior
from pofx.report.json_records import posterior_record
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import PosteriorRequest
from pofx.server.native.texts.each_text import records_of_each
from pofx.server.table import ServedModel
from pofx.transforms.mixture import mixture, same_vocab


async def posterior_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, PosteriorRequest, app.settings)
    models: list[ServedModel] = (
        [m for m in app.table if is_complete(m)]
        if asked.models is None
        else [app.table.model(name) for name in asked.models]
    )
    _check(asked, models)
    names, lms = [m.name for m in models], [m.lm for m in models]
    one_vocab = all(same_vocab(lm, lms[0]) for lm in lms)

    def count() -> int:
        if one_vocab:
            return len(lms) * count_tokens(lms[0], asked.texts)
        # As models of bytes, of which a model of tokens reads up to `beam` histories at each byte.
        histories = sum(1 if lm.vocab.unambiguous else asked.beam for lm in lms)
        return histories * sum(1 + len(t.encode()) for t in asked.texts)

    def work() -> dict[str, Any]:
        both = mixture(lms, asked.weights, None if one_vocab else asked.beam)
        found = records_of_each(
            asked.texts,
            [""] * len(asked.texts),
            lambda texts, _: posterior(both, texts),
            lambda record: posterior_record(record, names),
        )
        return {"models": names, "posteriors": found}

    return await answer(request, asked.texts, count, work)


def is_complete(served: ServedModel) -> bool:
    """Return whether a model has x0 and EOS, so that it can be compared with every other such model."""
    return served.lm.begin.known != "none" and served.lm.vocab.end is not None


def _check(asked: PosteriorRequest, models: list[ServedModel]) -> None:
    if len(models) < 2:
        raise RequestError(
            422,
            "one_model",
            f"models: expected at least two served models with x0 and EOS, got {len(models)}",
            "models",
            ("start the server with more models: pofx serve -m MODEL -m MODEL",),
        )
    without = [m.name for m in models if m.lm.begin.known == "none"]
    if without:
        raise RequestError(
            422,
            "no-bos",
            f"models: expected models with x0, got {', '.join(without)}, whose texts have no p(x1)",
            "models",
            ("name models with x0",),
        )
    if asked.weights is not None and len(asked.weights) != len(models):
        raise RequestError(
            400,
            "invalid_value",
            f"weights: expected a weight for each of {len(models)} models, got {len(asked.weights)}",
            "weights",
        )
