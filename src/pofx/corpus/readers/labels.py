"""The value of a field as a label: equal numbers give equal labels, and a missing value gives none."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from decimal import Decimal

# A number as JSON writes it, of at most as many digits as Python reads; 007 is a code and no number.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?(?:[eE][+-]?[0-9]{1,9})?")


def labels_of(values: Sequence[object], known: Collection[str] = ()) -> list[str | None]:
    """Return the labels of a column; None for a row without one.

    The cells of a CSV file are texts. Where all of a column's texts are numbers, as JSON writes them, "1" and "1.0" are one
    label, as the numbers are, and "nan" is none. Where some text is no number, each text is a label as it stands.

    Args:
        values: The values of the field, row by row: texts, numbers, None.
        known: The labels that a classifier or a set of prefixes has already. A text that equals a known label is that label.
    """
    texts = {v for v in values if isinstance(v, str) and v}
    numbers = {text: label_of(json.loads(text)) for text in texts if _NUMBER.fullmatch(text)}
    none = {text for text in texts if text.lower() == "nan"}
    read: dict[str, str | None] = {}
    if numbers and len(numbers) + len(none) == len(texts):
        read = {**dict.fromkeys(none), **numbers}
    elif known:
        read = {text: number for text, number in numbers.items() if number in known}
    return [read[v] if isinstance(v, str) and v in read and v not in known else label_of(v) for v in values]


def label_of(value: object) -> str | None:
    """Return a value as a label; None for null, NaN and the empty string.

    1, 1.0 and the decimal 1.00 are one label, since a missing value makes a column of floats of a column of integers.
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
