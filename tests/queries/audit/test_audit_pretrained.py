"""The audit of models whose x0 is a matter of evidence: what may stand for it, what convicts it, and what is kept."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pofx.cli.main import pofx as cli
from pofx.errors import BadSource, NotText
from pofx.files.locks import locked_outputs
from pofx.files.pins import Pin, check_pin, find_pin, pin
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Want
from pofx.lm.window_rule import whole_within
from pofx.models.ngram.model import fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.audit import trial_texts
from pofx.queries.audit.audit import audit
from pofx.queries.audit.begin.candidates import by_first_byte, choose_candidate, first_bytes
from pofx.queries.audit.canonical import canonical_finding
from pofx.queries.audit.held_out import OPENING, choose_documents, first_tokens
from pofx.queries.findings import Audit, BeginCandidate, Finding
from pofx.report.html import page as html
from pofx.report.terminal.audit import audit_candidates
from pofx.transforms.given import Given
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab

LETTERS = "abcde"
END, X0, PAD, SEP = 5, 6, 7, 8


class Names(Vocab):
    """a … e, EOS, then three control tokens, the first of them declared as BOS."""

    size, end = 9, END
    token_bytes = (*(c.encode() for c in LETTERS), None, None, None, None)
    control = ControlTokens(
        {"</s>": END, "<s>": X0, "<pad>": PAD, "<sep>": SEP},
        (("bos", X0), ("eos", END), ("pad", PAD), ("separator", SEP)),
    )

    def encode(self, text: str | bytes) -> list[int]:
        text = text if isinstance(text, str) else text.decode("latin-1")
        if set(text) - set(LETTERS):
            raise NotText("expected a … e")
        return [LETTERS.index(c) for c in text]


def corpus(n: int, seed: int) -> list[str]:
    """Texts that open with a, go on in b, c, d and close with e."""
    rng = np.random.default_rng(seed)
    return ["a" + "".join(rng.choice(list("bcd"), rng.integers(2, 9))) + "e" for _ in range(n)]


HELD = corpus(40, seed=2)
_VOCAB = Names()
# What is behind x0: a model with an x0 of its own. What is behind anything else: one without.
_BEHIND_X0 = fit_ngram(_VOCAB.encode_many(corpus(120, seed=1)), NgramSpec(3, vocab=_VOCAB), _VOCAB)
_ELSEWHERE = fit_ngram(
    _VOCAB.encode_many(corpus(120, seed=1)), NgramSpec(3, vocab=_VOCAB, begin=False), _VOCAB
)


def law(**p: float) -> np.ndarray:
    """Letters with these probabilities, the rest spread over letters and EOS."""
    out = np.where(np.arange(_VOCAB.size) <= END, (1 - sum(p.values())) / (END + 1), 0.0)
    for c, q in p.items():
        out[LETTERS.index(c)] += q
    return out


class Core(LM):
    """Purely conditional. first: the law behind a token that stands first, by its id. lost: the share of further
    laws that is noise where another token than one of `known` stood first."""

    fingerprint = "core"
    positive = True
    context = 300

    def __init__(
        self, first, known: Sequence[int] = (X0,), lost: float = 0.0, dtype: str = "float64"
    ) -> None:
        self.vocab, self.begin, self.dtype = Names(), Begin("none", note="ask the audit"), dtype
        self.window = whole_within(300)
        self.first, self.known, self.lost = first, tuple(known), lost

    def start(self, n: int) -> State:
        zeros = np.zeros(n, dtype=np.int64)
        return self.state(_BEHIND_X0.start(n), _ELSEWHERE.start(n), zeros - 1, zeros)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        a, b, opened, length = state.carry
        for token in as_id_rows(ids, state.n).T:
            spelled = np.where(token > END, 0, token)
            # The first token is x0's place: what is behind x0 begins after it.
            grown = _BEHIND_X0.extend(a, spelled[:, None])
            at = np.arange(state.n)
            a = grown.cat(_BEHIND_X0.start(state.n)).take(np.where(length == 0, state.n + at, at))
            b = _ELSEWHERE.extend(b, spelled[:, None])
            opened = np.where(length == 0, token, opened)
            length = length + 1
        return self.state(a, b, opened, length)

    def state(self, a: State, b: State, opened: Ints, length: Ints) -> State:
        def rows() -> np.ndarray:
            out = []
            for i in range(len(opened)):
                if length[i] == 0:
                    raise refuse_unconditional(self.begin)
                if length[i] == 1:
                    p = self.first(int(opened[i]))
                elif opened[i] in self.known:
                    p = np.exp(a.logp[i])
                else:
                    noise = law(a=0.9)
                    p = (1 - self.lost) * np.exp(b.logp[i]) + self.lost * noise
                # All outcomes are possible, and few leak.
                p[END + 1 :] = 1e-9 if length[i] > 1 else p[END + 1 :] + 1e-9
                out.append(np.log(p / p.sum()))
            return np.array(out).reshape(len(opened), self.vocab.size)

        return State(rows, (a, b, opened, length), len(opened))


def openly(i: int) -> np.ndarray:
    """Behind x0 texts begin, behind another control token now and then; behind a letter it comes again."""
    return law(a=0.95) if i == X0 else law(**({LETTERS[i]: 0.9} if i < 5 else {"a": 0.6}))


def trained(**how) -> Core:
    """An x0 that stood before texts in training, and was never missing."""
    return Core(openly, lost=0.95, **how)


def sink() -> Core:
    """Whatever stands first, an e comes: no text begins so, and no x0 was ever learned."""
    return Core(lambda i: law(e=0.8, **({"a": 0.1} if i == SEP else {})), known=range(9))


def find(a: Audit, check: str = "p(x1) is trained") -> Finding:
    return next(f for f in a.findings if f.check == check)


def row(a: Audit, name: str) -> BeginCandidate:
    return next(c for c in a.candidates if c.name == name)


@pytest.fixture(autouse=True)
def as_of_a_large_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine outcomes, read as sparingly as 49,152."""
    monkeypatch.setattr("pofx.queries.audit.held_out.LARGE", 1)


# Verdicts -------------------------------------------------------------------------------------------------------


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
    assert "behind any token that stands first" in a.reason
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
    """A token like any other, in a model of running text: the law behind it beats the uniform one, as all its laws do."""
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


def test_few_documents_and_none() -> None:
    a = audit(with_begin(trained(), "<s>", "declared"), HELD[:3])
    assert find(a).verdict == "warn"
    assert "only 3 documents" in find(a).why
    assert a.verdict == "joint"
    assert audit(with_begin(trained(), "<s>"), HELD[:3]).verdict == "conditional"
    assert audit(trained(), []).verdict == "conditional"
    assert audit(trained(), ["a", "b"] * 8).candidates


# What is measured -----------------------------------------------------------------------------------------------


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


class _Plain(Names):
    control = replace(Names.control, candidates=())


_BEHIND_X0_ALONE = fit_ngram(_Plain().encode_many(HELD), NgramSpec(2, vocab=_Plain()), _Plain())


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


# Reports and the command ----------------------------------------------------------------------------------------


def shown(item, width: int = 100) -> str:
    from rich.console import Console

    console = Console(width=width, record=True, file=io.StringIO())
    console.print(item)
    return console.export_text()


def test_reports_show_every_candidate_and_ending() -> None:
    a = audit(with_begin(sink(), "<s>", "declared"), HELD)
    text, page = shown(audit_candidates(a)), html.page("a", [html.audit_section(a, "m")])
    for c in a.candidates:
        assert c.name in text
        assert c.name.replace("<", "&lt;").replace(">", "&gt;") in page
    for found in (text, page):
        assert f"{100 * row(a, '<s>').same:.0f} %" in found
        assert "chance is 2.32" in found
    assert "<s> ←" in text
    long = replace(a, candidates=tuple(replace(c, name="<|im_start|> twice") for c in a.candidates))
    assert shown(audit_candidates(long), 80).count("<|im_start|> twice") >= len(a.candidates)
    assert shown(audit_candidates(audit(_BEHIND_X0_ALONE, HELD))).strip() == ""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POFX_DATA", str(tmp_path / "data"))
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(HELD))
    return path


def run(monkeypatch: pytest.MonkeyPatch, lm: LM, *arguments: str):
    monkeypatch.setattr("pofx.models.loading.load", lambda *a, **k: lm)
    return CliRunner().invoke(cli, ["audit", "-m", "toy", *arguments])


def test_a_verdict_is_kept_for_the_next_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, windowed(trained()), "--test", str(home), "--pin")
    assert ran.exit_code == 0, ran.output
    assert "kept: toy is joint, x0 <s>" in ran.stderr
    found = find_pin("core")
    assert found is not None
    assert (found.begin, found.end, found.verdict, found.begin_text) == (X0, END, "joint", "<s>")
    assert found.reason
    assert found.date
    assert found.version
    ran = run(monkeypatch, windowed(sink()), "--test", str(home), "--pin", "--json")
    assert ran.exit_code == 1
    assert '"candidates"' in ran.stdout
    found = find_pin("core")
    assert found is not None
    assert (found.begin, found.verdict) == (None, "conditional")
    assert "no x0" in ran.stderr


def test_a_verdict_is_forgotten_even_a_damaged_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        fingerprint = "core"

    monkeypatch.setattr("pofx.models.pretrained.checkpoint.source.find", lambda name, **how: Path(name))
    monkeypatch.setattr("pofx.models.pretrained.checkpoint.rules.check_checkpoint", lambda path: Found)
    pin("core", Pin(X0, END, "joint", "")).write_text("{")
    for said in ("forgot the verdict on toy", "no verdict was kept on toy"):
        ran = CliRunner().invoke(cli, ["audit", "-m", "toy", "--unpin"])
        assert (ran.exit_code, said in ran.stderr) == (0, True)
    assert CliRunner().invoke(cli, ["audit", "-m", "toy", "--pin", "--unpin"]).exit_code == 2


def test_a_verdict_without_a_place_costs_no_audit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POFX_DATA", str(home))  # a file
    monkeypatch.setattr("pofx.queries.audit.audit.audit", lambda *a: pytest.fail("an audit was made"))
    ran = run(monkeypatch, windowed(trained()), "--test", str(home), "--pin")
    assert isinstance(ran.exception, BadSource)
    assert "expected a place to keep the verdict" in str(ran.exception)


def test_a_verdict_that_another_audit_is_about_to_keep_costs_no_audit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.setattr("pofx.queries.audit.audit.audit", lambda *a: pytest.fail("an audit was made"))
    with locked_outputs([check_pin("core")]):
        ran = run(monkeypatch, windowed(trained()), "--texts", str(home), "--pin")
    assert isinstance(ran.exception, BadSource)
    assert "expected to write it alone" in str(ran.exception)


def test_our_own_models_have_nothing_to_be_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, _BEHIND_X0_ALONE, "--test", str(home), "--pin")
    assert ran.exit_code == 2
    assert "expected a pretrained model" in ran.stderr
