"""Log p(x) of texts, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.queries.scoring.inputs import Group, read_groups
from pofx.queries.scoring.joins import JoinRequest, choose_joins, score_exact, score_healed
from pofx.queries.scoring.scored import Scored as Scored
from pofx.queries.scoring.scored import score_tokens
from pofx.queries.scoring.terms import Given, terms_given_ids
from pofx.transforms.given import Prefix


def score(
    lm: LM,
    texts: Sequence[str | bytes],
    given: Given | Sequence[Given] = "",
    want: Want = Want(),
    boundary: JoinRequest = "auto",
) -> list[Scored]:
    """Score texts: log p(text | given), term by term.

        log p(text | given) = Σ log p(x_i | given, x_<i) + log p(EOS | given, text), nats

    Args:
        lm: The model.
        texts: A list of texts.
        given: One prefix for all texts, or one prefix for each text: a string, or a conversation (`chat`), which is read as
            ids.
        want: The request for more numbers at each position: entropy, rank, likeliest tokens.
        boundary: The join of a prefix and its text, for a text with more than one spelling:

            - "auto": The prefix and the text are strings. Where `encode` cuts between them, each is cut into tokens by
              itself. Elsewhere (within a word, or after a space) a text of up to 64 bytes gets an exact join. A longer text
              gets a healed join: log p(tokens of prefix and text together) − log P(prefix), so that the first token may
              begin inside the prefix.
            - "exact": log p(xy) − log P(x), summed over all tokens that may span the join or spell the text. The terms are
              bytes, have bounds, and cost one to four tokens each.
            - "token": The prefix and the text are each cut into tokens, so that the text begins with a new token.
            - "error": As "token", but the call is refused where `encode` does not cut between prefix and text.

    Returns:
        One record a text, in order; `Terms.boundary` names the join.

    Raises:
        NoBOS: The model has no x0, and `given` is empty.
        Impossible: A prefix has probability zero.
        NotText: The vocabulary cannot spell a text.
        TooLong: A text does not fit the context, and the model has no window rule.
        BadValue: An argument is outside its domain.

    Right: `score(lm, ["a text", "another"])[0].total`. Wrong: `score(lm, "a text")`, since a string is not a list.
    """
    if isinstance(texts, str | bytes):
        raise BadValue(
            "expected a list of texts, got one text",
            "write score(lm, [text]) or log_prob(lm, text)",
            argument="texts",
        )
    if not isinstance(given, str | bytes | Prefix | Sequence):
        raise BadValue(
            f"expected one prefix, or one for each text, got {type(given).__name__}",
            "pass a string, or a list of strings",
            argument="given",
        )
    texts = list(texts)
    out: dict[int, Scored] = {}
    for group in read_groups(lm, texts, given):
        for i, scored, normalized in zip(group.rows, _scored(group, want, boundary), group.changed):
            if normalized:
                scored = replace(scored, terms=replace(scored.terms, normalized=normalized))
            if group.ids is not None:
                scored = replace(
                    scored, given=group.ids.text, terms=terms_given_ids(lm, scored.terms, group.ids)
                )
            out[i] = scored
    return [out[i] for i in range(len(texts))]


def _scored(group: Group, want: Want, boundary: JoinRequest) -> list[Scored]:
    """Score the texts of one group, each by the join of its prefix."""
    joins = choose_joins(group.lm, group.texts, group.prefixes, boundary)
    out: dict[int, Scored] = {}
    for way in dict.fromkeys(joins):
        rows = [i for i, w in enumerate(joins) if w == way]
        texts, prefixes = [group.texts[i] for i in rows], [group.prefixes[i] for i in rows]
        out |= zip(rows, _SCORERS[way](group.lm, texts, prefixes, want))
    return [out[i] for i in range(len(joins))]


_SCORERS = {"token": score_tokens, "exact": score_exact, "healed": score_healed}


def log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """Compute log p(text | given) of one complete text, EOS included, nats.

    Args:
        lm: The model.
        text: The text.
        given: The prefix to condition on: a string, or a conversation (`chat`).
        boundary: The join of the prefix and the text, as in `score`.

    Returns:
        A number of nats, at most 0; −inf for a text of probability zero.

    Raises:
        NoEOS: Texts of the model never end.
        PofxError: The errors of `score`.

    Right: `prefix_log_prob(lm, x) + log_prob(lm, y, given=x)` for log p(xy). Wrong: `log_prob(lm, x)` in this sum, since it
    counts the EOS of a text that ends after x.
    """
    return score(lm, [text], given, boundary=boundary)[0].total


def prefix_log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """Compute log P(text | given): the log-probability that a text starts with `text`, nats, without an EOS term.

    Args:
        lm: The model.
        text: The beginning of texts.
        given: The prefix to condition on: a string, or a conversation (`chat`).
        boundary: The join of the prefix and the text, as in `score`.

    Returns:
        A number of nats, at most 0.

    Raises:
        PofxError: The errors of `score`.

    Right: `prefix_log_prob(lm, "The cat")`. Wrong: summing P over strings, since prefixes of one text are not exclusive
    events.
    """
    return score(lm, [text], given, boundary=boundary)[0].prefix_total
