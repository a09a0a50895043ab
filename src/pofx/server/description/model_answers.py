"""The shapes of answers about a model and its distributions: next units, draws, x0, verdicts, the vocabulary."""

from __future__ import annotations

from typing import Literal

from pofx.files.pins import Verdict
from pofx.lm.begin import Known
from pofx.queries.scoring.terms import Terms
from pofx.server.description.answer import ABSENT, Answer, Bounds, MaybeImpossible, Nats


class Outcome(MaybeImpossible):
    """One outcome; the name of the unit has its text, as people read it.

    Attributes:
        id: The id of a token or byte.
        token: The token, where the unit is a token.
        byte: The byte, where the unit is a byte.
        character: The character, where the unit is a character.
        word: The word, where the unit is a word.
        bytes: The bytes of the outcome, in base64; null for a control token such as EOS.
        nats: The log-probability of the outcome, nats.
        p: The probability of the outcome.
        p_low: A lower bound of the probability.
        p_high: An upper bound of the probability.
    """

    id: int = ABSENT
    token: str = ABSENT
    byte: str = ABSENT
    character: str = ABSENT
    word: str = ABSENT
    bytes: str | None
    nats: Nats
    p: float
    p_low: float
    p_high: float


class Rest(MaybeImpossible):
    """All other outcomes together.

    Attributes:
        tokens: How many other tokens there are.
        bytes: How many other bytes there are.
        nats: Log of their mass, nats.
        p: Their mass.
        p_low: A lower bound of the mass.
        p_high: An upper bound of the mass.
        each_below: An upper bound of the probability of each.
    """

    tokens: int = ABSENT
    bytes: int = ABSENT
    nats: Nats
    p: float
    p_low: float
    p_high: float
    each_below: float


class NextAnswer(MaybeImpossible):
    """The answer of `POST /v1/next`.

    Attributes:
        model: The name of the model.
        given: The prefix.
        unit: The kind of outcome.
        top: The likeliest outcomes, likeliest first.
        rest: All other outcomes.
        entropy_nats: The entropy of the distribution, nats; a bound where the entropy is not known.
        entropy_interval_nats: Bounds of the entropy; a null bound says nothing.
        calls: How often the model was called in a search.
        terms: What was counted, and under which rules.
    """

    model: str
    given: str
    unit: Literal["word", "character", "byte", "token"]
    top: list[Outcome]
    rest: Rest
    entropy_nats: float | None
    entropy_interval_nats: Bounds
    calls: int
    terms: Terms


class Draw(MaybeImpossible):
    """One draw.

    Attributes:
        text: Its text; bytes that are not UTF-8 are escapes.
        bytes: Its bytes, in base64.
        nats: Its log-probability under the distribution drawn from, nats.
        warp: How the model was changed before the draw.
        model_nats: Its log-probability under the model without the warp, nats; null where it is not known.
        ended: Whether EOS was drawn; a draw that was cut off is a prefix.
        tokens: How many tokens it has.
        ids: Its ids, EOS not included.
        terms: What was counted, and under which rules.
    """

    text: str
    bytes: str
    nats: Nats
    warp: str = ABSENT
    model_nats: float | None = ABSENT
    ended: bool
    tokens: int
    ids: list[int]
    terms: Terms


class SampleAnswer(Answer):
    """The answer of `POST /v1/sample`.

    Attributes:
        model: The name of the model.
        draws: The draws.
    """

    model: str
    draws: list[Draw]


class BeginOfTexts(Answer):
    """The symbol x0 of a model.

    Attributes:
        id: Its id; null where it has none.
        text: Its name; "" where it has none.
        known: How pofx knows that the model learned p(x1 | x0); "none" where there is no x0.
        note: Why there is no x0.
    """

    id: int | None
    text: str
    known: Known
    note: str


class KeptVerdict(Answer):
    """The verdict of an audit that was kept.

    Attributes:
        begin: The id of the x0 of the audit; null for none.
        end: The id of the EOS of the audit; null for none.
        verdict: The verdict.
        reason: The reason of the verdict.
        begin_text: The name of x0.
        date: The date of the audit.
        version: The version of pofx.
    """

    begin: int | None
    end: int | None
    verdict: Verdict
    reason: str
    begin_text: str
    date: str
    version: str


class AuditAnswer(Answer):
    """The answer of `POST /v1/audit`.

    Attributes:
        model: The name of the model.
        verdict: The kept verdict; null without a kept verdict.
        reason: Its reason.
        begin: The x0 that the server scores with.
        end: The id of the EOS that the server scores with; null for none.
        kept: The kept verdict in full.
        advice: What to do without a kept verdict.
    """

    model: str
    verdict: Verdict | None
    reason: str | None
    begin: BeginOfTexts
    end: int | None
    kept: KeptVerdict | None
    advice: list[str]


class DistributionsAnswer(Answer):
    """The answer of `POST /v1/distributions`.

    Attributes:
        model: The name of the model.
        distributions: log p of every token after each prefix, nats; null is log 0.
    """

    model: str
    distributions: list[list[Nats]]


class VocabularyAnswer(Answer):
    """The answer of `GET /v1/vocabulary`.

    Attributes:
        model: The name of the model.
        size: How many ids there are.
        begin: The symbol x0.
        end: The id of EOS; null for none.
        control: The names and ids of control tokens.
        tokens: The bytes that each id spells, in base64; null for a control token.
        context: The most tokens that the model reads; null for no bound.
        beyond: Whether texts longer than the context are read, in windows.
        dtype: The type of the numbers that the model computes with.
        positive: Whether every token has a positive probability everywhere.
        fingerprint: A name of the weights and the tokenizer; "" for none.
    """

    model: str
    size: int
    begin: BeginOfTexts
    end: int | None
    control: dict[str, int]
    tokens: list[str | None]
    context: int | None
    beyond: bool
    dtype: str
    positive: bool
    fingerprint: str
