"""The shapes of answers about a model: x0, verdicts, whole distributions, the vocabulary."""

from __future__ import annotations

from pofx.files.pins import Verdict
from pofx.lm.begin import Known
from pofx.queries.scoring.terms import Terms
from pofx.server.description.answer import ABSENT, Answer, MaybeImpossible, Nats, Problem


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


class TextAfterBegin(MaybeImpossible):
    """A text after a candidate for x0, or after none.

    Attributes:
        name: The name of the candidate; "none" where nothing stands before the text.
        id: Its id; null for none.
        role: What it is: "begin" for the x0 of the training, "bos" as the files declare it, "eos", "unk", "pad",
            "separator", "newline", "none", or "twice" for the x0 two times.
        current: Whether the server scores with this x0.
        first: The first token of the text, as people read it; "EOS" for the empty text.
        first_nats: log p(x1 | candidate), nats.
        rest_nats: log P of all further tokens, with EOS where the model has EOS, nats; null where there are none.
        total_nats: log p(text), nats; null where the model has no EOS.
        prefix_nats: log P of the text and anything after it, nats.
        terms: What was counted, and under which rules.
        error: Why there is no p(x1), or no score.
    """

    name: str
    id: int | None
    role: str
    current: bool
    first: str | None = ABSENT
    first_nats: Nats = ABSENT
    rest_nats: Nats
    total_nats: Nats = ABSENT
    prefix_nats: Nats = ABSENT
    terms: Terms = ABSENT
    error: Problem = ABSENT


class BeginsAnswer(Answer):
    """The answer of `POST /v1/begins`.

    Attributes:
        model: The name of the model.
        text: The text.
        begins: The candidates; the x0 that the server scores with is the first.
    """

    model: str
    text: str
    begins: list[TextAfterBegin]


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
