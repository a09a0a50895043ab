"""The whole report of a corpus: verdicts, loss, clusters, refusals, and `pofx corpus`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import documents, edited, finding

import pofx
from pofx.cli.commands.corpora.corpus import command
from pofx.corpus.documents import Document
from pofx.queries.corpus_audit.exchangeability import (
    hashed_vectors,
    order_test,
)


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    report = pofx.corpus_report(["Only one."])
    assert finding(report, "effective number").why.startswith("1 document in 1 group of copies; ")
    assert "over 1 document in 1 group of copies" in finding(report, "L(θ)").why
    two = pofx.corpus_report(["It was late", "and it rained."])
    assert finding(two, "documents start at x0").why.startswith("1 document begins in lower case")


def test_what_is_measured_is_said_as_it_was_found() -> None:
    some = documents(30, 23)
    for held_out, words in (
        (documents(5, 24), "is prediction, not memory"),
        ([some[3]], "is memory, not prediction"),
    ):
        report = pofx.corpus_report(some, held_out=held_out)
        assert words in finding(report, "copies across the split").why


def test_within_a_single_cluster_nothing_is_known_of_clusters() -> None:
    found = finding(pofx.corpus_report(documents(60, 25), clusters=["a"] * 60), "effective number")
    assert found.verdict == "warn"
    assert "single group" in found.why


@pytest.mark.thorough
def test_shuffled_corpora_have_uniform_p_values() -> None:
    """The whole of the test of order, on texts: 200 corpora whose order is random."""
    some = documents(40, 26, words=6) + [d.upper() for d in documents(40, 27, words=12)]
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        texts = [some[i] for i in rng.permutation(len(some))[:30]]
        found.append(order_test(hashed_vectors(texts), np.arange(30) > 0, 199, rng)[2])
    cells = np.histogram(found, 10, (1 / 400, 1 + 1 / 400))[0]  # 20 of the 200 values that p can have in each
    assert float(np.sum((cells - 20) ** 2 / 20)) < 9 + 4 * math.sqrt(18)


def test_independent_documents_pass() -> None:
    report = pofx.corpus_report(documents(200, 19), seed=1)
    assert [f.verdict for f in report.findings] == ["pass"] * 8
    assert report.verdict == "pass"
    assert report.effective == report.documents == 200
    assert report.loss.low < report.loss.value < report.loss.high
    assert report == pofx.corpus_report(documents(200, 19), seed=1)


def test_loss_is_the_mean_of_log_p() -> None:
    some = documents(50, 20)
    lm = pofx.fit(documents(50, 21), pofx.NgramSpec(order=3))
    report = pofx.corpus_report(some, lm)
    assert report.loss.value == pytest.approx(-np.mean([pofx.log_prob(lm, t) for t in some]))
    assert report.loss.n == 50
    assert pofx.corpus_report(some, lm, scored=7).loss.n == 7
    test = documents(9, 22)
    listed = pofx.corpus_report(some, lm, held_out=test)
    assert listed.loss.value == pytest.approx(-np.mean([pofx.log_prob(lm, t) for t in test]))
    assert (listed.documents, listed.held_out) == (59, 9)


def test_copies_are_found_and_named() -> None:
    some = documents(90, 23)
    rng = np.random.default_rng(0)
    report = pofx.corpus_report([*some, *some[:10]], held_out=[edited(t, 1, rng) for t in some[:4]])
    assert finding(report, "exact duplicates").value == pytest.approx(10 / 104)
    assert finding(report, "near-duplicates").value == pytest.approx(4 / 104)
    across_split = finding(report, "copies across the split")
    assert (across_split.value, across_split.verdict) == (1.0, "fail")
    assert report.copies[0] == ("1", "91", "held-out 1")
    # n / Σ m² / n with 4 groups of three, 6 of two, 80 of one.
    assert report.effective == pytest.approx(104 / ((4 * 9 + 6 * 4 + 80) / 104))


def test_clusters_are_files_or_labels() -> None:
    rng = np.random.default_rng(24)
    sizes = rng.integers(3, 40, 20)
    some = [
        Document(t, f"{k}:{i}", f"f{k}", i)
        for k, s in enumerate(sizes)
        for i, t in enumerate(documents(10, 100 + k, int(s)))
    ]
    report = pofx.corpus_report(some, held_out=0.3)
    assert report.loss.clusters == 20
    assert report.loss.rho > 0.8
    assert finding(report, "effective number").verdict == "fail"
    assert report.effective < 30
    plain = [d.text for d in some]
    again = pofx.corpus_report(plain, held_out=0.3, clusters=[d.source for d in some])
    assert (again.loss.rho, again.effective) == (report.loss.rho, report.effective)
    alone = pofx.corpus_report(plain, held_out=0.3)
    assert alone.loss.high - alone.loss.low < report.loss.high - report.loss.low


def test_impossible_documents_have_no_mean() -> None:
    lm = pofx.fit(["ab", "ba"], pofx.NgramSpec(order=2, smoothing="mle"))
    report = pofx.corpus_report(["ab", "ba", "xx"] * 9, lm)
    assert report.loss.value == math.inf
    assert finding(report, "L(θ)").verdict == "fail"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pofx.corpus_report([]), pofx.BadSource, ["at least one document", "none"]),
        (lambda: pofx.corpus_report("a text"), pofx.BadValue, ["iterable of texts", "one text"]),
        (lambda: pofx.corpus_report(["a"], held_out=2), pofx.BadValue, ["held_out", "at most 1", "2"]),
        (lambda: pofx.corpus_report(["a"], clusters=[1, 2]), pofx.BadValue, ["each of 1", "got 2"]),
        (lambda: pofx.corpus_report(["a"], scored=0), pofx.BadValue, ["at least 1", "got 0"]),
        (lambda: pofx.corpus_report(["\ud800"]), pofx.NotText, ["lone surrogate"]),
        (
            lambda: pofx.corpus_report(["ab"], pofx.fit(["ab"], pofx.NgramSpec(begin=False))),
            pofx.NoBOS,
            ["L(θ)", "p(x1 | x0)"],
        ),
        (
            lambda: pofx.corpus_report(["ab"], pofx.fit(["ab"], pofx.NgramSpec(end=False))),
            pofx.NoEOS,
            ["L(θ)", "p(EOS"],
        ),
    ],
)
def test_refusals(call: object, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        call()  # type: ignore[operator]
    assert all(w in str(raised.value) for w in words)
    assert "\n" not in str(raised.value)


def test_odd_corpora_have_a_report() -> None:
    for some in ([""], ["", "", ""], ["x"] * 40, [b"\xff\xfe", b"ok"], ["\x1b[31mred"] * 2, ["a" * 100_000]):
        report = pofx.corpus_report(some)
        assert len(report.findings) == 8
        assert report.documents == len(some)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_verb(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    some = documents(60, 25)
    train.write_text("".join(json.dumps({"text": t, "by": i // 6}) + "\n" for i, t in enumerate(some)))
    test.write_text("".join(json.dumps({"text": t, "by": "x"}) + "\n" for t in some[:2]))
    code, out = run(str(train))
    assert code == 0
    assert "60 documents" in out
    assert "order does not matter" in out
    code, out = run(str(train), "--test", str(test), "--cluster", "by", "--json")
    record = json.loads(out)
    assert (code, record["held_out"], record["verdict"]) == (0, 2, "fail")
    assert record["loss"]["clusters"] == 1
    assert {f["check"]: f["value"] for f in record["findings"]}["copies across the split"] == 1.0
    assert run(str(train), "--test", str(test), "--strict")[0] == 1
    assert run(str(train), "--strict")[0] == 0
    pofx.save(pofx.fit(some, pofx.NgramSpec(order=2)), tmp_path / "model")
    code, out = run(str(train), "-m", str(tmp_path / "model"), "--scored", "5")
    assert "the model (x0" in " ".join(out.split())
    assert run(str(train), "--context", "9")[0] == 2
    assert run(str(train), "--test", str(test), "--held-out", "0.1")[0] == 2


def test_documents_without_the_field_are_clusters_by_themselves(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"text": t, **({"by": "x"} if i < 4 else {})} for i, t in enumerate(documents(12, 28))]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run(str(file), "--cluster", "by", "--held-out", "0", "--json")[1]
    found = {f["check"]: f["why"] for f in json.loads(told)["findings"]}
    assert found["effective number"].startswith("12 documents in 9 clusters; ")
    with pytest.raises(
        pofx.BadSource, match="expected a field 'nobody' in any of the first 12 rows, got only 'text', 'by'"
    ):
        run(str(file), "--cluster", "nobody")


def test_texts_cannot_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("\x1b[31mred\n" * 30)
    assert "\x1b[31m" not in run(str(file))[1]
