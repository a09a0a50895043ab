"""How much of everything an audit reads: enough for small errors, and minutes where a token costs milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.lm.model import LM

# Outcomes from which on a model is a large one: pretrained ones have 32,000 to 262,144, our own at most a few thousand.
LARGE = 16_384


@dataclass(frozen=True)
class Effort:
    """laws: whole laws read along texts, of law_documents, of the first law_tokens of each (None: of all).

    documents, draws, tokens: texts on which the ways to compute log p are compared, and how much of each. reach: tokens
    of the one text that is as long as the context, if that is shorter. drawn: tokens of a draw. lives: draws followed
    until they end, at most for `alive` tokens. heads, head_tokens: documents, and how much of each, read behind every
    candidate for x0.
    """

    laws: int = 2_000
    law_documents: int = 100
    law_tokens: int | None = None
    documents: int = 12
    draws: int = 12
    tokens: int = 128
    reach: int = 4_097
    drawn: int = 64
    lives: int = 64
    alive: int = 512
    heads: int = 24
    head_tokens: int = 48


# SmolLM2 reads 300 tokens a second and core, and takes 70 ms for a step of a few draws: in all about 14,000 tokens
# and 180 steps, a minute of two cores.
_LESS = Effort(
    laws=400,
    law_documents=24,
    law_tokens=64,
    documents=6,
    draws=8,
    tokens=48,
    reach=1_025,
    drawn=48,
    lives=16,
    alive=32,
    heads=16,
    head_tokens=40,
)


def effort(lm: LM) -> Effort:
    """By the size of the vocabulary, which is what laws cost."""
    return Effort() if lm.vocab.size < LARGE else _LESS
