"""Windows: a distribution over texts of any length out of a model of few tokens, and the rule it states."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from laws import LAWS, Broken, laws
from pofx.errors import BadValue, Impossible, NoBOS, TooLong
from pofx.lm.begin import Begin
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.sample import sample
from pofx.queries.scoring.score import score
from pofx.transforms.given import given
from pofx.transforms.window_cuts import cuts
from pofx.transforms.windowed import Windowed, windowed
from pofx.transforms.with_begin import with_begin
from pofx.transforms.with_end import with_end
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import ByteVocab, Vocab
from toy import ToyLM, ToyVocab, log_prefix


class ControlVocab(ToyVocab):
    """a, b, EOS, and a control token that may stand for x0."""

    def __init__(self, end: bool = True) -> None:
        super().__init__(2, end)
        self.token_bytes = (*self.token_bytes, None)
        self.size += 1
        self.control = ControlTokens({"<s>": self.size - 1})


class Bounded(ToyLM):
    """A toy that remembers all, reads `context` tokens, x0 included, and refuses to read more.

    The last token of a path is predicted only, so it takes no place.
    """

    def __init__(self, context: int, vocab: Vocab | None = None, begin: bool = False, seed: int = 0) -> None:
        super().__init__(vocab or ControlVocab(), seed, memory=context, begin=begin)
        self.context = context
        self.room = context - begin
        self.passes: list[int] = []

    def refuse(self, n: int) -> None:
        if n > self.room:
            raise TooLong(f"expected at most {self.room} tokens, got {n}")

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        new = as_id_rows(ids, state.n)
        for row in state.carry:
            self.refuse(int((row >= 0).sum()) + new.shape[1])
        return super().extend(state, new)

    def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        for p in paths:
            self.refuse(len(p) - 1)
        self.passes.append(len(paths))
        return super().forward(paths, want, skip)


def by_hand(lm: LM, path: Sequence[int], behind: Sequence[int], context: int, stride: int) -> list[float]:
    """The definition: of all windows k·stride … k·stride + room the first that holds a position predicts it.

    A window reads `context` tokens, `behind` among them, and predicts one more.
    """
    room, out = context - len(behind) + 1, []
    for i, token in enumerate(path):
        k = next(k for k in itertools.count() if k * stride <= i < k * stride + room)
        read = np.array([[*behind, *path[k * stride : i]]], dtype=np.int64)
        out.append(float(lm.extend(lm.start(1), read).logp[0, token]))
    return out


STRIDES = [(c, s) for c in (2, 3, 4, 5, 6) for s in range(1, c + 1)]


@pytest.mark.parametrize(("context", "stride"), STRIDES)
def test_the_definition_by_enumeration(context: int, stride: int) -> None:
    core = Bounded(context)
    x0 = core.vocab.size - 1
    lm = windowed(with_begin(core, "<s>"), stride=stride)
    paths = [list(p) for n in (0, 1, 2, 5, 7) for p in itertools.product((0, 1), repeat=n)][::3]
    paths.append([0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 2])
    found = lm.forward(paths, Want(entropy=True, rank=True, top=2, end=True))
    slow = forward_by_extension(lm, paths, Want(entropy=True, rank=True, top=2, end=True))
    for i, p in enumerate(paths):
        np.testing.assert_allclose(found.logp[i], by_hand(core, p, [x0], context, stride), atol=1e-12)
        for name in ("logp", "entropy", "rank", "top_ids", "top_logp", "end"):
            np.testing.assert_allclose(getattr(found, name)[i], getattr(slow, name)[i], atol=1e-12)
    some = [p for p in paths if len(p) > 3]
    for skip in range(4):
        for a, b in zip(lm.forward(some, skip=skip).logp, lm.forward(some).logp):
            np.testing.assert_allclose(a, b[skip:], atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize(("context", "stride"), [(3, 1), (3, 2), (4, 2), (4, 3), (5, None), (6, 2)])
def test_laws_with_x0(context: int, stride: int | None) -> None:
    laws(windowed(with_begin(Bounded(context), "<s>"), stride=stride))
    # An x0 of the model's own takes a place in every window just so.
    laws(windowed(Bounded(context, ToyVocab(2), begin=True), stride=stride))


@pytest.mark.parametrize(
    "make",
    [
        lambda: windowed(Bounded(3, ToyVocab(2))),
        lambda: windowed(Bounded(4, ToyVocab(2)), stride=3),
        lambda: windowed(Bounded(4, ToyVocab(2, end=False)), stride=1),
        lambda: windowed(with_begin(Bounded(4, ControlVocab(end=False)), "<s>")),
        lambda: with_end(windowed(with_begin(Bounded(4, ControlVocab(end=False)), "<s>")), "b"),
        lambda: given(windowed(with_begin(Bounded(3), "<s>")), "abba"),
        lambda: windowed(given(with_begin(Bounded(5), "<s>"), "ba")),
        lambda: windowed(ToyLM(memory=2), 4, 3),
    ],
)
def test_laws_of_other_windows(make) -> None:
    laws(make())


@pytest.mark.thorough
def test_the_sum_over_strings_is_one() -> None:
    vocab = ToyVocab(2)
    lm = windowed(Bounded(3, vocab, begin=True, seed=1), stride=1)
    texts = [p for n in range(10) for p in itertools.product((0, 1), repeat=n)]
    total = math.fsum(math.exp(x.sum()) for x in lm.forward([[*p, 2] for p in texts]).logp)
    alive = math.fsum(math.exp(x.sum()) for x in lm.forward(list(itertools.product((0, 1), repeat=10))).logp)
    assert total + alive == pytest.approx(1, abs=1e-12)
    assert 0.01 < alive < 0.99


def test_the_laws_catch_a_window_that_depends_on_what_follows() -> None:
    class Late(Windowed):
        """The last window is moved back until it is full, as where a text's end is aligned."""

        def forward(self, paths: Sequence[Path], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
            t = super().forward(paths, want, skip)
            moved = [
                np.array(by_hand(self.lm, p, [], self.room - 1, self.stride))
                if len(p) <= self.room
                else np.append(x[:-1], log_prefix(self.lm, p[-1:], p[-self.room : -1]))
                for p, x in zip([list(q) for q in paths], t.logp)
            ]
            return t if want.rows or skip else Trace(tuple(moved))

    sound = windowed(Bounded(4, ToyVocab(2), begin=True), stride=3)
    late = Late(sound.lm, 4, 3, 3)
    for law, why in (("2 strings", "strings and survivors"), ("3 forward", "forward")):
        LAWS[law](sound)
        with pytest.raises(Broken, match=why):
            LAWS[law](late)


def test_every_token_once_with_most_context_and_what_is_skipped_is_not_run() -> None:
    for n, skip, room, stride in itertools.product(range(14), range(14), (1, 2, 5), (1, 2, 5)):
        if stride > room or skip > n:
            continue
        found = cuts(n, skip, room, stride)
        told = [i for lo, hi, first in found for i in range(first, hi)]
        assert told == list(range(skip, n))
        assert all(0 <= lo <= first <= hi and hi - lo <= room for lo, hi, first in found)
        assert all(first < hi for _, hi, first in found) or skip == n
        for lo, _, first in found:
            assert lo % stride == 0
            # An earlier window holds none of what this one tells.
            assert lo == 0 or skip == n or lo - stride + room <= first
    core = Bounded(3)
    lm = windowed(with_begin(core, "<s>"), stride=1)
    lm.forward([[0, 1] * 10, [0], []], skip=[19, 0, 0])
    assert core.passes[-1] == 3  # all windows of all paths in one pass, and of twenty tokens one window


def test_effective_context() -> None:
    lm = windowed(with_begin(Bounded(6), "<s>"), stride=3)
    assert str(lm.window) == (
        "windows of 6 tokens, x0 at the front of each; the next begins 3 later; effective context 4 to 6"
    )
    assert lm.seen(12).tolist() == [1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5, 6]
    assert lm.seen(0).tolist() == []
    assert lm.context == 6
    bare = windowed(Bounded(6, ToyVocab(2)), stride=2)
    assert "no x0" in str(bare.window)
    assert "effective context 5 to 6" in str(bare.window)
    assert bare.seen(9).tolist() == [0, 1, 2, 3, 4, 5, 6, 5, 6]
    large = windowed(with_begin(Bounded(1024), "<s>"))
    assert "the next begins 512 later; effective context 513 to 1,024" in str(large.window)
    seen = large.seen(5000)
    assert (seen[:1024].tolist(), seen[1024:].min(), seen.max()) == (list(range(1, 1025)), 513, 1024)


def test_nothing_beyond_the_effective_context_matters() -> None:
    lm = windowed(with_begin(Bounded(5), "<s>"), stride=2)
    path = [0, 1, 1, 0, 1, 0, 0, 1, 1]
    told, seen = lm.forward([path]).logp[0], lm.seen(len(path))
    for i in range(len(path)):
        lost = i - (int(seen[i]) - 1)  # x0 is one of those seen
        for j in range(i):
            other = [*path[:j], 1 - path[j], *path[j + 1 :]]
            moved = abs(lm.forward([other]).logp[0][i] - told[i]) > 1e-9
            assert moved == (j >= lost), (i, j)


def test_seen_of_every_kind_of_model() -> None:
    toy, free = ToyLM(), ToyLM(begin=False)
    assert toy.seen(3).tolist() == [1, 2, 3]
    assert free.seen(3).tolist() == [0, 1, 2]
    assert given(toy, "ab").seen(3).tolist() == [3, 4, 5]
    assert with_begin(free, "a").seen(3).tolist() == [1, 2, 3]
    assert Bounded(2).seen(4).tolist() == [0, 1, 2, 2]
    vocab = ByteVocab()
    for begin, expected in ((True, [1, 2, 2, 2]), (False, [0, 1, 2, 2])):
        ngram = fit_ngram(vocab.encode_many(["abc", "ab"]), NgramSpec(3, vocab=vocab, begin=begin), vocab)
        assert ngram.seen(4).tolist() == expected
    line = with_end(ToyLM(ToyVocab(3, end=False)), "b")
    assert line.seen(2).tolist() == [1, 2]


def test_scored_says_what_each_token_was_given() -> None:
    lm = windowed(with_begin(Bounded(5), "<s>"), stride=2)
    a, b = score(lm, ["abbaab", "ab"], ["", "bbbbbb"])
    assert a.seen.tolist() == [1, 2, 3, 4, 5, 4, 5]
    assert b.seen.tolist() == lm.seen(9)[6:].tolist()
    assert a.without_end().seen.tolist() == [1, 2, 3, 4, 5, 4]
    assert a.terms.window == str(lm.window)
    with pytest.raises(ValueError, match="read-only"):
        a.seen[0] = 7


def test_a_given_longer_than_the_context_and_long_texts() -> None:
    core = Bounded(4)
    lm = windowed(with_begin(core, "<s>"), stride=2)
    core.passes.clear()
    long = "ab" * 50
    s = score(lm, ["ba"], long)[0]
    whole = [*lm.vocab.encode(long), 1, 0, 2]
    by = by_hand(core, whole, [3], 4, 2)
    np.testing.assert_allclose(s.logp, by[-3:], atol=1e-12)
    draws = sample(lm, 4, given=long, max_tokens=9, seed=1)
    for d in draws:
        path = [*lm.vocab.encode(long), *map(int, d.tokens), *([2] if d.ended else [])]
        np.testing.assert_allclose(d.logp, lm.forward([path], skip=100).logp[0], atol=1e-12)


def test_states_of_different_lengths_in_one_batch() -> None:
    lm = windowed(with_begin(Bounded(4), "<s>"), stride=2)
    paths = [[0], [0, 1], [1, 1, 0], [0, 0, 1, 1], [], [1] * 7]
    states = [lm.extend(lm.start(1), np.array([p], dtype=np.int64).reshape(1, -1)) for p in paths]
    joined = states[0].cat(*states[1:]).take([5, 4, 3, 2, 1, 0, 3])
    order = [paths[i] for i in (5, 4, 3, 2, 1, 0, 3)]
    for _ in range(5):
        new = np.array([[len(p) % 2] for p in order])
        joined = lm.extend(joined, new)
        order = [[*p, len(p) % 2] for p in order]
        for row, p in zip(joined.logp, order):
            alone = lm.extend(lm.start(1), np.array([p]))
            np.testing.assert_allclose(row, alone.logp[0], atol=1e-12)


def test_without_windows_and_without_x0() -> None:
    core = Bounded(4)
    with pytest.raises(TooLong):
        with_begin(core, "<s>").forward([[0] * 5])
    bare = windowed(Bounded(4, ToyVocab(2)))
    with pytest.raises(NoBOS):
        bare.forward([[0, 1]])
    assert np.isfinite(bare.forward([[0, 1] * 6], skip=1).logp[0]).all()
    unbounded = ToyLM()
    assert windowed(unbounded) is unbounded
    assert isinstance(windowed(unbounded, 7), Windowed)


@pytest.mark.parametrize(
    ("make", "context", "stride", "says"),
    [
        (lambda: with_begin(Bounded(4), "<s>"), 5, None, "at most the 4 tokens"),
        (lambda: with_begin(Bounded(4), "<s>"), None, 5, "from 1 to 4"),
        (lambda: with_begin(Bounded(4), "<s>"), None, 0, "from 1 to 4"),
        (lambda: Bounded(4, ToyVocab(2)), None, 5, "from 1 to 4"),
        (lambda: with_begin(Bounded(4), "<s>"), 1, None, "at least 2"),
        (lambda: Bounded(4, ToyVocab(2)), 1, None, "at least 2"),
    ],
)
def test_windows_that_cannot_be(make, context, stride, says: str) -> None:
    with pytest.raises(BadValue, match=says):
        windowed(make(), context, stride)


def test_who_a_model_is_goes_through_every_wrapper() -> None:
    core = Bounded(4)
    core.fingerprint, core.positive = "abc", True
    lm = windowed(with_begin(core, "<s>"))
    line = windowed(with_begin(Bounded(4, ControlVocab(end=False)), "<s>"))
    for each in (lm, given(lm, "a"), with_begin(core, 0)):
        assert (each.fingerprint, each.positive) == ("abc", True)
    assert lm.bare() is core
    assert core.bare() is core
    assert given(lm, "a").bare() is None
    assert ToyLM().bare() is None
    lines = with_end(line, "b")
    bare = lines.bare()
    assert bare is not None
    assert (bare.begin.known, bare.vocab.end, bare.context) == ("none", 1, 4)


def test_a_positive_model_is_not_asked_whether_a_prefix_is_possible() -> None:
    class Silent(ToyLM):
        def row(self, history: Sequence[int]) -> np.ndarray:
            p = np.exp(super().row(history))
            p[0] = 0
            with np.errstate(divide="ignore"):
                return np.log(p / p.sum())

    lm = Silent()
    with pytest.raises(Impossible):
        given(lm, "a")
    lm.positive = True
    given(lm, "a")


def test_begin_of_a_windowed_model_is_that_of_the_model() -> None:
    assert windowed(with_begin(Bounded(4), "<s>", "declared")).begin == Begin("declared", "<s>", 3)


def test_the_law_of_what_is_seen_catches_a_boast() -> None:
    class Boastful(ToyLM):
        """Says that it sees one token, and sees three."""

        def seen(self, n: int) -> Ints:
            return np.minimum(super().seen(n), 1)

    class Hindsight(ToyLM):
        """What it says of a position depends on what follows."""

        def seen(self, n: int) -> Ints:
            return super().seen(n) + (n > 6)

    for fault in (Boastful(), Hindsight()):
        with pytest.raises(Broken, match="seen"):
            LAWS["9 seen"](fault)
