"""The columns that measured regions add to a stimulus table, and what becomes of a column of the table with such a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from pofx.errors import PofxError
from pofx.interactive.table import Kind, TableColumn
from pofx.stimuli.frequencies import HasLogFrequency
from pofx.stimuli.regions import MeasuredText, Region
from pofx.stimuli.stimulus_texts import StimulusText
from pofx.units import bits

# The columns of a model: their names, kinds, and the numbers of the regions of a text, in order.
_OF_A_MODEL: tuple[tuple[str, Kind], ...] = (
    ("surprisal_nats", "float"),
    ("surprisal_bits", "float"),
    ("cumulative_nats", "float"),
    ("ending_nats", "float"),
    ("entropy_nats", "float"),
    ("reduction_nats", "float"),
    ("boundary_nats", "float"),
    ("bounded", "bool"),
    ("shared", "bool"),
    ("tokens", "int"),
    ("seen", "int"),
    ("error", "text"),
)


def added_columns(
    n_rows: int,
    texts: Sequence[StimulusText],
    measured: Mapping[str, Sequence[MeasuredText | PofxError]],
    previous: int,
    frequencies: HasLogFrequency | None = None,
    drawn: bool = False,
) -> tuple[TableColumn, ...]:
    """Return the columns that the numbers of all regions make.

    Args:
        n_rows: The number of rows.
        texts: The texts of the table.
        measured: The numbers of the texts, by the name of the model.
        previous: The number of regions before whose surprisal, length and frequency each row repeats.
        frequencies: The frequencies of words; None for no column of frequencies.
        drawn: Whether the entropy of the next word was estimated.

    Returns:
        The columns, each with a cell for each row; None in rows without a region.
    """
    taken: set[str] = set()

    def spread(name: str, kind: Kind, cells: Sequence[Sequence[Any]]) -> TableColumn:
        out: list[Any] = [None] * n_rows
        for text, own in zip(texts, cells):
            for held, cell in zip(text.rows, own):
                for row in held:
                    out[row] = cell
        return TableColumn(_free(name, taken), kind, out)

    lengths = [[hi - lo for lo, hi in t.regions] for t in texts]
    columns = [
        spread("index", "int", [range(len(t.regions)) for t in texts]),
        spread("length", "int", lengths),
    ]
    back = range(1, previous + 1)
    columns += [spread(f"previous_{k}_length", "int", [_shifted(c, k) for c in lengths]) for k in back]
    if frequencies is not None:
        logs = [[frequencies.log_frequency(t.text[lo:hi]) for lo, hi in t.regions] for t in texts]
        columns.append(spread("log_frequency", "float", logs))
        columns += [
            spread(f"previous_{k}_log_frequency", "float", [_shifted(c, k) for c in logs]) for k in back
        ]
    for model, found in measured.items():
        lead = f"{model}_" if model else ""
        cells = [_cells(m, len(t.regions)) for t, m in zip(texts, found)]
        for at, (name, kind) in enumerate(_OF_A_MODEL):
            columns.append(spread(lead + name, kind, [[c[at] for c in text] for text in cells]))
        if drawn:
            estimates = [_estimates(m, len(t.regions)) for t, m in zip(texts, found)]
            for at, name in enumerate(("word_entropy_nats", "word_entropy_error_nats")):
                columns.append(spread(lead + name, "float", [[c[at] for c in text] for text in estimates]))
        nats = [[c[0] for c in text] for text in cells]
        columns += [
            spread(f"{lead}previous_{k}_surprisal_nats", "float", [_shifted(c, k) for c in nats])
            for k in back
        ]
    return tuple(columns)


def renamed_columns(names: Sequence[str], added: Sequence[TableColumn]) -> dict[str, str]:
    """Return new names for the columns of a table whose names further columns have: `index` becomes `index_own`.

    The further columns keep their names, by which later steps such as `predictive_power` find them.

    Args:
        names: The names of the columns of the table.
        added: The further columns.

    Returns:
        The new name of each such column of the table, by its old name.
    """
    ours = {c.name for c in added}
    taken = {*names, *ours}
    return {name: _free(f"{name}_own", taken) for name in names if name in ours}


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken, and take it."""
    own = next(n for k in range(1, len(taken) + 2) if (n := name if k == 1 else f"{name}_{k}") not in taken)
    taken.add(own)
    return own


def _shifted(cells: Sequence[Any], by: int) -> list[Any]:
    return [*[None] * min(by, len(cells)), *cells[: max(len(cells) - by, 0)]]


def _cells(found: MeasuredText | PofxError, n: int) -> list[tuple[Any, ...]]:
    """Return the cells of each region, in the order of `_OF_A_MODEL`."""
    if isinstance(found, PofxError):
        return [(*[None] * (len(_OF_A_MODEL) - 1), " ".join(str(found).split()))] * n
    sums = accumulate(r.surprisal for r in found.regions)
    return [_row(r, s) for r, s in zip(found.regions, sums)]


def _estimates(found: MeasuredText | PofxError, n: int) -> list[tuple[float | None, float | None]]:
    """Return the entropy of the next word before each region, and its standard error."""
    if isinstance(found, PofxError):
        return [(None, None)] * n
    own = [r.word_entropy for r in found.regions]
    return [(None, None) if e is None else (e.value, e.error) for e in own]


def _row(r: Region, cumulative: float) -> tuple[Any, ...]:
    return (
        r.surprisal,
        bits(r.surprisal),
        cumulative,
        r.ending,
        r.entropy,
        r.reduction,
        r.boundary,
        r.bounded,
        r.shared,
        r.tokens,
        r.seen,
        None,
    )
