"""The faults that pydantic reports, in pofx's words: the field, the expected noun, and the value that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

# What was expected, by the type of the error; fields in braces are those of its context.
_EXPECTED = {
    "missing": "a value",
    "string_type": "a string",
    "string_unicode": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of at most 64 bits",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a string like {pattern}",
    "extra_forbidden": "no field of this name",
}
_LENGTHS = {"too_short", "too_long", "string_too_short", "string_too_long"}
_SHOWN = 60


def first_fault(error: ValidationError, record: Any) -> tuple[tuple[int | str, ...], str]:
    """Return the path of the first value that is wrong, and the message without the name of its field.

    Args:
        error: The error of the validation of `record`.
        record: The value that was validated.

    Returns:
        The path, of keys and indices that exist in the record, up to the last; and `expected …, got …`.
    """
    faults = error.errors(include_url=False)
    # The first fault of each branch of a union; the branch that is right the longest is the one that was meant.
    firsts: dict[tuple[int | str, ...], tuple[tuple[int | str, ...], Any]] = {}
    for fault in faults:
        if fault["loc"][:1] == faults[0]["loc"][:1]:
            path, branch = _path(fault, record)
            firsts.setdefault(branch, (path, fault))
    path = max((path for path, _ in firsts.values()), key=_depth)
    there = [fault for p, fault in firsts.values() if p == path]
    nouns = list(dict.fromkeys(_expected(f["type"], f.get("ctx", {}), f["msg"]) for f in there))
    return path, f"expected {' or '.join(nouns)}, got {_got(there[0])}"


def _path(fault: Any, record: Any) -> tuple[tuple[int | str, ...], tuple[int | str, ...]]:
    """Return the parts of the location of a fault that name values, and the parts that name branches of a union."""
    absent = fault["type"] == "missing"
    path: list[int | str] = []
    branch: list[int | str] = []
    for step in fault["loc"]:
        if isinstance(record, dict) and isinstance(step, str) and (absent or step in record):
            path.append(step)
            record = record.get(step)
        elif isinstance(record, list) and isinstance(step, int):
            path.append(step)
            record = record[step] if step < len(record) else None
        else:
            branch.append(step)
    return tuple(path), tuple(branch)


def _depth(path: Sequence[int | str]) -> tuple[int, ...]:
    return (len(path), *(step for step in path if isinstance(step, int)))


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    noun = _EXPECTED.get(kind)
    if noun is None:
        # A check of our own says what it expected; the words of the library are not for clients.
        return message.removeprefix("expected ") if message.startswith("expected ") else "another value"
    return noun.format_map(context)


def _got(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "missing":
        return "none"
    if fault["type"] in _LENGTHS:
        return str(fault["ctx"].get("actual_length", len(fault["input"])))
    return shown(fault["input"])


def shown(value: Any) -> str:
    """Return a value as JSON of at most 60 characters, for a message."""
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    elif isinstance(value, list):
        return f"a list of {len(value)}"
    elif isinstance(value, dict):
        return "an object"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
