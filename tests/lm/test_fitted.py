"""What a model was fitted on: kept with it, and said where its numbers would flatter."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.cli.main import main
from pofx.cross_fitting.assumptions import corpus_report
from pofx.errors import BadSource
from pofx.lm import fitted_documents as fitted
from pofx.lm.fitted_documents import DocumentRecorder, record_documents, was_chosen_by, was_fitted_on
from pofx.models import saving as store
from pofx.queries.audit.held_out import choose_documents

TEXTS = [f"text {i} of {i * i}" for i in range(40)]
NEW = [f"new {i}" for i in range(15)]
SPEC = pofx.NgramSpec(order=3)


def test_the_record_is_the_set_of_documents() -> None:
    lm = pofx.fit((t for t in [*TEXTS, *TEXTS[:5]]), SPEC)
    (own,) = lm.fitted
    assert (own.documents, len(own.codes), own.share) == (45, 40, 1.0)
    asked = [*NEW, *TEXTS, *(t.encode() for t in TEXTS), "", TEXTS[0] + " ", TEXTS[0][:-1]]
    assert was_fitted_on(lm, asked).tolist() == [
        t in TEXTS or (type(t) is bytes and t.decode() in TEXTS) for t in asked
    ]
    assert was_fitted_on(lm, []).tolist() == []


def test_of_a_large_corpus_a_sample_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted, "MOST", 500)
    texts = [str(i) for i in range(5000)]
    recorder = DocumentRecorder()
    assert list(recorder.record(texts)) == texts
    kept = recorder.finish()
    assert (kept.documents, len(kept.codes)) == (5000, 500)
    assert kept.share == pytest.approx(0.1, abs=0.02)
    assert kept.contains(texts).sum() == 500
    assert not kept.contains([f"new {i}" for i in range(5000)]).any()
    assert np.array_equal(kept.codes, record_documents(reversed(texts)).codes)  # in any order


@pytest.mark.parametrize("family", ["ngram", "transformer"])
def test_it_is_saved_with_the_model(tmp_path: Path, family: str) -> None:
    spec: Any = SPEC
    if family == "transformer":
        pytest.importorskip("torch")
        spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=16, epochs=0.1)
    lm = pofx.fit(TEXTS, spec, validation=NEW)
    pofx.save(lm, tmp_path / "m")
    again = pofx.load(tmp_path / "m")
    assert was_fitted_on(again, [*TEXTS, *NEW]).tolist() == [True] * 40 + [False] * 15
    # A transformer has chosen its weights by the validation texts; an n-gram never looks at them.
    assert was_chosen_by(again, [*TEXTS, *NEW, "neither"]).tolist() == [False] * 40 + [
        family == "transformer"
    ] * 15 + [False]
    found = pofx.score(again, [TEXTS[0], NEW[0], "neither"])
    assert [s.terms.fitted for s in found] == [True, False, False]
    assert [s.terms.chosen for s in found] == [False, family == "transformer", False]
    assert ("weights were chosen by 15 of them" in choose_documents(again, [*NEW, "neither"], 0).note) == (
        family == "transformer"
    )


def test_a_model_without_a_record_is_read_as_before(tmp_path: Path) -> None:
    lm = pofx.fit(TEXTS, SPEC)
    pofx.save(lm, tmp_path / "with")
    pofx.save(lm.with_info(fitted=()), tmp_path / "without")
    assert not (tmp_path / "without" / store.RECORD).exists()
    old, new = pofx.load(tmp_path / "without"), pofx.load(tmp_path / "with")
    assert (old.fitted, was_fitted_on(old, TEXTS).any()) == ((), False)
    assert old.fingerprint == new.fingerprint  # the record decides no number
    assert pofx.log_prob(old, TEXTS[0]) == pofx.log_prob(new, TEXTS[0])


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    pofx.save(pofx.fit(TEXTS, SPEC), tmp_path / "m")
    file = tmp_path / "m" / store.RECORD
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(BadSource, match="expected content with the hash"):
        pofx.load(tmp_path / "m")


def test_transforms_pass_it_on() -> None:
    lm, other = pofx.fit(TEXTS, SPEC), pofx.fit(NEW, SPEC)
    for made in (pofx.warp(lm, 2.0), pofx.windowed(lm, 8), pofx.deterministic(lm), pofx.given(lm, "t")):
        assert made.fitted == lm.fitted
    assert was_fitted_on(pofx.mixture([lm, other]), [TEXTS[0], NEW[0], "neither"]).tolist() == [
        True,
        True,
        False,
    ]


def test_a_text_behind_a_prefix_is_known_with_it() -> None:
    lm = pofx.fit(TEXTS, SPEC)
    found = pofx.score(lm, [TEXTS[3][4:], TEXTS[3]], given=[TEXTS[3][:4], "x"])
    assert [s.terms.fitted for s in found] == [True, False]


def test_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.txt").write_text("\n".join(TEXTS))
    Path("new.txt").write_text("\n".join(NEW))
    Path("both.txt").write_text("\n".join([*TEXTS, *NEW]))

    def run(*arguments: str) -> tuple[str, str]:
        with pytest.raises(SystemExit):
            main(list(arguments))
        return capsys.readouterr()

    run("fit", "old.txt", "-o", "m", "--held-out", "0")
    said = "that the model was fitted on, so the numbers flatter it"
    assert f"40 of 55 texts are ones {said}" in run("score", "both.txt", "-m", "m")[1]
    assert f"40 of 55 texts are ones {said}" in run("score", "both.txt", "-m", "m", "-o", "rows.jsonl")[1]
    assert f"the text is one {said}" in run("score", "--text", TEXTS[0], "-m", "m")[1]
    assert said not in run("score", "new.txt", "-m", "m")[1]
    out, _ = run("score", "both.txt", "-m", "m", "--json")
    assert sum(json.loads(line)["terms"]["fitted"] for line in out.splitlines()) == 40
    assert "the model was fitted on 40 of them" in " ".join(
        run("audit", "-m", "m", "--test", "both.txt")[0].split()
    )
    assert "was fitted on" not in run("audit", "-m", "m", "--test", "new.txt")[0]


@pytest.mark.parametrize("extra", [(), ("--smoothing", "additive", "--order", "1", "--em", "2")])
def test_an_evaluation_says_it(
    extra: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": t, "label": "xy"[k % 2]} for k, t in enumerate(TEXTS)]
    rows += [{"text": "no label", "label": None}] if extra else []
    Path("train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    Path("new.jsonl").write_text("".join(json.dumps({"text": t, "label": "x"}) + "\n" for t in NEW))

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            main(["classify", *arguments])
        return capsys.readouterr().err

    run("train", "train.jsonl", "--label-field", "label", "-o", "c", "--held-out", "0", *extra)
    assert "40 of 40 texts are ones that the model was fitted on" in run(
        "evaluate", "c", "train.jsonl", "--label-field", "label"
    )
    assert "fitted on" not in run("evaluate", "c", "new.jsonl", "--label-field", "label")


def test_a_transformer_tells_its_validation_documents_in_their_own_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("\n".join(TEXTS))
    sizes = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--epochs", "0.1"]

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            main(list(arguments))
        return capsys.readouterr().err

    kept = ["--held-out", "0.3", "--save-held-out", "h.jsonl"]
    run("fit", "c.txt", "-o", "net", "--family", "transformer", *sizes, *kept)
    run("fit", "c.txt", "-o", "counts", "--order", "2", *kept[:2])
    n = len(Path("h.jsonl").read_text().splitlines())
    assert n > 1
    said = f"{n} of {n} texts are ones that the model's weights were chosen by (early stopping)"
    for out in ((), ("-o", "rows.jsonl"), ("--json",)):
        err = run("score", "h.jsonl", "-m", "net", *out)
        assert said in err, err
        assert "was fitted on" not in err
    assert "warning" not in run("score", "h.jsonl", "-m", "counts")
    assert f"{40 - n} of 40 texts are ones that the model was fitted on" in run("score", "c.txt", "-m", "net")


def test_the_check_of_a_corpus_says_it() -> None:
    lm = pofx.fit(TEXTS, SPEC)
    for held_out, seen in ((TEXTS[:20], 20), ([*NEW, *TEXTS[:3]], 3), (NEW, 0)):
        report = corpus_report(["something else", "other"], lm, held_out=held_out)
        (found,) = [f for f in report.findings if f.check == "L(θ)"]
        assert (f"the model was fitted on {seen} of them" in found.why) == (seen > 0)
        assert ("On new documents L(θ) is larger" in found.why) == (seen > 0)
        assert found.verdict == ("warn" if seen else "pass")


def test_the_score_of_an_estimator_warns() -> None:
    pytest.importorskip("sklearn")
    labels = ["xy"[k % 2] for k in range(40)]
    for given in (None, {"x": "in x: ", "y": "in y: "}):
        estimator = pofx.GenerativeClassifier(SPEC, given=given).fit(TEXTS, labels)
        with pytest.warns(UserWarning, match="got 5 of which the classifier was fitted on 3"):
            flattered = estimator.score([*TEXTS[:3], *NEW[:2]], [*labels[:3], "x", "y"])
        assert flattered == np.mean(
            estimator.predict([*TEXTS[:3], *NEW[:2]]) == np.array([*labels[:3], "x", "y"])
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            estimator.score(NEW, ["x"] * 15)
