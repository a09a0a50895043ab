"""A model of a server: an LM where the server shows whole next-token distributions, else a scorer."""

from __future__ import annotations

import weakref

from pofx.errors import BadSource, BadValue
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.scorer import Scorer
from pofx.models.outside.completions import Completions
from pofx.models.outside.http_client import ServerClient
from pofx.models.outside.native_lm import native_lm
from pofx.models.outside.served_lm import served_lm
from pofx.models.outside.served_scorer import served_scorer
from pofx.models.outside.server_tokens import ServerTokens
from pofx.values import show_value, why_not_whole

_LARGEST = 2**31  # no vocabulary has more ids


def connect(
    url: str,
    model: str | None = None,
    *,
    api_key: str | None = None,
    begin: str | int | None = None,
    seconds: float = 300.0,
) -> LM | Scorer:
    """Connect to a model of an OpenAI-style server: an LM where the server shows whole distributions, else a scorer.

        lm.start(n).logp[i, v] = log p(v | x0),   scorer.score([x])[0][i] = log p(x_i | x_<i);   nats

    The result is an LM if the server is pofx's own and `begin` is None. It is an LM, too, if `top_logprobs` can hold every
    token and every token has a name of its own. Otherwise the result is a `Scorer`, which takes its numbers from an echo of
    the prompt. No answer of the server is cached, so that an audit detects a server whose answers change.

    Args:
        url: The address, with or without `/v1` at its end.
        model: The name of the model; None takes the first model that the server lists.
        api_key: The key of the server; None sends no key.
        begin: The token that stands before every text, by its name or id; None takes the BOS that the server names.
        seconds: The longest time for one answer, from the request to the last byte; seconds.

    Returns:
        An LM, which every query takes, or a `Scorer`, which `audit` alone takes.

    Raises:
        BadSource: The server cannot be reached, refuses, has no such model, or shows no log-probabilities. Later calls of
            the result raise this error, too.
        BadValue: The address, the key, `begin` or `seconds` is malformed.
        NotText: The server cannot tokenise the name `begin`.
        MissingExtra: The package httpx2 is not installed (`pip install 'pofx[serve]'`).

    Right: `audit(connect("http://127.0.0.1:8000", "builtin"), texts)`. Wrong: `pofx.score(connect(url), texts)` with a
    server that shows no whole distributions, since the result is then a `Scorer`.
    """
    if begin is not None and not isinstance(begin, str) and why_not_whole(begin, 0, _LARGEST):
        raise BadValue(
            f"expected the name or the id of a token, got {show_value(begin)}",
            "pass the name as a string, or the id as a whole number of at least 0",
            "begin",
        )
    client = ServerClient(url, api_key, seconds=seconds)
    try:
        return _connected(client, model, begin)
    except BaseException:
        client.close()
        raise


def _connected(client: ServerClient, model: str | None, begin: str | int | None) -> LM | Scorer:
    listed = _listed(client)
    if model is not None and listed and model not in listed:
        names = ", ".join(listed[:6])
        raise BadSource(
            f"{client.address}: expected a model of the server ({names}), got {model!r:.60}",
            "name a listed model",
        )
    server = Completions(client, model if model is not None else listed[0] if listed else None)
    # The model and its copies share `server`, so the connection closes when the last of them is gone.
    weakref.finalize(server, client.close)
    tokens = ServerTokens(server)
    x0 = _begin(tokens, begin)
    own = native_lm(server, tokens) if begin is None else None
    return own or served_lm(server, tokens, x0) or served_scorer(server, tokens, x0)


def _listed(client: ServerClient) -> list[str]:
    """Return the names of the models that a server lists."""
    answer = client.ask("GET", "/v1/models")
    if answer.status in (401, 403):
        client.get("/v1/models")  # raises the error that names the key
    found = answer.json.get("data") if answer.ok and isinstance(answer.json, dict) else None
    rows = found if isinstance(found, list) else []
    return [r["id"] for r in rows if isinstance(r, dict) and isinstance(r.get("id"), str)]


def _begin(tokens: ServerTokens, begin: str | int | None) -> Begin:
    """Return x0: the token that the caller names, else the BOS of the server."""
    if begin is None:
        named = tokens.special.begin
        if named is not None:
            return Begin("declared", named[0], named[1])
        return Begin("none", note="the server names no begin-of-text token")
    if not isinstance(begin, str):
        return Begin("assumed", f"token {begin}", int(begin))
    ids = [tokens.special.names[begin]] if begin in tokens.special.names else tokens.encode(begin)
    if len(ids) != 1:
        raise BadValue(
            f"expected the name of a single token, got {begin!r:.40}, which is {len(ids)} tokens",
            "name another token, or its id",
            "begin",
        )
    return Begin("assumed", begin, ids[0])
