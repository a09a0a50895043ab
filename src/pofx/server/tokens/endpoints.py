"""`/tokenize`, `/detokenize` and `/tokenizer_info`, as evaluation clients ask them."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool, StrictStr
from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_texts
from pofx.server.incoming.stated import Text, TokenId
from pofx.server.incoming.wire import json_bytes, json_response
from pofx.server.settings import TOKENS
from pofx.server.table import ServedModel
from pofx.server.tokens.special import begin_id, begin_name, end_name, special_ids
from pofx.server.tokens.strings import TokenStrings


class TokenizeRequest(BaseModel):
    """The request of `POST /tokenize`.

    Attributes:
        model: The name of a model; None for the first one.
        prompt: A text. A text that is the name of x0 or of EOS is that id; within a longer text such a name is text.
        add_special_tokens: Whether x0 stands first in the answer.
        return_token_strs: Whether the answer names each token.
    """

    model: StrictStr | None = None
    prompt: Text
    add_special_tokens: StrictBool = True
    return_token_strs: StrictBool | None = None


class DetokenizeRequest(BaseModel):
    """The request of `POST /detokenize`.

    Attributes:
        model: The name of a model; None for the first one.
        tokens: Token ids; x0 and EOS spell nothing.
    """

    model: StrictStr | None = None
    tokens: Annotated[list[TokenId], Field(max_length=2 * TOKENS)]


async def tokenize(request: Request) -> Response:
    """Answer with the ids of a text."""
    app = request.app.state
    asked = await read_body(request, TokenizeRequest, app.settings)
    served = app.table.asked_for(request, asked.model)
    bound = check_texts("prompt", [asked.prompt], app.settings)
    # The answer is written in the thread as well: 1 MB of text has 8 MB of JSON.
    body = await app.desk.tokenise(request, lambda: json_bytes(_tokenized(served, asked)), bound)
    return Response(body, media_type="application/json")


def _tokenized(served: ServedModel, asked: TokenizeRequest) -> dict[str, Any]:
    ids = _ids(served, asked.prompt, asked.add_special_tokens)
    answer = {"tokens": ids, "count": len(ids), "max_model_len": served.lm.context}
    if asked.return_token_strs:
        strings = TokenStrings(served)
        answer["token_strs"] = [strings.plain(i) for i in ids]
    return answer


def _ids(served: ServedModel, text: str, add_special_tokens: bool) -> list[int]:
    special = special_ids(served)
    if text in special:
        return [special[text]]
    ids = served.encode(text)
    first = begin_id(served)
    return [first, *ids] if add_special_tokens and first is not None else ids


async def detokenize(request: Request) -> Response:
    """Answer with the text of ids, and its bytes in base64, since bytes that are not UTF-8 are U+FFFD in the text."""
    app = request.app.state
    asked = await read_body(request, DetokenizeRequest, app.settings)
    served = app.table.asked_for(request, asked.model)
    body = await app.desk.tokenise(
        request, lambda: json_bytes(_detokenized(served, asked.tokens)), len(asked.tokens)
    )
    return Response(body, media_type="application/json")


def _detokenized(served: ServedModel, ids: list[int]) -> dict[str, Any]:
    vocab, first = served.lm.vocab, begin_id(served)
    check_ids(served, ids, "tokens")
    spelled = vocab.decode([i for i in ids if i != first or i < vocab.size])
    return {"prompt": spelled.decode("utf-8", "replace"), "bytes": b64encode(spelled).decode("ascii")}


async def tokenizer_info(request: Request) -> Response:
    """Answer with the names and ids of x0 and EOS, and the sizes of vocabulary and context."""
    served = request.app.state.table.asked_for(request, request.query_params.get("model"))
    return json_response(
        {
            "bos_token": begin_name(served),
            "eos_token": end_name(served),
            "pad_token": None,
            "chat_template": None,
            "bos_token_id": begin_id(served),
            "eos_token_id": served.lm.vocab.end,
            "vocab_size": served.lm.vocab.size,
            "max_model_len": served.lm.context,
        }
    )


def check_ids(served: ServedModel, ids: list[int], param: str) -> None:
    """Refuse ids that are neither outcomes of the model nor x0.

    Raises:
        RequestError: 400, with the place of the first such id.
    """
    size, first = served.lm.vocab.size, begin_id(served)
    at = next((k for k, i in enumerate(ids) if not 0 <= i < size and i != first), None)
    if at is not None:
        x0 = f", or {first} (x0)" if first is not None and first >= size else ""
        raise RequestError(
            400,
            "invalid_token",
            f"{param}: expected ids from 0 to {size - 1}{x0}, got {ids[at]} at index {at}",
            param,
            ("take the ids that /tokenize answers",),
        )
