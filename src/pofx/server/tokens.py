"""`/tokenize`, `/detokenize` and `/tokenizer_info`, as evaluation clients ask them."""

from __future__ import annotations

from pydantic import BaseModel, StrictBool, StrictInt, StrictStr
from starlette.requests import Request
from starlette.responses import Response

from pofx.server.json_body import read_body
from pofx.server.table import ServedModel
from pofx.server.wire import json_response


class TokenizeRequest(BaseModel):
    """The request of `POST /tokenize`."""

    model: StrictStr | None = None
    prompt: StrictStr
    add_special_tokens: StrictBool = True


class DetokenizeRequest(BaseModel):
    """The request of `POST /detokenize`."""

    model: StrictStr | None = None
    tokens: list[StrictInt]


async def tokenize(request: Request) -> Response:
    """The ids of a text; the name of x0 or EOS alone is that one id."""
    app = request.app.state
    asked = await read_body(request, TokenizeRequest, app.settings)
    served = app.table.model(asked.model)
    special = special_tokens(served)
    if asked.prompt in special:
        ids = [special[asked.prompt]]
    else:
        ids = await app.desk.run(request, lambda: list(map(int, served.lm.vocab.encode(asked.prompt))))
        first = served.lm.begin.id
        ids = [first, *ids] if asked.add_special_tokens and first is not None else ids
    return json_response({"tokens": ids, "count": len(ids), "max_model_len": served.lm.context})


async def detokenize(request: Request) -> Response:
    """The text of ids; x0 and EOS spell nothing."""
    app = request.app.state
    asked = await read_body(request, DetokenizeRequest, app.settings)
    vocab = app.table.model(asked.model).lm.vocab
    spelled = [i for i in asked.tokens if 0 <= i < vocab.size]
    return json_response({"prompt": vocab.decode(spelled).decode("utf-8", "replace")})


async def tokenizer_info(request: Request) -> Response:
    """The names of x0 and EOS."""
    served = request.app.state.table.model(request.query_params.get("model"))
    begin = served.lm.begin
    return json_response(
        {
            "bos_token": begin.text or "<s>" if begin.known != "none" else None,
            "eos_token": _end_name(served),
            "pad_token": None,
            "chat_template": None,
        }
    )


def special_tokens(served: ServedModel) -> dict[str, int]:
    """The names of x0 and EOS, and their ids."""
    begin, end = served.lm.begin, served.lm.vocab.end
    out = {} if end is None else {_end_name(served) or "</s>": end}
    return out if begin.id is None else {**out, begin.text or "<s>": begin.id}


def _end_name(served: ServedModel) -> str | None:
    end = served.lm.vocab.end
    if end is None:
        return None
    named = next((name for name, i in served.lm.vocab.control.names.items() if i == end), None)
    return named or "</s>"
