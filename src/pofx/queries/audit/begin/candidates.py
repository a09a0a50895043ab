"""Candidates for x0 of a pretrained model, and how well p(x1 | candidate) predicts the beginnings of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import entropy
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.audit.begin.judgement import ADOPTED, judge_candidate, mean, standard_error
from pofx.queries.audit.distribution_statistics import log_distributions
from pofx.queries.audit.held_out import HeldOut, budget_for, builtin_first_tokens, spell_text
from pofx.queries.findings import BeginCandidate, Measure
from pofx.transforms.with_begin import token_name
from pofx.units import bits
from pofx.vocab.vocabulary import Vocab

# The number of arbitrary tokens that are tried as first tokens, to average the distribution after an arbitrary token.
STRANGERS = 32

# The class of outcomes that spell no first byte: control tokens, EOS, and the space that tokenizers put before a text.
NO_BYTE = 256


def first_bytes(vocab: Vocab) -> Ints:
    """Return the first byte of a text that begins with each id, `[V]`; 256 where the id spells no byte."""
    spelled = (b.removeprefix(b" ") if vocab.opening and b is not None else b for b in vocab.token_bytes)
    return np.array([b[0] if b else NO_BYTE for b in spelled], dtype=np.int64)


def by_first_byte(rows: NDArray[np.float64], of: Ints) -> NDArray[np.float64]:
    """Sum distributions of tokens, `[k, V]` probabilities, to distributions of the first byte, `[k, 257]`."""
    return np.stack([np.bincount(of, weights=p, minlength=NO_BYTE + 1) for p in rows])


@dataclass(frozen=True, eq=False)
class Openings:
    """First tokens of documents, and their cost under the uniform distribution.

    Attributes:
        tokens: First token of each document, `[n]`.
        of: First byte of each id, `[V]`; 256 where the id spells no byte.
        uniform: Bits of a token under the uniform distribution.
        uniform_bytes: Bits of the first byte of each document under uniform tokens, `[n]`.
    """

    tokens: Ints
    of: Ints
    uniform: float
    uniform_bytes: NDArray[np.float64]

    def gains(self, p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bits that p, `[V]`, gains over the uniform distribution on each first token, and on each first byte."""
        with np.errstate(divide="ignore"):
            token = bits(1.0) * np.log(p[self.tokens])
            byte = bits(1.0) * np.log(by_first_byte(p[None], self.of)[0][self.of[self.tokens]])
        return token + self.uniform, byte + self.uniform_bytes


def try_candidates(
    core: LM, begin: Begin, held: HeldOut, average: NDArray[np.float64] | None, seed: int
) -> tuple[BeginCandidate, ...]:
    """Try every candidate for x0 of a model without x0, on openings and heads of whole documents.

    An x0 that stood before texts in training passes. A higher log p is no evidence: x0 twice raises log p of short
    sentences, and a newline gives texts a higher log p than any control token of SmolLM2.

    Args:
        core: The model without x0.
        begin: The x0 that the model is audited with, or none.
        held: The documents.
        average: The average next-token distribution along documents, `[V]`, or None.
        seed: Seed of the choice of arbitrary tokens.

    Returns:
        The candidates with their numbers and verdicts.
    """
    tried = candidates_for(core, begin)
    firsts = _first_distributions(core, [ids for _, _, ids in tried])
    rest = _rest(core, [ids for _, _, ids in tried], held)
    strangers = _average_after_tokens(core, held, seed)
    found = _openings(core, held.openings)
    junk = _is_junk(strangers, [found, _openings(core, builtin_first_tokens(core.vocab))])
    least = int(np.argmin([r.mean() for r in rest])) if len(rest[0]) else 0
    out = []
    for (role, i, ids), p, r in zip(tried, firsts, rest):
        token, byte = found.gains(p) if p is not None and len(found.tokens) else (_NOTHING, _NOTHING)
        usual = found.gains(average)[0] if average is not None and len(token) else _NOTHING
        gap = r - rest[least] if len(r) else _NOTHING
        row = BeginCandidate(
            name=name_of(core, ids),
            id=i,
            role=role,
            current=begin.id is not None and i == begin.id and role != "twice",
            first_bits=found.uniform - mean(token),
            uniform_bits=found.uniform,
            average_bits=found.uniform - mean(usual),
            average_se=standard_error(token - usual),
            byte_bits=mean(found.uniform_bytes) - mean(byte),
            uniform_byte_bits=mean(found.uniform_bytes),
            same=float("nan") if p is None else float(np.minimum(p, strangers).sum()),
            rest_bits=mean(r),
            behind=mean(gap),
            rest_se=standard_error(gap),
            entropy_bits=float("nan") if p is None else bits(float(entropy(_log(p)[None])[0])),
            top=() if p is None else _top(core, p),
            n=len(found.tokens),
            verdict="fail",
            value=float("nan"),
            bound=float("nan"),
            unit=Measure.NONE,
            why="",
        )
        found_so = judge_candidate(row, token, byte, token - usual, junk, name_of(core, tried[least][2]))
        out.append(replace(row, **vars(found_so)))
    return tuple(out)


def choose_candidate(tried: Sequence[BeginCandidate]) -> BeginCandidate | None:
    """Choose an x0 that passed; among several the choice is by role, since log p is no evidence."""
    sound = [c for c in tried if c.verdict == "pass" and c.role in ADOPTED]
    return min(sound, key=lambda c: ADOPTED.index(c.role), default=None)


_NOTHING: NDArray[np.float64] = np.zeros(0)


def candidates_for(core: LM, begin: Begin) -> list[tuple[str, int | None, list[int]]]:
    """List (role, id, the tokens that stand before a text) of each candidate for x0.

    Args:
        core: The model without x0.
        begin: The x0 of the model, or none.
    """
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


def _first_distributions(core: LM, before: Sequence[list[int]]) -> list[NDArray[np.float64] | None]:
    """Return p(x1 | the tokens before), `[V]`; None where no token stands before."""
    return [
        np.exp(log_distributions(core.extend(core.start(1), np.array([ids])))[0]) if ids else None
        for ids in before
    ]


def _rest(core: LM, before: Sequence[list[int]], held: HeldOut) -> list[NDArray[np.float64]]:
    """Return the bits a token of the heads of documents without their first token, after each candidate."""
    budget = budget_for(core)
    room = budget.head_tokens if core.context is None else min(budget.head_tokens, core.context - 2)
    heads = [p[:room] for p in held.paths if len(p) > 1][: budget.heads] if room > 1 else []
    paths = [np.array([*ids, *head], dtype=np.int64) for ids in before for head in heads]
    skips = [len(ids) + 1 for ids in before for _ in heads]
    found = [bits(float(-x.mean())) for x in core.forward(paths, skip=skips).logp]
    return [np.array(found[k * len(heads) : (k + 1) * len(heads)]) for k in range(len(before))]


def _average_after_tokens(core: LM, held: HeldOut, seed: int) -> NDArray[np.float64]:
    """Return the average of p(· | one token) over tokens from inside documents, `[V]`."""
    inside = np.unique(np.concatenate([p[1:] for p in held.paths if len(p) > 1] or [_letters(core)]))
    some = np.random.default_rng([seed, 8]).choice(inside, STRANGERS)
    average: NDArray[np.float64] = np.exp(
        log_distributions(core.extend(core.start(STRANGERS), some[:, None]))
    ).mean(axis=0)
    return average


def _letters(core: LM) -> Ints:
    return np.array([i for i, b in enumerate(core.vocab.token_bytes) if b is not None], dtype=np.int64)


def _openings(core: LM, tokens: Ints) -> Openings:
    of = first_bytes(core.vocab)
    letters = _letters(core)
    share = np.bincount(of[letters], minlength=257) / len(letters)
    with np.errstate(divide="ignore"):
        return Openings(tokens, of, float(np.log2(len(letters))), -np.log2(share[of[tokens]]))


def _is_junk(strangers: NDArray[np.float64], kinds: Sequence[Openings]) -> bool:
    """Return whether the distribution after arbitrary tokens predicts the openings of all kinds of texts worse than chance.

    First bytes decide, since texts of another kind begin with other words, but rarely with other letters.
    """
    return all(mean(o.gains(strangers)[1]) <= 0 for o in kinds if len(o.tokens))


def name_of(core: LM, ids: Sequence[int]) -> str:
    """Name the tokens that stand before a text."""
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
