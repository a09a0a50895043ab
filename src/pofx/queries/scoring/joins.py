"""The joins of a prefix and a text: the tokens that may span the join, and how such tokens are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from pofx.errors import Advice, BadValue, NotText
from pofx.lm.model import LM
from pofx.lm.trace import Ints, Trace, Want
from pofx.queries.scoring.scored import Scored, TokenPaths
from pofx.queries.scoring.terms import terms
from pofx.queries.segmentation.unit_automata import unfinished_character
from pofx.transforms.given import check_possible, impossible, show
from pofx.transforms.given_string import Join, forward_joins, given_string
from pofx.vocab.vocabulary import to_bytes

JoinRequest = Literal["auto", "token", "exact", "error"]
JOIN_REQUESTS = ("auto", "token", "exact", "error")
JoinKind = Literal["token", "exact", "healed"]
Text = str | bytes

# The most bytes of a text that "auto" joins exactly, at two to four tokens a byte: labels, words and answers. A longer text
# gets a healed join, at the cost of one pass over its tokens.
MOST_EXACT_BYTES = 64


def choose_joins(
    lm: LM, texts: Sequence[Text], prefixes: Sequence[Text], asked: JoinRequest
) -> list[JoinKind]:
    """Choose the join of each prefix and its text.

    Args:
        lm: The model.
        texts: Texts.
        prefixes: The prefix of each text, "" for none.
        asked: The join that the caller requests, as `boundary` of `score`.

    Returns:
        One kind of join a text.

    Raises:
        BadValue: `asked` is no join; or `asked` is "error", and `encode` does not cut between a prefix and its text.
    """
    if asked not in JOIN_REQUESTS:
        raise BadValue(
            f"expected one of {', '.join(map(repr, JOIN_REQUESTS))}, got {asked!r}",
            "write one of these joins",
            argument="boundary",
        )
    if asked == "token" or (asked != "error" and lm.vocab.unambiguous):
        return ["token"] * len(texts)
    out: list[JoinKind] = []
    known: dict[bytes, list[int] | None] = {}
    for text, prefix in zip(texts, prefixes):
        before, after = to_bytes(prefix), to_bytes(text)
        if not before or asked == "exact":
            out.append("exact" if before else "token")
        elif (asked == "error" or not unfinished_character(before)) and _cut_between(
            lm, before, after, known
        ):
            out.append("token")
        elif asked == "error":
            raise BadValue(
                f"expected a text whose tokens begin where the prefix ends, got {show(text)} after "
                f"{show(prefix)}, which together are other tokens",
                Advice("sum over all tokenisations", "boundary='exact'", "--boundary exact"),
                argument="boundary",
            )
        else:
            out.append("exact" if len(after) <= MOST_EXACT_BYTES else "healed")
    return out


def _cut_between(lm: LM, before: bytes, after: bytes, known: dict[bytes, list[int] | None]) -> bool:
    """Return whether the tokens of prefix and text together are the prefix's tokens followed by the text's tokens."""
    if before not in known:
        known[before] = _encoded(lm, before)
    first, both = known[before], _encoded(lm, before + after)
    if both is None:  # the error comes later, when each part is encoded alone
        return True
    if first is None or both[: len(first)] != first:
        return False
    try:
        vocab = lm.vocab.continuation if first else lm.vocab
        return list(vocab.encode(after)) == both[len(first) :]
    except NotText:
        return False


def _encoded(lm: LM, data: bytes) -> list[int] | None:
    try:
        return list(lm.vocab.encode(data))
    except NotText:
        return None


def score_exact(lm: LM, texts: Sequence[Text], prefixes: Sequence[Text], want: Want) -> list[Scored]:
    """Score texts after their prefixes as strings, byte by byte: log p(xy) − log P(x), with bounds, nats.

    Args:
        lm: The model.
        texts: Texts.
        prefixes: The prefix of each text, "" for none.
        want: The request for more numbers at each byte.

    Returns:
        One record a text, in order; its tokens are bytes.

    Raises:
        Impossible: A prefix has probability zero.
    """
    rows = _by_prefix(prefixes)
    joins = [given_string(lm, prefix) for prefix, _ in rows]
    cuts = [
        TokenPaths.of(join.lm, [texts[i] for i in some], [join.tail] * len(some))
        for join, (_, some) in zip(joins, rows)
    ]
    for join, (prefix, _) in zip(joins, rows):
        # A prefix that can be encoded has a positive probability under a positive model.
        if not lm.positive or _encoded(lm, to_bytes(prefix)) is None:
            check_possible(join.lm, [list(join.tail)] if join.tail else [], [prefix])
    which = [k for k, cut in enumerate(cuts) for _ in cut.paths]
    paths = [p for cut in cuts for p in cut.paths]
    trace = forward_joins(lm, joins, which, paths, want, [s for cut in cuts for s in cut.skips])
    out: dict[int, Scored] = {}
    first = 0
    for join, cut, (prefix, some) in zip(joins, cuts, rows):
        for i, s in zip(some, cut.records(join.lm, trace, first)):
            x0 = terms(lm, 0, 0, len(to_bytes(prefix)), s.terms.end)
            small_print = replace(
                s.terms,
                begin=x0.begin,
                begin_known=x0.begin_known,
                first=False,
                given_bytes=x0.given_bytes,
                boundary="exact",
            )
            out[i] = replace(s, given=prefix, terms=small_print)
        first += len(some)
    return [out[i] for i in range(len(texts))]


def score_healed(lm: LM, texts: Sequence[Text], prefixes: Sequence[Text], want: Want) -> list[Scored]:
    """Score texts in tokens, of which the first may begin inside the prefix.

        log p(tokens of prefix and text together) − log P(prefix), nats

    The prefix counts in all its spellings, with bounds. The text counts in one spelling, so the number is a lower bound of
    log p of the text as a string.

    Args:
        lm: The model.
        texts: Texts.
        prefixes: The prefix of each text, not empty.
        want: The request for more numbers at each position.

    Returns:
        One record a text, in order. `score_exact` scores a text before which the tokenizer cuts the prefix in another way.

    Raises:
        Impossible: A prefix has probability zero.
    """
    rows = _by_prefix(prefixes)
    joins = [given_string(lm, prefix) for prefix, _ in rows]
    tails = _tails(lm, joins)
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    ids = [lm.vocab.encode_array(to_bytes(g) + to_bytes(t)) for g, t in zip(prefixes, texts)]
    reach = [np.cumsum([0, *map(len, lm.vocab.pieces(p))]) for p in ids]  # type: ignore[arg-type]
    head = [0] * len(ids)
    cut: list[tuple[int, Scored]] = []
    otherwise: list[int] = []
    for join, tail, (prefix, some) in zip(joins, tails, rows):
        if tail.prefix_total == -np.inf:
            raise impossible(prefix)
        for i in some:
            head[i] = int(np.searchsorted(reach[i], len(join.head)))
            # A tokenizer may cut the head of a prefix in another way when more bytes follow.
            if reach[i][head[i]] == len(join.head):
                cut.append((i, tail))
            else:
                otherwise.append(i)
    out = dict(
        zip(otherwise, score_exact(lm, [texts[i] for i in otherwise], [prefixes[i] for i in otherwise], want))
    )
    paths = [np.append(ids[i], end).astype(np.int64) for i, _ in cut]
    trace = lm.forward(paths, want, [head[i] for i, _ in cut])
    for k, (i, tail) in enumerate(cut):
        # The text begins with the first token that ends after the prefix, or with EOS where there is no such token.
        size = len(to_bytes(prefixes[i]))
        first = int(np.searchsorted(reach[i][1:], size, side="right"))
        record = _record(lm, texts[i], prefixes[i], ids[i][first:], trace, k, first - head[i])
        logp = record.logp.copy()
        before = float(trace.logp[k][: first - head[i]].sum())
        if len(logp):
            logp[0] += before - tail.prefix_total
        low = logp.copy()
        low[:1] += tail.prefix_total - tail.prefix_interval[1]
        out[i] = replace(
            record,
            logp=logp,
            low=low,
            high=np.zeros_like(logp),
            seen=lm.seen(len(paths[k]))[first:],
            inside=int(size - reach[i][first]) if first < len(ids[i]) else 0,
            vocab=lm.vocab.continuation if first else lm.vocab,
        )
    return [out[i] for i in range(len(texts))]


def _tails(lm: LM, joins: Sequence[Join]) -> list[Scored]:
    """Score the bytes at the end of each prefix that may share a token with the text."""
    cuts = [TokenPaths.of(join.lm, [join.tail], [b""]) for join in joins]
    trace = forward_joins(lm, joins, range(len(joins)), [c.paths[0] for c in cuts], Want(), [0] * len(joins))
    return [c.records(join.lm, trace, k)[0] for k, (join, c) in enumerate(zip(joins, cuts))]


def _record(lm: LM, text: Text, prefix: Text, tokens: Ints, trace: Trace, k: int, at: int) -> Scored:
    small_print = replace(
        terms(lm, len(tokens), len(to_bytes(text)), len(to_bytes(prefix)), lm.vocab.end is not None),
        boundary="healed",
    )
    return Scored(
        text,
        prefix,
        tokens,
        trace.logp[k][at:],
        small_print,
        lm.vocab,
        tokens[:0],
        trace.entropy[k][at:] if trace.entropy else None,
        trace.rank[k][at:] if trace.rank else None,
        trace.top_ids[k][at:] if trace.top_ids else None,
        trace.top_logp[k][at:] if trace.top_logp else None,
    )


def _by_prefix(prefixes: Sequence[Text]) -> list[tuple[Text, list[int]]]:
    """Return the distinct prefixes, and the numbers of the texts with each prefix."""
    rows: dict[tuple[type, Text], list[int]] = {}
    for i, g in enumerate(prefixes):
        rows.setdefault((type(g), g), []).append(i)
    return [(g, some) for (_, g), some in rows.items()]
