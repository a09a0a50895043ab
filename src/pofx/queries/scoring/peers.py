"""What other tools print for a text: sub-sums of the same chain rule, each behind that tool's own idea of x0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pofx.errors import Advice, BadValue, NoEOS, TooLong
from pofx.lm.model import LM
from pofx.transforms.with_begin import token_name
from pofx.units import LN10
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

Front = Literal["tokenizer", "bos", "bos or eos", "x0"]
Sum = Literal["sum", "mean", "perplexity", "log10"]

# Tokens in a chunk of llama-perplexity, unless it is told otherwise (-c).
CHUNK = 512


@dataclass(frozen=True)
class PeerRule:
    """Which terms of log p(x1|B) … log p(xn|x<n), log p(E|x) a tool adds up, for which B, and what it makes of them.

    call: how it is asked. front: where its B comes from: what the tokenizer adds by itself (perhaps nothing, then
    the first token is dropped), the declared BOS, that or else EOS, or the x0 of an n-gram. end: whether E counts.
    """

    call: str
    front: Front
    end: bool
    sum: Sum
    unit: str
    chunk: int | None = None


PEERS: Mapping[str, PeerRule] = {
    "minicons": PeerRule(
        "IncrementalLMScorer(model, 'cpu').sequence_score(text)", "tokenizer", False, "mean", "nats a token"
    ),
    "lm-eval": PeerRule("HFLM.loglikelihood of ('', text)", "bos or eos", False, "sum", "nats"),
    "lmppl": PeerRule(
        "LM(model).get_perplexity(text)", "tokenizer", False, "perplexity", "perplexity a token"
    ),
    "lm-scorer": PeerRule("sentence_score(text, log=True)", "bos", True, "sum", "nats"),
    "llama-perplexity": PeerRule(
        f"llama-perplexity -c {CHUNK} -f file", "tokenizer", False, "perplexity", "perplexity a token", CHUNK
    ),
    "kenlm": PeerRule("model.score(text)", "x0", True, "log10", "log10"),
}


@dataclass(frozen=True)
class PeerTerm:
    """One token, its log p as the tool conditions it (nats; None where the tool computes none), and whether it counts."""

    token: str
    id: int
    nats: float | None
    counted: bool


@dataclass(frozen=True)
class PeerScore:
    """What a tool prints: `value` in `unit`, made of the terms that count; `note` says of what they are."""

    peer: str
    value: float
    unit: str
    terms: tuple[PeerTerm, ...]
    note: str


def as_peer(lm: LM, text: str | bytes, peer: str, chunk: int | None = None) -> PeerScore:
    """The number that another tool prints for a text under this model, and every term of it, nats.

    The terms are pofx's own, log p(x_i | B, x_<i) with that tool's B in front, even one that pofx would not take for
    x0: p(x1|B) may be no better than chance. peer: a key of `PEERS`. chunk: tokens in a chunk, for a tool that cuts.

    A text is encoded as text: what such a tool makes of "</s>" in one is not reproduced, nor are its batch's padding
    and the precision of its softmax. `BadValue` where the tool would stop, `TooLong` where it would cut or crash.

    Right: `as_peer(load("smollm2"), "The cat sat on the mat.", "minicons").value`.
    Wrong: comparing it with `log_prob`: it has other terms.
    """
    rule = PEERS.get(peer)
    if rule is None:
        raise BadValue(f"peer: expected one of {', '.join(PEERS)}, found {peer!r}", None)
    marks = _marks(lm)
    as_words = peer == "kenlm" and lm.vocab.control.unknown is not None
    # KenLM cuts a text at any white space of ASCII, and reads a word that it has not as <unk>.
    text, changed = lm.vocab.read(text)
    if as_words:
        text = b" ".join(to_bytes(text).split())
    vocab = lm.vocab.unknown_as_class if as_words else lm.vocab
    ids = [int(i) for i in vocab.encode(text)]
    as_left = f"; of the text as {changed} left it" if changed else ""
    if rule.chunk is not None:
        size = rule.chunk if chunk is None else check_whole_number("chunk", chunk, 2)
        chunked = _chunked(lm, marks, ids, peer, rule, size)
        return replace(chunked, note=chunked.note + as_left)
    before, after = _around(lm, marks, peer, rule)
    if not ids and peer in ("lm-eval", "minicons", "lmppl"):
        raise BadValue(f"{peer} stops at an empty text, found one", "log_prob gives its p(EOS | x0)")
    score = _whole(lm, marks, before, ids, after, peer, rule)
    unknown = sum(i == vocab.control.unknown for i in ids)
    return replace(score, note=score.note + (_unknown(unknown) if unknown else "") + as_left)


def _unknown(n: int) -> str:
    return (
        f"; {n:,} {'word is' if n == 1 else 'words are'} unknown and read as <unk>, so it is of no text alone"
    )


# --- what stands around a text ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Marks:
    """Control tokens as a tokenizer has them. own: an x0 that no id spells, which `lm` itself puts before a text."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    begin: int | None
    end: int | None
    own: bool


def _marks(lm: LM) -> _Marks:
    if lm.bare() is None:
        # A model of pofx's own: its tokenizer.json puts x0 before every text.
        x0 = lm.begin.id if lm.begin.id is not None else lm.vocab.size
        return _Marks((x0,), (), x0, lm.vocab.end, own=True)
    # Each id has one role, "bos" before others; an EOS that is also BOS, as in GPT-2, is that of the vocabulary.
    control = lm.vocab.control
    roles = dict(control.candidates)
    return _Marks(
        control.adds_before,
        control.adds_after,
        roles.get("bos"),
        roles.get("eos", lm.vocab.end),
        own=False,
    )


def _around(lm: LM, marks: _Marks, peer: str, rule: PeerRule) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tool puts before and behind the tokens of a text."""
    if rule.front == "tokenizer":
        return marks.before, marks.after
    end = (marks.end,) if rule.end and marks.end is not None else ()
    if rule.end and not end:
        raise NoEOS(f"{peer} puts EOS behind a text, but this model has none", "another tool does without it")
    if rule.front == "x0" and not marks.own:
        raise BadValue(f"{peer} expects an n-gram with x0 and EOS, found another model", "it runs no others")
    begin = marks.begin
    if begin is None and rule.front == "bos or eos":
        begin = marks.end
    if begin is None:
        raise BadValue(
            f"{peer} puts a declared BOS before a text, but the tokenizer of this model declares none", None
        )
    return (begin,), end


# --- the number -----------------------------------------------------------------------------------------------------


def _whole(
    lm: LM,
    marks: _Marks,
    before: tuple[int, ...],
    ids: list[int],
    after: tuple[int, ...],
    peer: str,
    rule: PeerRule,
) -> PeerScore:
    path = [*before, *ids, *after]
    shown_end = [] if after or marks.end is None or not _fits(lm, marks, len(path) + 1) else [marks.end]
    logp = [None, *_logp(lm, marks, [*path, *shown_end], 1, peer)]
    terms = [
        PeerTerm(_name(lm, i), i, nats, 0 < k < len(path))
        for k, (i, nats) in enumerate(zip([*path, *shown_end], logp))
        if k >= len(before) or k > 0
    ]
    counted = [t.nats for t in terms if t.counted and t.nats is not None]
    n = len(counted)
    front = _name(lm, before[0], marks) if before else ""
    note = f"{_WHAT[rule.sum]} of {n} of {len(ids) + 1} terms: "
    note += f"behind {front}" if before else "nothing before the text, so the first token is dropped"
    note += ", EOS included" if after else ", no EOS"
    return PeerScore(peer, _summed(counted, rule.sum), rule.unit, tuple(terms), note)


def _chunked(lm: LM, marks: _Marks, ids: list[int], peer: str, rule: PeerRule, size: int) -> PeerScore:
    """Chunks without overlap; of each, the tokens of the second half count, behind those before them in the chunk."""
    stream = [*marks.before, *ids]
    if len(stream) < 2 * size:
        raise BadValue(
            f"{peer} expects at least {2 * size:,} tokens, two chunks of {size:,}, found {len(stream):,}",
            "it would stop",
        )
    nats: list[float | None] = [None] * len(stream)
    first = size // 2 + 1
    for lo in range(0, len(stream) - size + 1, size):
        # The first token of every chunk gives way to BOS, where there is one.
        path = [*marks.before[:1], *stream[lo + len(marks.before[:1]) : lo + size]]
        nats[lo + first : lo + size] = _logp(lm, marks, path, first, peer)
    k = len(marks.before)
    terms = [PeerTerm(_name(lm, i), i, x, x is not None) for i, x in zip(stream[k:], nats[k:])]
    counted = [t.nats for t in terms if t.nats is not None]
    front = f"{_name(lm, marks.before[0], marks)} before each" if marks.before else "nothing before them"
    note = (
        f"{_WHAT[rule.sum]} of {len(counted):,} of {len(ids) + 1:,} terms: the second halves of chunks of {size:,} "
        f"tokens, {front}, the rest unscored, no EOS"
    )
    return PeerScore(peer, _summed(counted, rule.sum), rule.unit, tuple(terms), note)


_WHAT: Mapping[Sum, str] = {
    "sum": "sum",
    "mean": "mean",
    "perplexity": "exp(−mean)",
    "log10": "sum / ln 10",
}


def _summed(nats: Sequence[float], how: Sum) -> float:
    total = math.fsum(nats) if all(map(math.isfinite, nats)) else -math.inf
    if how == "sum":
        return total
    if how == "log10":
        return total / LN10
    if not nats:
        return math.nan  # the mean of nothing, as they print it
    mean = total / len(nats)
    if how == "mean":
        return mean
    return math.exp(-mean) if -mean < 700 else math.inf  # where floats end


def _logp(lm: LM, marks: _Marks, path: Sequence[int], skip: int, peer: str) -> list[float]:
    """log p of path[skip:], each behind all before it in the path, whose first token may be x0."""
    if len(path) <= skip:
        return []
    core = lm if marks.own else lm.bare()
    assert core is not None  # noqa: S101  (ours: `own` says when there is no core)
    if not _fits(lm, marks, len(path)):
        raise TooLong(
            f"{peer} reads a text in one window, here of {core.context:,} tokens, found {len(path) - 1:,}; it "
            "would crash or cut the text",
            Advice("score it as pofx does", "score(lm, texts)", "without --as"),
        )
    asked = path[1:] if marks.own else path
    found = core.forward([np.array(asked, dtype=np.int64)], skip=skip - marks.own)
    return [float(x) for x in found.logp[0]]


def _fits(lm: LM, marks: _Marks, n: int) -> bool:
    """Whether a path of n tokens, the last of which is no input, fits one window; our own models have a rule for more."""
    core = None if marks.own else lm.bare()
    return core is None or core.context is None or n <= core.context + 1


def _name(lm: LM, i: int, marks: _Marks | None = None) -> str:
    """A token as people read it; a control token by the name its tokenizer has for it."""
    if marks is not None and marks.own and i == marks.begin:
        return lm.begin.text or "x0"
    return token_name(lm.vocab, i)
