"""The answer to a native request: the request is admitted by its tokens, then computed and written in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.errors import PofxError
from pofx.lm.model import LM
from pofx.server.incoming.limits import check_bytes, check_tokens
from pofx.server.incoming.wire import json_bytes
from pofx.server.native.wire_record import wire_record


async def answer(
    request: Request,
    texts: Sequence[str],
    count: Callable[[], int],
    work: Callable[[], dict[str, Any]],
    param: str = "texts",
    field: str | None = None,
) -> Response:
    """Admit a request, and answer with the record of its work.

    Args:
        request: The request.
        texts: Its texts and prefixes.
        count: A function that tokenises the texts, and returns how many tokens the work reads or draws.
        work: A function that returns the answer, a record of plain values.
        param: The field that a refusal of too many tokens names.
        field: The field that a refusal of too many bytes names; None for `param`.

    Raises:
        RequestError: The request has too many bytes or tokens, or the queue is full.
        PofxError: The request has no answer.
    """
    app = request.app.state
    bound = check_bytes(field or param, texts, app.settings)
    with app.desk.admitted(bound) as seat:
        tokens = await app.desk.tokenise(request, count, bound)
        check_tokens(param, tokens, app.settings)
        seat.resize(tokens)
        body = await app.desk.run(request, lambda: json_bytes(wire_record(work())))
    return Response(body, media_type="application/json")


def count_tokens(lm: LM, texts: Iterable[str]) -> int:
    """Return how many tokens texts have, each with an EOS; a text that cannot be spelled counts as its EOS alone."""
    return sum(1 + _length(lm, text) for text in texts)


def _length(lm: LM, text: str) -> int:
    try:
        return len(lm.vocab.encode_array(lm.vocab.read(text)[0]))
    except PofxError:  # stands at the place of the text in the answer
        return 0
