"""Blocks of a stream are bounded, and one bad text loses no other; deterministic scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran
from rows_on_disk import LINES

import pofx
from laws import laws
from pofx.errors import BadSource, BadValue, NoBOS, NotText, PofxError
from pofx.lm.model import LM
from pofx.lm.trace import Trace, Want
from pofx.queries.scoring.score import Scored
from pofx.queries.scoring.stream import score_stream
from pofx.transforms.deterministic import deterministic
from toy import ToyLM, ToyVocab

# ---------------------------------------------------------------------------------------------------- streaming


def texts_of(block: Sequence[tuple[Any, Scored | PofxError]]) -> list[Any]:
    return [item for item, _ in block]


def test_blocks_are_bounded_and_depend_on_the_items_alone() -> None:
    lm = ToyLM()
    texts = ["abc" * (1 + i % 5) for i in range(60)]
    ask = lambda t: (t, "")  # noqa: E731
    blocks = list(score_stream(lm, texts, ask, texts=7, n_bytes=40))
    assert [t for b in blocks for t in texts_of(b)] == texts
    assert max(map(len, blocks)) <= 7
    assert all(sum(map(len, texts_of(b))) <= 40 for b in blocks)
    assert any(sum(map(len, texts_of(a))) + len(texts_of(b)[0]) > 40 for a, b in itertools.pairwise(blocks))
    done = sum(map(len, blocks[:3]))
    again = list(score_stream(lm, texts[done:], ask, texts=7, n_bytes=40))
    assert [texts_of(b) for b in again] == [texts_of(b) for b in blocks[3:]]
    huge = list(score_stream(lm, ["a", "b" * 500, "c"], ask, n_bytes=40))
    assert [texts_of(b) for b in huge] == [["a"], ["b" * 500], ["c"]]
    prefix = "c" * 30
    shared = list(score_stream(lm, ["a"] * 9, lambda t: (t, prefix), n_bytes=40))
    assert [len(b) for b in shared] == [9]  # a prefix counts once
    assert list(score_stream(lm, [], ask)) == []
    with pytest.raises(BadValue, match="texts|n_bytes"):
        next(score_stream(lm, texts, ask, texts=0))


def test_a_stream_is_read_no_further_than_a_block() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "abc"

    stream = score_stream(ToyLM(), endless(), lambda t: (t, ""), texts=10)
    for k in range(1, 5):
        block = next(stream)
        assert len(block) == 10
        assert read <= 10 * k + 1


class Picky(ToyVocab):
    """Refuses a text with a d, as a vocabulary of subwords may."""

    def encode(self, text: str | bytes) -> list[int]:
        if "d" in str(text):
            raise NotText(f"a d in {text!r}")
        return super().encode(text)


@pytest.mark.parametrize("bad", [set(), {0}, {7}, {3, 4}, {0, 2, 4, 6}, set(range(8))])
def test_one_bad_text_loses_no_other(bad: set[int]) -> None:
    lm = ToyLM(Picky())
    texts = [f"{'d' if i in bad else 'a'}{'abc' * (i % 3)}" for i in range(8)]
    ((*block,),) = score_stream(lm, texts, lambda t: (t, ""))
    assert texts_of(block) == texts
    for i, (text, found) in enumerate(block):
        if i in bad:
            assert isinstance(found, NotText)
            assert repr(text) in str(found)
        else:
            assert isinstance(found, Scored)
            assert found.total == pytest.approx(pofx.log_prob(ToyLM(), text), abs=1e-12)


def test_few_bad_texts_cost_few_passes() -> None:
    class Counting(ToyLM):
        calls = 0

        def forward(self, *arguments: Any) -> Trace:
            Counting.calls += 1
            return super().forward(*arguments)

    texts = ["d" if i == 300 else "abc" for i in range(512)]
    ((*block,),) = score_stream(Counting(Picky()), texts, lambda t: (t, ""))
    assert sum(isinstance(found, Scored) for _, found in block) == 511
    assert Counting.calls <= 9  # log2 512


def test_an_error_of_an_item_and_of_the_source() -> None:
    def items() -> Iterator[str]:
        yield from ["a", "b", "c"]
        raise BadSource("it breaks off")

    def ask(text: str) -> tuple[str, str] | PofxError:
        return BadValue("not b") if text == "b" else (text, "\ud800" if text == "c" else "")

    stream = score_stream(ToyLM(), items(), ask)
    (a, b, c) = next(stream)
    assert isinstance(a[1], Scored)
    assert isinstance(b[1], BadValue)
    assert isinstance(c[1], NotText)
    with pytest.raises(BadSource, match="it breaks off"):
        next(stream)


def test_without_x0_each_text_is_refused() -> None:
    ((*block,),) = score_stream(ToyLM(begin=False), ["a", "b"], lambda t: (t, "a" if t == "b" else ""))
    assert isinstance(block[0][1], NoBOS)
    assert isinstance(block[1][1], Scored)


# -------------------------------------------------------------------------------------------------- deterministic


class Company(ToyLM):
    """Its last digits depend on how many texts are scored together, as those of a matrix product do."""

    def forward(self, paths: Any, want: Want = Want(), skip: Any = 0) -> Trace:
        trace = super().forward(paths, want, skip)
        return Trace(tuple(a + 1e-12 * (len(paths) - 1) for a in trace.logp), trace.entropy, trace.rank)


def test_deterministic_is_bit_equal_in_any_company() -> None:
    texts = ["abc", "", "cab", "abcabc", "b"]
    plain, alone = Company(), deterministic(Company())

    def values(lm: LM, some: list[str]) -> list[list[float]]:
        return [s.logp.tolist() for s in pofx.score(lm, some, want=Want(entropy=True, rank=True))]

    one_by_one = [values(alone, [t])[0] for t in texts]
    assert values(alone, texts) == one_by_one
    assert values(alone, texts[::-1]) == one_by_one[::-1]
    assert values(plain, texts) != one_by_one  # or nothing was tested
    assert values(alone, []) == []
    assert deterministic(alone) is alone


def test_deterministic_obeys_the_laws() -> None:
    laws(deterministic(ToyLM()))
    lm = deterministic(pofx.fit(LINES, pofx.NgramSpec(order=3)))
    assert lm.termination([1]) is not None
    assert lm.seen(5).tolist() == [1, 2, 2, 2, 2]
    core = deterministic(ToyLM(begin=False)).bare()
    assert core is not None
    assert core.begin.known == "none"
    assert deterministic(ToyLM()).bare() is None
    with pytest.raises(ValueError, match="one number a path"):
        lm.forward([[1], [2]], skip=[0])


def test_deterministic_transformer(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=16, epochs=0.1, seed=1)
    lm = deterministic(pofx.fit(LINES, spec))
    texts = [*LINES, "a" * 60, ""]
    together = pofx.score(lm, texts)
    for text, s in zip(texts, together):
        assert pofx.score(lm, [text])[0].logp.tobytes() == s.logp.tobytes()
    assert [s.logp.tobytes() for s in pofx.score(lm, texts[::-1])] == [
        s.logp.tobytes() for s in together[::-1]
    ]


def test_deterministic_on_the_command_line(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("the cat\na\n")
    assert run("a.txt", "--deterministic").out == run("a.txt").out
