"""The value of a field as a label: equal numbers are one label, and what stands for no value is none."""

from __future__ import annotations

import json
from decimal import Decimal


def label_of(value: object) -> str | None:
    """A value as a label; None for null, NaN and the empty string.

    1 and 1.0 are one label, and a decimal 1.00, since a column of integers becomes one of floats where a value is missing.
    """
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        text = format(value, "f")
        text = text.rstrip("0").removesuffix(".") if "." in text else text
        return "0" if text == "-0" else text
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, sort_keys=True, default=str)
