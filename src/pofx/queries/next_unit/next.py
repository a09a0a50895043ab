"""p(· | x): the law of the next token, byte, character or word."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pofx.algorithms.logspace import entropy, logsumexp
from pofx.errors import BadValue
from pofx.lm.bounds import Bounds
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.next_unit.unit_entropy import entropy_bounds, entropy_of_characters, entropy_of_words
from pofx.queries.next_unit.unit_search import UnitSearch, search_units
from pofx.queries.scoring.terms import Given, Terms, terms, terms_given_ids
from pofx.queries.segmentation.unit_automata import CharacterAutomaton, TextUnit, WordAutomaton
from pofx.transforms.given import check_possible
from pofx.transforms.given import given as with_prefix
from pofx.transforms.given_string import given_string
from pofx.transforms.prefix_ids import Prefix
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import show_bytes, to_bytes

NextUnit = Literal["token", "byte", "character", "word"]
UNITS = ("token", "byte", "character", "word")
# Calls of the model that a search for characters or words may make. SmolLM2 answers "The interes" in 10, "The" in 7.
CALLS = 32
# Hypotheses of a search, where many strings are held side by side: bounds are within 1e-4 of each other on SmolLM2.
BEAM = 7


@dataclass(frozen=True)
class Alternative:
    """One outcome: the bytes it spells (None: a control token such as EOS), a printable name, log p (nats).

    id: of a token, or of a byte; None for characters and words. low, high: bounds of log p, equal to it where nothing
    was left out.
    """

    id: int | None
    bytes: bytes | None
    shown: str
    logp: float
    low: float
    high: float


@dataclass(frozen=True)
class Next:
    """The likeliest outcomes, best first; `rest` is log of the mass of all others; nats.

    n_rest: how many others there are; None where nobody has counted. rest_low, rest_high: bounds of `rest`.
    others_below: log of the most that any outcome not shown can have. entropy: of the whole law, or the most that is
    certain of it; entropy_low, entropy_high: its bounds (of words there is none above). calls: of the model, in search
    of characters or words.
    """

    given: str | bytes
    top: tuple[Alternative, ...]
    rest: float
    n_rest: int | None
    entropy: float
    terms: Terms
    unit: NextUnit
    rest_low: float
    rest_high: float
    others_below: float
    entropy_low: float
    entropy_high: float
    calls: int


def next_token(lm: LM, given: Given = "", k: int = 10, unit: NextUnit = "token", calls: int = CALLS) -> Next:
    """p(v | given) for the k likeliest tokens v, and the mass of the rest: they sum to 1. Nats.

    unit: "token", behind the tokens of `given`. Else `given` is a string, and what follows may be spelled by tokens that
    begin inside it (`given_string`): "byte"; "character" of UTF-8, a stray byte being one; "word", a run of characters that
    are no white space, with the white space before it, and a boundary behind it: white space or the text's end.
    EOS is an outcome of every unit. Probabilities have bounds; a search for words or characters stops after `calls`
    calls of the model at the latest, and `others_below` says what it may have missed.

    `given=""` asks for p(x1 | x0), which only a model with x0 knows (else `NoBOS`). `Impossible` for a `given` of
    probability zero. Right: `next(lm, "The interes", unit="word").top[0].shown` is "ting". Wrong: unit="token" behind a
    prefix that stops within a word: the law behind that spelling of it.
    """
    k, calls = check_whole_number("k", k, 1), check_whole_number("calls", calls)
    if unit not in UNITS:
        raise BadValue(f"unit: expected one of {', '.join(map(repr, UNITS))}, found {unit!r}", None)
    if isinstance(given, Prefix):
        law = next_token(with_prefix(lm, given), "", k, unit, calls)
        return replace(law, given=given.text, terms=terms_given_ids(lm, law.terms, given))
    given, _ = lm.vocab.read(given)
    if unit == "token":
        return _of_outcomes(lm, given, k, "token", with_prefix(lm, given).start(1), lm)
    join = given_string(lm, given) if unit == "byte" else given_string(lm, given, BEAM)
    state = join.lm.extend(join.lm.start(1), np.array([list(join.tail)], dtype=np.int64))
    _check_possible(join.lm, state, join.tail, given)
    if unit == "byte":
        return _of_outcomes(lm, given, k, "byte", state, join.lm)
    cut = CharacterAutomaton(to_bytes(given)) if unit == "character" else WordAutomaton(to_bytes(given))
    return _of_units(lm, given, k, unit, search_units(join.lm, state, cut, k, calls))


def _check_possible(lm: LM, state: State, tail: bytes, given: str | bytes) -> None:
    if state.bounds is not None and not np.isneginf(state.bounds.kept[0]):
        return
    if tail:
        check_possible(lm, [list(tail)], [given])


def _of_outcomes(lm: LM, given: str | bytes, k: int, unit: NextUnit, state: State, of: LM) -> Next:
    """Of a law that has a row: of tokens, or of bytes."""
    law = np.asarray(state.logp[0], dtype=np.float64)
    order = np.argsort(-law, kind="stable")
    found = state.bounds or Bounds.exact(np.zeros(1), law[None, :])
    kept, dropped = found.shares(0)
    low, high = (side[0] for side in found.following())
    high = np.maximum(high, law)
    vocab = of.vocab
    top = tuple(
        Alternative(
            int(i), vocab.token_bytes[i], vocab.show(int(i)), float(law[i]), float(low[i]), float(high[i])
        )
        for i in order[:k]
    )
    rest = float(logsumexp(law[order[k:]]))
    h = float(entropy(law))
    lo, hi = entropy_bounds(h, math.exp(dropped), len(law))
    return _record(
        lm,
        given,
        unit,
        top,
        rest,
        len(law) - len(top),
        (h, lo, hi),
        float(law[order[k]]) if k < len(law) else -math.inf,
        (_log(1 - sum(math.exp(a.high) for a in top)), min(np.logaddexp(rest + kept, dropped), 0.0)),
        0,
    )


def _of_units(lm: LM, given: str | bytes, k: int, unit: NextUnit, found: UnitSearch) -> Next:
    """Of a law whose outcomes were searched for."""
    shown = found.top(k)
    top = tuple(
        Alternative(
            None,
            None if u.end and not u.spelled else u.spelled,
            _name(u),
            _log(f.p),
            _log(min(f.low, f.p)),
            _log(f.high),
        )
        for u, f in shown
    )
    rest = (
        max(found.left, 0.0)
        + math.fsum(f.p for u, f in found.units.items())
        - math.fsum(f.p for _, f in shown)
    )
    bounds = (
        _log(1 - math.fsum(math.exp(a.high) for a in top)),
        _log(1 - math.fsum(math.exp(a.low) for a in top)),
    )
    h = entropy_of_words(found) if unit == "word" else entropy_of_characters(found)
    return _record(
        lm, given, unit, top, _log(rest), None, h, _log(found.others_below(k)), bounds, found.calls
    )


def _record(
    lm: LM,
    given: str | bytes,
    unit: NextUnit,
    top: tuple[Alternative, ...],
    rest: float,
    n_rest: int | None,
    h: tuple[float, float, float],
    others_below: float,
    rest_bounds: tuple[float, float],
    calls: int,
) -> Next:
    small_print = terms(lm, 1, 0, len(to_bytes(given)), end=False)
    if unit != "token":
        small_print = replace(
            small_print,
            boundary="" if lm.vocab.unambiguous or not len(given) else "exact",
            kind="exact" if all(a.low == a.high for a in top) else "interval",
        )
    low, high = rest_bounds
    return Next(
        given, top, rest, n_rest, h[0], small_print, unit, min(low, rest), max(high, rest), others_below, h[1], h[2], calls
    )  # fmt: skip


def _name(unit: TextUnit) -> str:
    if not unit.end:
        return show_bytes(unit.spelled)
    return f"{show_bytes(unit.spelled)} EOS".strip()


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf
