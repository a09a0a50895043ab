"""A file of Parquet as columns of plain values, read from memory within bounds."""

from __future__ import annotations

import math
from typing import Any

from pofx.errors import BadSource, PofxError, require

# The most rows, the most columns, and the most bytes of all texts of an answer. A page of Parquet may say one long text
# a thousand times in a few bytes, so texts are counted as they are decoded, so many rows at a time.
ROWS, COLUMNS, TEXT, BATCH = 100_000, 256, 32 << 20, 1024
# What the pages of a file may unpack to, as the file itself says.
UNPACKED = 256 << 20


def read_parquet(data: bytes) -> dict[str, Any]:
    """Return the columns of a file of Parquet, as `-o` of the verbs writes it.

    Args:
        data: The whole file.

    Returns:
        `rows`, their number; `columns`, a list of values for each name; and `left_out`, the names and types of columns whose
        cells are no numbers, texts, truth values or times.

    Raises:
        BadSource: The data are no whole file of Parquet, or the file is too large.
        MissingExtra: pyarrow is not installed.
    """
    arrow = require("pyarrow", "data", "reading Parquet")
    require("pyarrow.compute", "data", "reading Parquet")
    parquet = require("pyarrow.parquet", "data", "reading Parquet")
    if len(data) < 12 or data[:4] != b"PAR1":
        raise _no_parquet("another beginning")
    if data[-4:] != b"PAR1":
        raise _no_parquet("a file that was cut off")
    try:
        file = parquet.ParquetFile(arrow.BufferReader(data))
        shapes = {f.name: str(f.type) for f in file.schema_arrow if _kind(arrow, f.type) is None}
        kept = [f for f in file.schema_arrow if f.name not in shapes]
        _check_size(file.metadata, len(kept))
        names = [f.name for f in kept]
        if len(set(names)) < len(names):
            raise _no_parquet("two columns of one name")
        texts = [f.name for f in kept if _kind(arrow, f.type) == "text"]
        read = parquet.ParquetFile(arrow.BufferReader(data), read_dictionary=texts)
        columns: dict[str, list[Any]] = {name: [] for name in names}
        held = 0
        for batch in read.iter_batches(BATCH, columns=names, use_threads=False) if names else ():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                held += _text_bytes(arrow, column)
                if held > TEXT:
                    raise _too_large(f"texts of at most {TEXT} bytes in all", "more")
                if _kind(arrow, column.type) == "shown":
                    column = column.cast(arrow.string())
                columns[name] += map(_plain, column.to_pylist())
    except PofxError:
        raise
    except (arrow.ArrowException, OSError, ValueError, UnicodeDecodeError) as e:
        raise _no_parquet("a damaged file") from e
    return {
        "rows": file.metadata.num_rows,
        "columns": columns,
        "left_out": [{"name": n, "type": t} for n, t in shapes.items()],
    }


def _check_size(metadata: Any, columns: int) -> None:
    if metadata.num_rows > ROWS:
        raise _too_large(f"at most {ROWS} rows", f"{metadata.num_rows}")
    if columns > COLUMNS:
        raise _too_large(f"at most {COLUMNS} columns", f"{columns}")
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    unpacked = sum(g.column(c).total_uncompressed_size for g in groups for c in range(g.num_columns))
    if unpacked > UNPACKED:
        raise _too_large(f"pages of at most {UNPACKED} bytes, unpacked", f"{unpacked}")


def _kind(arrow: Any, of: Any) -> str | None:
    """Return how the cells of a column become values: "shown" means by their text; None for lists, bytes and other types."""
    is_ = arrow.types
    if is_.is_string(of) or is_.is_large_string(of):
        return "text"
    if is_.is_boolean(of) or is_.is_integer(of) or is_.is_floating(of):
        return "number"
    if is_.is_timestamp(of) or is_.is_date(of) or is_.is_time(of) or is_.is_decimal(of):
        return "shown"
    if is_.is_null(of):
        return "null"
    return None


def _text_bytes(arrow: Any, column: Any) -> int:
    """Return the bytes of all texts of a column, each counted as often as it occurs, before any text is decoded."""
    if not arrow.types.is_dictionary(column.type):
        return 0
    sizes = arrow.compute.binary_length(column.dictionary)
    return int(arrow.compute.sum(sizes.take(column.indices)).as_py() or 0)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("-inf" if value < 0 else "inf")
    return value


def _no_parquet(found: str) -> BadSource:
    return BadSource(
        f"expected a whole file of Parquet, got {found}",
        "send a file as score -o rows.parquet writes it; a page reads JSONL and CSV itself",
    )


def _too_large(expected: str, found: str) -> BadSource:
    return BadSource(
        f"expected {expected}, got {found}", "send fewer rows, or write JSONL, which a page reads itself"
    )
