"""The LM of a server of pofx, whose own endpoints show the vocabulary and whole next-token distributions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, get_args
from urllib.parse import quote

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadSource
from pofx.lm.begin import Begin, Known
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.models.outside.by_prefix import Prefix, PrefixLM
from pofx.models.outside.completions import Completions
from pofx.models.outside.echoes import echo_passes
from pofx.models.outside.listed_vocab import ListedVocab
from pofx.models.outside.served_lm import NUMBERS, SERVER, TOGETHER
from pofx.models.outside.server_tokens import ServerTokens
from pofx.vocab.control_tokens import ControlTokens


def native_lm(server: Completions, tokens: ServerTokens) -> LM | None:
    """Make an LM of a server of pofx; return None for any other server.

    Args:
        server: The model that is asked.
        tokens: The tokenizer of the server.

    Raises:
        BadSource: The server has the endpoints of pofx, and its answers have another shape.
    """
    path = (
        "/v1/vocabulary" if server.model is None else f"/v1/vocabulary?model={quote(server.model, safe='')}"
    )
    answer = server.client.ask("GET", path)
    said = answer.json if answer.ok and isinstance(answer.json, dict) else {}
    if not isinstance(said.get("tokens"), list) or not isinstance(said.get("begin"), dict):
        return None
    info = _info(server, said, tokens)

    def distributions(prefixes: Sequence[Prefix]) -> Floats:
        asked = {"prefixes": [list(p) for p in prefixes]}
        found = server.post("/v1/distributions", asked).get("distributions")
        return _rows(server, found, len(prefixes), info.vocab.size)

    def draw(prefix: Prefix, n: int, seed: int) -> list[int]:
        x0 = () if info.begin.id is None else (info.begin.id,)
        fields = {"return_token_ids": True}
        found = [c.ids for c in server.draws((*x0, *prefix), n, seed, fields)]
        if any(len(ids) != 1 for ids in found):
            raise _shape(server, "the id of each token that was drawn")
        return [ids[0] for ids in found]

    sampler = draw if info.begin.known == "none" or info.begin.id is not None else None
    spelled = next(i for i, b in enumerate(info.vocab.token_bytes) if b is not None)
    # An x0 without an id stands before every path, though no list of ids contains it.
    passes = None if sampler is None else echo_passes(server, info.begin, (spelled,))
    most = max(1, min(TOGETHER, NUMBERS // info.vocab.size))
    return PrefixLM(distributions, info, sampler, most, passes)


def _info(server: Completions, said: Mapping[str, Any], tokens: ServerTokens) -> Info:
    try:
        spelled = [None if b is None else base64.b64decode(b, validate=True) for b in said["tokens"]]
        begin, control = said["begin"], dict(said["control"])
        vocab = ListedVocab(spelled, said["end"], ControlTokens(control), tokens.encode)
        known = begin["known"]
        if known not in get_args(Known):
            raise ValueError(known)
        # The server itself reads texts longer than the context in windows.
        context = None if said["beyond"] else said["context"]
        return Info(
            vocab,
            context,
            Begin(known, str(begin["text"]), begin["id"], str(begin["note"])),
            dtype=str(said["dtype"]),
            positive=bool(said["positive"]),
            engine=SERVER,
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as e:
        raise _shape(server, f"a vocabulary of pofx ({type(e).__name__}: {e!s:.60})") from None


def _rows(server: Completions, found: Any, n: int, size: int) -> Floats:
    try:
        distributions = np.array(
            [[-np.inf if x is None else x for x in row] for row in found], dtype=np.float64
        )
    except (TypeError, ValueError):
        raise _shape(server, f"{n} distributions of {size} tokens") from None
    if distributions.shape != (n, size):
        raise _shape(server, f"{n} distributions of {size} tokens")
    return distributions


def _shape(server: Completions, what: str) -> BadSource:
    return BadSource(
        f"{server.client.address}: expected {what}, got another answer",
        "use one version of pofx for the server and for the client",
    )
