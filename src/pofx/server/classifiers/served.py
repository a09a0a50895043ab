"""The classifiers of a server, by name: a fixed table, made when the server starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pofx.classification.joint import Joint
from pofx.classification.outliers import Rejection
from pofx.server.incoming.errors import RequestError
from pofx.server.table import Table


@dataclass(frozen=True, eq=False)
class ServedClassifier:
    """A classifier and the name by which clients call it.

    Attributes:
        name: The name, as in the field `classifier` of a request.
        joint: The classifier, whose models take turns with all models of the server.
        rejection: The log-probabilities of held-out texts; None where no text was held out.
    """

    name: str
    joint: Joint
    rejection: Rejection | None


class Classifiers:
    """The classifiers of a server.

    Args:
        found: Each name, and what `load_joint` gives.
        table: The models of the server.
    """

    def __init__(self, found: Sequence[tuple[str, Joint, Rejection | None]], table: Table) -> None:
        self._classifiers = {
            name: ServedClassifier(
                name, replace(joint, lms=tuple(table.shared(lm) for lm in joint.lms)), rejection
            )
            for name, joint, rejection in found
        }

    def __iter__(self) -> Iterator[ServedClassifier]:
        return iter(self._classifiers.values())

    def classifier(self, name: str | None) -> ServedClassifier:
        """Return the classifier of a name, or the first classifier if `name` is None.

        Raises:
            RequestError: 422 where the server has no classifier, 404 where none has this name.
        """
        if not self._classifiers:
            raise RequestError(
                422,
                "no_classifier",
                "classifier: expected a server with a classifier, got one without",
                "classifier",
                ("start the server with one: pofx serve -c DIR",),
            )
        found = next(iter(self)) if name is None else self._classifiers.get(name)
        if found is None:
            raise RequestError(
                404,
                "classifier_not_found",
                f"classifier: expected one of {', '.join(self._classifiers)}, got {str(name)[:80]!r}",
                "classifier",
                ("name one of these classifiers", "leave out the name, which asks the first one"),
            )
        return found
