"""log p(x), term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.queries.scoring.joins import JoinRequest, choose_joins, score_exact, score_healed
from pofx.queries.scoring.scored import Scored as Scored
from pofx.queries.scoring.scored import score_tokens
from pofx.queries.scoring.terms import Given, name_normalizers, read_texts, terms_given_ids
from pofx.transforms.given import given as with_prefix
from pofx.transforms.prefix_ids import Prefix


def score(
    lm: LM,
    texts: Sequence[str | bytes],
    given: Given | Sequence[Given] = "",
    want: Want = Want(),
    boundary: JoinRequest = "auto",
) -> list[Scored]:
    """log p(text | given) = Σ log p(x_i | given, x_<i) + log p(EOS | given, text), nats, one record a text, in order.

    given: one prefix for all, or one a text: a string, or a conversation (`chat`), which is read as ids. want: entropies,
    ranks, alternatives as well. `NoBOS` for a model without x0 and an empty `given`; `Impossible` for a `given` of
    probability zero; `NotText` for what the vocabulary cannot spell.

    boundary: what joins a prefix and its text, where a text has more than one spelling; `Terms.boundary` says which it
    was. "auto": both are strings. Where `encode` cuts between them, their tokens are those of the one and then the
    other; where it does not (mid-word, behind a space), as "exact" up to 64 bytes of text; of a longer one the join
    alone is healed: log p(its tokens together with the prefix's) − log P(prefix), whose first token may begin inside
    the prefix. "exact": log p(xy) − log P(x), whatever tokens span the join or spell the text (`given_string`): terms of
    bytes, with bounds, at the cost of one to four tokens a byte. "token": each is cut into tokens by itself, and the
    text begins with a new one. "error": as "token", but `BadValue` where `encode` does not cut between them.

    Right: `score(lm, ["a text", "another"])[0].total`. Wrong: `score(lm, "a text")`, a string is not a list.
    """
    if isinstance(texts, str | bytes):
        raise BadValue(
            "texts: expected a list of texts, found one text", "write score(lm, [text]) or log_prob(lm, text)"
        )
    if not isinstance(given, str | bytes | Prefix | Sequence):
        raise BadValue(f"given: expected one prefix, or one a text, found {type(given).__name__}", None)
    texts = list(texts)
    prefixes = [given] * len(texts) if isinstance(given, str | bytes | Prefix) else list(given)
    if len(prefixes) != len(texts):
        raise BadValue(
            f"given: expected one prefix, or one for each of {len(texts)} texts, found {len(prefixes)}", None
        )
    if any(isinstance(g, Prefix) for g in prefixes):
        return _behind_ids(lm, texts, prefixes, want, boundary)
    return _score(lm, texts, [g for g in prefixes if not isinstance(g, Prefix)], want, boundary)


def _score(
    lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[str | bytes], want: Want, boundary: JoinRequest
) -> list[Scored]:
    texts, changed = read_texts(lm, texts)
    prefixes, before = read_texts(lm, prefixes)
    joins = choose_joins(lm, texts, prefixes, boundary)
    out: dict[int, Scored] = {}
    for way in dict.fromkeys(joins):
        rows = [i for i, w in enumerate(joins) if w == way]
        out |= zip(rows, _SCORERS[way](lm, [texts[i] for i in rows], [prefixes[i] for i in rows], want))
    return name_normalizers([out[i] for i in range(len(texts))], [by or g for by, g in zip(changed, before)])


def _behind_ids(
    lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[Given], want: Want, boundary: JoinRequest
) -> list[Scored]:
    """The same where prefixes hold ids: the model behind each is a model, whose texts have no other prefix."""
    out: dict[int, Scored] = {}
    for prefix in dict.fromkeys(prefixes):
        rows = [i for i, g in enumerate(prefixes) if g == prefix]
        some = [texts[i] for i in rows]
        if isinstance(prefix, Prefix):
            found = _score(with_prefix(lm, prefix), some, [""] * len(some), want, boundary)
            found = [replace(s, given=prefix.text, terms=terms_given_ids(lm, s.terms, prefix)) for s in found]
        else:
            found = _score(lm, some, [prefix] * len(some), want, boundary)
        out |= zip(rows, found)
    return [out[i] for i in range(len(texts))]


_SCORERS = {"token": score_tokens, "exact": score_exact, "healed": score_healed}


def log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """log p(text | given), nats: the text, complete, EOS included. See `score` for the terms and errors.

    Right: `log_prob(lm, " world", given="hello")`. Wrong: adding it to `log_prob(lm, "hello")`, which has the EOS
    of a text that ends there: log p(xy) = prefix_log_prob(x) + log_prob(y, given=x).
    """
    return score(lm, [text], given, boundary=boundary)[0].total


def prefix_log_prob(
    lm: LM,
    text: str | bytes,
    given: Given = "",
    boundary: JoinRequest = "auto",
) -> float:
    """log P(text | given), nats: the probability that what follows `given` starts with `text`; no EOS term."""
    return score(lm, [text], given, boundary=boundary)[0].prefix_total
