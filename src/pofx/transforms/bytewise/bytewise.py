"""The distribution over bytes of a token model: the probability of a string, however tokens spell it."""

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
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.transforms.bytewise.expansion import expand
from pofx.transforms.bytewise.hypotheses import END, Hypotheses
from pofx.transforms.bytewise.reserve import Reserve
from pofx.transforms.bytewise.shared_history_tree import beams
from pofx.transforms.bytewise.sorted_tokens import SortedVocabulary
from pofx.transforms.bytewise.steps import Step, StepTerms, read_steps
from pofx.values import check_ids, check_whole_number
from pofx.vocab.vocabulary import ByteVocab, refuse_normalizing

# The most texts that are read side by side, and the most numbers in their distributions: 256 MB in float32. So at most 42
# texts are read together at 5 hypotheses each over 262,144 tokens.
BATCH = 64
NUMBERS = 1 << 26


def bytewise(lm: LM, beam: int | None = None) -> LM:
    """Return the distribution over strings of a token model, as an LM over 256 bytes and EOS.

        P(x) = Σ P(t) over the covers t of x,   p(x) = Σ p(t) over the tokenisations t of x

    A cover of x is a token sequence whose bytes begin with x, though its bytes without the last token do not begin with x
    (Vieira et al. 2024). The probability of the next byte b is P(xb) / P(x), also inside a token and inside a character.
    Control tokens spell nothing: at every token their mass is renormalised away, and `Terms.leak` has their share.

    A beam sums over some histories, and renormalises: the result is a distribution over bytes of its own. Where no history
    of the beam closes a token, one closed token waits in reserve, unread, so that the beam does not die. 1 % of the mass in
    reserve goes to all bytes alike. The dropped mass is counted, so every text has bounds lo ≤ log p ≤ hi. The bounds hold
    for log p of the beam and for the exact value (`Scored.interval`, `Trace.low`, `Trace.high`).

    Args:
        lm: A model of tokens.
        beam: The most histories of a text; None for the exact sum, whose cost may double with every byte. The exact sum of
            an n-gram is cheap, since histories with equal rows of `LM.sufficient` are merged.

    Returns:
        The distribution over bytes; a model over bytes is returned as it is.

    Raises:
        NoBOS: The model has no x0; `bytewise(given(lm, "…"))` names a text that stands before the strings.
        BadValue: The vocabulary spells nothing, or changes texts before it reads them.
        TooLong: The next-token distributions of an exact sum are larger than 1 GB.

    Right: `log_prob(bytewise(lm, beam=5), "ware", given="soft")`. Wrong: exact on a page of a pretrained model.
    """
    refuse_normalizing(lm.vocab, "a distribution over bytes")
    return over_bytes(lm, beam)


def over_bytes(lm: LM, beam: int | None = None) -> LM:
    """Return the distribution of `bytewise`, for texts that are already normalized as the vocabulary normalizes."""
    beam = None if beam is None else check_whole_number("beam", beam, 1, advice="None keeps all hypotheses")
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "the distribution over bytes")
    if lm.vocab.spells_bytes:
        return lm
    return Bytewise(lm, beam)


class Bytewise(LM):
    """A model of bytes that sums over the ways to spell a text in tokens; made by `bytewise`."""

    def __init__(self, lm: LM, beam: int | None) -> None:
        self.lm, self.beam = lm, beam
        self.tokens = SortedVocabulary.of(lm)
        if not self.tokens.ranges.size:
            raise BadValue(
                "expected a vocabulary with tokens that spell bytes, got control tokens only", None
            )
        vocab = ByteVocab(end=lm.vocab.end is not None)
        # The unit differs from the unit of the weights. The window rule counts tokens, so there is no context in bytes.
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
    def _first(self) -> Hypotheses:
        """The hypotheses of one empty text.

        If the tokenizer puts a space before a text that is no part of the text, the hypotheses have read this space.
        """
        root = Hypotheses.start(self.tokens, 1, self.beam)
        if not self.lm.vocab.opening:
            return root
        opened = expand(replace(root, beam=None), np.array([ord(" ")])).keep(np.array([0]))
        lo, hi = self.tokens.ranges.narrow(root.lo, root.hi, root.depth, np.array([ord(" ")]))
        # Hypotheses without the space: the empty text, and texts whose first token does not begin with a space.
        without = root.take(np.array([0, 0]))
        without = replace(
            without,
            lo=np.array([0, hi[0]]),
            hi=np.array([lo[0], without.hi[0]]),
            ends=np.array([True, False]),
        )
        both = opened.cat([without])
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
        """Return the state of n empty texts, after x0."""
        return _state(self._first.take(np.zeros(n, dtype=np.int64)))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each text followed by its row of bytes `ids[n, t]`, by at most one model call a byte."""
        new = as_id_rows(ids, state.n)
        check_ids(new, self.vocab.size)
        hypotheses: Hypotheses = state.carry
        for byte in new.T:
            hypotheses = expand(hypotheses, byte).keep(np.arange(hypotheses.n))
        return _state(hypotheses) if new.size else state

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute the trace of known texts, with many histories in one pass of the model.

        Where whole distributions are requested, or no hypothesis is dropped, the texts are read side by side, with one pass
        a byte.
        """
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        terms = [StepTerms(*np.zeros((4, 0)))] * len(ids)
        longest = sorted((i for i, p in enumerate(ids) if len(p)), key=lambda i: -len(ids[i]))
        ahead = [k for k in longest if END not in ids[k][:-1]] if self.looks_ahead(want) else []
        for at in range(0, len(ahead), BATCH):
            group = ahead[at : at + BATCH]
            for k, steps in zip(group, beams(self.tokens, [ids[k] for k in group], self.beam or 1)):
                terms[k] = read_steps(steps, skips[k], self.vocab.size)
        held = self.lm.vocab.size * (1 if self.beam is None else 2 * self.beam)
        batch = max(1, min(BATCH, NUMBERS // held))
        rest = sorted(set(longest) - set(ahead), key=longest.index)
        for at in range(0, len(rest), batch):
            group = rest[at : at + batch]
            places = [(skips[k], out.offset(k)) for k in group] if want.rows else []
            for k, steps in zip(group, self.in_lockstep([ids[k] for k in group], out, places)):
                terms[k] = read_steps(steps, skips[k], self.vocab.size)
        for k, mine in enumerate(terms):
            out.logp[out.offset(k) :][: len(mine.logp)] = mine.logp
        trace = out.build()
        kept = {f.name: getattr(trace, f.name) for f in fields(trace)}
        if self.beam is not None:
            kept |= {"low": tuple(t.low for t in terms), "high": tuple(t.high for t in terms)}
        return Trace(**{**kept, "leak": tuple(t.leak for t in terms)})

    def looks_ahead(self, want: Want) -> bool:
        """Return whether one pass of the model reads histories of many bytes of a known text, not of one byte alone."""
        return self.beam is not None and not want.rows and not self.lm.vocab.opening

    def in_lockstep(
        self, paths: Sequence[Ints], out: TraceBuilder | None = None, places: Sequence[tuple[int, int]] = ()
    ) -> list[list[Step]]:
        """Return the steps of texts that are read side by side, with one call of the model a byte.

        Args:
            paths: Ids of bytes, the longest path first; none is empty.
            out: The builder that takes whole distributions.
            places: For each path, the number of its first bytes that are not scored, and its offset in `out`; empty where
                no distributions are requested.
        """
        before = self._first.take(np.zeros(len(paths), dtype=np.int64))
        steps: list[list[Step]] = [[] for _ in paths]
        for i in range(len(paths[0])):
            byte = np.array([p[i] for p in paths[: before.n]], dtype=np.int64)
            after = expand(before, byte)
            columns = (
                before.total,
                before.reserve.weight,
                after.total,
                after.restarted,
                after.most,
                before.leak,
            )
            for mine, *step in zip(steps, *(c.tolist() for c in columns)):
                mine.append(Step(*step))
            asked = [(j, at + i - skip) for j, (skip, at) in enumerate(places[: before.n]) if skip <= i]
            if out is not None and asked:
                rows, at = np.array(asked, dtype=np.int64).T
                out.put_distributions(at, before.take(rows).logp(), byte[rows])
            going = np.array([j for j in range(before.n) if len(paths[j]) > i + 1], dtype=np.int64)
            if not len(going):
                break
            before = after.keep(going)
        return steps

    def bare(self) -> LM | None:
        """Return None, since there is no distribution over bytes without x0."""
        return None


def _state(hypotheses: Hypotheses) -> State:
    return State(hypotheses.logp, hypotheses, hypotheses.n, bounds=_bounds, leak=_leak, held=_held)


def _bounds(hypotheses: Hypotheses) -> Bounds:
    return Bounds(hypotheses.total, hypotheses.pruned, hypotheses.kept_logp)


def _leak(hypotheses: Hypotheses) -> NDArray[np.float64]:
    return hypotheses.leak


def _held(hypotheses: Hypotheses) -> int:
    return hypotheses.histories.n * hypotheses.tokens.lm.vocab.size
