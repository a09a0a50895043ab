"""Questions with choices: the continuation of a context that a model gives the highest probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, NoBOS, NoEOS
from pofx.evaluation.choice_report import ChoiceReport, ScoredItem
from pofx.evaluation.items import ChoiceItem, as_items, choice_item
from pofx.lm.model import LM
from pofx.queries.scoring.joins import JoinRequest
from pofx.queries.scoring.score import Scored, score
from pofx.vocab.vocabulary import to_bytes

Floats = NDArray[np.float64]
# The items of one call of `score`: their contexts are read once for all choices, and memory stays bounded.
TOGETHER = 64


def evaluate_choices(
    lm: LM,
    items: Any,
    end: bool = False,
    between: str = " ",
    neutral: str | None = "",
    boundary: JoinRequest = "auto",
) -> ChoiceReport:
    """Let a model choose among continuations of a context.

        log-p      log P(choice | context), nats
        per-byte   log P(choice | context) / bytes of the choice
        per-token  log P(choice | context) / tokens of the choice
        pmi        log P(choice | context) − log P(choice | neutral)

    By each rule the answer is the choice with the largest number. By "log-p" this choice also has the largest posterior
    P(choice | context, one of the choices follows), so only this rule has a log-loss and a calibration. log P falls
    with each byte of a choice, so "per-byte" suits choices that are sentences of different lengths. "pmi" takes away how
    common a choice is without the context (Holtzman et al. 2021).

    Args:
        lm: The model.
        items: The questions, at least one: a list of `ChoiceItem` or of mappings, or a table of Arrow, pandas or polars with
            the columns `context`, `choices` and `label`. The columns `id` and `group` may be absent; `id` is then the
            number of the row, from 0.
        end: Whether EOS counts after a choice. Without EOS a choice is the beginning of a text: the choice "A" is never less
            probable than "A and B". With EOS the text ends after the choice, which models of long texts seldom expect.
        between: The string that joins a context and a choice. The string is left out if the context is empty, ends in
            white space, or the choice begins with white space.
        neutral: The context of the choices alone, for "pmi"; None to leave "pmi" out. By default, "", a choice alone stands
            at the beginning of a text. For a model without x0 "pmi" is then left out, and `no_pmi` of the report says so.
        boundary: The join of the context and a choice, as in `score`.

    Returns:
        The report. The string `between` counts in log P and in the tokens of a choice, and not in the bytes of the choice.

    Raises:
        BadValue: There is no item, or a row holds none.
        NotText: A string of a row has a lone surrogate.
        MissingExtra: `items` is a table of Arrow, pandas or polars, and pyarrow is not installed.
        NoEOS: `end` is True, and the model has no EOS.
        NoBOS: The model has no x0, and a context is empty.
        PofxError: The other errors of `score`.

    Right: `evaluate_choices(lm, [ChoiceItem("The sky is", ("blue", "loud"), 0)]).rules[0].accuracy`. Wrong: comparing
    accuracies with another tool's without its rule, its `between`, and its x0.
    """
    items = as_items(items, choice_item, ChoiceItem)
    if end and lm.vocab.end is None:
        raise NoEOS(
            "p(EOS | context, choice) is needed for end=True, but this model has no end-of-text symbol",
            Advice("leave EOS out", "end=False", "without --eos", parameter="counted"),
        )
    blocks = [items[i : i + TOGETHER] for i in range(0, len(items), TOGETHER)]
    found = [s for some in blocks for s in _scored(lm, some, between, boundary)]
    no_pmi = "" if neutral is not None else "it was not asked for"
    if neutral is not None:
        try:
            alone = [x for some in blocks for x in _alone(lm, some, neutral, between, boundary)]
            found = [replace(s, log_alone=x) for s, x in zip(found, alone)]
        except NoBOS:
            # The other rules stand: p(x1) is missing only where a choice stands alone.
            no_pmi, neutral = "p(x1) is not defined for this model; name a neutral context", None
    return ChoiceReport(tuple(found), end, neutral, no_pmi)


def _scored(lm: LM, items: Sequence[ChoiceItem], between: str, boundary: JoinRequest) -> list[ScoredItem]:
    texts = [_joined(item.context, c, between) for item in items for c in item.choices]
    contexts = [item.context for item in items for _ in item.choices]
    records = iter(score(lm, texts, contexts, boundary=boundary))
    out = []
    for item in items:
        mine = [next(records) for _ in item.choices]
        bounds = np.array([r.prefix_interval for r in mine])
        out.append(
            ScoredItem(
                item,
                np.array([r.prefix_total for r in mine]),
                None if lm.vocab.end is None else np.array([float(r.logp[-1]) for r in mine]),
                None,
                bounds[:, 0],
                bounds[:, 1],
                np.array([_tokens(lm, r) for r in mine], dtype=np.int64),
                np.array([len(to_bytes(c)) for c in item.choices], dtype=np.int64),
                mine[item.label].terms,
            )
        )
    return out


def _alone(
    lm: LM, items: Sequence[ChoiceItem], neutral: str, between: str, boundary: JoinRequest
) -> list[Floats]:
    """Return log P(choice | neutral), `[K]` for each item."""
    texts = [_joined(neutral, c, between) for item in items for c in item.choices]
    records = iter(score(lm, texts, neutral, boundary=boundary))
    return [np.array([next(records).prefix_total for _ in item.choices]) for item in items]


def _joined(context: str, choice: str, between: str) -> str:
    """Return the choice with the string `between` before it, where this string is needed."""
    apart = not context or context[-1].isspace() or choice[:1].isspace()
    return choice if apart else between + choice


def _tokens(lm: LM, record: Scored) -> int:
    """Return the number of tokens of a text after its prefix; where the join counted bytes, that of `encode`."""
    if record.terms.boundary != "exact":
        return len(record.tokens)
    return len(lm.vocab.continuation.encode(record.text))
