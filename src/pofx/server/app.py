"""The application: which path is answered by which function."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pofx.errors import PofxError
from pofx.lm.model import LM
from pofx.server.completions.endpoint import completions
from pofx.server.errors import RequestError, failure, refusal
from pofx.server.native.distributions import distributions_endpoint
from pofx.server.native.score import score_endpoint
from pofx.server.native.vocabulary import vocabulary_endpoint
from pofx.server.settings import Settings
from pofx.server.table import Table
from pofx.server.tokens import detokenize, tokenize, tokenizer_info
from pofx.server.wire import json_response
from pofx.server.work import Desk


def make_app(models: Sequence[tuple[str, LM]], settings: Settings = Settings()) -> Starlette:
    """The application of a server.

    Args:
        models: Each name and its model, as `pofx.load` gives it.
        settings: The limits.
    """
    routes = [
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/score", score_endpoint, methods=["POST"]),
        Route("/v1/distributions", distributions_endpoint, methods=["POST"]),
        Route("/v1/vocabulary", vocabulary_endpoint),
        Route("/v1/models", list_models),
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/detokenize", detokenize, methods=["POST"]),
        Route("/tokenizer_info", tokenizer_info),
        Route("/health", health),
    ]
    app = Starlette(routes=routes, exception_handlers={RequestError: _refused, PofxError: _failed})
    desk = Desk(settings.queue, settings.workers)
    app.state.settings, app.state.desk = settings, desk
    app.state.table = Table(models, settings.deterministic, lambda: desk.preparing)
    return app


async def list_models(request: Request) -> Response:
    """The models, as OpenAI lists them."""
    data = [
        {
            "id": m.name,
            "object": "model",
            "created": m.created,
            "owned_by": "pofx",
            "max_model_len": m.lm.context,
        }
        for m in request.app.state.table
    ]
    return json_response({"object": "list", "data": data})


async def health(request: Request) -> Response:
    """The process answers; `/ready` says whether its models do."""
    return json_response({"status": "ok"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101  (ours: registered for this class)
    return refusal(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PofxError)  # noqa: S101  (ours: registered for this class)
    return failure(error)
