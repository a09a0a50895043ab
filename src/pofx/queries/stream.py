"""log p of texts that come one after the other, as many as there are: blocks of them in memory, results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from pofx.errors import PofxError
from pofx.lm import LM
from pofx.queries.joins import Asked
from pofx.queries.score import Scored, score
from pofx.trace import Want
from pofx.values import whole
from pofx.vocab import to_bytes

T = TypeVar("T")
R = TypeVar("R")
# A text and the prefix it is conditioned on; or why there is none.
Ask = tuple[str | bytes, str | bytes] | PofxError

# A block is what is scored together. More texts let a family sort and share more; but a stopped run goes on from
# the last whole block, and nothing is known of the rate before the first one.
TEXTS = 512
BYTES = 1 << 16
# Of a neural network: so many products, about 5 s of one core (80 GFLOP/s were measured). The number hangs on the model
# alone, never on the clock, so that a run that is taken up again has the blocks of one that was not stopped.
PRODUCTS = 2 * 10**11
BYTES_A_TOKEN = 4
LEAST = 256


def block_bytes(lm: LM) -> int:
    """Bytes of text in a block, at most: fewer, the more products the model takes for a token (`LM.work`)."""
    return BYTES if not lm.work else min(BYTES, max(LEAST, BYTES_A_TOKEN * PRODUCTS // lm.work))


def score_stream(
    lm: LM,
    items: Iterable[T],
    ask: Callable[[T], Ask],
    want: Want = Want(),
    texts: int = TEXTS,
    n_bytes: int | None = None,
    boundary: Asked = "auto",
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
    ask: Callable[[T], Ask],
    answer: Callable[[Sequence[str | bytes], Sequence[str | bytes]], Sequence[R]],
    texts: int = TEXTS,
    n_bytes: int = BYTES,
) -> Iterator[list[tuple[T, R | PofxError]]]:
    """What `score_stream` does, for any query. answer(texts, prefixes): a result a text, or an error.

    Right: `stream(items, ask, lambda x, g: words(lm, x, given=g))`. Wrong: an answer to a text that depends on the
    others: where one fails, halves are asked again.
    """
    texts, n_bytes = whole("texts", texts, 1), whole("n_bytes", n_bytes, 1)
    return _answered(_blocks(items, ask, texts, n_bytes), answer)


def _answered(
    blocks: Iterable[list[tuple[T, Ask]]],
    answer: Callable[[Sequence[str | bytes], Sequence[str | bytes]], Sequence[R]],
) -> Iterator[list[tuple[T, R | PofxError]]]:
    for block in blocks:
        asked = [a for _, a in block if not isinstance(a, PofxError)]
        results = iter(_answer_each(asked, answer))
        yield [(item, a if isinstance(a, PofxError) else next(results)) for item, a in block]


def _blocks(
    items: Iterable[T], ask: Callable[[T], Ask], texts: int, n_bytes: int
) -> Iterator[list[tuple[T, Ask]]]:
    block: list[tuple[T, Ask]] = []
    size = 0
    prefixes: set[str | bytes] = set()
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except PofxError:
            # A file that breaks off: what came before is whole.
            if block:
                yield block
            raise
        asked = _checked(ask(item))
        more = _weight(asked, prefixes)
        if block and (len(block) >= texts or size + more > n_bytes):
            yield block
            block, size, prefixes = [], 0, set()
            more = _weight(asked, prefixes)
        block.append((item, asked))
        size += more
        if not isinstance(asked, PofxError):
            prefixes.add(asked[1])
    if block:
        yield block


def _checked(asked: Ask) -> Ask:
    if not isinstance(asked, PofxError):
        try:
            for part in asked:
                to_bytes(part)
        except PofxError as e:  # a lone surrogate has no length in bytes
            return e
    return asked


def _weight(asked: Ask, prefixes: set[str | bytes]) -> int:
    if isinstance(asked, PofxError):
        return 0
    text, given = asked
    return len(to_bytes(text)) + (0 if given in prefixes else len(to_bytes(given)))


def _answer_each(
    asked: Sequence[tuple[str | bytes, str | bytes]],
    answer: Callable[[Sequence[str | bytes], Sequence[str | bytes]], Sequence[R]],
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
