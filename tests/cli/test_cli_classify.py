"""pofx classify: from files with labels to files with classes, and what it says when it cannot."""

from __future__ import annotations

import csv
import gzip
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import pofx
from pofx.classification.files import CARD
from pofx.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH = (DOCS / "proverbs.txt").read_text(encoding="utf-8").splitlines()
FRENCH = (DOCS / "proverbes.txt").read_text(encoding="utf-8").splitlines()
FILES = (f"en={DOCS / 'proverbs.txt'}", f"fr={DOCS / 'proverbes.txt'}")
TASK = ("id", "x", "stars")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tmp_path_factory.mktemp("trained") / "languages"
    with pytest.raises(SystemExit) as e:
        main(["classify", "train", *FILES, "-o", str(home)])
    assert e.value.code == 0
    return str(home)


def run(*arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as e:
        main(["classify", *arguments])
    assert e.value.code == code


def says(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    run(*arguments, code=code)
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], said: str, *arguments: str) -> None:
    capsys.readouterr()
    run(*arguments, code=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pofx: error: ")
    assert err.count("\n") == 1, err
    assert said in err, err


def rows_of(here: Path, name: str = "data.jsonl") -> list[dict[str, Any]]:
    rows = [{"id": f"e{i}", "x": x, "stars": 1} for i, x in enumerate(ENGLISH)]
    rows += [{"id": f"f{i}", "x": x, "stars": 2} for i, x in enumerate(FRENCH)]
    (here / name).write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return rows


def test_train_leaves_out_rare_ngrams_and_stores_8_bits(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, small = (
        ("train", *FILES, "--order", "4", "--held-out", "0"),
        ("--prune", "0", "0", "1", "--quantize", "8"),
    )
    run(*whole, "-o", "whole")
    run(*whole, *small, "-o", "small")
    text = "Rien ne va plus."
    found = json.loads(says(capsys, "predict", "small", "--text", text, "--json"))
    spec = pofx.NgramSpec(4, prune=(0, 0, 1), quantize=8)
    ours = pofx.GenerativeClassifier(spec).fit(ENGLISH + FRENCH, ["en"] * len(ENGLISH) + ["fr"] * len(FRENCH))
    assert found["log_evidence_nats"] == ours.log_evidence([text])[0]
    sizes = [sum(p.stat().st_size for p in (here / d).rglob("*.safetensors")) for d in ("whole", "small")]
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--prune", "0", "1", "--family", "transformer"), "--prune: expected only with --family ngram"),
        (("--quantize", "8", "--family", "transformer"), "--quantize: expected only with --family ngram"),
        (("--prune", "1"), "--prune: expected at most 6 whole numbers"),
        (("--quantize", "8", "--smoothing", "additive"), "--quantize: expected 'kneser-ney'"),
        (
            ("--prune", "0", "1", "-m", "m", "--given", "en=x"),
            "--prune: expected only with --family ngram, got -m",
        ),
    ],
)
def test_thresholds_and_bits_that_no_fit_uses(
    here: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    refused(capsys, said, "train", *FILES, "-o", "languages", *given)


def test_train_and_predict_texts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = says(capsys, "train", *FILES, "-o", "languages", "--order", "4")
    assert "2 classes" in out
    assert "held out:" in out
    out = says(
        capsys, "predict", "languages", "--text", "Rien ne va plus.", "--text", "A stitch in time", "--json"
    )
    french, english = (json.loads(line) for line in out.splitlines())
    assert (french["label"], english["label"]) == ("fr", "en")
    held = [x for x in ENGLISH + FRENCH if x in set(pofx.split_documents(ENGLISH + FRENCH)[1])]
    kept = [(x, t) for group, t in ((ENGLISH, "en"), (FRENCH, "fr")) for x in group if x not in held]
    ours = pofx.GenerativeClassifier(pofx.NgramSpec(order=4)).fit(*map(list, zip(*kept)))
    assert french["log_evidence_nats"] == pytest.approx(ours.log_evidence(["Rien ne va plus."])[0])
    assert french["posterior"] == pytest.approx(ours.predict_proba(["Rien ne va plus."])[0, 1])
    ours.fit_rejection([x for x in ENGLISH + FRENCH if x in held])
    assert french["outlier_p"] == pytest.approx(ours.outlier_p(["Rien ne va plus."])[0])
    table = says(capsys, "predict", "languages", "--text", "A stitch in time")
    assert "P(class | text)" in table
    assert f"log p(text) = {english['log_evidence_nats']:.3f} nats" in table


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv.gz", "parquet"])
def test_files_in_and_out(here: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    rows = rows_of(here)
    with open("data.csv", "w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, TASK)
        writer.writeheader()
        writer.writerows(rows)
    layout = ("--field", "x", "--id", "id")
    run("train", "data.csv", *layout, "--label-field", "stars", "-o", "c", "--held-out", "0")
    run("predict", "c", "data.jsonl", *layout, "-o", f"out.{ending}", "--keep", "stars", "--all-classes")
    if ending == "parquet":
        found = pq.read_table(f"out.{ending}").to_pylist()
    elif ending == "jsonl":
        found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    else:
        data = Path(f"out.{ending}").read_bytes()
        text = (gzip.decompress(data) if ending.endswith("gz") else data).decode()
        found = list(csv.DictReader(text.splitlines(), delimiter="\t" if "tsv" in ending else ","))
    assert [r["id"] for r in found] == [r["id"] for r in rows]
    assert all(r["label"] == str(r["stars"]) for r in found)
    posteriors = found[0]["posteriors"]
    posteriors = json.loads(posteriors) if isinstance(posteriors, str) else posteriors
    assert math.fsum(posteriors.values()) == pytest.approx(1)
    assert float(found[0]["posterior"]) == pytest.approx(posteriors["1"])
    err = capsys.readouterr().err
    assert f"wrote out.{ending}" in err


def test_lines_on_standard_output(trained: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.txt").write_text("Rien ne va plus.\nA stitch in time\n")
    lines = says(capsys, "predict", trained, "a.txt").splitlines()
    assert lines[0].split("\t")[:3] == ["id", "label", "posterior"]
    assert [line.split("\t")[:2] for line in lines[1:]] == [["a.txt:1", "fr"], ["a.txt:2", "en"]]
    records = [json.loads(line) for line in says(capsys, "predict", trained, "a.txt", "--json").splitlines()]
    assert [r["label"] for r in records] == ["fr", "en"]


def test_evaluate_is_what_python_says(trained: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(says(capsys, "evaluate", trained, *FILES, "--json", "--prior", "en=0.3,fr=0.7"))
    ours = pofx.GenerativeClassifier.load(trained).with_prior({"en": 0.3, "fr": 0.7})
    labels = ["en"] * len(ENGLISH) + ["fr"] * len(FRENCH)
    log_p = ours.predict_log_proba(ENGLISH + FRENCH)
    truth = np.array([0 if t == "en" else 1 for t in labels])
    assert found["log_loss_nats"] == pytest.approx(-log_p[np.arange(len(truth)), truth].mean())
    assert found["accuracy"] == np.mean(ours.predict(ENGLISH + FRENCH) == np.array(labels))
    assert np.sum(found["confusion"]) == found["documents"] == len(labels)
    assert sum(b["n"] for b in found["calibration"]) == len(labels)
    table = says(capsys, "evaluate", trained, *FILES)
    for heading in ("accuracy", "log-loss", "calibration error", "posterior", "taken for"):
        assert heading in table


def test_many_classes_list_the_pairs_confused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    rows = [{"text": "".join(rng.choice(list("ab"), 5)), "k": f"class {i % 12}"} for i in range(240)]
    (here / "many.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run("train", "many.jsonl", "--label-field", "k", "-o", "c", "--order", "2")
    out = says(capsys, "evaluate", "c", "many.jsonl", "--label-field", "k")
    assert "documents" in out
    assert "class 1" in out
    assert len(out.splitlines()) < 40


def test_outliers_are_rejected(trained: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.txt").write_text("A stitch in time saves nine.\nxq zzv qqkw jjx wq\n")
    run("predict", trained, "a.txt", "--reject", "0.05", "-o", "out.jsonl")
    good, bad = (json.loads(line) for line in Path("out.jsonl").read_text().splitlines())
    assert (good["label"], good["rejected"]) == ("en", False)
    assert (bad["label"], bad["rejected"]) == (None, True)
    assert bad["outlier_p"] <= 0.05 < good["outlier_p"]
    assert "(rejected)" in says(
        capsys, "predict", trained, "--text", "xq zzv qqkw jjx wq", "--reject", "0.05"
    )
    run("train", *FILES, "-o", "none", "--held-out", "0")
    refused(capsys, "--held-out 0.1", "predict", "none", "--text", "x", "--reject", "0.05")


def test_rows_without_a_class(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("train", *FILES, "-o", "c", "--vocab", "chars", "--held-out", "0", "--order", "2")
    lines = [
        '{"text": "A dog"}',
        '{"text": "☃"}',
        "no json",
        '{"text": 7}',
        '{"text": ""}',
        '{"text": "</s>"}',
    ]
    (here / "odd.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("predict", "c", "odd.jsonl", "-o", "out.jsonl", code=1)
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [r["error"] is None for r in found] == [True, False, False, False, True, False]
    assert "NotText" in found[1]["error"]
    assert "'☃'" in found[1]["error"]
    out = says(capsys, "predict", "c", "odd.jsonl", "--json", code=1)
    assert [json.loads(line)["label"] for line in out.splitlines()] == [r["label"] for r in found]


def test_probability_zero(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("train", *FILES, "-o", "c", "--smoothing", "mle", "--held-out", "0", "--order", "3")
    (here / "a.txt").write_text(f"{ENGLISH[0]}\nzzz\n{FRENCH[0]}\n")
    run("predict", "c", "a.txt", "-o", "out.jsonl", code=1)
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [r["label"] for r in found] == ["en", None, "fr"]
    assert found[1]["error"].startswith("Impossible: ")
    (here / "labelled.jsonl").write_text(
        "".join(json.dumps({"text": x, "label": t}) + "\n" for x, t in ((ENGLISH[0], "en"), ("zzz", "fr")))
    )
    out = says(capsys, "evaluate", "c", "labelled.jsonl", "--label-field", "label", "--json", code=1)
    assert json.loads(out)["documents"] == 1


def test_rows_without_a_label(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(here)
    for i, row in enumerate(rows):
        if i % 4:
            row["stars"] = None
    (here / "some.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    options = ("some.jsonl", "--field", "x", "--label-field", "stars", "--held-out", "0", "--json")
    found = json.loads(says(capsys, "train", *options, "-o", "few"))
    assert found["documents"] == sum(r["stars"] is not None for r in rows)
    found = json.loads(says(capsys, "train", *options, "-o", "all", "--em", "20"))
    assert found["documents"] == len(rows)
    assert found["em_steps"] >= 1
    assert math.fsum(c["documents"] for c in found["classes"].values()) == pytest.approx(len(rows))
    run("evaluate", "all", "data.jsonl", "--field", "x", "--label-field", "stars")
    run("evaluate", "all", "some.jsonl", "--field", "x", "--label-field", "stars", code=1)


def test_one_model_behind_prefixes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = [f"E {x}" for x in ENGLISH] + [f"F {x}" for x in FRENCH]
    pofx.save(pofx.fit(whole, pofx.NgramSpec(order=7)), "one")
    given = ("--given", "en=E ", "--given", "fr=F ")
    run("train", *FILES, "-o", "c", "-m", "one", *given)
    found = json.loads(says(capsys, "predict", "c", "--text", "Le temps", "--json"))
    ours = pofx.GenerativeClassifier.load("c")
    assert found["posterior"] == pytest.approx(ours.predict_proba(["Le temps"]).max())
    assert ours.given == {"en": "E ", "fr": "F "}
    refused(capsys, "leave the model out", "predict", "c", "--text", "x", "-m", "one")
    # A model that pofx did not fit is named, not copied.
    texts = [x for x in ENGLISH if x.isascii()]
    pofx.save(pofx.fit(texts, pofx.NgramSpec(order=2)), "m.arpa")
    run("train", *FILES, "-o", "outside", "-m", "one", "--context", "64", *given)
    assert [p.name for p in Path("outside").iterdir()] == [CARD]
    refused(capsys, "-m MODEL", "predict", "outside", "--text", "x")
    refused(capsys, "fingerprint", "predict", "outside", "--text", "x", "-m", "m.arpa")
    again = json.loads(
        says(capsys, "predict", "outside", "--text", "Le temps", "--json", "-m", "one", "--context", "64")
    )
    assert again["posterior"] == pytest.approx(found["posterior"])


def test_one_model_is_fitted_behind_prefixes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--given", "en=E ", "--given", "fr=F ")
    run("train", *FILES, "-o", "c", "--order", "7", "--held-out", "0", *given)
    found = json.loads(says(capsys, "predict", "c", "--text", "Le temps", "--json"))
    whole = [f"E {x}" for x in ENGLISH] + [f"F {x}" for x in FRENCH]
    lm = pofx.fit(whole, pofx.NgramSpec(order=7))
    same = pofx.GenerativeClassifier(lm, given={"en": "E ", "fr": "F "}).fit(
        ENGLISH + FRENCH, ["en"] * len(ENGLISH) + ["fr"] * len(FRENCH)
    )
    assert found["posterior"] == pytest.approx(same.predict_proba(["Le temps"]).max())
    assert found["log_evidence_nats"] == pytest.approx(same.log_evidence(["Le temps"])[0])


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("LABEL=FILE", ("train", str(DOCS / "proverbs.txt"), "-o", "c")),
        ("--label-field: expected files with fields", ("train", str(DOCS / "proverbs.txt"), "--label-field", "x", "-o", "c")),
        ("expected a file, got", ("train", "en=no such.txt", "-o", "c")),
        ("--prior", ("train", *FILES, "-o", "c", "--prior", "flat")),
        ("expected a number after en=", ("train", *FILES, "-o", "c", "--prior", "en=x,fr=1")),
        ("prior: expected a number for each", ("train", *FILES, "-o", "c", "--prior", "en=1")),
        ("--alpha", ("train", *FILES, "-o", "c", "--alpha", "2")),
        ("--seconds", ("train", *FILES, "-o", "c", "--seconds", "2")),
        ("--order", ("train", *FILES, "-o", "c", "--order", "2", "-m", "builtin", "--given", "en=E", "--given", "fr=F")),
        ("--vocab", ("train", *FILES, "-o", "c", "--vocab", "chars", "-m", "builtin", "--given", "en=E", "--given", "fr=F")),
        ("--background", ("train", *FILES, "-o", "c", "--background", "0.5", "--given", "en=E", "--given", "fr=F")),
        ("--context: expected only with -m", ("train", *FILES, "-o", "c", "--context", "9")),
        ("-m needs --given LABEL=TEXT", ("train", *FILES, "-o", "c", "-m", "builtin")),
        ("got none for 'fr'", ("train", *FILES, "-o", "c", "--given", "en=E")),
        ("--given: expected LABEL=…", ("train", *FILES, "-o", "c", "--given", "E")),
        ("'en' twice", ("train", *FILES, "-o", "c", "--given", "en=E", "--given", "en=F")),
        ("got a file", ("train", *FILES, "-o", "file")),
        ("got other files", ("train", *FILES, "-o", "full")),
        ("'--order': expected a whole number from 1 to 16", ("train", *FILES, "-o", "c", "--order", "0")),
        ("'--held-out': expected a finite number", ("train", *FILES, "-o", "c", "--held-out", "2")),
        ("expected at least one document", ("train", "en=empty.txt", "-o", "c")),
        ("expected at least one document of the class 'fr'", ("train", FILES[0], "fr=empty.txt", "-o", "c")),
        ("Missing argument", ("train", "-o", "c")),
        ("pofx classify train", ("predict", "nothing", "--text", "x")),
        ("got neither", ("predict", "full")),
        ("got both", ("predict", "full", "file.txt", "--text", "x")),
        ("--keep: expected only with -o", ("predict", "full", "--text", "x", "--keep", "y")),
        ("-o: expected FILES", ("predict", "full", "--text", "x", "-o", "y.csv")),
        ("--reject", ("predict", "full", "--text", "x", "--reject", "1.5")),
        ("--reject and --prior exclude each other", ("predict", "full", "--text", "x", "--reject", "0.5", "--prior", "uniform")),
        ("pofx classify train", ("evaluate", "full", *FILES)),
        ("expected a verb (train, predict, evaluate), got 'guess'", ("guess",)),
    ],
)  # fmt: skip
def test_refusals(
    here: Path, capsys: pytest.CaptureFixture[str], said: str, arguments: tuple[str, ...]
) -> None:
    (here / "file").write_text("mine")
    (here / "empty.txt").write_text("")
    (here / "full").mkdir()
    (here / "full" / "mine").write_text("mine")
    before = sorted(p.name for p in here.rglob("*"))
    refused(capsys, said, *arguments)
    assert sorted(p.name for p in here.rglob("*")) == before


def test_what_evaluate_refuses(trained: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows_of(here)
    capsys.readouterr()
    run("evaluate", trained, "data.jsonl", "--field", "x", "--label-field", "stars", code=2)
    (err,) = capsys.readouterr().err.splitlines()
    assert "expected documents with labels of this classifier (en, fr), got only 1, 2" in err
    (here / "lists.jsonl").write_text('{"text": "a", "label": ["en"]}\n')
    refused(
        capsys,
        "lists.jsonl:1: expected a label",
        "evaluate",
        trained,
        "lists.jsonl",
        "--label-field",
        "label",
    )


def test_bad_rows_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.jsonl").write_text(
        '{"text": "a", "k": "p"}\nno json\n{"text": "b", "k": true}\n{"text": "c", "k": 1.5}\n'
    )
    found = json.loads(
        says(capsys, "train", "bad.jsonl", "--label-field", "k", "-o", "c", "--held-out", "0", "--json")
    )
    assert sorted(found["classes"]) == ["1.5", "p", "true"]


def test_each_class_keeps_documents_to_fit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # All of "fr" would be held out by its hash; then there would be nothing to fit its model to.
    aside = pofx.split_documents(FRENCH)[1][:2]
    (here / "fr.txt").write_text("\n".join(aside) + "\n", encoding="utf-8")
    found = json.loads(says(capsys, "train", FILES[0], "fr=fr.txt", "-o", "c", "--json"))
    assert found["classes"]["fr"]["documents"] == 2


def test_without_scikit_learn(here: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['sklearn'] = None\nfrom pofx.cli.main import main\n"
         f"main(['classify', 'train', *{FILES!r}, '-o', 'c', '--order', '2'])"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "2 classes" in ran.stdout


def test_ctrl_c_in_a_fit_advises_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pofx.errors import Interrupted

    def stopped(*_: object, **__: object) -> None:
        raise Interrupted(3, 0.1, None)

    monkeypatch.setattr("pofx.classification.families.fit", stopped)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("one\ntwo\nthree\n")
    sources = [f"{name}={tmp_path / name}.txt" for name in ("a", "b")]
    with pytest.raises(SystemExit) as ended:
        main(["classify", "train", *sources, "-o", str(tmp_path / "out"), "--family", "transformer"])
    said = capsys.readouterr().err
    assert ended.value.code == 130
    assert said.endswith(
        "nothing was kept; run the fit again, with fewer seconds a class if it took too long\n"
    )
    assert "checkpoint" not in said and "--resume" not in said and not (tmp_path / "out").exists()
