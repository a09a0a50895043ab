"""The paths that evaluation clients know, for all models together and under an address for each model.

A client that names no model when it tokenises, such as lm-eval, asks the first model. So each model has an address of
its own, `/models/NAME`, to which the client appends its paths. Under `/begin`, and `/models/NAME/begin`, x0 stands
before every prompt of ids that does not begin with it, for clients that send ids and never x0.
"""

from __future__ import annotations

from functools import partial

from starlette.routing import Mount, Route

from pofx.server.completions.endpoint import completions
from pofx.server.models import find_model, list_models
from pofx.server.tokens.endpoints import detokenize, tokenize, tokenizer_info


def client_routes() -> list[Route | Mount]:
    """Return the routes of OpenAI's clients and of lm-eval, for all models together and for each model."""
    return [
        *_paths(False),
        Mount("/begin", routes=_paths(True)),
        Mount("/models/{served}/begin", routes=_paths(True)),
        Mount("/models/{served}", routes=_paths(False)),
    ]


def _paths(begin: bool) -> list[Route | Mount]:
    return [
        Route("/v1/completions", partial(completions, begin=begin), methods=["POST"]),
        Route("/v1/models", list_models),
        Route("/v1/models/{name:path}", find_model),
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/detokenize", detokenize, methods=["POST"]),
        Route("/tokenizer_info", tokenizer_info),
    ]
