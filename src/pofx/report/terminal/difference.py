"""A comparison of two models as lines and tables in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.table import Table

from pofx.queries.difference.diff import Difference, Mean, Place
from pofx.report.numerals import with_commas
from pofx.report.terminal.cells import make_table
from pofx.report.visible import visible


def difference_lines(found: Difference) -> Iterator[str]:
    """Yield the numbers of a comparison, a line each."""
    yield f"texts       {with_commas(len(found.log_a))}, EOS {'counted' if found.end else 'not counted'}"
    yield f"a text      {_shown(found.per_text)}"
    yield f"a byte      {_shown(found.per_byte)}"
    bounds = found.bounds_per_byte
    if bounds is not None:
        yield f"bounds      A − B from {bounds[0]:.4g} to {bounds[1]:.4g} nats a byte, all spellings"
    if found.per_token is not None:
        yield f"a token     {_shown(found.per_token)}"
    n = int(found.tokens.sum())
    if n:
        yield f"KL(A‖B)     {found.kl_a_token:.4g} nats a token, over {with_commas(n)} tokens"
        yield f"KL(B‖A)     {found.kl_back_a_token:.4g} nats a token"
        yield f"entropy     {found.entropy_a_token:.4g} nats a token, of A"
    elif bounds is not None:
        yield "KL(A‖B)     not known: some spellings are left out"
    else:
        yield "KL(A‖B)     not defined: the models cut the texts into different tokens"


def texts_table(found: Difference, ids: Mapping[int, str], most: int) -> Table:
    """Return the texts on which the models differ most."""
    table = make_table()
    table.add_column("text", overflow="fold")
    for name in ("log p_A", "log p_B", "A − B"):
        table.add_column(name, justify="right", no_wrap=True)
    values = np.stack([found.log_a, found.log_b, found.differences], axis=1)
    for i in found.most(most):
        table.add_row(visible(ids[i]), *(f"{v:.3f}" for v in values[i].tolist()))
    return table


def places_table(noun: str, places: Sequence[Place], ids: Mapping[int, str]) -> Table:
    """Return the words or regions on which the models differ most, with the text before each."""
    table = make_table()
    table.add_column("text", overflow="fold")
    table.add_column("after", justify="right", overflow="fold")
    table.add_column(noun, overflow="fold")
    table.add_column("A − B", justify="right", no_wrap=True)
    for p in places:
        table.add_row(
            visible(ids[p.text]), visible(p.before[-24:]), visible(p.spelled), f"{p.difference:.3f}"
        )
    return table


def _shown(m: Mean) -> str:
    known = f"95 % from {m.low:.4g} to {m.high:.4g}" if math.isfinite(m.low) else "interval not known"
    return f"A − B {m.value:.4g} nats, {known}"
