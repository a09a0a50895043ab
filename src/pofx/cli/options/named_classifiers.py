"""The classifiers that `pofx serve` is given: DIR or NAME=DIR, each with the name by which clients call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pofx.cli.options.named_models import by_name
from pofx.errors import Advice, BadValue

if TYPE_CHECKING:
    from pofx.classification.joint import Joint
    from pofx.classification.outliers import Rejection
    from pofx.lm.model import LM


def named_classifiers(given: Sequence[str]) -> dict[str, str]:
    """Return the directory of each classifier, by its name.

    Args:
        given: The value of each -c.

    Raises:
        click.UsageError: Two classifiers have one name.
    """
    return by_name(given, "-c", "classifier", "DIR")


def load_classifier(directory: str, models: Sequence[LM]) -> tuple[Joint, Rejection | None]:
    """Load a classifier, with the served model that the classifier conditions where its files hold no model.

    Args:
        directory: The directory of the classifier.
        models: The models of the server.

    Raises:
        BadSource: The directory holds no classifier, or a damaged classifier.
        BadValue: The classifier conditions a model that the server does not have.
    """
    from pofx.classification.files import load_joint, outside_fingerprint

    wanted = outside_fingerprint(directory)
    of_them = [lm for lm in models if wanted is not None and lm.fingerprint == wanted]
    if wanted is not None and not of_them:
        raise BadValue(
            f"{directory}: expected a server with the model that this classifier conditions on its labels, got none of "
            f"fingerprint {wanted!r:.20}",
            Advice("serve this model, too", "models=[…]", "-m MODEL"),
        )
    joint, _, rejection = load_joint(directory, of_them[0] if of_them else None)
    for lm in joint.lms:
        lm.vocab.listener = None  # texts come from clients, so notes on texts would reach the wrong person
    return joint, rejection
