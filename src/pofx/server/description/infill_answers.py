"""The shape of the answer about a gap in a text."""

from __future__ import annotations

from typing import Literal

from pofx.queries.scoring.terms import Terms
from pofx.server.description.answer import ABSENT, Answer, MaybeImpossible, Nats
from pofx.server.description.continuation_answers import Draw


class Middle(Answer):
    """One string in the gap.

    Attributes:
        text: The string; bytes that are not UTF-8 are escapes.
        p: Its probability, given the text before and after the gap.
        se: The standard error of the probability; 0 where it is exact.
    """

    text: str
    p: float
    se: float


class WeightedDraw(Draw):
    """One draw of the gap and the suffix, with its weight.

    Attributes:
        text: Its text, the suffix included; bytes that are not UTF-8 are escapes.
        bytes: Its bytes, in base64.
        nats: Its log-probability, nats.
        warp: How the model was changed before the draw.
        model_nats: Its log-probability under the model without the warp, nats; null where that is not known.
        ended: Whether EOS was drawn.
        tokens: How many tokens it has.
        ids: Its ids, EOS not included. The first ones may spell the end of the prefix.
        terms: What was counted, and under which rules.
        weight: Its weight; the weights of all draws sum to 1.
    """

    weight: float


class InfillAnswer(MaybeImpossible):
    """The answer of `POST /v1/infill`.

    Attributes:
        model: The name of the model.
        on: The condition in words.
        given: The text before the gap.
        log_evidence_nats: log P(the text goes on to the suffix | it begins with the prefix), nats.
        se_nats: The standard error of that probability, divided by the probability; 0 where it is exact.
        runs_nats: Log of the unbiased estimate of each run, nats; null is log 0.
        ess: The effective number of draws; null where every text is among the draws.
        method: How the answer was found: "enumeration" and "forward-backward" give an exact evidence, "smc" an estimate.
        exact: Whether the evidence is exact.
        max_tokens: The longest text that counts, tokens.
        calls: How often the model was called.
        outcomes: The strings in the gap, likeliest first, each with the weight of all its draws.
        draws: The draws, heaviest first.
        terms: What was counted, and under which rules.
    """

    model: str
    on: str
    given: str = ABSENT
    log_evidence_nats: Nats
    se_nats: float | None
    runs_nats: list[Nats]
    ess: float | None
    method: Literal["enumeration", "forward-backward", "smc"]
    exact: bool
    max_tokens: int
    calls: int
    outcomes: list[Middle]
    draws: list[WeightedDraw]
    terms: Terms
