"""The distribution p(· | prefix) of the next token, byte, character or word."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pofx.algorithms.logspace import entropy, logsumexp
from pofx.errors import BadValue
from pofx.interactive.shown import Shown
from pofx.lm.bounds import Bounds
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.next_unit.unit_entropy import entropy_bounds, entropy_of_characters, entropy_of_words
from pofx.queries.next_unit.unit_search import UnitSearch, search_units
from pofx.queries.scoring.terms import Given, Terms, terms, terms_given_ids
from pofx.queries.segmentation.unit_automata import CharacterAutomaton, TextUnit, WordAutomaton
from pofx.transforms.given import Prefix, check_possible
from pofx.transforms.given import given as with_prefix
from pofx.transforms.given_string import given_string
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import show_bytes, to_bytes

NextUnit = Literal["token", "byte", "character", "word"]
UNITS = ("token", "byte", "character", "word")
# The most calls of the model in a search for characters or words. SmolLM2 needs 10 calls for "The interes", and 7 for "The".
CALLS = 32
# The histories of a beam in a search, which has many strings side by side. SmolLM2's bounds are within 1e-4 of each other.
BEAM = 7


@dataclass(frozen=True)
class Alternative:
    """An outcome of a next-unit distribution.

    Attributes:
        id: The id of a token or byte; None for characters and words.
        bytes: The bytes of the outcome; None for a control token such as EOS.
        shown: The outcome in printable form.
        logp: log p of the outcome, nats.
        low: A lower bound of log p, nats; equals `logp` where nothing was left out.
        high: An upper bound of log p, nats; equals `logp` where nothing was left out.
    """

    id: int | None
    bytes: bytes | None
    shown: str
    logp: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Next(Shown):
    """The likeliest outcomes of a next-unit distribution, and the mass of all others.

    Attributes:
        given: The prefix.
        top: The likeliest outcomes, likeliest first.
        rest: Log of the mass of all other outcomes, nats.
        n_rest: The number of other outcomes; None where this number is not known.
        entropy: The entropy of the whole distribution, nats; a lower bound for words, the middle of the bounds for
            characters.
        terms: The terms that were counted, and their rules.
        unit: "token", "byte", "character" or "word".
        rest_low: A lower bound of `rest`, nats.
        rest_high: An upper bound of `rest`, nats.
        others_below: Log of an upper bound of the probability of any outcome not in `top`, nats.
        entropy_low: A lower bound of the entropy, nats.
        entropy_high: An upper bound of the entropy, nats; inf for words.
        calls: The number of calls of the model in a search for characters or words; else 0.

    Right: `next(lm, "The ").top[0].logp`. Wrong: `sum(a.logp for a in top)`, since the outcomes exclude each other.
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
    """Compute p(v | given) of the k likeliest next units v, and the mass of all others; together they are 1.

    EOS is an outcome of every unit. For a byte, character or word `given` is a string, and a token that begins inside
    `given` may spell the next bytes. A search for characters or words ends after at most `calls` calls of the model, and
    `others_below` bounds the outcomes that the search may have missed.

    Args:
        lm: The model.
        given: The prefix: a string, or a conversation (`chat`).
        k: The number of outcomes in `top`, at least 1.
        unit: "token" for the next token after the tokens of `given`; "byte"; "character" for a character of UTF-8 or a
            stray byte; "word" for a run without white space, with the white space before the run. A boundary follows a
            word: white space or the end of the text.
        calls: The most calls of the model in a search.

    Returns:
        The outcomes, with bounds, nats.

    Raises:
        NoBOS: The model has no x0, and `given` is empty.
        Impossible: `given` has probability zero.
        BadValue: An argument is outside its domain.

    Right: `next(lm, "The interes", unit="word").top[0].shown` is "ting". Wrong: unit="token" after a prefix that stops
    within a word, which asks about one spelling of the prefix only.
    """
    k, calls = check_whole_number("k", k, 1), check_whole_number("calls", calls)
    if unit not in UNITS:
        raise BadValue(
            f"expected one of {', '.join(map(repr, UNITS))}, got {unit!r}",
            "write one of these units",
            argument="unit",
        )
    if isinstance(given, Prefix):
        record = next_token(with_prefix(lm, given), "", k, unit, calls)
        return replace(record, given=given.text, terms=terms_given_ids(lm, record.terms, given))
    given, _ = lm.vocab.read(given)
    if unit == "token":
        return _of_outcomes(lm, given, k, "token", with_prefix(lm, given).start(1), lm)
    join = given_string(lm, given) if unit == "byte" else given_string(lm, given, BEAM)
    state = join.lm.extend(join.lm.start(1), np.array([list(join.tail)], dtype=np.int64))
    _check_possible(join.lm, state, join.tail, given)
    if unit == "byte":
        return _of_outcomes(lm, given, k, "byte", state, join.lm)
    automaton = CharacterAutomaton(to_bytes(given)) if unit == "character" else WordAutomaton(to_bytes(given))
    return _of_units(lm, given, k, unit, search_units(join.lm, state, automaton, k, calls))


def _check_possible(lm: LM, state: State, tail: bytes, given: str | bytes) -> None:
    if state.bounds is not None and not np.isneginf(state.bounds.kept[0]):
        return
    if tail:
        check_possible(lm, [list(tail)], [given])


def _of_outcomes(lm: LM, given: str | bytes, k: int, unit: NextUnit, state: State, of: LM) -> Next:
    """Return the record of a distribution over tokens or bytes, which is a row of a state."""
    logp = np.asarray(state.logp[0], dtype=np.float64)
    order = np.argsort(-logp, kind="stable")
    bounds = state.bounds or Bounds.exact(np.zeros(1), logp[None, :])
    kept, dropped = bounds.shares(0)
    low, high = (side[0] for side in bounds.following())
    high = np.maximum(high, logp)
    vocab = of.vocab
    top = tuple(
        Alternative(
            int(i), vocab.token_bytes[i], vocab.show(int(i)), float(logp[i]), float(low[i]), float(high[i])
        )
        for i in order[:k]
    )
    rest = float(logsumexp(logp[order[k:]]))
    h = float(entropy(logp))
    lo, hi = entropy_bounds(h, math.exp(dropped), len(logp))
    return _record(
        lm,
        given,
        unit,
        top,
        rest,
        len(logp) - len(top),
        (h, lo, hi),
        float(logp[order[k]]) if k < len(logp) else -math.inf,
        (_log(1 - sum(math.exp(a.high) for a in top)), min(np.logaddexp(rest + kept, dropped), 0.0)),
        0,
    )


def _of_units(lm: LM, given: str | bytes, k: int, unit: NextUnit, found: UnitSearch) -> Next:
    """Return the record of a distribution over characters or words, whose outcomes come from a search."""
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
