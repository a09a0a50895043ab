"""The LM of a server that shows whole next-token distributions, since its list of likeliest tokens has all tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.arithmetic import Engine
from pofx.lm.begin import Begin
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.models.outside.by_prefix import Prefix, PrefixLM
from pofx.models.outside.completions import Completions
from pofx.models.outside.echoes import echo_passes
from pofx.models.outside.listed_vocab import ListedVocab
from pofx.models.outside.server_tokens import ServerTokens, bytes_of_name, id_of_name, unreadable
from pofx.vocab.control_tokens import ControlTokens

# How many likeliest tokens a request asks for; vLLM allows 20, pofx 100, and a server of small models may allow all.
_ROWS = (300_000, 10_000, 1_000, 100, 20)
# A distribution is whole if the shown tokens have this mass. A server that rounds to 6 digits is off by 1e-6 a token.
_WHOLE = 1e-3
# Ids whose names are asked for at once, prefixes of one question, and numbers of one answer (20 bytes of JSON each).
_NAMES, TOGETHER, NUMBERS = 256, 64, 1_000_000
# The device of a model that another process computes, and the field `dtype` of its rounding.
SERVER = Engine(device="server")
DTYPE = "float32"
_ONE = {"max_tokens": 1, "temperature": 1, "seed": 0}


def served_lm(server: Completions, tokens: ServerTokens, begin: Begin) -> LM | None:
    """Make an LM of a server whose `top_logprobs` hold every token; None for another server, or for unknown bytes.

    Args:
        server: The model that is asked.
        tokens: The tokenizer of the server.
        begin: x0, whose id is put before every prefix; an x0 without an id is not put anywhere.
    """
    if not tokens.known:
        return None
    opening = () if begin.id is None else (begin.id,)
    probe = opening or tuple(tokens.encode(tokens.probe))
    rows = next((k for k in _ROWS if server.accepts({"prompt": [list(probe)], "logprobs": k, **_ONE})), 0)
    (choice,) = server.choices([probe], {"logprobs": rows, **_ONE}) if rows else [None]
    top = choice.tops[0] if choice is not None and choice.tops else None
    if not top or abs(math.fsum(map(math.exp, top.values())) - 1) > _WHOLE:
        return None
    vocab = _vocab(tokens, len(top))
    if vocab is None or set(vocab[1]) != set(top):
        return None
    listed, ids = vocab

    def distributions(prefixes: Sequence[Prefix]) -> Floats:
        found = server.choices([opening + p for p in prefixes], {"logprobs": rows, **_ONE})
        return np.stack([_distribution(c.tops[0] if c.tops else None, ids, server) for c in found])

    def draw(prefix: Prefix, n: int, seed: int) -> list[int]:
        names = [c.tokens[0] if c.tokens else "" for c in server.draws(opening + prefix, n, seed)]
        if any(name not in ids for name in names):
            raise unreadable(server, "the name of each token that was drawn")
        return [ids[name] for name in names]

    info = Info(listed, tokens.special.context, begin, dtype=DTYPE, engine=SERVER)
    most = max(1, min(TOGETHER, NUMBERS // listed.size))
    return PrefixLM(distributions, info, draw, most, echo_passes(server, begin, probe))


def _vocab(tokens: ServerTokens, size: int) -> tuple[ListedVocab, dict[str, int]] | None:
    """Return the bytes of ids 0 to `size` − 1, and the id of each name in a distribution; None where a name is ambiguous."""
    names: list[str] = []
    together = min(_NAMES, max((tokens.special.context or _NAMES) - 2, 1))
    for lo in range(0, size, together):
        found = tokens.names_of(range(lo, min(lo + together, size)))
        if found is None:
            return None
        names.extend(found)
    ids = {name: i for i, name in enumerate(names)}
    special = tokens.special
    control = {i: name for name, i in special.names.items() if i < size}
    spelled: list[bytes | None] = []
    for i, name in enumerate(names):
        data = None if i in control else bytes_of_name(name)
        if data is None and i not in control:
            data = tokens.spelled(i) if id_of_name(name) == i else None
            if data is None:
                return None
        spelled.append(data or None)
    if len(ids) < size:
        return None
    end = special.end[1] if special.end is not None and special.end[1] < size else None
    named = ControlTokens({name: i for i, name in control.items()})
    return ListedVocab(spelled, end, named, tokens.encode), ids


def _distribution(top: Mapping[str, float] | None, ids: Mapping[str, int], server: Completions) -> Floats:
    out = np.full(len(ids), -np.inf)
    if top is None or not set(top) <= set(ids):
        raise unreadable(server, f"log p of {len(ids)} tokens")
    for name, logp in top.items():
        out[ids[name]] = logp
    return out
