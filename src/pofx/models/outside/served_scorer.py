"""The scorer of a server that shows log p of the tokens of a prompt, and no whole distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadSource
from pofx.lm.begin import Begin
from pofx.lm.scorer import Scorer
from pofx.models.outside.completions import Choice, Completions, Prompt
from pofx.models.outside.server_tokens import PROBES, ServerTokens

# Stands before a text where the server has no x0, since the first token of an echo has no number.
LINE = "\n"
_TOGETHER, _KEPT = 32, 20_000


def served_scorer(server: Completions, tokens: ServerTokens, begin: Begin) -> Scorer:
    """Make a scorer of a server that echoes a prompt with log-probabilities.

    Texts are sent as ids after x0 where the server tokenizes and has x0. Else they are sent as strings. Where the first
    token of a string has no number, a line end stands before each text.

    Args:
        server: The model that is asked.
        tokens: The tokenizer of the server.
        begin: x0.

    Raises:
        BadSource: The server does not echo prompts with log-probabilities.
    """
    echo = {"max_tokens": 0, "temperature": 1, "echo": True, "logprobs": 1}
    probe = next((t for t in PROBES if server.accepts({"prompt": t, **echo})), None)
    if probe is None:
        echo["max_tokens"] = 1  # some servers refuse 0
        probe = next((t for t in PROBES if server.accepts({"prompt": t, **echo})), PROBES[0])
    by_ids = tokens.known and begin.id is not None
    first = None if by_ids else server.choices([probe], echo)[0]
    opening = "" if by_ids or (first is not None and first.logp and first.logp[0] is not None) else LINE
    pieces: dict[str, list[bytes]] = {}

    def prompt(text: str) -> Prompt:
        return [begin.id or 0, *tokens.encode(text)] if by_ids else opening + text

    def score(texts: Sequence[str]) -> list[Floats]:
        out: list[Floats] = []
        for lo in range(0, len(texts), _TOGETHER):
            asked = texts[lo : lo + _TOGETHER]
            prompts = [prompt(text) for text in asked]
            for text, sent, choice in zip(asked, prompts, server.choices(prompts, echo)):
                logp, found = _of_text(server, text, sent, choice, len(opening))
                out.append(logp)
                if len(pieces) < _KEPT:
                    pieces[text] = found
        return out

    def split(text: str) -> list[bytes]:
        if text not in pieces:
            score([text])
        return pieces[text]

    def draw(prefix: str, n: int, seed: int) -> list[str]:
        found = server.draws(prompt(prefix), n, seed)
        return [c.text if c.tokens and not _is_end(c, tokens) else "" for c in found]

    name = server.model or server.client.address
    return Scorer(name, score, pieces=split, unit="token", sample=draw)


def _of_text(
    server: Completions, text: str, sent: Prompt, choice: Choice, opening: int
) -> tuple[Floats, list[bytes]]:
    """Return the numbers of the tokens of a text, without the tokens before the text and the generated token after it."""
    if isinstance(sent, str):
        if len(choice.offsets) != len(choice.tokens):
            raise _missing(server, "text_offset of every token")
        size = opening + len(text)
        span = [i for i, at in enumerate(choice.offsets) if opening <= at < size]
        starts = [choice.offsets[i] - opening for i in span]
    else:
        span = list(range(1, len(sent)))
        if len(choice.tokens) < len(sent):
            raise _missing(server, f"an echo of {len(sent)} tokens")
        # Offsets of an echo begin after x0, or count the name of x0.
        offsets = choice.offsets or (0,) * len(choice.tokens)
        base = offsets[1] if len(offsets) > 1 else 0
        starts = [offsets[i] - base for i in span]
    logs = [choice.logp[i] for i in span]
    if any(x is None for x in logs):
        raise _missing(server, "log p of every token after the first")
    ends = [*starts[1:], len(text)]
    return np.array([math.nan if x is None else x for x in logs]), [
        text[a:b].encode("utf-8", "surrogatepass") for a, b in zip(starts, ends)
    ]


def _is_end(choice: Choice, tokens: ServerTokens) -> bool:
    end = tokens.special.end
    return not choice.text or (end is not None and choice.tokens[0] == end[0])


def _missing(server: Completions, what: str) -> BadSource:
    return BadSource(
        f"{server.client.address}/v1/completions: expected {what}, got an answer without them",
        "test the server with pofx check-server",
    )
