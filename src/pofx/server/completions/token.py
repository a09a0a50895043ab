"""A token of an answer, with its log-probability and the likeliest tokens at its position."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a prompt or of a continuation.

    Attributes:
        id: The id.
        logp: log p(token | all tokens before) under the model, nats; None where the number is not known.
        top: The likeliest ids at its position, the likeliest one first, and their log-probabilities.
        rank: 1 + the number of tokens that are strictly likelier; 0 without ranks.
    """

    id: int
    logp: float | None = None
    top: tuple[list[int], list[float]] = ((), ())  # type: ignore[assignment]
    rank: int = 0
