"""Beams of known texts, the model asked about many histories at once, against the steps byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from byte_toys import Pieces, Toy, leave_unread, toy
from pofx.lm.continuation_tree import ExtensionBranches
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.models.specs import NgramSpec
from pofx.transforms.bytewise import shared_history_tree
from pofx.transforms.bytewise.bytewise import Bytewise, bytewise
from pofx.transforms.bytewise.steps import read_steps
from pofx.transforms.windowed import windowed
from tiny_checkpoints import write


def apart(lm: LM, paths: list[list[int]]) -> float:
    """How far log p, bounds and leaks of the two ways are apart."""
    assert isinstance(lm, Bytewise)
    ids = [np.array(p, dtype=np.int64) for p in paths]
    fast = lm.forward(paths)
    if not any(paths):
        return 0.0
    longest = sorted((i for i, p in enumerate(ids) if len(p)), key=lambda i: -len(ids[i]))
    steps = dict(zip(longest, lm.in_lockstep([ids[i] for i in longest])))
    slow = [read_steps(steps.get(i, []), 0, lm.vocab.size) for i in range(len(ids))]
    worst = 0.0
    for i in range(len(paths)):
        for a, b in (
            (fast.logp[i], slow[i].logp),
            (fast.low[i], slow[i].low),
            (fast.high[i], slow[i].high),
            (fast.leak[i], slow[i].leak),
        ):
            assert (np.isneginf(a) == np.isneginf(b)).all()
            worst = max(
                worst,
                float(np.abs(np.where(np.isneginf(a), 0, a) - np.where(np.isneginf(b), 0, b)).max(initial=0)),
            )
    return worst


def test_what_is_in_reserve_is_read_when_nothing_else_goes_on() -> None:
    """Tokens that share beginnings and nothing else: over and over the text leaves all that is open."""
    lm = toy((b"a", b"b", b"c", b"abbbb", b"abbbc", b"bbbba", None), 6, memory=1)
    with pytest.MonkeyPatch.context() as patched:
        leave_unread(patched)
        path = [[*b"abbbabbbbcabbaabbb", 256]]
        for beam in (1, 2, 3):
            assert apart(bytewise(lm, beam), path) < 1e-11
            found = bytewise(lm, beam).forward(path)
            assert found.low is not None
            assert np.isfinite(found.low[0]).all()


TEXTS = st.lists(st.text("abcdé", max_size=12), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    texts=TEXTS,
    beam=st.integers(1, 5),
    seed=st.integers(0, 5),
    ended=st.booleans(),
    horizon=st.sampled_from([4, 64]),
    lazy=st.booleans(),
)
def test_a_known_text_is_read_as_byte_by_byte(
    texts: list[str], beam: int, seed: int, ended: bool, horizon: int, lazy: bool
) -> None:
    paths = [[*t.encode(), *([256] if ended else [])] for t in texts]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shared_history_tree, "HORIZON", horizon)
        patched.setattr(shared_history_tree, "LEAST", 3)
        patched.setattr(shared_history_tree, "MOST", 5)
        if lazy:
            leave_unread(patched)
        assert apart(bytewise(toy(seed=seed), beam), paths) < 1e-11


def test_what_cannot_be_spelled_is_uniform_behind_the_impossible() -> None:
    lm = bytewise(toy(), 2)
    assert apart(lm, [[*b"abx", *b"ab"], [*b"x"], [255, 97, 256]]) < 1e-12
    assert np.isneginf(lm.forward([[*b"abx"]]).logp[0][-1])


@pytest.mark.parametrize("beam", [1, 3])
def test_through_windows(beam: int, tmp_path: Path) -> None:
    """A tiny checkpoint with windows of 16 tokens: histories that begin a new window, and trees begun anew."""
    lm = pofx.load(write(tmp_path, "llama", "bos"), context=16, stride=5)
    text = b"the cat sat on the mat, and the dog beside it."
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shared_history_tree, "MOST", 20)
        patched.setattr(shared_history_tree, "HORIZON", 24)
        patched.setattr(shared_history_tree, "LEAST", 12)
        assert apart(bytewise(lm, beam), [[*text], [*text[:20]]]) < 1e-4


def test_a_model_of_subwords() -> None:
    documents = ["Time flies.", "Time is money.", "A friend in need is a friend indeed."]
    lm = pofx.fit(documents, NgramSpec(order=3, vocab="bpe:280"))
    paths = [[*d.encode(), 256] for d in documents] + [[*"Zeit, naïve".encode()]]
    assert apart(bytewise(lm, 3), paths) < 1e-11
    assert apart(bytewise(windowed(lm, 6, 2), 3), paths) < 1e-11


class Counting(Toy):
    """Counts the nodes that are asked for, and the passes."""

    passes, nodes = 0, 0

    def branches(self, state: State) -> ExtensionBranches:
        mine = self

        class Counted(ExtensionBranches):
            def grow(self, parent, token):
                mine.passes += 1
                mine.nodes += len(parent)
                yield from super().grow(parent, token)

        return Counted(self.extend, state)


def test_few_passes_and_equal_texts_once() -> None:
    lm = Counting(Pieces(), memory=2)
    bytewise(lm, 2).forward([[*b"abababab"]])
    once, lm.nodes = lm.nodes, 0
    assert lm.passes <= 6
    bytewise(lm, 2).forward([[*b"abababab"]] * 20)
    assert lm.nodes <= once


def test_a_fault_in_the_branches_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    grow = ExtensionBranches.grow

    def shifted(self, parent, token):
        for nodes, logp in grow(self, parent, token):
            yield nodes, np.roll(logp, 1, axis=0)

    monkeypatch.setattr(ExtensionBranches, "grow", shifted)
    assert apart(bytewise(toy(), 2), [[*b"abaabcdab"]]) > 1e-3
