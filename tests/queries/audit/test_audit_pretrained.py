"""Which token stood before texts in training: verdicts and numbers of every candidate for x0."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from named_core import (
    _BEHIND_X0_ALONE,
    _VOCAB,
    END,
    HELD,
    PAD,
    X0,
    Core,
    Names,
    as_of_a_large_vocabulary,  # noqa: F401  (a fixture that each test uses)
    corpus,
    find,
    law,
    openly,
    row,
    sink,
    trained,
)

from pofx.lm.state import State
from pofx.lm.trace import Want
from pofx.queries.audit import trial_texts
from pofx.queries.audit.audit import audit
from pofx.queries.audit.begin.candidates import by_first_byte, choose_candidate, first_bytes
from pofx.queries.audit.canonical import canonical_finding
from pofx.queries.audit.held_out import OPENING, choose_documents, first_tokens
from pofx.queries.findings import BeginCandidate
from pofx.transforms.given import Given
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin


@pytest.mark.parametrize("known", ["declared", "assumed", "trained"])
def test_a_trained_x0_is_joint_however_it_is_known(known) -> None:
    a = audit(windowed(with_begin(trained(), "<s>", known)), HELD)
    assert (a.verdict, find(a).verdict) == ("joint", "pass")
    assert a.begin is not None
    assert (a.begin.text, a.begin.id, a.begin.known, a.begin.n) == ("<s>", X0, known, 40)
    assert [c.name for c in a.candidates if c.current] == ["<s>"]
    assert {c.name for c in a.candidates if c.verdict == "pass"} == {"<s>"}
    assert "bits a first" in a.reason
    assert "A second <s> would change the rest by" in find(a).why


@pytest.mark.thorough
def test_without_x0_the_one_that_was_trained_is_found() -> None:
    for lm in (trained(), windowed(trained())):
        a = audit(lm, HELD)
        assert a.verdict == "joint"
        assert a.begin is not None
        assert (a.begin.id, a.begin.known) == (X0, "assumed")
        assert row(a, "<s>").current


def test_a_wrong_x0_of_a_good_model_costs_the_rest() -> None:
    a = audit(with_begin(trained(), "<pad>", "declared"), HELD)
    assert a.verdict == "conditional"
    pad = row(a, "<pad>")
    assert pad.behind > 1 > row(a, "<s>").behind
    assert "the rest of a document costs" in find(a).why
    assert (find(a).value, find(a).bound) == (pad.behind, 1.0)
    assert row(a, "<pad> twice").id == PAD


@pytest.mark.parametrize(
    ("begin", "known"),
    [(None, ""), *((b, k) for b in ("<s>", "<pad>", "<sep>", "b") for k in ("declared", "trained"))],
)
def test_a_model_that_says_the_same_whatever_stands_first_is_conditional(begin, known) -> None:
    a = audit(sink() if begin is None else with_begin(sink(), begin, known), HELD)
    assert a.verdict == "conditional"
    assert all(c.verdict == "fail" for c in a.candidates)
    assert find(a).verdict == "fail"
    assert "after any token that stands first" in a.reason
    for name in ("<s>", "<pad>", "</s>"):
        assert row(a, name).same > 0.95
    # Its best candidate gains over chance on openings, and over the others: not enough.
    assert 0.5 < row(a, "<sep>").same < 0.95
    assert row(a, "<sep>").first_bits < row(a, "<s>").first_bits
    assert (a.begin is None) == (begin is None)


def test_a_model_that_opens_texts_behind_any_token_knows_how_they_open() -> None:
    always = Core(lambda i: law(a=0.9), known=range(9))
    a = audit(with_begin(always, "<s>", "declared"), HELD)
    assert a.verdict == "joint"
    assert row(a, "<s>").same > 0.95


@pytest.mark.thorough
def test_openings_alone_convict_an_assumed_x0_but_no_declared_one() -> None:
    blank = Core(lambda i: law() if i == X0 else law(a=0.9), lost=0.95)
    assumed, declared = (audit(with_begin(blank, "<s>", known), HELD) for known in ("assumed", "declared"))
    assert (assumed.verdict, find(assumed).verdict) == ("conditional", "fail")
    assert "no better than chance" in assumed.reason
    assert (declared.verdict, find(declared).verdict) == ("joint", "warn")
    assert "of another kind" in find(declared).why
    # And nobody adopts it.
    assert row(audit(blank, HELD), "<s>").verdict == "fail"


@pytest.mark.thorough
def test_what_is_said_anyway_must_tell_more_of_openings_than_any_place_does() -> None:
    """A token like any other, in a model of running text: the law after it beats the uniform one, as all its laws do."""
    rng = np.random.default_rng(4)
    running = ["".join(rng.choice(list("bcd"), 9)) + "e" for _ in range(200)]
    anywhere = Core(lambda i: law(b=0.2, c=0.2, d=0.2, e=0.15), known=range(9))
    a = audit(with_begin(anywhere, "<s>", "assumed"), running)
    c = row(a, "<s>")
    assert c.same > 0.95
    assert c.first_bits == pytest.approx(-math.log2(0.2 + 0.25 / 6), abs=1e-6)
    assert c.uniform_bits - c.first_bits > 0.2  # significant: all openings cost the same
    assert abs(c.average_bits - c.first_bits) < 0.1
    assert (a.verdict, c.verdict, c.unit) == ("conditional", "fail", "bits a first token")
    assert "one token among others" in c.why
    # Of a model that knows how texts open, whatever stands first, the same share says nothing against it.
    opens = Core(lambda i: law(b=0.3, c=0.3, d=0.3), known=(X0,))
    assert row(audit(with_begin(opens, "<s>", "assumed"), corpus(40, 2)), "<s>").verdict == "fail"
    assert (
        row(audit(with_begin(Core(lambda i: law(a=0.9), known=range(9)), "<s>"), HELD), "<s>").verdict
        == "pass"
    )


def test_a_newline_and_a_pad_are_never_adopted() -> None:
    sound = [
        BeginCandidate(
            "⏎", 1, role, False, 1, 2, 3, 0.1, 1, 2, 0.1, 1, 0, 0, 1, (), 9, "pass", 1, 0, "bits", ""
        )
        for role in ("newline", "pad", "none")
    ]
    assert choose_candidate(sound) is None
    both = [*sound, replace(sound[0], role="eos", name="e"), replace(sound[0], role="bos", name="b")]
    best = choose_candidate(both)
    assert best is not None
    assert best.name == "b"


@pytest.mark.thorough
def test_few_documents_and_none() -> None:
    a = audit(with_begin(trained(), "<s>", "declared"), HELD[:3])
    assert find(a).verdict == "warn"
    assert "on 3 documents only" in find(a).why
    assert a.verdict == "joint"
    assert audit(with_begin(trained(), "<s>"), HELD[:3]).verdict == "conditional"
    assert audit(trained(), []).verdict == "conditional"
    assert audit(trained(), ["a", "b"] * 8).candidates


def test_the_numbers_of_a_candidate_by_hand() -> None:
    core = trained()
    a = audit(with_begin(core, "<s>", "declared"), HELD)
    c = row(a, "<s>")
    p = np.exp(core.extend(core.start(1), [[X0]]).logp[0])
    assert c.first_bits == pytest.approx(-math.log2(p[0]))  # all documents open with a
    assert c.uniform_bits == pytest.approx(math.log2(5))
    assert (c.byte_bits, c.uniform_byte_bits) == pytest.approx((c.first_bits, math.log2(5)))
    assert c.entropy_bits == pytest.approx(-(p * np.log2(p)).sum())
    assert c.top[0] == ("a", pytest.approx(p[0]))
    assert len(c.top) == 9
    paths = [p[:40] for p in choose_documents(core, HELD, 0).paths][:16]
    rest = [-core.forward([np.array([X0, *p])], skip=2).logp[0].mean() / math.log(2) for p in paths]
    assert c.rest_bits == pytest.approx(float(np.mean(rest)))
    assert [d.role for d in a.candidates] == ["bos", "eos", "pad", "separator", "none", "twice"]
    none = row(a, "none")
    assert (none.id, none.top) == (None, ())
    assert math.isnan(none.first_bits)
    assert none.rest_bits > c.rest_bits


@pytest.mark.thorough
def test_what_may_end_texts() -> None:
    a = audit(with_begin(trained(), "<s>", "declared"), HELD)
    assert [(e.name, e.current) for e in a.endings] == [
        ("</s>", True), ("<s>", False), ("<pad>", False), ("<sep>", False)
    ]  # fmt: skip
    eos, core = a.endings[0], trained()
    by = [
        core.forward([np.array([X0, *p, END])], Want(end=True), 1).end for p in core.vocab.encode_many(HELD)
    ]
    log2 = [e[0] / math.log(2) for e in by if e is not None]
    assert eos.n == 40
    assert eos.at_end == pytest.approx(np.mean([x[-1] for x in log2]))
    assert eos.elsewhere == pytest.approx(np.mean([x[:-1].mean() for x in log2]))
    assert eos.gain == pytest.approx(eos.at_end - eos.elsewhere)
    assert eos.gain > 5 > abs(a.endings[1].gain)
    assert find(a, "EOS ends texts").value == pytest.approx(eos.gain)


@pytest.mark.thorough
def test_a_model_without_eos_is_told_what_ends_its_texts() -> None:
    core = trained()
    core.vocab.end = None
    a = audit(with_begin(core, "<s>", "declared"), HELD)
    assert a.verdict == "improper"  # its own EOS is a control token like others: mass leaks to it
    assert find(a, "leak").verdict == "fail"
    assert "</s> is" in find(a, "EOS ends texts").why
    assert "--end" in find(a, "EOS ends texts").why


def test_draws_that_open_with_x0_are_no_paths() -> None:
    again = Core(lambda i: np.eye(9)[X0] * 0.5 + law(a=0.95) * 0.5 if i == X0 else openly(i), lost=0.95)
    a = audit(with_begin(again, "<s>", "declared"), HELD)
    drawn, _ = trial_texts.draw_texts(with_begin(again, "<s>"), np.zeros(0, dtype=np.int64), 0)
    assert 0 < len(drawn) < 8
    assert find(a, "draws are scored as drawn").verdict == "pass"
    assert find(a, "batch invariance").verdict == "pass"


def test_first_bytes_of_laws() -> None:
    class Opening(Names):
        token_bytes = (b" a", b"b", b" ", b"\xc3\xa9", b"ab", None, None, None, None)
        opening = True

    assert first_bytes(Opening()).tolist() == [97, 98, 256, 195, 97, 256, 256, 256, 256]
    plain = Opening()
    plain.opening = False
    assert first_bytes(plain).tolist()[:3] == [32, 98, 32]
    p = np.arange(1, 10) / 45
    q = by_first_byte(p[None], first_bytes(Opening()))[0]
    assert q.sum() == pytest.approx(1)
    assert q[97] == pytest.approx((1 + 5) / 45)


def test_openings_are_read_of_many_documents_and_of_long_ones() -> None:
    held = choose_documents(trained(), ["b" * 5000, "", *HELD * 60], 0)
    assert 1998 <= len(held.openings) <= 2000
    assert len(first_tokens(_VOCAB, ["b" * (3 * OPENING), "xyz", "", "a"])) == 2
    assert len(choose_documents(_BEHIND_X0_ALONE, HELD, 0).openings) == 0


def test_draws_spelled_otherwise() -> None:
    class Two(Names):
        """ "ab" is a token, and what encode gives for it."""

        token_bytes = (b"a", b"b", b"ab", b"d", b"e", None, None, None, None)

        def encode(self, text: str | bytes) -> list[int]:
            text = text if isinstance(text, str) else text.decode()
            return [{"a": 0, "b": 1, "2": 2, "d": 3, "e": 4}[c] for c in text.replace("ab", "2")]

    core = trained()
    core.vocab = Two()
    draws = [np.array(d) for d in ([0, 1, END], [2, END], [0, 1], [0, 1, 3, 3], [3, 0, 1, END])]
    f = canonical_finding(core, draws, 0)
    assert f is not None
    # An unfinished draw is not held to how its last two tokens are spelled.
    assert (f.value, f.verdict) == (3 / 5, "warn")
    f = canonical_finding(core, draws[1:3], 0)
    assert f is not None
    assert (f.value, f.verdict) == (0.0, "pass")
    assert canonical_finding(trained(), draws, 0) is None
    assert canonical_finding(core, [np.array([0, 1, END])], 1) is not None


@pytest.mark.thorough
def test_another_precision() -> None:
    class Rough(Core):
        def extend(self, state: State, ids) -> State:
            s = super().extend(state, ids)
            bent = s.logp * (1 + self.bend)
            bent = bent - np.log(np.exp(bent).sum(axis=1, keepdims=True))
            return State(bent, s.carry)

    for bend, outcome in ((1e-3, "pass"), (1.0, "warn")):
        rough = Rough(openly, lost=0.95, dtype="bfloat16")
        rough.bend = bend
        # Whatever x0 it was loaded with, it is held against the same.
        for coarse in (rough, with_begin(rough, "<pad>")):
            f = find(audit(with_begin(trained(), "<s>", "declared"), HELD, coarse=coarse), "precision")
            assert f.verdict == outcome
            assert f.value is not None
            assert f.value > 0
            assert "bfloat16" in f.why
    assert find(audit(trained(), HELD, coarse=rough), "precision").verdict == "warn"


@pytest.mark.thorough
def test_a_model_in_bfloat16_is_held_to_its_precision() -> None:
    class Coarse(Core):
        """Its pass rounds as bfloat16 does, its steps do not."""

        def forward(self, paths, want=None, skip=0):
            from pofx.lm.trace import Trace, Want

            t = super().forward(paths, want or Want(), skip)
            return Trace(tuple(x + 0.01 for x in t.logp), *list(vars(t).values())[1:])

    for dtype, verdict in (("bfloat16", "joint"), ("float32", "improper")):
        lm = with_begin(Coarse(openly, lost=0.95, dtype=dtype), "<s>", "declared")
        assert audit(lm, HELD).verdict == verdict


def test_given_text_is_no_x0_to_be_tried() -> None:
    behind = Given(with_begin(trained(), "<s>"), [0], "a")
    assert audit(behind, HELD).candidates == ()
