"""Arrow arrays of Python values, made from buffers: `pyarrow.array` of a list imports pandas where pandas is installed.

That import took 0.5 CPU seconds and 41 MB, as much as all other imports of a job together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pofx.errors import require

if TYPE_CHECKING:
    from pofx.corpus.writing import Column

# Offsets of Arrow's strings have 32 bits.
_MOST_BYTES = 2**31 - 1


def arrow_schema(columns: Sequence[Column], metadata: str) -> Any:
    """Return the schema of a table of Arrow, with a text under the key "pofx" of its metadata.

    Args:
        columns: The columns.
        metadata: The text.
    """
    arrow = require("pyarrow", "data", "writing a table of Arrow")
    single = {"text": arrow.string(), "int": arrow.int64(), "float": arrow.float64(), "bool": arrow.bool_()}
    types = {
        **single,
        "date": arrow.date32(),
        "time": arrow.timestamp("us"),
        "utc": arrow.timestamp("us", "UTC"),
        "any": arrow.string(),
        **{f"{kind}s": arrow.list_(of) for kind, of in single.items()},
    }
    return arrow.schema([(c.name, types[c.kind]) for c in columns], metadata={"pofx": metadata})


def arrow_column(values: Sequence[Any], type_: Any) -> Any:
    """Return an Arrow array of strings, integers, decimal numbers, truth values or other values, any of them None.

    Args:
        values: The values, which have the type already.
        type_: The type of pyarrow.

    Returns:
        The array `pyarrow.array(values, type_)`.

    Right: `arrow_column(["a", None], pyarrow.string())`. Wrong: `arrow_column([1], pyarrow.string())`, since no value is
    converted.
    """
    arrow = require("pyarrow", "data", "writing Parquet")
    missing = [v is None for v in values]
    some_missing = any(missing)
    if arrow.types.is_string(type_):
        spelled = [b"" if v is None else v.encode("utf-8") for v in values]
        offsets = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, spelled), np.int64, len(spelled)), out=offsets[1:])
        if offsets[-1] > _MOST_BYTES:
            return arrow.array(values, type=type_)
        data = [arrow.py_buffer(offsets.astype(np.int32)), arrow.py_buffer(b"".join(spelled))]
    elif arrow.types.is_int64(type_) or arrow.types.is_float64(type_):
        filled = [0 if v is None else v for v in values] if some_missing else values
        data = [arrow.py_buffer(np.array(filled, dtype=type_.to_pandas_dtype()))]
    elif arrow.types.is_boolean(type_):
        data = [arrow.py_buffer(_bits([bool(v) for v in values]))]
    else:
        return arrow.array(values, type=type_)
    present = arrow.py_buffer(_bits([not m for m in missing])) if some_missing else None
    return arrow.Array.from_buffers(type_, len(values), [present, *data])


def _bits(values: Sequence[bool]) -> Any:
    return np.packbits(np.array(values, dtype=np.bool_), bitorder="little")
