"""The parts that the shapes of answers have in common. Tests compare real answers with these shapes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

# The default of a field that an answer may lack. Its type says what the field holds where it is there.
ABSENT: Any = None
# Log 0 is null, and the object that holds it says that it is impossible.
Nats = float | None
Bounds = tuple[float | None, float | None]


class Answer(BaseModel):
    """An object of an answer; it has no other fields."""

    model_config = ConfigDict(extra="forbid")


class MaybeImpossible(Answer):
    """An object whose log-probability may be −∞.

    Attributes:
        impossible: Stands here where a number of this object is infinite, and so null.
    """

    impossible: Literal[True] = ABSENT


class Problem(Answer):
    """A fault of a request or of a text.

    Attributes:
        message: The expected value, the value that came, and what to do.
        type: The kind of error in OpenAI's words.
        param: The field that the message is about; null for none.
        code: A stable name of the error for programs.
        advice: Ways out.
        offset: The byte of the body at which the fault begins.
    """

    message: str
    type: str
    param: str | None
    code: str
    advice: list[str]
    offset: int = ABSENT


class Refusal(Answer):
    """The answer to a request that is refused, in OpenAI's shape.

    Attributes:
        error: What is wrong.
    """

    error: Problem


class FailedText(Answer):
    """A text that has no answer, at the place of the text; the other texts are answered.

    Attributes:
        text: The text.
        error: What is wrong with the text.
    """

    text: str
    error: Problem
