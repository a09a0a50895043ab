"""The work of a request of completions, in a thread: prompts are read, and continuations are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pofx.server.completions.choice import GrowingChoice, Part
from pofx.server.completions.drawing import draw_all, plan_of
from pofx.server.completions.prompt import Prompt, reader
from pofx.server.completions.reading import Reading, read_prompts
from pofx.server.completions.request import CompletionRequest
from pofx.server.completions.token import Token
from pofx.server.table import ServedModel
from pofx.server.tokens.strings import TokenStrings


@dataclass(frozen=True)
class Task:
    """A checked request.

    Attributes:
        served: The model.
        asked: The request.
        prompts: The prompts of the request.
        max_tokens: The most tokens of each continuation.
    """

    served: ServedModel
    asked: CompletionRequest
    prompts: tuple[Prompt, ...]
    max_tokens: int

    @property
    def cost(self) -> int:
        """The number of tokens that are read, drawn and written; a prompt counts again for each copy that echoes it."""
        rows = len(self.prompts) * self.asked.copies
        return sum(len(p.ids) + 1 for p in self.prompts) + self._written_again + rows * self.max_tokens

    @property
    def _written_again(self) -> int:
        """The number of tokens of prompts that the answer repeats, beyond the tokens that are read."""
        asked = self.asked
        written = bool(asked.echo or asked.return_token_ids or asked.prompt_logprobs is not None)
        return (asked.copies - 1) * sum(len(p.ids) for p in self.prompts) if written else 0

    @property
    def lists(self) -> tuple[tuple[str, int, int], ...]:
        """Each field of likeliest tokens, with their number at a position, and the number of positions."""
        asked, read = self.asked, sum(len(p.ids) for p in self.prompts)
        drawn = len(self.prompts) * asked.copies * self.max_tokens
        written = drawn + (asked.copies * read if asked.echo else 0)
        return (
            ("logprobs", asked.logprobs or 0, written),
            ("prompt_logprobs", asked.prompt_logprobs or 0, asked.copies * read),
        )

    @property
    def strings(self) -> TokenStrings:
        """The strings of tokens."""
        return TokenStrings(self.served, bool(self.asked.return_tokens_as_token_ids))


def answer(task: Task, emit: Callable[[int, Part], None]) -> list[Reading]:
    """Do the work of a request.

    Args:
        task: The request.
        emit: A function that is called with the number of a choice and its next part.

    Returns:
        The prompts with their numbers.
    """
    asked, lm = task.asked, reader(task.served)
    one = task.max_tokens == 1 and asked.greedy
    numbers = (bool(asked.echo) and asked.logprobs is not None) or asked.prompt_logprobs is not None
    top = max(1, asked.logprobs or 0, asked.prompt_logprobs or 0)
    readings = read_prompts(lm, task.prompts, top, asked.prompt_logprobs is not None, numbers, one)
    choices = _choices(task, readings)
    for index, choice in enumerate(choices):
        part = choice.open()
        if part.text or part.tokens or part.finish is not None:
            emit(index, part)
    if not task.max_tokens:
        return readings

    def keep(index: int, token: Token) -> bool:
        part = choices[index].grow(token)
        if part.text or part.tokens or part.finish is not None:
            emit(index, part)
        return part.finish is None

    if one:
        for index in range(len(choices)):
            token = readings[index // asked.copies].likeliest
            if token is None:
                raise AssertionError("ours: the likeliest token was asked for")
            keep(index, token)
    else:
        draw_all(lm, [p.path for p in task.prompts], plan_of(lm, asked, task.max_tokens), keep)
    return readings


def _choices(task: Task, readings: Sequence[Reading]) -> list[GrowingChoice]:
    asked, strings = task.asked, task.strings
    return [
        GrowingChoice(
            reading.tokens[prompt.hidden :],
            bool(asked.echo),
            strings,
            asked.stops,
            task.served.lm.vocab.end,
            task.max_tokens,
        )
        for prompt, reading in zip(task.prompts, readings)
        for _ in range(asked.copies)
    ]
