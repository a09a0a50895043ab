"""The byte-level law of a token model: the probability of a string, however tokens spell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.bounds import Bounds
from pofx.lm.model import LM, prepare_paths, set_info
from pofx.lm.paths import as_id_rows
from pofx.lm.running_bounds import terms_of_bounds
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.transforms.bytewise.expansion import followed
from pofx.transforms.bytewise.hypotheses import END, Covers
from pofx.transforms.bytewise.reserve import Reserve
from pofx.transforms.bytewise.shared_history_tree import beams
from pofx.transforms.bytewise.sorted_tokens import Tokens
from pofx.transforms.bytewise.steps import Step, terms
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import ByteVocab, refuse_normalizing

# Texts walked side by side at most, and numbers of the laws they may hold: 256 MB in float32, so 42 texts at 5
# hypotheses each over 262,144 tokens.
BATCH = 64
NUMBERS = 1 << 26


def bytewise(lm: LM, beam: int | None = None) -> LM:
    """P(x) = Σ P(t) over the covers t of x, p(x) = Σ p(t) over its tokenisations, as an LM over 256 bytes and EOS.

    A cover is a token sequence whose bytes begin with x and whose last token is needed to get there (Vieira et al.
    2024); the law of the next byte is P(xb) / P(x), mid-token and mid-character, too. Control tokens spell nothing:
    at every token their mass is renormalised away, and the share is in `Terms.leak`.

    beam: None for the exact sum, whose cost may double with every byte (`TooLong` beyond 1 GB of laws), but not of an
    n-gram, whose histories are one where they end alike (`LM.sufficient`); or the number
    of histories kept a text, and unread one closed token where these close none, so that a beam does not die. The law is
    then that of the hypotheses kept, renormalised, but for 1 % of what is unread, which goes to all bytes alike: a
    distribution of its own. What was dropped is counted, so that every text has bounds lo ≤ log p ≤ hi on both that
    and the exact value: `Scored.interval`, `Trace.low` and `.high`.

    `NoBOS` for a model without x0: name what stands before, bytewise(given(lm, "…")). `BadValue` for a vocabulary
    that spells nothing.

    Right: `log_prob(bytewise(lm, beam=5), "ware", given="soft")`. Wrong: exact on a page of a pretrained model.
    """
    refuse_normalizing(lm.vocab, "the law of bytes")
    return over_bytes(lm, beam)


def over_bytes(lm: LM, beam: int | None = None) -> LM:
    """`bytewise`, for texts that are read as the model reads them before they come here."""
    beam = None if beam is None else check_whole_number("beam", beam, 1, advice="None keeps all hypotheses")
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "the law of bytes")
    if lm.vocab.spells_bytes:
        return lm
    return Bytewise(lm, beam)


class Bytewise(LM):
    """Sums over the ways to spell a text; made by `bytewise`."""

    def __init__(self, lm: LM, beam: int | None) -> None:
        self.lm, self.beam = lm, beam
        self.tokens = Tokens.of(lm)
        if not self.tokens.ranges.size:
            raise BadValue(
                "expected a vocabulary with tokens that spell something, found control tokens only", None
            )
        vocab = ByteVocab(end=lm.vocab.end is not None)
        # Another unit than that of the weights; the window rule holds in tokens, so no bytes are counted against it.
        own = replace(
            lm.info,
            vocab=vocab,
            context=None,
            begin=Begin(lm.begin.known, lm.begin.text, vocab.size),
            fingerprint="",
            positive=lm.positive and self.tokens.ranges.complete,
            memory=None,
            interval=beam is not None,
            leaks=True,
        )
        set_info(self, own)

    @cached_property
    def _first(self) -> Covers:
        """The empty text, one row. Where the tokens of a text open with a space that is no part of it, that is read."""
        root = Covers.start(self.tokens, 1, self.beam)
        if not self.lm.vocab.opening:
            return root
        behind = followed(replace(root, beam=None), np.array([ord(" ")])).kept(np.array([0]))
        lo, hi = self.tokens.ranges.narrow(root.lo, root.hi, root.depth, np.array([ord(" ")]))
        # Spelled without it: the empty text, and texts whose first token is another.
        without = root.take(np.array([0, 0]))
        without = replace(
            without,
            lo=np.array([0, hi[0]]),
            hi=np.array([lo[0], without.hi[0]]),
            ends=np.array([True, False]),
        )
        both = behind.cat([without])
        return replace(
            both,
            row=np.zeros_like(both.row),
            fresh=np.ones_like(both.fresh),
            total=np.zeros(1),
            lost=np.full(1, -np.inf),
            beam=self.beam,
            reserve=Reserve.none(1),
        )

    def start(self, n: int) -> State:
        """n empty texts behind x0."""
        return _state(self._first.take(np.zeros(n, dtype=np.int64)))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Each text followed by its row of bytes `ids[n, t]`: at most one call of the model a byte."""
        new = as_id_rows(ids, state.n)
        self._check(new)
        covers: Covers = state.carry
        for byte in new.T:
            covers = followed(covers, byte).kept(np.arange(covers.n))
        return _state(covers) if new.size else state

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Known texts many histories at a time; where whole laws are wanted all in lockstep, a call of the model a byte."""
        ids, skips = prepare_paths(self, paths, skip)
        for p in ids:
            self._check(p)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        extra = [np.zeros((3, len(p) - s)) for p, s in zip(ids, skips)]
        longest = sorted((i for i, p in enumerate(ids) if len(p)), key=lambda i: -len(ids[i]))
        held = self.lm.vocab.size * (1 if self.beam is None else 2 * self.beam)
        batch = max(1, min(BATCH, NUMBERS // held))
        # Where only the bytes of the texts matter, the model is asked about many histories in one pass.
        known = [k for k in longest if END not in ids[k][:-1]] if self.looks_ahead(want) else []
        for at in range(0, len(known), BATCH):
            some = known[at : at + BATCH]
            steps = beams(self.tokens, [ids[k] for k in some], self.beam or 1)
            self._write_all(some, steps, ids, skips, out, extra)
        ahead = set(known)
        rest = [k for k in longest if k not in ahead]
        for at in range(0, len(rest), batch):
            self._walk(rest[at : at + batch], ids, skips, want, out, extra)
        trace = out.build()
        low, high, leak = (tuple(e[k] for e in extra) for k in range(3))
        kept = {f.name: getattr(trace, f.name) for f in fields(trace)}
        if self.beam is not None:
            kept |= {"low": low, "high": high}
        return Trace(**{**kept, "leak": leak})

    def looks_ahead(self, want: Want) -> bool:
        """Whether texts that are known are read many histories at a time, and not byte by byte."""
        return self.beam is not None and not want.rows and not self.lm.vocab.opening

    def write(
        self, steps: Sequence[Step], skip: int, logp: NDArray[np.float64], extra: NDArray[np.float64]
    ) -> None:
        """Steps of a path, read off into its log p, and its bounds and leak `[3, n]`, from position `skip` on."""
        some = steps[skip:]
        if not some:
            return
        logp[:] = terms(some, self.vocab.size)
        least, most, leak = np.array([(s.after, s.most, s.leak) for s in some]).T
        extra[:2] = terms_of_bounds(least, most, steps[skip - 1].most if skip else 0.0, logp)
        extra[2] = leak

    def _walk(
        self,
        some: Sequence[int],
        ids: Sequence[Ints],
        skips: Sequence[int],
        want: Want,
        out: TraceBuilder,
        extra: Sequence[NDArray[np.float64]],
    ) -> None:
        """The paths `some`, the longest first: log p into `out`; bounds and leak of each position into `extra`."""
        covers = self._first.take(np.zeros(len(some), dtype=np.int64))
        steps: list[list[Step]] = [[] for _ in some]
        for i in range(len(ids[some[0]])):
            byte = np.array([ids[k][i] for k in some[: covers.n]], dtype=np.int64)
            after = followed(covers, byte)
            told = (covers.total, covers.reserve.weight, after.total, after.anew, after.most, covers.leak)
            for mine, *step in zip(steps, *(a.tolist() for a in told)):
                mine.append(Step(*step))
            first = np.array([skips[k] for k in some[: covers.n]])
            asked = np.flatnonzero(first <= i)
            if want.rows and len(asked):
                places = [out.offset(some[j]) + i - first[j] for j in asked.tolist()]
                out.put_laws(np.array(places, dtype=np.int64), covers.take(asked).law(), byte[asked])
            going = np.array([j for j in range(covers.n) if len(ids[some[j]]) > i + 1], dtype=np.int64)
            if not len(going):
                break
            covers = after.kept(going)
        self._write_all(some, steps, ids, skips, out, extra)

    def _write_all(
        self,
        some: Sequence[int],
        steps: Sequence[Sequence[Step]],
        ids: Sequence[Ints],
        skips: Sequence[int],
        out: TraceBuilder,
        extra: Sequence[NDArray[np.float64]],
    ) -> None:
        for k, mine in zip(some, steps):
            n = len(ids[k]) - skips[k]
            self.write(mine, skips[k], out.logp[out.offset(k) :][:n], extra[k])

    def _check(self, ids: Ints) -> None:
        if ids.size and not 0 <= ids.min() <= ids.max() < self.vocab.size:
            raise IndexError(f"expected ids below {self.vocab.size}, found {ids.min()} … {ids.max()}")

    def bare(self) -> LM | None:
        """None: without what stands before it there is no law of bytes."""
        return None


def _state(covers: Covers) -> State:
    return State(covers.law, covers, covers.n, bounds=_bounds, leak=_leak, held=_held)


def _bounds(covers: Covers) -> Bounds:
    return Bounds(covers.total, covers.pruned, covers.kept_law)


def _leak(covers: Covers) -> NDArray[np.float64]:
    return covers.leak


def _held(covers: Covers) -> int:
    return covers.inner.n * covers.tokens.lm.vocab.size
