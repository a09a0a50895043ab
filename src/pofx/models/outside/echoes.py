"""The pass of a server over whole paths of ids, which is an echo with log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.lm.begin import Begin
from pofx.models.outside.by_prefix import Passes, Prefix
from pofx.models.outside.completions import Completions
from pofx.models.outside.server_tokens import unreadable

# The most paths of one request.
_TOGETHER = 32


def echo_passes(server: Completions, begin: Begin, probe: Prefix) -> Passes | None:
    """Return the pass of a server over paths; None for a server that does not echo ids with log-probabilities.

    Args:
        server: The model that is asked.
        begin: x0, whose id is put before every path; without an id the first token of a path has no number.
        probe: Ids that the server has answered before.
    """
    opening = () if begin.id is None else (begin.id,)
    fields = {"max_tokens": 0, "temperature": 1, "echo": True, "logprobs": 1}
    if not server.accepts({"prompt": [list(probe)], **fields}):
        fields["max_tokens"] = 1  # some servers refuse 0
        if not server.accepts({"prompt": [list(probe)], **fields}):
            return None

    def passes(paths: Sequence[Prefix]) -> list[Floats]:
        out: list[Floats] = [np.zeros(0)] * len(paths)
        asked = [k for k, path in enumerate(paths) if path]
        for lo in range(0, len(asked), _TOGETHER):
            part = asked[lo : lo + _TOGETHER]
            for k, choice in zip(part, server.choices([opening + paths[k] for k in part], fields)):
                logp = choice.logp[len(opening) : len(opening) + len(paths[k])]
                known = [math.nan if x is None else x for x in logp]
                if len(known) != len(paths[k]) or any(map(math.isnan, known[not opening :])):
                    raise unreadable(server, "log p of every token of an echo")
                out[k] = np.array(known)
        return out

    return passes
