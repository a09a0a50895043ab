"""Each document by a model fitted without its fold: as fitting again, by hand, says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.cli.main import main
from pofx.cross_fitting.folds import cross_fit, fold_of
from pofx.errors import BadValue, NotText

TEXTS = [f"the {a} sat on the {b}" for a in ("cat", "dog", "cow") for b in ("mat", "log", "sofa", "hill")]


@pytest.mark.parametrize("folds", [2, 5, 1000])
def test_it_is_what_fitting_without_the_fold_says(folds: int) -> None:
    spec = pofx.NgramSpec(order=3)
    found = cross_fit(iter(TEXTS), spec, folds=folds, seed=1)
    assert [s.text for s in found] == TEXTS
    for text, scored in zip(TEXTS, found):
        mine = fold_of(text, folds, 1)
        lm = pofx.fit([t for t in TEXTS if fold_of(t, folds, 1) != mine], spec)
        assert np.array_equal(scored.logp, pofx.score(lm, [text])[0].logp)
        assert not scored.terms.fitted
    # The point of it: a model that has seen a text gives it more.
    flattered = pofx.score(pofx.fit(TEXTS, spec), TEXTS)
    assert sum(s.total for s in flattered) > sum(s.total for s in found) + 10


def test_copies_share_a_fold() -> None:
    copies = [*TEXTS, *(t.encode() for t in TEXTS), *TEXTS]
    found = cross_fit(copies, pofx.NgramSpec(order=2), folds=4)
    assert not any(s.terms.fitted for s in found)
    assert [s.total for s in found[:12]] == [s.total for s in found[12:24]] == [s.total for s in found[24:]]


def test_folds_are_about_as_large() -> None:
    sizes = np.bincount([fold_of(str(i), 8, 0) for i in range(8000)], minlength=8)
    assert 800 < sizes.min() <= sizes.max() < 1200
    assert [fold_of(str(i), 8, 0) for i in range(50)] != [fold_of(str(i), 8, 1) for i in range(50)]


def test_what_is_refused() -> None:
    for texts in ([], ["a"], ["a"] * 9):
        with pytest.raises(BadValue, match="at least two of 3 folds"):
            cross_fit(texts, folds=3)
    with pytest.raises(BadValue, match="got one text"):
        cross_fit("a text")
    for bad in (1, 0, 2.0, 1001, True):
        with pytest.raises(BadValue, match="folds: expected a whole number from 2"):
            cross_fit(TEXTS, folds=bad)  # type: ignore[arg-type]
    # A character of one fold alone is none that its model could know.
    with pytest.raises(NotText, match="chars\\+bytes"):
        cross_fit([*TEXTS, "Ω"], pofx.NgramSpec(order=2, vocab="chars"), folds=3)
    assert len(cross_fit([*TEXTS, "Ω"], pofx.NgramSpec(order=2, vocab="chars+bytes"), folds=3)) == 13


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("\n".join(TEXTS))

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["score", *arguments])
        return ended.value.code, *capsys.readouterr()

    code, out, err = run("c.txt", "--cross-fit", "3", "--order", "2", "--json")
    assert code == 0, err
    expected = [s.total for s in cross_fit(TEXTS, pofx.NgramSpec(order=2), folds=3)]
    assert [json.loads(line)["total_nats"] for line in out.splitlines()] == expected
    assert "warning" not in err
    code, out, err = run("c.txt", "--cross-fit", "3", "--order", "2")
    assert [line.split("\t")[1] for line in out.splitlines()] == [f"{x:.4f}" for x in expected]
    for arguments, said in (
        (("c.txt", "--order", "2"), "--order: expected only with --cross-fit K"),
        (("--text", "a", "--cross-fit", "3"), "--cross-fit: expected FILES"),
        (("c.txt", "--cross-fit", "3", "-m", "builtin"), "got --model"),
        (("c.txt", "--cross-fit", "3", "-o", "x.csv"), "got --out; write --json > FILE"),
        (("c.txt", "--cross-fit", "1"), "expected a whole number from 2"),
    ):
        code, out, err = run(*arguments)
        assert (code, out, said in err) == (2, "", True), err
