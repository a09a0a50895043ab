"""Inputs without a document, and empty files named as models: every verb refuses in the same sentence."""

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
EMPTY = "expected at least one document, got an empty file; name a file that holds texts"
GIVEN = ("--given", "a=x", "--given", "b=y")
MODELS = {
    "audit": ("audit", "-m", "IN", "--test", "good.txt"),
    "classify train": ("classify", "train", "a=good.txt", "b=good.txt", "-o", "new", "-m", "IN", *GIVEN),
    "compress": ("compress", "good.txt", "-m", "IN"),
    "condition": ("condition", "-m", "IN", "--contains", "a"),
    "corpus": ("corpus", "good.txt", "-m", "IN"),
    "decompress": ("decompress", "packed.pofx", "-m", "IN"),
    "infill": ("infill", "-m", "IN", "--suffix", "a"),
    "marginal": ("marginal", "--text", "a", "-m", "IN"),
    "next": ("next", "-m", "IN"),
    "posterior": ("posterior", "--text", "a", "-m", "model", "-m", "IN"),
    "sample": ("sample", "-m", "IN"),
    "score": ("score", "--text", "a", "-m", "IN"),
    "serve": ("serve", "-m", "IN", "--port", "0"),
    "words": ("words", "--text", "a", "-m", "IN"),
}
NOUNS = {
    "empty.txt": "a model",
    "empty.arpa": "the text of an ARPA file",
    "empty.gguf": "a model",
    "empty.safetensors": "a model",
}


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
    rule = EMPTY if not INPUTS[name] else RULE
    assert err[-1] == f"pofx: error: {name}: {rule.replace('document,', f'document{of},')}"
    assert all(line.startswith("pofx: warning: ") for line in err[:-1])
    assert len(err) == 1 or name == "bad.jsonl"
    assert not Path("new").exists()
    assert not Path("rows.csv").exists()


def test_held_out_documents_are_documents_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.txt").write_text("a cat\na dog\n")
    code, _, err = run(capsys, "corpus", "good.txt", "--test", "empty.txt")
    assert code == 2
    assert err == [f"pofx: error: empty.txt: {EMPTY.replace('document,', 'document held out,')}"]


def test_several_empty_files_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "fit", "empty.txt", "empty.jsonl", "-o", "new")
    assert err == [
        f"pofx: error: empty.txt empty.jsonl: {EMPTY.replace('an empty file', '2 empty files')}",
    ]
    _, _, err = run(capsys, "fit", "empty.txt", "blank.txt", "-o", "new")
    assert err == [f"pofx: error: empty.txt blank.txt: {RULE}"]


@pytest.mark.parametrize("verb", MODELS)
def test_an_empty_file_is_no_model(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    Path("good.txt").write_text("a cat\na dog\n")
    Path("packed.pofx").write_bytes(pofx.compress(pofx.load("model"), "a cat"))
    for name, noun in NOUNS.items():
        Path(name).touch()
        code, out, err = run(capsys, *(name if a == "IN" else a for a in MODELS[verb]))
        assert (code, out, len(err)) == (2, "", 1), err
        assert err[0].startswith(f"pofx: error: {name}: expected {noun}, got an empty file; "), err


@pytest.mark.parametrize("name", ["pofx.json", "tokenizer.json"])
def test_an_empty_file_of_a_model_is_named(capsys: pytest.CaptureFixture[str], name: str) -> None:
    (Path("model") / name).write_bytes(b"")
    _, _, err = run(capsys, "score", "--text", "a", "-m", "model")
    assert err[0].startswith("pofx: error: model"), err
    assert name in err[0]


def test_texts_that_the_vocabulary_does_not_spell_are_no_evidence() -> None:
    lm = pofx.fit(["ab", "ba"], pofx.NgramSpec(2, vocab="chars"))
    for texts, found in (
        (["xyz", "z"], "got 2 texts that it does"),
        (["z"], "got a text that it does not spell"),
    ):
        with pytest.raises(pofx.NotText, match=found):
            pofx.audit(lm, texts)
    assert pofx.audit(lm, ["ab", "z"]).documents == 1


def test_python_names_arguments_of_its_own() -> None:
    for ask in (lambda: pofx.fit([]), lambda: pofx.corpus_report([])):
        with pytest.raises(pofx.BadSource, match=r"got none; check .* \(field=…, split=…\)$"):
            ask()
