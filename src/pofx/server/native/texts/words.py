"""`POST /v1/words`: the surprisal of each word, as `pofx words --json` gives it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.segmentation.word_rule import WordRule
from pofx.queries.words.boundaries import BoundaryTokens
from pofx.queries.words.words import read_words
from pofx.report.json_records import words_record
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import WordsRequest
from pofx.server.native.texts.each_text import prefix_of_each, records_of_each


async def words_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, WordsRequest, app.settings)
    served = app.table.model(asked.model)
    givens = prefix_of_each(asked.given, len(asked.texts))
    every = [*asked.texts, *dict.fromkeys(givens)]

    def work() -> dict[str, Any]:
        boundaries = BoundaryTokens(served.lm.vocab, WordRule(asked.unit, asked.punctuation))
        found = records_of_each(
            asked.texts,
            givens,
            lambda texts, given: read_words(served.lm, boundaries, texts, given),
            words_record,
        )
        return {"model": served.name, "texts": found}

    return await answer(request, every, lambda: count_tokens(served.lm, every), work)
