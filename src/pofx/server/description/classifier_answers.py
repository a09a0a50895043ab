"""The shapes of answers about classifiers: which ones there are, and the classes of texts."""

from __future__ import annotations

from pofx.server.description.answer import Answer, FailedText, MaybeImpossible, Nats

Label = str | int | float | bool


class ClassOfClassifier(MaybeImpossible):
    """One class of a classifier.

    Attributes:
        label: Its label.
        documents: How many documents of the training it has; an expected number with EM.
        prior_nats: Log of its prior.
        prior: Its prior.
    """

    label: Label
    documents: float
    prior_nats: Nats
    prior: float


class ServedClassifierInfo(Answer):
    """A classifier of the server.

    Attributes:
        classifier: Its name.
        classes: Its classes, in the order of its training.
        models: How many models it has: one for each class, or one for all.
        power: 1, or the power of the likelihood in a power posterior.
        held_out: How many texts were held out in training; without them `outlier_p` is null.
    """

    classifier: str
    classes: list[ClassOfClassifier]
    models: int
    power: float
    held_out: int


class ClassifiersAnswer(Answer):
    """The answer of `GET /v1/classifiers`.

    Attributes:
        classifiers: The classifiers, the first one first.
    """

    classifiers: list[ServedClassifierInfo]


class ClassOfText(MaybeImpossible):
    """What a text says of one class.

    Attributes:
        label: The label of the class.
        prior_nats: Log of its prior.
        likelihood_nats: log p(text | label), nats.
        posterior_nats: log P(label | text): the prior, and `power` times the likelihood, less log of the sum over all
            classes; nats.
        posterior: P(label | text).
    """

    label: Label
    prior_nats: Nats
    likelihood_nats: Nats
    posterior_nats: Nats
    posterior: float


class TextClasses(Answer):
    """The classes of one text.

    Attributes:
        text: The text.
        label: The most probable label; null for a text that is rejected.
        posterior: P(label | text) of the most probable label.
        log_evidence_nats: log p(text), whatever the class, nats.
        outlier_p: The share of held-out texts that are at most as probable, per byte; null where this is not known.
        rejected: Whether `outlier_p` is at most `reject`; null without `reject`.
        posteriors: P(label | text) of every label, by its text.
        classes: The classes, in the order of the training, with the numbers that Bayes' rule puts together.
    """

    text: str
    label: Label | None
    posterior: float
    log_evidence_nats: float
    outlier_p: float | None
    rejected: bool | None
    posteriors: dict[str, float]
    classes: list[ClassOfText]


class ClassifyAnswer(Answer):
    """The answer of `POST /v1/classify`.

    Attributes:
        classifier: The name of the classifier.
        power: 1, or the power of the likelihood in a power posterior.
        posteriors: The classes or an error of each text, in order.
    """

    classifier: str
    power: float
    posteriors: list[TextClasses | FailedText]
