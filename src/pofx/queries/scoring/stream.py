"""Scores of any number of texts in constant memory: texts are scored in blocks, and results come in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pofx.errors import PofxError
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.queries.scoring.joins import JoinRequest
from pofx.queries.scoring.score import Scored, score
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import count_bytes

T = TypeVar("T")
R = TypeVar("R")
# A text and its prefix; or the error that takes the place of both.
Question = tuple[str | bytes, str | bytes] | PofxError
# A function of texts and their prefixes that returns one result for each text.
Query = Callable[[Sequence[str | bytes], Sequence[str | bytes]], Sequence[R]]

# The most texts and bytes of a block, whose texts are scored together. In a larger block a family can sort and share more
# texts. But a stopped run is resumed after its last whole block, and the rate of a run is known only after the first block.
TEXTS = 512
BYTES = 1 << 16
# The most products of a neural network in a block: about 5 s of one core, at 80 GFLOP/s as measured. The bound depends on
# the model and never on the clock, so that a resumed run has the same blocks as a run that was not stopped.
PRODUCTS = 2 * 10**11
BYTES_A_TOKEN = 4
LEAST_BYTES = 256


def block_bytes(lm: LM) -> int:
    """Return the most bytes of text in a block, which are fewer for a model of more products a token (`LM.work`)."""
    return BYTES if not lm.work else min(BYTES, max(LEAST_BYTES, BYTES_A_TOKEN * PRODUCTS // lm.work))


def block_size(lm: LM) -> BlockSize:
    """Return the bounds of a block, in texts and in bytes, for a model."""
    return BlockSize(TEXTS, block_bytes(lm))


def score_stream(
    lm: LM,
    items: Iterable[T],
    ask: Callable[[T], Question],
    want: Want = Want(),
    texts: int = TEXTS,
    n_bytes: int | None = None,
    boundary: JoinRequest = "auto",
) -> Iterator[list[tuple[T, Scored | PofxError]]]:
    """Score any number of items in constant memory.

    An error that concerns one item (`NotText`, `TooLong`, `Impossible`, `NoBOS`) is the result of that item, and does not
    affect other items. The cuts between blocks depend on the items and the model alone, and the results of a block depend
    on the block alone. So a run that is resumed at the start of a block has the same numbers.

    Args:
        lm: The model.
        items: Any number of items, which are read as they are needed.
        ask: A function that returns the text of an item and its prefix ("" for none), or an error in place of both.
        want: The request for more numbers at each position.
        texts: The most texts in a block.
        n_bytes: The most bytes in a block; a prefix counts once a block, and one larger text is a block of its own. None
            stands for `block_bytes(lm)`.
        boundary: The join of a prefix and its text, as in `score`.

    Yields:
        Blocks of (item, its record or its error), in order.

    Raises:
        PofxError: An error of `items` itself, after the block of the items before.

    Right: `for block in score_stream(lm, records("a.txt"), lambda d: (d.text, "")): …`.
    Wrong: `list(score_stream(…))` of a file larger than the memory.
    """

    def answer(block: Sequence[str | bytes], prefixes: Sequence[str | bytes]) -> list[Scored]:
        return score(lm, block, prefixes, want, boundary)

    return stream(items, ask, answer, texts, block_bytes(lm) if n_bytes is None else n_bytes)


def stream(
    items: Iterable[T],
    ask: Callable[[T], Question],
    answer: Query[R],
    texts: int = TEXTS,
    n_bytes: int = BYTES,
) -> Iterator[list[tuple[T, R | PofxError]]]:
    """Answer any number of items in constant memory, by any query.

    Args:
        items: Any number of items, which are read as they are needed.
        ask: A function that returns the text of an item and its prefix, or an error in place of both.
        answer: A function of texts and their prefixes, which returns one result a text.
        texts: The most texts in a block.
        n_bytes: The most bytes in a block.

    Returns:
        Blocks of (item, its result or its error), in order.

    Right: `stream(items, ask, lambda texts, given: words(lm, texts, given=given))`. Wrong: an `answer` whose results depend
    on the other texts of the block, since each half of the block is tried again where one text fails.
    """
    size = BlockSize(texts, n_bytes)
    return (list(zip(block.items, block.answers(answer))) for block in blocks(items, ask, size))


@dataclass(frozen=True)
class BlockSize:
    """The bounds of a block.

    Attributes:
        texts: The most texts, at least 1.
        n_bytes: The most bytes of text, at least 1; a prefix counts once a block.
    """

    texts: int = TEXTS
    n_bytes: int = BYTES

    def __post_init__(self) -> None:
        check_whole_number("texts", self.texts, 1)
        check_whole_number("n_bytes", self.n_bytes, 1)


@dataclass(frozen=True)
class TextBlock(Generic[T]):
    """Items whose texts are answered together: the unit of work of a long run.

    A block is a value. The results depend on the block and the query alone, so another process can answer a block, and
    blocks can be answered in any order.

    Attributes:
        first: The number of items before the block.
        items: The items, in order.
        questions: The text and the prefix of each item, or the error in place of both.
    """

    first: int
    items: tuple[T, ...]
    questions: tuple[Question, ...]

    def answers(self, query: Query[R]) -> list[R | PofxError]:
        """Answer each item of the block.

        Args:
            query: A function of texts and their prefixes, which returns one result a text.

        Returns:
            The result of each item, in order, or the error of the item or of its text.
        """
        questions = [a for a in self.questions if not isinstance(a, PofxError)]
        results = iter(_answer_each(questions, query))
        return [a if isinstance(a, PofxError) else next(results) for a in self.questions]


def blocks(
    items: Iterable[T], ask: Callable[[T], Question], size: BlockSize, first: int = 0
) -> Iterator[TextBlock[T]]:
    """Cut items into blocks, in order; the cuts depend on the items and the size alone.

    Args:
        items: Any number of items, which are read as they are needed.
        ask: A function that returns the text of an item and its prefix, or an error in place of both.
        size: The bounds of a block; one larger text is a block of its own.
        first: The number of items before `items`.

    Yields:
        One block after the other.

    Raises:
        PofxError: An error of `items` itself, after the block of the items before.
    """
    block: list[tuple[T, Question]] = []
    n_bytes = 0
    prefixes: set[str | bytes] = set()

    def close_block() -> TextBlock[T]:
        return TextBlock(first, tuple(item for item, _ in block), tuple(a for _, a in block))

    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except PofxError:
            # The items before the place where a file breaks off are whole.
            if block:
                yield close_block()
            raise
        question = _check_question(ask(item))
        more = _count_bytes(question, prefixes)
        if block and (len(block) >= size.texts or n_bytes + more > size.n_bytes):
            yield close_block()
            first += len(block)
            block, n_bytes, prefixes = [], 0, set()
            more = _count_bytes(question, prefixes)
        block.append((item, question))
        n_bytes += more
        if not isinstance(question, PofxError):
            prefixes.add(question[1])
    if block:
        yield close_block()


def _check_question(question: Question) -> Question:
    if not isinstance(question, PofxError):
        try:
            for part in question:
                count_bytes(part)
        except PofxError as e:  # a lone surrogate has no length in bytes
            return e
    return question


def _count_bytes(question: Question, prefixes: set[str | bytes]) -> int:
    if isinstance(question, PofxError):
        return 0
    text, given = question
    return count_bytes(text) + (0 if given in prefixes else count_bytes(given))


def _answer_each(
    asked: Sequence[tuple[str | bytes, str | bytes]],
    answer: Query[R],
) -> list[R | PofxError]:
    """Return the results of all texts by one call, or after an error by one call for each half.

    k faulty texts among n cost about k log n calls, not n.
    """
    if not asked:
        return []
    try:
        return list(answer([text for text, _ in asked], [given for _, given in asked]))
    except PofxError as e:
        if len(asked) == 1:
            return [e]
    half = len(asked) // 2
    return [*_answer_each(asked[:half], answer), *_answer_each(asked[half:], answer)]
