"""Records on the wire: what has no number in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pofx.server.incoming.wire import json_bytes
from pofx.server.native.wire_record import wire_record

INF, NAN = float("inf"), float("nan")
CASES: list[tuple[Any, Any]] = [
    ({"nats": -INF, "p": 0.0}, {"nats": None, "p": 0.0, "impossible": True}),
    ({"surprisal": INF}, {"surprisal": None, "impossible": True}),
    ({"nats": np.float64(-INF)}, {"nats": None, "impossible": True}),
    ({"nats": np.float32(-INF)}, {"nats": None, "impossible": True}),
    ({"entropy": NAN, "total": None}, {"entropy": None, "total": None}),
    ({"interval": (-INF, 0.5)}, {"interval": [None, 0.5]}),
    (
        {"tokens": [{"nats": -INF}, {"nats": -1.5}]},
        {"tokens": [{"nats": None, "impossible": True}, {"nats": -1.5}]},
    ),
    ({"id": np.int64(3), "seen": True, "text": b"a\xff"}, {"id": 3, "seen": True, "text": "a\\xff"}),
]


@pytest.mark.parametrize(("record", "expected"), CASES)
def test_what_json_cannot_say(record: Any, expected: Any) -> None:
    assert wire_record(record) == expected
    json_bytes(wire_record(record))
