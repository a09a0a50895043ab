"""The result of one check of a server, and the results of all checks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

ServerVerdict = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Outcome:
    """The result of one check, without its name.

    Attributes:
        verdict: "pass", "warn", "fail", or "skip" for a check that is impossible on this server.
        sent: The request in words, such as "12 ids, echo, max_tokens 1".
        expected: The answer of a server that conforms.
        got: The answer that came; for "skip" the reason.
    """

    verdict: ServerVerdict
    sent: str
    expected: str
    got: str


@dataclass(frozen=True)
class ServerFinding:
    """The result of one check of a server.

    Attributes:
        check: The name of the check, as docs/check-server.md explains it.
        verdict, sent, expected, got: As in `Outcome`.

    Right: `[f.check for f in report.findings if f.verdict == "fail"]`. Wrong: `f.verdict != "fail"` for "the check passed",
    since a skipped check has the verdict "skip".
    """

    check: str
    verdict: ServerVerdict
    sent: str
    expected: str
    got: str


@dataclass(frozen=True)
class ServerReport:
    """The results of all checks of a server.

    Attributes:
        address: The address of the server, without `/v1`.
        model: The name of the model in requests; None where neither the caller nor the server names a model.
        findings: One finding for each check, in the order of the checks.
    """

    address: str
    model: str | None
    findings: tuple[ServerFinding, ...]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(f.verdict == "fail" for f in self.findings)

    def count(self, verdict: ServerVerdict) -> int:
        """Return the number of checks with this verdict."""
        return Counter(f.verdict for f in self.findings)[verdict]


class Unaskable(Exception):
    """A check is impossible on this server; the message is the reason."""


class Broken(Exception):
    """An answer from which a check cannot go on, since the server does not conform.

    Attributes:
        outcome: The outcome of the check, which is "fail".
    """

    def __init__(self, sent: str, expected: str, got: str) -> None:
        super().__init__(got)
        self.outcome = Outcome("fail", sent, expected, got)


class Refused(Broken):
    """A request that the server refuses with a status 4xx, where an answer was expected."""


def quoted(value: object, most: int) -> str:
    """Return a value as Python writes it, where a long value is cut to its beginning, "…", and its closing quote."""
    written = repr(value)
    return written if len(written) <= most else f"{written[: most - 2]}…{written[-1]}"
