"""Minimal pairs: whether a model gives the right one of two texts, which differ in one respect, the higher probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.proportions import wilson
from pofx.errors import BadValue
from pofx.evaluation.items import TIED, Pair, as_items, pair_item
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn
from pofx.lm.model import LM
from pofx.queries.audit.begin.one_text import models_after_each
from pofx.queries.scoring.score import score
from pofx.queries.scoring.scored import refuse_complete
from pofx.queries.scoring.terms import Given, Terms

Floats = NDArray[np.float64]
# The number of pairs of one call of `score`, which bounds the memory; the common beginning of a pair is read once.
TOGETHER = 256


@dataclass(frozen=True)
class PhenomenonResult:
    """The right verdicts of one group of pairs.

    Attributes:
        group: The name of the group.
        right: The number of pairs whose right text is the more probable one.
        n: The number of pairs.
        low: The lower end of the 95 % interval of the accuracy (Wilson), a share.
        high: The upper end of this interval.
        margin: The mean of log p(good) − log p(bad), nats a pair; log P in place of log p where EOS does not count.
    """

    group: str
    right: int
    n: int
    low: float
    high: float
    margin: float

    @property
    def accuracy(self) -> float:
        """The share of right verdicts."""
        return self.right / self.n


@dataclass(frozen=True)
class OtherBegin:
    """The verdicts after another x0.

    Attributes:
        name: The name of the other x0.
        right: The number of right verdicts.
        changes: The number of verdicts that differ from the verdicts after the model's own x0.
    """

    name: str
    right: int
    changes: int


@dataclass(frozen=True, eq=False, repr=False)
class PairReport(Shown, HasTable):
    """Minimal pairs, judged by a model.

    Attributes:
        pairs: The pairs.
        good: log P(text | given) of each right text, without an EOS term, nats, `[n]`.
        bad: log P(text | given) of each other text, likewise, nats, `[n]`.
        good_end: log p(EOS | given, text) of each right text, nats, `[n]`; None for a model without EOS.
        bad_end: log p(EOS | given, text) of each other text, nats, `[n]`; None for a model without EOS.
        end: Whether EOS counts.
        begins: The verdicts after each other candidate for x0; empty where these verdicts were not requested.
        terms: The terms of the first text.
    """

    pairs: tuple[Pair, ...]
    good: Floats
    bad: Floats
    good_end: Floats | None
    bad_end: Floats | None
    end: bool
    begins: tuple[OtherBegin, ...]
    terms: Terms

    @property
    def log_p(self) -> Floats:
        """Log p of the right and of the other text of each pair, nats, `[2, n]`; log P where EOS does not count."""
        out = np.stack([self.good, self.bad])
        if self.end and self.good_end is not None and self.bad_end is not None:
            out += np.stack([self.good_end, self.bad_end])
        return out

    def margins(self, end: bool | None = None) -> Floats:
        """Return log p(good) − log p(bad) of each pair, nats, `[n]`; 0 where both texts are impossible.

        Args:
            end: Whether EOS counts; None for the `end` of the report. Without EOS the difference is of log P.
        """
        counted = self.end if end is None else end
        return _margins(self.good, self.bad, self.good_end, self.bad_end, counted)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether the right text is the more probable one, `[n]`; two equal numbers are not right."""
        return self.margins() > TIED

    @property
    def whole(self) -> PhenomenonResult:
        """All pairs as one group."""
        return _result("", self.right, self.margins())

    @property
    def groups(self) -> tuple[PhenomenonResult, ...]:
        """The result of each group, in the order of first appearance."""
        names = np.array([p.group for p in self.pairs], dtype=object)
        return tuple(
            _result(name, self.right[names == name], self.margins()[names == name])
            for name in dict.fromkeys(names.tolist())
        )

    @property
    def end_changes(self) -> int | None:
        """The number of verdicts that change if EOS counts where it did not, or the reverse; None without EOS."""
        if self.good_end is None:
            return None
        return int(np.sum((self.margins(not self.end) > TIED) != self.right))

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`: a row for each pair."""
        ends = (("good_end_nats", self.good_end), ("bad_end_nats", self.bad_end))
        return [
            TableColumn("id", "text", [p.id for p in self.pairs]),
            TableColumn("group", "text", [p.group for p in self.pairs]),
            TableColumn("good", "text", [p.good for p in self.pairs]),
            TableColumn("bad", "text", [p.bad for p in self.pairs]),
            TableColumn("good_nats", "float", self.good),
            TableColumn("bad_nats", "float", self.bad),
            *(TableColumn(name, "float", cells) for name, cells in ends if cells is not None),
            TableColumn("margin_nats", "float", self.margins()),
            TableColumn("right", "bool", self.right.tolist()),
        ]


def evaluate_pairs(
    lm: LM,
    pairs: Any,
    end: bool | None = None,
    given: Given = "",
    begins: bool = False,
) -> PairReport:
    """Let a model judge minimal pairs.

        a verdict is right if log p(good | given) > log p(bad | given)

    Args:
        lm: The model.
        pairs: The pairs, at least one: a list of `Pair` or of mappings, or a table of Arrow, pandas or polars with the
            columns `good` and `bad`. The columns `id` and `group` may be absent; `id` is then the number of the row, from 0.
        end: Whether p(EOS | text) counts. A sentence is a complete text, so by default EOS counts where the model has EOS.
        given: A prefix before all texts, which a model without x0 needs.
        begins: Whether the pairs are also judged after each other candidate for x0 of a pretrained model. With
            `given` the argument has no effect.

    Returns:
        The report.

    Raises:
        BadValue: There is no pair, or a row holds none.
        NotText: A text of a row has a lone surrogate.
        MissingExtra: `pairs` is a table of Arrow, pandas or polars, and pyarrow is not installed.
        NoEOS: `end` is True, and the model has no EOS.
        NoBOS: The model has no x0, and `given` is empty.
        PofxError: The other errors of `score`.

    Right: `evaluate_pairs(lm, [Pair("She sees.", "She see.")]).whole.accuracy`. Wrong: pairs of different lengths, since
    the longer text is less probable for its length alone.
    """
    pairs = tuple(as_items(pairs, pair_item, Pair))
    if begins and given:
        raise BadValue(
            "expected no prefix, since x0 is not asked for after a prefix, got one",
            "leave given or begins out",
            argument="begins",
        )
    counted = lm.vocab.end is not None if end is None else end
    good, bad, good_end, bad_end, first = _scored(lm, pairs, given)
    if counted and good_end is None:
        raise refuse_complete()
    right = _margins(good, bad, good_end, bad_end, counted) > TIED
    others = []
    for name, other in models_after_each(lm) if begins else ():
        verdicts = _margins(*_scored(other, pairs, "")[:4], counted) > TIED
        others.append(OtherBegin(name, int(verdicts.sum()), int(np.sum(verdicts != right))))
    return PairReport(pairs, good, bad, good_end, bad_end, counted, tuple(others), first)


def _scored(
    lm: LM, pairs: Sequence[Pair], given: Given
) -> tuple[Floats, Floats, Floats | None, Floats | None, Terms]:
    totals: list[float] = []
    ends: list[float] = []
    first: Terms | None = None
    for some in (pairs[i : i + TOGETHER] for i in range(0, len(pairs), TOGETHER)):
        records = score(lm, [text for p in some for text in (p.good, p.bad)], given)
        first = first or records[0].terms
        totals += [r.prefix_total for r in records]
        ends += [float(r.logp[-1]) for r in records if r.terms.end]
    assert first is not None  # noqa: S101  (ours: there is a pair)
    whole, at_end = np.array(totals), np.array(ends) if ends else None
    good_end, bad_end = (None, None) if at_end is None else (at_end[::2], at_end[1::2])
    return whole[::2], whole[1::2], good_end, bad_end, first


def _margins(good: Floats, bad: Floats, good_end: Floats | None, bad_end: Floats | None, end: bool) -> Floats:
    a = good if not end or good_end is None else good + good_end
    b = bad if not end or bad_end is None else bad + bad_end
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def _result(name: str, right: NDArray[np.bool_], margins: Floats) -> PhenomenonResult:
    k, n = int(right.sum()), len(right)
    return PhenomenonResult(name, k, n, *wilson(k, n), float(margins.mean()))
