"""The answers of a model to questions with choices, and their accuracy by each rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.proportions import wilson
from pofx.classification.evaluation import Evaluation, evaluate
from pofx.evaluation.items import TIED, ChoiceItem
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn
from pofx.queries.scoring.terms import Terms
from pofx.units import bits_per_byte

Floats = NDArray[np.float64]
Rule = Literal["log-p", "per-byte", "per-token", "pmi"]
RULES: tuple[Rule, ...] = ("log-p", "per-byte", "per-token", "pmi")


@dataclass(frozen=True, eq=False)
class ScoredItem:
    """The numbers of one item; each array has an entry for each of the K choices.

    Attributes:
        item: The question.
        log_p: log P(choice | context), nats, `[K]`, of all texts that begin with context and choice: no EOS term.
        log_end: log p(EOS | context, choice), nats, `[K]`; None for a model without EOS.
        log_alone: log P(choice | neutral context), nats, `[K]`; None where "pmi" was not requested or is not defined.
        low: A lower bound of `log_p`, nats, `[K]`; equal to `log_p` where no spelling was left out.
        high: An upper bound of `log_p`, nats, `[K]`.
        tokens: The number of tokens of each choice, with the string between context and choice, `[K]`.
        bytes: The number of bytes of each choice, without the string between context and choice, `[K]`.
        terms: The terms of `log_p` of the right choice.
    """

    item: ChoiceItem
    log_p: Floats
    log_end: Floats | None
    log_alone: Floats | None
    low: Floats
    high: Floats
    tokens: NDArray[np.int64]
    bytes: NDArray[np.int64]
    terms: Terms

    def values(self, rule: Rule, end: bool) -> Floats | None:
        """Return the number of each choice by a rule, `[K]`: nats, nats a byte, or nats a token.

        Args:
            rule: "log-p", "per-byte", "per-token" or "pmi", as in `evaluate_choices`.
            end: Whether log p(EOS | context, choice) counts. EOS is then one more token and no byte. "pmi" never counts EOS.

        Returns:
            The numbers; None for "pmi" without `log_alone`, and for EOS of a model without EOS.
        """
        if rule == "pmi":
            return None if self.log_alone is None else _difference(self.log_p, self.log_alone)
        if end and self.log_end is None:
            return None
        value = self.log_p + self.log_end if end and self.log_end is not None else self.log_p
        if rule == "per-byte":
            return value / np.maximum(self.bytes, 1)
        return value / np.maximum(self.tokens + end, 1) if rule == "per-token" else value


@dataclass(frozen=True)
class RuleResult:
    """The right answers by one rule.

    Attributes:
        rule: The rule.
        right: The number of items that are answered right.
        n: The number of items.
        low: The lower end of the 95 % interval of the accuracy (Wilson), a share.
        high: The upper end of this interval.
        end_changes: The number of items whose answer changes if EOS counts where it did not, or the reverse; None for
            "pmi", and for a model without EOS.
    """

    rule: Rule
    right: int
    n: int
    low: float
    high: float
    end_changes: int | None

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.right / self.n


@dataclass(frozen=True, eq=False, repr=False)
class ChoiceReport(Shown, HasTable):
    """Questions with choices, answered by a model.

    Attributes:
        items: The numbers of each question.
        end: Whether EOS counts after a choice.
        neutral: The context of `log_alone`; None where "pmi" was not requested or is not defined.
        no_pmi: The reason why there is no "pmi"; "" where there is.
    """

    items: tuple[ScoredItem, ...]
    end: bool
    neutral: str | None
    no_pmi: str = ""

    def answers(self, rule: Rule = "log-p", end: bool | None = None) -> NDArray[np.int64] | None:
        """Return the place of the chosen choice of each item, from 0, `[n]`; None for an undefined rule.

        An item whose choices are all impossible, or whose two best numbers are equal, has the place −1 and no answer.

        Args:
            rule: The rule, as in `evaluate_choices`.
            end: Whether EOS counts; None for the `end` of the report.
        """
        out = []
        for scored in self.items:
            values = scored.values(rule, self.end if end is None else end)
            if values is None:
                return None
            best = np.max(values)
            tied = np.sum(values >= best - TIED) > 1
            out.append(-1 if tied or best == -np.inf else int(np.argmax(values)))
        return np.array(out, dtype=np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each item is answered right by "log-p", `[n]`."""
        answers = self.answers()
        assert answers is not None  # noqa: S101  (ours: "log-p" is always defined)
        right: NDArray[np.bool_] = answers == self.labels
        return right

    @property
    def terms(self) -> Terms:
        """The terms of the right choice of the first item."""
        return self.items[0].terms

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The place of the right choice of each item, from 0, `[n]`."""
        return np.array([s.item.label for s in self.items], dtype=np.int64)

    @cached_property
    def rules(self) -> tuple[RuleResult, ...]:
        """The result of each rule that is defined."""
        out = []
        for rule in RULES:
            found = self.answers(rule)
            if found is None:
                continue
            other = None if rule == "pmi" else self.answers(rule, not self.end)
            right, n = int(np.sum(found == self.labels)), len(found)
            changes = None if other is None else int(np.sum(found != other))
            out.append(RuleResult(rule, right, n, *wilson(right, n), changes))
        return tuple(out)

    @property
    def chance(self) -> float:
        """The expected accuracy of a choice at random, a share: the mean of 1 / K."""
        return math.fsum(1 / len(s.item.choices) for s in self.items) / len(self.items)

    @cached_property
    def log_posterior(self) -> Floats:
        """Log P(choice | context, one of the choices follows), nats, `[n, m]`, where m is the largest K of all items.

        An item with fewer choices has −∞ in the columns after them. An item whose choices are all impossible has the
        uniform distribution.
        """
        out = np.full((len(self.items), max(len(s.item.choices) for s in self.items)), -np.inf)
        for row, scored in zip(out, self.items):
            values = scored.values("log-p", self.end)
            assert values is not None  # noqa: S101  (ours: `end` is refused for a model without EOS)
            k = len(values)
            whole = float(logsumexp(values))
            row[:k] = values - whole if whole > -np.inf else -math.log(k)
        return out

    @cached_property
    def calibration(self) -> Evaluation:
        """The log-loss, in nats an item, and the calibration of the posterior."""
        return evaluate(self.log_posterior, self.labels)

    @property
    def brier(self) -> float:
        """The mean over items of Σ_k (P(k) − 1[k is right])² of the posterior P, from 0 to 2 (Brier 1950)."""
        p = np.exp(self.log_posterior)
        p[np.arange(len(p)), self.labels] -= 1.0
        return float((p**2).sum(axis=1).mean())

    @property
    def bits_per_byte(self) -> float:
        """−log2 P(right choice | context), summed over the items, divided by the bytes of the right choices."""
        total = math.fsum(float(s.log_p[s.item.label]) for s in self.items)
        return bits_per_byte(-total, sum(int(s.bytes[s.item.label]) for s in self.items))

    @property
    def undecided(self) -> int:
        """The number of answers by "log-p" that the bounds `low` and `high` leave open; EOS has no bounds of its own."""
        out = 0
        for s in self.items:
            ended = s.log_end if self.end and s.log_end is not None else np.zeros(len(s.log_p))
            best = int(np.argmax(s.log_p + ended))
            others = np.delete(s.high + ended, best)
            out += bool(others.max() > (s.low + ended)[best]) and bool(np.any(s.low != s.high))
        return out

    def groups(self, rule: Rule = "log-p") -> dict[str, tuple[int, int]]:
        """Return the number of right items and the number of items of each group, in the order of first appearance.

        An undefined rule has no groups.
        """
        found = self.answers(rule)
        out: dict[str, tuple[int, int]] = {}
        for s, at in zip(self.items, [] if found is None else found.tolist()):
            right, n = out.get(s.item.group, (0, 0))
            out[s.item.group] = right + (at == s.item.label), n + 1
        return out

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`: a row for each choice of each item."""
        rows = [(i, k, s) for i, s in enumerate(self.items) for k in range(len(s.item.choices))]
        answers = self.answers()
        assert answers is not None  # noqa: S101  (ours: "log-p" is always defined)

        def column(name: str, values: list[Floats | None]) -> list[TableColumn]:
            if any(v is None for v in values):
                return []
            return [TableColumn(name, "float", np.concatenate(values))]  # type: ignore[arg-type]

        return [
            TableColumn("id", "text", [s.item.id for _, _, s in rows]),
            TableColumn("group", "text", [s.item.group for _, _, s in rows]),
            TableColumn("choice", "int", [k for _, k, _ in rows]),
            TableColumn("text", "text", [s.item.choices[k] for _, k, s in rows]),
            TableColumn("right", "bool", [k == s.item.label for _, k, s in rows]),
            TableColumn("chosen", "bool", [bool(k == answers[i]) for i, k, _ in rows]),
            *column("log_p_nats", [s.log_p for s in self.items]),
            *column("log_end_nats", [s.log_end for s in self.items]),
            *column("log_alone_nats", [s.log_alone for s in self.items]),
            TableColumn("posterior", "float", [math.exp(self.log_posterior[i, k]) for i, k, _ in rows]),
            TableColumn("tokens", "int", [int(s.tokens[k]) for _, k, s in rows]),
            TableColumn("bytes", "int", [int(s.bytes[k]) for _, k, s in rows]),
        ]


def _difference(a: Floats, b: Floats) -> Floats:
    """Return a − b, and −∞ where a is −∞, whatever b is."""
    with np.errstate(invalid="ignore"):
        return np.where(a == -np.inf, -np.inf, a - b)
