"""A comparison of two models as a record of JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pofx.queries.difference.diff import Difference, Mean, Place


def difference_record(found: Difference, names: Sequence[str], ids: Mapping[int, str]) -> dict[str, Any]:
    """Return the record of a comparison.

    Args:
        found: The comparison.
        names: The names of the models A and B.
        ids: The ids of the texts that words and regions stand in, by number.
    """

    def places(some: Sequence[Place]) -> list[dict[str, Any]]:
        return [{**asdict(p), "text": ids[p.text]} for p in some]

    bounds = found.bounds_per_byte and [x if math.isfinite(x) else None for x in found.bounds_per_byte]
    compared = int(found.tokens.sum())
    return {
        "a": names[0],
        "b": names[1],
        "texts": len(found.log_a),
        "bytes": int(found.bytes.sum()),
        "end": found.end,
        "per_text_nats": _mean(found.per_text),
        "per_byte_nats": _mean(found.per_byte),
        "per_token_nats": None if found.per_token is None else _mean(found.per_token),
        "bounds_per_byte_nats": bounds,
        "compared_tokens": compared,
        "kl_nats_a_token": found.kl_a_token if compared else None,
        "kl_back_nats_a_token": found.kl_back_a_token if compared else None,
        "entropy_nats_a_token": found.entropy_a_token if compared else None,
        "words": places(found.words),
        "regions": places(found.regions),
        "terms": [asdict(t) for t in found.terms],
        "seed": found.seed,
    }


def _mean(m: Mean) -> dict[str, float | None]:
    return {k: v if math.isfinite(v) else None for k, v in asdict(m).items()}
