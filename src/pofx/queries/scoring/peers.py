"""The numbers that other tools print for a text: sums of some terms of the chain rule, each with the tool's own x0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pofx.errors import Advice, BadValue, NoEOS, TooLong
from pofx.lm.model import LM
from pofx.queries.scoring.lm_eval_requests import Requests
from pofx.queries.scoring.peer_marks import Marks, marks_of
from pofx.queries.scoring.peer_rules import PEERS, STATISTIC_NAMES, PeerRule, Statistic
from pofx.transforms.with_begin import token_name
from pofx.units import LN10
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes


@dataclass(frozen=True)
class PeerTerm:
    """A token of a text, as another tool counts it.

    Attributes:
        token: The token in printable form.
        id: The id of the token.
        nats: log p of the token as the tool conditions it, nats; None where the tool computes no log p.
        counted: Whether the tool adds the term up.
    """

    token: str
    id: int
    nats: float | None
    counted: bool


@dataclass(frozen=True)
class PeerScore:
    """The number that another tool prints for a text.

    Attributes:
        peer: The tool.
        value: The number, in `unit`.
        unit: The unit of the number.
        statistic: The statistic of the terms that the tool prints: their sum, mean, perplexity, or sum in log10.
        terms: Every token of the text, counted or not.
        note: The terms that are in the number, in words.
    """

    peer: str
    value: float
    unit: str
    statistic: Statistic
    terms: tuple[PeerTerm, ...]
    note: str


def as_peer(
    lm: LM, text: str | bytes, peer: str, chunk: int | None = None, given: str | bytes = ""
) -> PeerScore:
    """Compute the number that another tool prints for a text under this model, and every term of it.

    The terms are computed by pofx: log p(x_i | B, x_<i) after the tool's B. B need not be an x0 of the model, and p(x1|B)
    may be no better than chance. A text is encoded as text. Three properties of tools are not reproduced: how a tool reads
    "</s>" within a text, the padding of its batches, and the precision of its softmax.

    After a context, lm-eval encodes context and text together, and counts the ids after as many as the context alone has.
    Where a token spans the join, the number is of another string, and `note` says so.

    Args:
        lm: The model.
        text: The text.
        peer: The tool, a key of `PEERS`.
        chunk: The number of tokens in a chunk, for a tool that cuts texts into chunks; None for the tool's own default.
        given: The context of the text, for lm-eval alone; "" for none.

    Returns:
        The number with its terms.

    Raises:
        BadValue: The tool is unknown, takes no context, or would stop at this text or this model.
        NoEOS: The tool counts EOS, and the model has no EOS.
        TooLong: The tool would crash or cut the text.

    Right: `as_peer(load("smollm2"), "The cat sat on the mat.", "minicons").value`.
    Wrong: comparing the number with `log_prob`, which has other terms.
    """
    rule = PEERS.get(peer)
    if rule is None:
        raise BadValue(
            f"expected one of {', '.join(PEERS)}, got {peer!r}", "write one of these tools", argument="peer"
        )
    if given:
        return _score_continuation(lm, given, text, peer)
    marks = marks_of(lm)
    as_words = peer == "kenlm" and lm.vocab.control.unknown is not None
    # KenLM cuts a text at any white space of ASCII, and reads a word outside its vocabulary as <unk>.
    text, changed = lm.vocab.read(text)
    if as_words:
        text = b" ".join(to_bytes(text).split())
    vocab = lm.vocab.unknown_as_class if as_words else lm.vocab
    ids = [int(i) for i in vocab.encode(text)]
    as_left = f"; of the text as {changed} left it" if changed else ""
    if rule.chunk is not None:
        size = rule.chunk if chunk is None else check_whole_number("chunk", chunk, 2)
        chunked = _score_chunks(lm, marks, ids, peer, rule, size)
        return replace(chunked, note=chunked.note + as_left)
    before, after = _tokens_around(marks, peer, rule)
    if not ids and peer in ("lm-eval", "minicons", "lmppl"):
        raise BadValue(
            f"expected a text with tokens, since {peer} stops at an empty text, got ''",
            "log_prob gives p(EOS | x0) of the empty text",
        )
    score = _score_whole(lm, marks, before, ids, after, peer, rule)
    unknown = sum(i == vocab.control.unknown for i in ids)
    return replace(score, note=score.note + (_unknown_note(unknown) if unknown else "") + as_left)


def _unknown_note(n: int) -> str:
    return (
        f"; {n:,} {'word is' if n == 1 else 'words are'} unknown and read as <unk>, so it is of no text alone"
    )


# --- the tokens around a text ------------------------------------------------------------------------------------


def _tokens_around(marks: Marks, peer: str, rule: PeerRule) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens that the tool puts before and after the tokens of a text."""
    if rule.front == "tokenizer":
        return marks.before, marks.after
    end = (marks.end,) if rule.end and marks.end is not None else ()
    if rule.end and not end:
        raise NoEOS(
            f"{peer} puts EOS after a text, but this model has no EOS",
            "choose a tool without EOS, such as lm-eval",
        )
    if rule.front == "x0" and not marks.own:
        raise BadValue(
            f"{peer} expects an n-gram with x0 and EOS, got another model",
            "use such a model, or choose another tool",
        )
    begin = marks.begin
    if begin is None and rule.front == "bos or eos":
        begin = marks.end
    if begin is None:
        raise BadValue(
            f"{peer} puts a declared BOS before a text, but the tokenizer of this model declares no BOS", None
        )
    return (begin,), end


# --- the number -----------------------------------------------------------------------------------------------------


def _score_whole(
    lm: LM,
    marks: Marks,
    before: tuple[int, ...],
    ids: list[int],
    after: tuple[int, ...],
    peer: str,
    rule: PeerRule,
) -> PeerScore:
    path = [*before, *ids, *after]
    shown_end = (
        [] if after or marks.end is None or not _fits_window(lm, marks, len(path) + 1) else [marks.end]
    )
    logp = [None, *_log_probs(lm, marks, [*path, *shown_end], 1, peer)]
    terms = [
        PeerTerm(_show_token(lm, i), i, nats, 0 < k < len(path))
        for k, (i, nats) in enumerate(zip([*path, *shown_end], logp))
        if k >= len(before) or k > 0
    ]
    counted = [t.nats for t in terms if t.counted and t.nats is not None]
    n = len(counted)
    front = _show_token(lm, before[0], marks) if before else ""
    note = f"{STATISTIC_NAMES[rule.sum]} of {n} of {len(ids) + 1} terms: "
    note += f"after {front}" if before else "nothing before the text, so the first token is dropped"
    note += ", EOS included" if after else ", no EOS"
    return PeerScore(peer, _summarise(counted, rule.sum), rule.unit, rule.sum, tuple(terms), note)


def _score_continuation(lm: LM, given: str | bytes, text: str | bytes, peer: str) -> PeerScore:
    """Return the number of HFLM.loglikelihood of (context, text)."""
    if peer != "lm-eval":
        raise BadValue(
            f"expected a text without a context, since only lm-eval takes one, got a context for {peer}",
            "leave the context out, or choose lm-eval",
            argument="given",
        )
    if not isinstance(given, str) or not isinstance(text, str):
        raise BadValue(
            "expected a context and a text of characters, since lm-eval reads no bytes, got bytes",
            "pass strings",
            argument="given",
        )
    asked = Requests(lm)
    request = asked.pair(given, text)
    nats = asked.terms(request)
    counted = request.path[-request.counted :]
    terms = tuple(PeerTerm(_show_token(lm, i), i, x, True) for i, x in zip(counted, nats))
    note = f"sum of {len(terms):,} terms: after the context, no EOS"
    if request.across:
        note += "; a token spans the join, so these tokens follow another string than the context"
    if request.cut:
        note += "; the beginning of the context is cut off"
    return PeerScore(peer, _summarise(nats, "sum"), PEERS[peer].unit, "sum", terms, note)


def _score_chunks(lm: LM, marks: Marks, ids: list[int], peer: str, rule: PeerRule, size: int) -> PeerScore:
    """Return the number of a tool that cuts texts into chunks without overlap.

    The tokens of the second half of each chunk count, given the tokens before them in the chunk.
    """
    stream = [*marks.before, *ids]
    if len(stream) < 2 * size:
        raise BadValue(
            f"{peer} expects at least {2 * size:,} tokens, two chunks of {size:,}, got {len(stream):,}",
            "score a longer text, since the tool stops at this one",
        )
    nats: list[float | None] = [None] * len(stream)
    first = size // 2 + 1
    for lo in range(0, len(stream) - size + 1, size):
        # BOS, where the tokenizer adds one, takes the place of the first token of every chunk.
        path = [*marks.before[:1], *stream[lo + len(marks.before[:1]) : lo + size]]
        nats[lo + first : lo + size] = _log_probs(lm, marks, path, first, peer)
    k = len(marks.before)
    terms = [PeerTerm(_show_token(lm, i), i, x, x is not None) for i, x in zip(stream[k:], nats[k:])]
    counted = [t.nats for t in terms if t.nats is not None]
    front = (
        f"{_show_token(lm, marks.before[0], marks)} before each" if marks.before else "nothing before them"
    )
    note = (
        f"{STATISTIC_NAMES[rule.sum]} of {len(counted):,} of {len(ids) + 1:,} terms: the second halves of chunks of "
        f"{size:,} tokens, {front}, the rest unscored, no EOS"
    )
    return PeerScore(peer, _summarise(counted, rule.sum), rule.unit, rule.sum, tuple(terms), note)


def _summarise(nats: Sequence[float], how: Statistic) -> float:
    total = math.fsum(nats) if all(map(math.isfinite, nats)) else -math.inf
    if how == "sum":
        return total
    if how == "log10":
        return total / LN10
    if not nats:
        return math.nan  # the mean of no terms, as those tools print it
    mean = total / len(nats)
    if how == "mean":
        return mean
    return math.exp(-mean) if -mean < 700 else math.inf  # the largest float is near exp(709)


def _log_probs(lm: LM, marks: Marks, path: Sequence[int], skip: int, peer: str) -> list[float]:
    """Return log p of path[skip:], each token given all earlier tokens of the path, nats; path[0] may be x0."""
    if len(path) <= skip:
        return []
    core = lm if marks.own else lm.bare()
    assert core is not None  # noqa: S101  (ours: `own` says when there is no core)
    if not _fits_window(lm, marks, len(path)):
        raise TooLong(
            f"{peer} reads a text in one window, here of {core.context:,} tokens, got {len(path) - 1:,}; it "
            "would crash or cut the text",
            Advice("score the text as pofx does", "score(lm, texts)", "without --as"),
        )
    asked = path[1:] if marks.own else path
    trace = core.forward([np.array(asked, dtype=np.int64)], skip=skip - marks.own)
    return [float(x) for x in trace.logp[0]]


def _fits_window(lm: LM, marks: Marks, n: int) -> bool:
    """Return whether a path of n tokens, whose last token is no input, fits one window; True for a model fitted here."""
    core = None if marks.own else lm.bare()
    return core is None or core.context is None or n <= core.context + 1


def _show_token(lm: LM, i: int, marks: Marks | None = None) -> str:
    """Return a token in printable form; a control token has the name that its tokenizer declares."""
    if marks is not None and marks.own and i == marks.begin:
        return lm.begin.text or "x0"
    return token_name(lm.vocab, i)
