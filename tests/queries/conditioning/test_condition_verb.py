"""`pofx condition` on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from condition_sets import SMALL, TEXTS

import pofx
from pofx import Matches
from pofx.cli.main import main
from toy import ToyLM


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("model") / "m")
    pofx.save(pofx.fit(TEXTS, SMALL), path)
    return path


def test_the_verb(capsys: pytest.CaptureFixture[str], model: str) -> None:
    code, out, err = run(capsys, "condition", "--contains", "cat", "--length", "5", "-n", "64", "-m", model)
    assert code == 0 and not err
    assert "log P(the text contains 'cat' and is 5 characters long) = " in out and "forward–backward" in out
    code, out, _ = run(
        capsys, "condition", "--matches", "[a-z]*", "--given", "the ", "-m", model, "--json", "-n", "16"
    )
    found = json.loads(out)
    same = pofx.condition(pofx.load(model), Matches("[a-z]*"), given="the ", n=16)
    assert found["log_evidence_nats"] == pytest.approx(same.log_evidence)
    assert found["given"] == "the " and found["exact"] and found["method"] == same.method
    assert sum(d["weight"] for d in found["draws"]) == pytest.approx(1)
    assert [o["text"] for o in found["outcomes"]] == [o.text for o in same.outcomes]
    code, out, _ = run(capsys, "condition", "--contains", "dog", "--open", "-m", model)
    assert code == 0 and "dog" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "expected --contains, --matches or --length, got none"),
        (("--matches", "(a"), "expected a regular expression"),
        (("--matches", "(?=a)a"), "without look-around"),
        (("--unit", "bytes", "--contains", "a"), "--unit: expected with --length"),
        (("--length", "-1"), "--length"),
        (("--contains", "a", "-n", "1"), "'-n': expected"),
        (("--matches", "ab", "--length", "3"), "got P = 0"),
    ],
)
def test_what_the_verb_refuses(
    capsys: pytest.CaptureFixture[str], model: str, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, "condition", *arguments, "-m", model)
    assert code == 2 and not out
    assert says in err and err.startswith("pofx: error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "wrong", [{"n": 1}, {"runs": 2}, {"seed": -1}, {"max_tokens": -1}, {"boundary": "word"}]
)
def test_options_are_checked_before_a_condition_is_compiled(
    wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Matches) -> None:
        raise AssertionError("it is compiled")

    monkeypatch.setattr(Matches, "automaton", never)
    for ask in (
        lambda: pofx.condition(ToyLM(), Matches("a"), **wrong),
        lambda: pofx.infill(ToyLM(), "", "b", middle=Matches("a"), **wrong),
    ):
        with pytest.raises(pofx.BadValue, match=f"^{next(iter(wrong))}: expected"):
            ask()
