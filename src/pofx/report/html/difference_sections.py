"""A comparison of two models as sections of a page: its numbers, and the texts, words and tokens of most difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pofx.report.html.amounts import Fact, amounts_block
from pofx.report.html.blocks import Block, Cell, Numeral, Section, table
from pofx.report.html.record_blocks import Row, score_block
from pofx.report.numerals import fixed_point, significant_digits

if TYPE_CHECKING:
    from pofx.queries.difference.diff import Difference, Mean, Place
    from pofx.queries.scoring.score import Scored

TITLE = "Two models on the same texts"


def difference_sections(
    found: Difference,
    names: tuple[str, str],
    ids: Mapping[int, str],
    texts: Sequence[tuple[Scored, Scored]],
    rows: Sequence[Row],
) -> list[Section]:
    """Return the sections of a comparison of two models A and B.

    Args:
        found: The comparison.
        names: The names of A and B.
        ids: The ids of the texts that are named, by number.
        texts: Some texts under A and under B, which stand side by side.
        rows: The row of each of these texts.
    """
    sections = [Section(TITLE, (_facts(found, names), _means(found)))]
    if texts:
        sections.append(Section("The texts that differ most", (comparisons_block(texts, names, rows),)))
    # Regions are tokens where the models cut every text alike.
    region = "token" if found.tokens.all() else "region"
    for noun, places in (("word", found.words), (region, found.regions)):
        if places:
            sections.append(Section(f"The {noun}s that differ most", (_places(noun, places, ids),)))
    return sections


def comparisons_block(
    texts: Sequence[tuple[Scored, Scored]], names: tuple[str, str], rows: Sequence[Row] = ()
) -> Block:
    """Return a block of texts under two models, each as regions of bytes that both models cut out, shaded by the difference.

    Args:
        texts: Each text under A and under B.
        names: The names of A and B.
        rows: The row that each text stood in; () for texts of no file.
    """
    sides = [score_block([pair[k] for pair in texts], rows).data["texts"] for k in (0, 1)]
    both: list[dict[str, Any]] = [
        {**{k: v for k, v in a.items() if k in ("id", "kept")}, "a": a["score"], "b": b["score"]}
        for a, b in zip(*sides)
    ]
    return Block("comparisons", {"names": list(names), "texts": both})


def _facts(found: Difference, names: tuple[str, str]) -> Block:
    """Return the mean difference, and the divergences where both laws were compared."""
    n = int(found.tokens.sum())
    facts = [Fact(significant_digits(found.per_text.value), "nats a text", "A − B =")]
    if n:
        facts += [
            Fact(significant_digits(found.kl_a_token), "nats a token", "KL(A‖B) ="),
            Fact(significant_digits(found.kl_back_a_token), "nats a token", "KL(B‖A) ="),
            Fact(significant_digits(found.entropy_a_token), "nats a token", "entropy of A ="),
        ]
    told = f"A is {names[0]}; B is {names[1]}; A − B is log p_A(x) − log p_B(x)"
    ended = "EOS is counted." if found.end else "EOS is not counted, since a model has none."
    cut = "" if n else " There is no KL, since the models cut the texts into different tokens."
    if found.bounds_per_byte is not None:
        low, high = (significant_digits(x) for x in found.bounds_per_byte)
        cut = f" Some spellings are left out: with them, A − B lies between {low} and {high} nats a byte. There is no KL."
    return amounts_block(facts, (), "", "", told=told, note=ended + cut)


def _means(found: Difference) -> Block:
    """Return a table of the mean difference a text, a byte and a token, with its interval."""
    means: list[tuple[str, int, Mean | None]] = [
        ("text", len(found.log_a), found.per_text),
        ("byte", int(found.bytes.sum()), found.per_byte),
        ("token", int(found.tokens.sum()), found.per_token),
    ]
    cells: list[Sequence[Cell]] = [
        (f"nats a {unit}", n, m.value, *(x if math.isfinite(x) else None for x in (m.low, m.high)))
        for unit, n, m in means
        if m is not None
    ]
    note = "The interval of 95 % is by a paired bootstrap of texts."
    return table(("A − B", "units", "mean", "from", "to"), cells, note)


def _places(noun: str, places: Sequence[Place], ids: Mapping[int, str]) -> Block:
    cells: list[Sequence[Cell]] = [
        (ids[p.text], p.before[-24:], p.spelled, Numeral(fixed_point(p.difference))) for p in places
    ]
    return table(("text", "after", noun, "A − B, nats"), cells)
