"""What may stand for x0 of a pretrained model: each candidate, and what p(x1 | it) knows of how texts begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import entropy
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.audit.begin.openings import FEWEST, material
from pofx.queries.audit.held_out import HeldOut, budget_for, builtin_first_tokens, spell_text
from pofx.queries.audit.law_statistics import log_laws
from pofx.queries.findings import BeginCandidate, CheckVerdict, Measure
from pofx.transforms.with_begin import token_name
from pofx.units import bits
from pofx.vocab.vocabulary import Vocab

# Tokens of no meaning that stand first, one after the other: what the model says behind any.
STRANGERS = 32
# The share of p(x1|x0) said behind strangers as well, from which on x0 says nothing. SmolLM2, all candidates: 0.74 to
# 0.96 on eight kinds of documents (it says "-" with p = 0.4 behind every token). Gemma 3 270M, <bos>: 0.07 to 0.12.
SAME = 0.5
# Bits that each further token may cost more than behind another candidate. Gemma without its <bos>: 2 to 8. A newline
# beats every control token as x0 of SmolLM2 by up to 1.0, on proverbs, and x0 twice costs Gemma 0.1 to 0.4.
REST = 1.0
# Roles that a model may be taken to have been trained with, where its files do not say so.
ADOPTED = ("bos", "separator", "eos", "unk")

# The class of what spells no first byte: control tokens, EOS, and the space that some tokenizers put before a text.
NO_BYTE = 256


def first_bytes(vocab: Vocab) -> Ints:
    """The first byte that each id adds to a text it opens, `[V]`; 256 for none."""
    spelled = (b.removeprefix(b" ") if vocab.opening and b is not None else b for b in vocab.token_bytes)
    return np.array([b[0] if b else NO_BYTE for b in spelled], dtype=np.int64)


def by_first_byte(laws: NDArray[np.float64], of: Ints) -> NDArray[np.float64]:
    """Laws of tokens, `[k, V]` probabilities, as laws of the first byte, `[k, 257]`."""
    return np.stack([np.bincount(of, weights=p, minlength=NO_BYTE + 1) for p in laws])


@dataclass(frozen=True, eq=False)
class Openings:
    """First tokens of documents, `[n]`, as tokens and as first bytes; what the uniform law says of them, bits."""

    tokens: Ints
    of: Ints
    uniform: float
    uniform_bytes: NDArray[np.float64]

    def gains(self, p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bits gained over the uniform law, a document, by a law `[V]`: on first tokens, and on first bytes."""
        with np.errstate(divide="ignore"):
            token = bits(1.0) * np.log(p[self.tokens])
            byte = bits(1.0) * np.log(by_first_byte(p[None], self.of)[0][self.of[self.tokens]])
        return token + self.uniform, byte + self.uniform_bytes


def try_candidates(
    core: LM, begin: Begin, held: HeldOut, average: NDArray[np.float64] | None, seed: int
) -> tuple[BeginCandidate, ...]:
    """Every candidate for x0 of a model that has none of its own, on openings and heads of whole documents.

    core: the model without x0. begin: the x0 it is being audited with, or none. average: the law `[V]` of the
    positions of documents. An x0 that stood before texts in training passes; a higher log p is no evidence: x0
    twice raises short sentences, and a newline beats all of SmolLM2's control tokens.
    """
    tried = _tried(core, begin)
    laws = _laws(core, [ids for _, _, ids in tried])
    rest = _rest(core, [ids for _, _, ids in tried], held)
    strangers = _average_law_after_tokens(core, held, seed)
    found = _openings(core, held.openings)
    junk = _is_junk(strangers, [found, _openings(core, builtin_first_tokens(core.vocab))])
    least = int(np.argmin([r.mean() for r in rest])) if len(rest[0]) else 0
    out = []
    for (role, i, ids), p, r in zip(tried, laws, rest):
        token, byte = found.gains(p) if p is not None and len(found.tokens) else (_NOTHING, _NOTHING)
        usual = found.gains(average)[0] if average is not None and len(token) else _NOTHING
        gap = r - rest[least] if len(r) else _NOTHING
        row = BeginCandidate(
            name=_name(core, ids),
            id=i,
            role=role,
            current=begin.id is not None and i == begin.id and role != "twice",
            first_bits=found.uniform - _mean(token),
            uniform_bits=found.uniform,
            average_bits=found.uniform - _mean(usual),
            average_se=_se(token - usual),
            byte_bits=_mean(found.uniform_bytes) - _mean(byte),
            uniform_byte_bits=_mean(found.uniform_bytes),
            same=float("nan") if p is None else float(np.minimum(p, strangers).sum()),
            rest_bits=_mean(r),
            behind=_mean(gap),
            rest_se=_se(gap),
            entropy_bits=float("nan") if p is None else bits(float(entropy(_log(p)[None])[0])),
            top=() if p is None else _top(core, p),
            n=len(found.tokens),
            verdict="fail",
            value=float("nan"),
            bound=float("nan"),
            unit=Measure.NONE,
            why="",
        )
        found_so = _judged(row, token, byte, token - usual, junk, _name(core, tried[least][2]))
        out.append(replace(row, **vars(found_so)))
    return tuple(out)


def choose_candidate(tried: Sequence[BeginCandidate]) -> BeginCandidate | None:
    """The x0 that evidence alone speaks for, where the model has none; by role, since log p is no evidence."""
    sound = [c for c in tried if c.verdict == "pass" and c.role in ADOPTED]
    return min(sound, key=lambda c: ADOPTED.index(c.role), default=None)


_NOTHING: NDArray[np.float64] = np.zeros(0)


def _tried(core: LM, begin: Begin) -> list[tuple[str, int | None, list[int]]]:
    """(role, id, the tokens that stand before a text)."""
    vocab = core.vocab
    out: list[tuple[str, int | None, list[int]]] = [(role, i, [i]) for role, i in vocab.control.candidates]
    if begin.id is not None and begin.id not in [i for _, i, _ in out]:
        out.insert(0, ("begin", begin.id, [begin.id]))
    newline = spell_text(vocab, "\n")[0]
    if newline is not None and len(newline) == 1 and newline[0] not in [i for _, i, _ in out]:
        out.append(("newline", int(newline[0]), [int(newline[0])]))
    out.append(("none", None, []))
    once = begin.id if begin.id is not None else out[0][1]
    if once is not None:
        out.append(("twice", once, [once, once]))
    return out


def _laws(core: LM, before: Sequence[list[int]]) -> list[NDArray[np.float64] | None]:
    """p(x1 | what stands before), `[V]`; None where nothing does."""
    return [
        np.exp(log_laws(core.extend(core.start(1), np.array([ids])))[0]) if ids else None for ids in before
    ]


def _rest(core: LM, before: Sequence[list[int]], held: HeldOut) -> list[NDArray[np.float64]]:
    """Bits of a token of documents' heads, all but the first, a document: behind each of what stands before."""
    budget = budget_for(core)
    room = budget.head_tokens if core.context is None else min(budget.head_tokens, core.context - 2)
    heads = [p[:room] for p in held.paths if len(p) > 1][: budget.heads] if room > 1 else []
    paths = [np.array([*ids, *head], dtype=np.int64) for ids in before for head in heads]
    skips = [len(ids) + 1 for ids in before for _ in heads]
    found = [bits(float(-x.mean())) for x in core.forward(paths, skip=skips).logp]
    return [np.array(found[k * len(heads) : (k + 1) * len(heads)]) for k in range(len(before))]


def _average_law_after_tokens(core: LM, held: HeldOut, seed: int) -> NDArray[np.float64]:
    """The average of p(· | one token), for tokens from inside documents, `[V]`."""
    inside = np.unique(np.concatenate([p[1:] for p in held.paths if len(p) > 1] or [_letters(core)]))
    some = np.random.default_rng([seed, 8]).choice(inside, STRANGERS)
    mean: NDArray[np.float64] = np.exp(log_laws(core.extend(core.start(STRANGERS), some[:, None]))).mean(
        axis=0
    )
    return mean


def _letters(core: LM) -> Ints:
    return np.array([i for i, b in enumerate(core.vocab.token_bytes) if b is not None], dtype=np.int64)


def _openings(core: LM, tokens: Ints) -> Openings:
    of = first_bytes(core.vocab)
    letters = _letters(core)
    share = np.bincount(of[letters], minlength=257) / len(letters)
    with np.errstate(divide="ignore"):
        return Openings(tokens, of, float(np.log2(len(letters))), -np.log2(share[of[tokens]]))


def _is_junk(strangers: NDArray[np.float64], kinds: Sequence[Openings]) -> bool:
    """Whether what the model says behind strangers is worse than chance at how texts of every kind begin.

    First bytes decide: texts of another kind than the model's begin with other words, but hardly with other letters.
    """
    return all(_mean(o.gains(strangers)[1]) <= 0 for o in kinds if len(o.tokens))


@dataclass(frozen=True)
class Judged:
    """Whether it stood before texts in training: by which number, held against which bound, and why."""

    verdict: CheckVerdict
    value: float
    bound: float
    unit: Measure
    why: str


def _judged(
    row: BeginCandidate,
    token: NDArray[np.float64],
    byte: NDArray[np.float64],
    over: NDArray[np.float64],
    junk: bool,
    least: str,
) -> Judged:
    """token, byte: bits gained over the uniform law, a document; over: on first tokens over the model's average law."""
    nan = float("nan")
    if row.role == "none":
        return Judged("fail", nan, nan, Measure.NONE, "without an x0 there is no p(x1).")
    if row.role == "twice":
        return Judged("fail", row.behind, REST, Measure.BITS_EACH, "x0 stands before a text once.")
    anyway = f"{100 * row.same:.0f} % of p(x1|{row.name}) is what the model says behind any token that stands first"
    if row.same >= SAME and junk:
        said = ", ".join(f'"{token}" {p:.2f}' for token, p in row.top[:3])
        return Judged("fail", row.same, SAME, Measure.SHARE, f"{anyway} ({said}), and texts do not begin so.")
    if row.behind > REST and row.behind > 2 * row.rest_se:
        why = (
            f"behind {row.name} the rest of a document costs {row.behind:.1f} ± {row.rest_se:.1f} bits a token more "
            f"than behind {least}, which no x0 does that texts stood behind in training."
        )
        return Judged("fail", row.behind, REST, Measure.BITS_EACH, why)
    if row.n < FEWEST:
        why = f"of {row.name} only {row.n} documents can tell, of at least {FEWEST}."
        return Judged("warn", nan, nan, Measure.BITS, why)
    ways = [
        (_mean(gain), max(2 * _se(gain), material(uniform)), unit)
        for gain, uniform, unit in (
            (token, row.uniform_bits, Measure.BITS_OPENING),
            (byte, row.uniform_byte_bits, Measure.BITS_FIRST_BYTE),
        )
    ]
    gain, bound, unit = max(ways, key=lambda w: w[0] / w[1])
    told = (
        f"behind {row.name} the first token of {row.n:,} documents costs {row.first_bits:.2f} bits (uniform law "
        f"{row.uniform_bits:.2f}), its first byte {row.byte_bits:.2f} ({row.uniform_byte_bits:.2f})"
    )
    if gain <= bound:
        return Judged("fail", gain, bound, unit, f"{told}, no better than chance.")
    more, enough = _mean(over), max(2 * _se(over), material(row.uniform_bits))
    if row.same >= SAME and more <= enough:
        why = (
            f"{anyway}, and beyond what it says at any other place of a text it gains {more:.2f} bits on how documents "
            "begin: it was trained as one token among others."
        )
        return Judged("fail", more, enough, Measure.BITS_OPENING, why)
    if row.role not in ("begin", *ADOPTED):
        return Judged("warn", gain, bound, unit, f"{told}; but behind a {row.role} more than texts begins.")
    if ways[0][0] <= 0:
        told += ": not its words, but their letters"
    return Judged("pass", gain, bound, unit, f"{told}; {anyway}.")


def _name(core: LM, ids: Sequence[int]) -> str:
    if not ids:
        return "none"
    return token_name(core.vocab, ids[0]) + (" twice" if len(ids) == 2 else "")


def _top(core: LM, p: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    best = np.argsort(-p, kind="stable")[:10]
    return tuple((core.vocab.show(int(i)), float(p[i])) for i in best)


def _log(p: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = np.log(p)
    return out


def _mean(a: NDArray[np.float64]) -> float:
    return float(a.mean()) if len(a) else float("nan")


def _se(a: NDArray[np.float64]) -> float:
    return float(a.std(ddof=1) / np.sqrt(len(a))) if len(a) > 1 else float("nan")
