"""The endpoints of a server: the shapes of request and answer, and the statuses of refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from pofx.server.completions.request import CompletionRequest
from pofx.server.description import (
    classifier_answers,
    continuation_answers,
    infill_answers,
    model_answers,
    openai_answers,
    row_answers,
    text_answers,
)
from pofx.server.native import requests
from pofx.server.native.models.distributions import DistributionsRequest
from pofx.server.rows.endpoint import BYTES
from pofx.server.tokens.endpoints import DetokenizeRequest, TokenizeRequest

# Protection, admission and shape. 422: the model has no answer to such a question.
_ASKED = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
_READ = (401, 403, 408)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint.

    Attributes:
        path: Its path.
        summary: The purpose of the endpoint.
        answer: The shape of its answer; or the media type of an answer that is no JSON.
        request: The shape of its request; the media type of a body that is no JSON; None for GET.
        refusals: The statuses of its refusals.
        names_model: The parameter that names a model: "model" in the query, "name" in the path, "" for none.
        of_clients: Whether the path also stands after /begin, /models/{served} and /models/{served}/begin.
        chunk: The shape of the data of server-sent events; None where the answer never comes as such.
        example: A request that each server answers.
        links: Links from the answer to further requests: a name, and the link as OpenAPI has it.
    """

    path: str
    summary: str
    answer: type[BaseModel] | str
    request: type[BaseModel] | str | None = None
    refusals: tuple[int, ...] = _ASKED
    names_model: Literal["", "model", "name"] = ""
    of_clients: bool = False
    chunk: type[BaseModel] | None = None
    example: dict[str, object] | None = None
    links: dict[str, dict[str, Any]] | None = None


ENDPOINTS = (
    Endpoint(
        "/v1/completions",
        "Log-probabilities of prompts and continuations, in OpenAI's legacy shape",
        openai_answers.CompletionAnswer,
        CompletionRequest,
        chunk=openai_answers.CompletionChunk,
        of_clients=True,
        example={"prompt": "the", "max_tokens": 1, "echo": True, "logprobs": 1},
    ),
    Endpoint(
        "/v1/score",
        "log p of texts, term by term",
        text_answers.ScoreAnswer,
        requests.ScoreRequest,
        example={"texts": ["cat"], "given": "the ", "rank": True, "entropy": True, "top": 2},
    ),
    Endpoint(
        "/v1/words",
        "The surprisal of each word",
        text_answers.WordsAnswer,
        requests.WordsRequest,
        example={"texts": ["cat"], "given": "the "},
    ),
    Endpoint(
        "/v1/next",
        "What may come next: words, characters, bytes or tokens",
        continuation_answers.NextAnswer,
        requests.NextRequest,
        example={"given": "the", "unit": "token", "k": 3},
    ),
    Endpoint(
        "/v1/sample",
        "Draws from the model, each with its log-probability",
        continuation_answers.SampleAnswer,
        requests.SampleRequest,
        chunk=continuation_answers.SampleEvent,
        example={"given": "the", "n": 2, "max_tokens": 4, "seed": 1},
        links={
            "scoreOfDraw": {
                "operationId": "v1_score",
                "requestBody": {"model": "$response.body#/model", "texts": ["$response.body#/draws/0/text"]},
            }
        },
    ),
    Endpoint(
        "/v1/infill",
        "What may stand in a gap, with weights",
        infill_answers.InfillAnswer,
        requests.InfillRequest,
        example={"given": "the", "suffix": "t", "n": 8, "max_tokens": 4, "open": True},
    ),
    Endpoint(
        "/v1/classify",
        "P(label | text) of a served classifier",
        classifier_answers.ClassifyAnswer,
        requests.ClassifyRequest,
    ),
    Endpoint(
        "/v1/classifiers",
        "The classifiers, with their labels and priors",
        classifier_answers.ClassifiersAnswer,
        refusals=_READ,
    ),
    Endpoint(
        "/v1/rows",
        "The columns of a file of Parquet; nothing is stored",
        row_answers.RowsAnswer,
        BYTES,
        refusals=(400, 401, 403, 408, 413, 415, 422, 429, 503),
    ),
    Endpoint(
        "/v1/posterior",
        "Which of the served models a text is from",
        text_answers.PosteriorAnswer,
        requests.PosteriorRequest,
    ),
    Endpoint(
        "/v1/audit",
        "The kept verdict of an audit, and the x0 and EOS of a model",
        model_answers.AuditAnswer,
        requests.AuditRequest,
        example={},
    ),
    Endpoint(
        "/v1/begins",
        "A text after each candidate for x0, and after none",
        model_answers.BeginsAnswer,
        requests.BeginsRequest,
        example={"text": "the cat"},
    ),
    Endpoint(
        "/v1/tree",
        "The likeliest continuations as a tree, with the probabilities of their paths",
        continuation_answers.TreeAnswer,
        requests.TreeRequest,
        example={"given": "the", "k": 2, "depth": 2},
    ),
    Endpoint(
        "/v1/distributions",
        "Whole next-token distributions after prefixes of ids",
        model_answers.DistributionsAnswer,
        DistributionsRequest,
        example={"prefixes": [[0]]},
    ),
    Endpoint(
        "/v1/vocabulary",
        "What each id spells",
        model_answers.VocabularyAnswer,
        refusals=(*_READ, 404, 503),
        names_model="model",
    ),
    Endpoint(
        "/v1/models",
        "The models",
        openai_answers.ModelsAnswer,
        refusals=_READ,
        of_clients=True,
        links={
            "firstModel": {
                "operationId": "v1_models_name",
                "parameters": {"name": "$response.body#/data/0/id"},
            }
        },
    ),
    Endpoint(
        "/v1/models/{name}",
        "A model",
        openai_answers.ServedModelInfo,
        refusals=(*_READ, 404),
        names_model="name",
        of_clients=True,
    ),
    Endpoint(
        "/tokenize",
        "The ids of a text",
        openai_answers.TokenizeAnswer,
        TokenizeRequest,
        of_clients=True,
        example={"prompt": "the"},
        links={
            "textOfIds": {
                "operationId": "detokenize",
                "requestBody": {"model": "$request.body#/model", "tokens": "$response.body#/tokens"},
            }
        },
    ),
    Endpoint(
        "/detokenize",
        "The text of ids",
        openai_answers.DetokenizeAnswer,
        DetokenizeRequest,
        of_clients=True,
        example={"tokens": [0]},
    ),
    Endpoint(
        "/tokenizer_info",
        "The names of x0 and EOS",
        openai_answers.TokenizerInfo,
        refusals=(*_READ, 404),
        names_model="model",
        of_clients=True,
    ),
    Endpoint("/health", "Whether the process lives", openai_answers.HealthAnswer, refusals=(403, 408)),
    Endpoint(
        "/ready",
        "Whether each model still gives the numbers of the start",
        openai_answers.ReadyAnswer,
        refusals=(*_READ, 429, 503),
    ),
    Endpoint("/metrics", "Numbers of the server, as Prometheus reads them", "text/plain", refusals=_READ),
    Endpoint("/openapi.json", "This description", "application/json", refusals=(*_READ, 503)),
)
