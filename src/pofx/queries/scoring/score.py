"""Log p(x) of texts, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.queries.scoring.joins import JoinRequest, choose_joins, score_exact, score_healed
from pofx.queries.scoring.scored import Scored as Scored
from pofx.queries.scoring.scored import score_tokens
from pofx.queries.scoring.terms import Given, name_normalizers, prefix_per_text, read_texts, terms_given_ids
from pofx.transforms.given import Prefix
from pofx.transforms.given import given as with_prefix


def score(
    lm: LM,
    texts: Sequence[str | bytes],
    given: Given | Sequence[Given] = "",
    want: Want = Want(),
    boundary: JoinRequest = "auto",
) -> list[Scored]:
    """Score texts: log p(text | given), term by term.

    log p(text | given) = Σ log p(x_i | given, x_<i) + log p(EOS | given, text), nats.

    Args:
        lm: The model.
        texts: A list of texts.
        given: One prefix for all texts, or one for each: a string, or a conversation (`chat`), which is read as ids.
        want: What else to report at each position: entropy, rank, likeliest tokens.
        boundary: How a prefix and its text join, where a text has more than one spelling:

            - "auto": The prefix and the text are strings. Where `encode` cuts between them, each is cut into tokens by
              itself. Elsewhere (mid-word, or after a space) a text of up to 64 bytes is joined as by "exact". A longer
              text is healed: log p(tokens of prefix and text together) − log P(prefix), so that the first token may
              begin inside the prefix.
            - "exact": log p(xy) − log P(x), whatever tokens span the join or spell the text. The terms are bytes, have
              bounds, and cost one to four tokens each.
            - "token": The prefix and the text are each cut into tokens, so that the text begins with a new token.
            - "error": As "token", but the call is refused where `encode` does not cut between prefix and text.

    Returns:
        One record a text, in order; `Terms.boundary` says which join was used.

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
    prefixes = prefix_per_text(given, len(texts))
    if any(isinstance(g, Prefix) for g in prefixes):
        return _score_given_ids(lm, texts, prefixes, want, boundary)
    return _score(lm, texts, [g for g in prefixes if not isinstance(g, Prefix)], want, boundary)


def _score(
    lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[str | bytes], want: Want, boundary: JoinRequest
) -> list[Scored]:
    """`score` where every prefix is a string."""
    texts, changed = read_texts(lm, texts)
    prefixes, changed_prefixes = read_texts(lm, prefixes)
    joins = choose_joins(lm, texts, prefixes, boundary)
    out: dict[int, Scored] = {}
    for way in dict.fromkeys(joins):
        rows = [i for i, w in enumerate(joins) if w == way]
        out |= zip(rows, _SCORERS[way](lm, [texts[i] for i in rows], [prefixes[i] for i in rows], want))
    return name_normalizers(
        [out[i] for i in range(len(texts))], [x or g for x, g in zip(changed, changed_prefixes)]
    )


def _score_given_ids(
    lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[Given], want: Want, boundary: JoinRequest
) -> list[Scored]:
    """`score` where some prefixes are ids: with such a prefix the model is another model, whose texts have no prefix."""
    out: dict[int, Scored] = {}
    for prefix in dict.fromkeys(prefixes):
        rows = [i for i, g in enumerate(prefixes) if g == prefix]
        group = [texts[i] for i in rows]
        if isinstance(prefix, Prefix):
            scored = _score(with_prefix(lm, prefix), group, [""] * len(group), want, boundary)
            scored = [
                replace(s, given=prefix.text, terms=terms_given_ids(lm, s.terms, prefix)) for s in scored
            ]
        else:
            scored = _score(lm, group, [prefix] * len(group), want, boundary)
        out |= zip(rows, scored)
    return [out[i] for i in range(len(texts))]


_SCORERS = {"token": score_tokens, "exact": score_exact, "healed": score_healed}


def log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """Log p(text | given) of one complete text, EOS included, nats.

    Args:
        lm: The model.
        text: The text.
        given: The prefix to condition on: a string, or a conversation (`chat`).
        boundary: How the prefix and the text join, as in `score`.

    Returns:
        A number of nats, at most 0; −inf for a text of probability zero.

    Raises:
        NoEOS: Texts of the model never end.
        PofxError: The errors of `score`.

    Right: `log_prob(lm, " world", given="hello")`. Wrong: adding this to `log_prob(lm, "hello")`, which counts the EOS of a
    text that ends there. log p(xy) = `prefix_log_prob(lm, x)` + `log_prob(lm, y, given=x)`.
    """
    return score(lm, [text], given, boundary=boundary)[0].total


def prefix_log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """Log P(text | given): the probability that a text starts with `text`, given its prefix, nats; no EOS term.

    Args:
        lm: The model.
        text: The beginning of texts.
        given: The prefix to condition on: a string, or a conversation (`chat`).
        boundary: How the prefix and the text join, as in `score`.

    Returns:
        A number of nats, at most 0.

    Raises:
        PofxError: The errors of `score`.

    Right: `prefix_log_prob(lm, "The cat")`. Wrong: summing this over strings: prefixes of one text are not exclusive events.
    """
    return score(lm, [text], given, boundary=boundary)[0].prefix_total
