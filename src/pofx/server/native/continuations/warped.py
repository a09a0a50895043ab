"""The distribution that a request draws from or asks for: p, or p under a temperature, top-k and top-p."""

from __future__ import annotations

from pofx.lm.model import LM
from pofx.server.native.requests import NextRequest, SampleRequest
from pofx.transforms.warp import warp


def warped(lm: LM, asked: NextRequest | SampleRequest) -> LM:
    """Return the model, or the distribution q of the model under the temperature, top-k or top-p of the request."""
    if asked.temperature is None and asked.top_k is None and asked.top_p is None:
        return lm
    return warp(lm, 1.0 if asked.temperature is None else asked.temperature, asked.top_k, asked.top_p)
