"""Inputs without a document: every verb that needs one refuses in the same sentence, and says what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main

# By the rule of `pofx.documents`: a line without characters is no document, nor is a row without the field.
INPUTS = {
    "empty.txt": b"",
    "blank.txt": b"\n\r\n\n",
    "empty.jsonl": b"",
    "bad.jsonl": b'{"text": 3, "label": "a"}\n{"text": null, "label": "b"}\n',
    "header.csv": b"text\n",
}
VERBS = {
    "fit": ("fit", "IN", "-o", "new"),
    "fit a transformer": ("fit", "IN", "-o", "new", "--family", "transformer"),
    "audit": ("audit", "-m", "model", "--test", "IN"),
    "corpus": ("corpus", "IN"),
    "cross-fit": ("score", "IN", "--cross-fit", "2"),
    "train": ("classify", "train", "IN", "--label-field", "label", "-o", "new"),
    "score": ("score", "IN", "-m", "model"),
    "score to a file": ("score", "IN", "-m", "model", "-o", "rows.csv"),
    "words": ("words", "IN", "-m", "model"),
}
ROWS = (
    "score",
    "score to a file",
    "words",
)  # a bad row is answered by a row with its error, so some row is left
RULE = "expected at least one document, got none; check the files, and how documents lie in them (--field, --split)"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in INPUTS.items():
        Path(name).write_bytes(data)
    pofx.save(pofx.fit(["a cat", "a dog"], pofx.NgramSpec(2)), "model")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, list[str]]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(str(e.value.code)), out, err.splitlines()


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("verb", VERBS)
def test_one_sentence_from_every_verb(capsys: pytest.CaptureFixture[str], verb: str, name: str) -> None:
    if verb == "train" and name in ("empty.txt", "blank.txt", "header.csv"):
        arguments = ("classify", "train", f"a={name}", "b=bad.jsonl", "-o", "new")
        of = " of the class 'a'"
    else:
        arguments, of = tuple(name if a == "IN" else a for a in VERBS[verb]), ""
    code, out, err = run(capsys, *arguments)
    if verb in ROWS and name == "bad.jsonl":
        assert code == 1
        return
    assert (code, out) == (2, "")
    assert err[-1] == f"pofx: error: {name}: {RULE.replace('document,', f'document{of},')}"
    assert all(line.startswith("pofx: warning: ") for line in err[:-1])
    assert len(err) == 1 or name == "bad.jsonl"
    assert not Path("new").exists()
    assert not Path("rows.csv").exists()


def test_held_out_documents_are_documents_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.txt").write_text("a cat\na dog\n")
    code, _, err = run(capsys, "corpus", "good.txt", "--test", "empty.txt")
    assert code == 2
    assert err == [f"pofx: error: empty.txt: {RULE.replace('document,', 'document held out,')}"]


def test_texts_that_the_vocabulary_does_not_spell_are_no_evidence() -> None:
    lm = pofx.fit(["ab", "ba"], pofx.NgramSpec(2, vocab="chars"))
    for texts, found in ((["xyz", "z"], "got 2, of which none is"), (["z"], "got it, and it is not")):
        with pytest.raises(pofx.NotText, match=found):
            pofx.audit(lm, texts)
    assert pofx.audit(lm, ["ab", "z"]).documents == 1


def test_python_names_arguments_of_its_own() -> None:
    for ask in (lambda: pofx.fit([]), lambda: pofx.corpus_report([])):
        with pytest.raises(pofx.BadSource, match=r"got none; check .* \(field=…, split=…\)$"):
            ask()
