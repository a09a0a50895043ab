"""Rows of JSON lines: an object a line, the document in one of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader

from pofx.reading.cells import MISSING, document, kind
from pofx.reading.layout import Content, Found, Layout, NotHere, not_utf8
from pofx.streams import lines


def json_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
    """A row a line; blank lines are blanks."""
    for line, data in enumerate(lines(name, stream), 1):
        if not data.strip():
            yield None
            continue
        try:
            yield (line, *_json_document(data, layout))
        except NotHere as e:
            yield e.at(line)


def _json_document(data: bytes, layout: Layout) -> Content:
    try:
        record = json.loads(data.decode())
    except UnicodeDecodeError as e:
        raise NotHere(not_utf8(e, "line")) from None
    except json.JSONDecodeError as e:
        raise NotHere(f"expected a JSON object, found no JSON: {e.msg} at character {e.pos}") from None
    except RecursionError:
        raise NotHere("expected a JSON object, found one nested too deep to be read") from None
    except ValueError as e:  # an integer of more digits than Python reads
        raise NotHere(f"expected a JSON object, found no JSON that Python reads: {e}") from None
    if not isinstance(record, dict):
        raise NotHere(f"expected a JSON object, found {kind(record)}")
    return document([record.get(name, MISSING) for name in layout.columns], layout, record)
