"""The shapes of answers about given texts: scores, words and posteriors."""

from __future__ import annotations

from pofx.queries.scoring.terms import Terms
from pofx.server.description.answer import ABSENT, Answer, Bounds, FailedText, MaybeImpossible, Nats


class Likely(MaybeImpossible):
    """One of the likeliest tokens at a position.

    Attributes:
        id: Its id.
        token: Its text, as people read it.
        bytes: The bytes of the token, in base64; null for a control token, which spells nothing.
        nats: Its log-probability, nats.
    """

    id: int
    token: str
    bytes: str | None
    nats: Nats


class TokenTerm(MaybeImpossible):
    """One token of a text, and its term of the sum.

    Attributes:
        id: Its id.
        token: Its text, as people read it; "EOS" for the end of the text.
        bytes: The bytes that the id spells, in base64; null for a control token such as EOS. At the beginning of a text some
            vocabularies leave out the space of the token, so `start` and `end` give its bytes in the text.
        start: Where it begins in the text, bytes.
        end: Where it ends in the text, bytes.
        nats: Its log-probability, nats.
        seen: How many tokens its distribution is conditioned on, x0 and the prefix included.
        rank: 1 + the number of likelier tokens.
        entropy_nats: The entropy of its next-token distribution, nats.
        top: The likeliest tokens here.
    """

    id: int
    token: str
    bytes: str | None
    start: int
    end: int
    nats: Nats
    seen: int
    rank: int = ABSENT
    entropy_nats: float | None = ABSENT
    top: list[Likely] = ABSENT


class Score(MaybeImpossible):
    """The log-probability of one text.

    Attributes:
        text: The text.
        total_nats: log p(text | given), EOS included, nats; null without `impossible` where EOS is not counted.
        prefix_nats: log P(text | given), nats: the text and anything after it.
        bits_per_byte: −log2 of the total per byte of the text; null for the empty text.
        terms: What was counted, and under which rules.
        given: The prefix.
        interval_nats: Bounds of the total; a null bound says nothing.
        tokens: The terms of the sum.
    """

    text: str
    total_nats: Nats
    prefix_nats: Nats
    bits_per_byte: float | None
    terms: Terms
    given: str = ABSENT
    interval_nats: Bounds = ABSENT
    tokens: list[TokenTerm] = ABSENT


class ScoreAnswer(Answer):
    """The answer of `POST /v1/score`.

    Attributes:
        model: The name of the model.
        scores: A score or an error for each text, in order.
    """

    model: str
    scores: list[Score | FailedText]


class Word(MaybeImpossible):
    """One word.

    Attributes:
        index: The number of the word, from 0; null for text that is no word.
        word: Its text.
        form: Its text without punctuation.
        length: Its characters.
        start: Where it begins, characters.
        end: Where it ends, characters.
        start_byte: Where it begins, bytes.
        end_byte: Where it ends, bytes.
        surprisal_nats: −log P of the word and the boundary after it, given the text before it, nats.
        surprisal_bits: The surprisal in bits.
        ending_nats: The part of the surprisal that is of the end of the text, nats.
        bounded: Whether white space or the end of the text follows.
        entropy_nats: The entropy of the next-token distribution where the word begins, nats.
        tokens: How many tokens begin in the word.
        seen: How many tokens the distribution is conditioned on.
    """

    index: int | None
    word: str
    form: str
    length: int
    start: int
    end: int
    start_byte: int
    end_byte: int
    surprisal_nats: Nats
    surprisal_bits: float | None
    ending_nats: Nats
    bounded: bool
    entropy_nats: float | None
    tokens: int
    seen: int


class WordsOfText(MaybeImpossible):
    """The words of one text.

    Attributes:
        text: The text.
        total_nats: log p(text | given), nats; the surprisals add up to −total.
        given: The prefix.
        terms: What was counted, and under which rules.
        words: The words, in order.
    """

    text: str
    total_nats: Nats
    given: str = ABSENT
    terms: Terms
    words: list[Word]


class WordsAnswer(Answer):
    """The answer of `POST /v1/words`.

    Attributes:
        model: The name of the model.
        texts: The words or an error of each text, in order.
    """

    model: str
    texts: list[WordsOfText | FailedText]


class ModelPosterior(MaybeImpossible):
    """The posterior of one model, given a text.

    Attributes:
        model: Its name.
        prior_nats: Log of its prior.
        evidence_nats: log p(text | model).
        evidence_interval_nats: Bounds of the evidence; a null bound is log 0.
        posterior_nats: log P(model | text).
        posterior_interval_nats: Bounds of the posterior; a null bound is log 0.
        posterior: P(model | text).
    """

    model: str
    prior_nats: Nats
    evidence_nats: Nats
    evidence_interval_nats: Bounds
    posterior_nats: Nats
    posterior_interval_nats: Bounds
    posterior: float


class Posterior(MaybeImpossible):
    """The posterior of the models, given one text.

    Attributes:
        text: The text.
        total_nats: log p(text) of the mixture.
        best: The name of the model that predicts the text best, whatever the prior.
        regret_nats: The cost of not knowing the model: the largest log p(text | model) less `total_nats`, nats.
        models: The models, in order.
        path_nats: The log posterior of each model before each token and after the last; null is log 0.
        terms: What was counted, and under which rules.
    """

    text: str
    total_nats: Nats
    best: str
    regret_nats: float | None
    models: list[ModelPosterior]
    path_nats: list[list[Nats]]
    terms: Terms


class PosteriorAnswer(Answer):
    """The answer of `POST /v1/posterior`.

    Attributes:
        models: The names of the models, in order.
        posteriors: A posterior or an error for each text, in order.
    """

    models: list[str]
    posteriors: list[Posterior | FailedText]
