"""log p of texts that come one after the other, as many as there are: blocks of them in memory, results in order."""

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
from pofx.vocab.vocabulary import to_bytes

T = TypeVar("T")
R = TypeVar("R")
# A text and the prefix it is conditioned on; or why there is none.
Question = tuple[str | bytes, str | bytes] | PofxError
# A query of texts and the prefixes they stand behind: a result for each text.
Query = Callable[[Sequence[str | bytes], Sequence[str | bytes]], Sequence[R]]

# A block is what is scored together. More texts let a family sort and share more; but a stopped run goes on from
# the last whole block, and nothing is known of the rate before the first one.
TEXTS = 512
BYTES = 1 << 16
# Of a neural network: so many products, about 5 s of one core (80 GFLOP/s were measured). The number hangs on the model
# alone, never on the clock, so that a run that is taken up again has the blocks of one that was not stopped.
PRODUCTS = 2 * 10**11
BYTES_A_TOKEN = 4
LEAST_BYTES = 256


def block_bytes(lm: LM) -> int:
    """Bytes of text in a block, at most: fewer, the more products the model takes for a token (`LM.work`)."""
    return BYTES if not lm.work else min(BYTES, max(LEAST_BYTES, BYTES_A_TOKEN * PRODUCTS // lm.work))


def block_size(lm: LM) -> BlockSize:
    """How much of a text stream is scored together."""
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
    """`score` of any number of items, in constant memory: blocks of (item, its `Scored` or why it has none), in order.

    ask(item): its text and the prefix to condition on ("" for none), or an error that stands in for both.
    texts, n_bytes: a block is closed before it would hold more of either (a single text may be larger; a prefix
    counts once a block); n_bytes None: `block_bytes`. Where blocks begin depends on the items and the model alone, and a
    block's results on the block alone: whoever starts again at the start of a block gets the same numbers. boundary: as
    in `score`.

    What is wrong with one item (`NotText`, `TooLong`, `Impossible`, `NoBOS`) is its result, and loses no other.
    What `items` itself raises comes after the block before it.

    Right: `for block in score_stream(lm, records("a.txt"), lambda d: (d.text, "")): …`.
    Wrong: `list(score_stream(…))` of a file larger than the memory.
    """

    def answer(asked: Sequence[str | bytes], behind: Sequence[str | bytes]) -> list[Scored]:
        return score(lm, asked, behind, want, boundary)

    return stream(items, ask, answer, texts, block_bytes(lm) if n_bytes is None else n_bytes)


def stream(
    items: Iterable[T],
    ask: Callable[[T], Question],
    answer: Query[R],
    texts: int = TEXTS,
    n_bytes: int = BYTES,
) -> Iterator[list[tuple[T, R | PofxError]]]:
    """What `score_stream` does, for any query. answer(texts, prefixes): a result a text, or an error.

    Right: `stream(items, ask, lambda x, g: words(lm, x, given=g))`. Wrong: an answer to a text that depends on the
    others: where one fails, halves are asked again.
    """
    units = blocks(items, ask, BlockSize(texts, n_bytes))
    return (list(zip(block.items, block.answers(answer))) for block in units)


@dataclass(frozen=True)
class BlockSize:
    """How much a block holds at most: so many texts, and so many bytes of text (a prefix counts once a block)."""

    texts: int = TEXTS
    n_bytes: int = BYTES

    def __post_init__(self) -> None:
        check_whole_number("texts", self.texts, 1)
        check_whole_number("n_bytes", self.n_bytes, 1)


@dataclass(frozen=True)
class TextBlock(Generic[T]):
    """Items whose texts are answered together: the unit of work of a long run.

    A block is a value. Another process can answer it, and blocks can be answered in any order: their answers depend on
    the block and the query alone.

    Attributes:
        first: how many items stand before the block.
        items: the items, in order.
        asked: of each item its text and prefix, or the error that stands for both.
    """

    first: int
    items: tuple[T, ...]
    questions: tuple[Question, ...]

    def answers(self, answer: Query[R]) -> list[R | PofxError]:
        """The answer to each item, in order, or the error that the item or its answer met.

        Args:
            answer: of texts and prefixes, a result for each text.
        """
        questions = [a for a in self.questions if not isinstance(a, PofxError)]
        results = iter(_answer_each(questions, answer))
        return [a if isinstance(a, PofxError) else next(results) for a in self.questions]


def blocks(
    items: Iterable[T], ask: Callable[[T], Question], size: BlockSize, first: int = 0
) -> Iterator[TextBlock[T]]:
    """The items in blocks, in order; where blocks begin depends on the items and the size alone.

    Args:
        items: any number of them, read as they are needed.
        ask: of an item its text and prefix, or an error.
        size: what a block holds at most; a single larger text is a block of its own.
        first: how many items stand before these.

    Raises:
        PofxError: whatever `items` raises, behind the block of the items before.
    """
    block: list[tuple[T, Question]] = []
    n_bytes = 0
    prefixes: set[str | bytes] = set()

    def closed() -> TextBlock[T]:
        return TextBlock(first, tuple(item for item, _ in block), tuple(a for _, a in block))

    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except PofxError:
            # A file that breaks off: the items before the fault are whole.
            if block:
                yield closed()
            raise
        asked = _checked(ask(item))
        more = _weight(asked, prefixes)
        if block and (len(block) >= size.texts or n_bytes + more > size.n_bytes):
            yield closed()
            first += len(block)
            block, n_bytes, prefixes = [], 0, set()
            more = _weight(asked, prefixes)
        block.append((item, asked))
        n_bytes += more
        if not isinstance(asked, PofxError):
            prefixes.add(asked[1])
    if block:
        yield closed()


def _checked(asked: Question) -> Question:
    if not isinstance(asked, PofxError):
        try:
            for part in asked:
                to_bytes(part)
        except PofxError as e:  # a lone surrogate has no length in bytes
            return e
    return asked


def _weight(asked: Question, prefixes: set[str | bytes]) -> int:
    if isinstance(asked, PofxError):
        return 0
    text, given = asked
    return len(to_bytes(text)) + (0 if given in prefixes else len(to_bytes(given)))


def _answer_each(
    asked: Sequence[tuple[str | bytes, str | bytes]],
    answer: Query[R],
) -> list[R | PofxError]:
    """The answers to all at once; where that fails, of each half: k bad ones among n cost k log n passes, not n."""
    if not asked:
        return []
    try:
        return list(answer([text for text, _ in asked], [given for _, given in asked]))
    except PofxError as e:
        if len(asked) == 1:
            return [e]
    half = len(asked) // 2
    return [*_answer_each(asked[:half], answer), *_answer_each(asked[half:], answer)]
