"""`--normalize` in every verb that takes it: the answer for the text as the tokenizer leaves it, or a refusal by name.

The right answer is that of the same verb, without the option, for a text that was lower-cased before by Python.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import pofx
import tiny_checkpoints as tiny
from pofx.cli.main import pofx as command
from pofx.models.pretrained.library.body import quiet
from pofx.queries.audit.held_out import choose_documents
from pofx.queries.corpus_audit.neighbours import neighbour_finding
from pofx.queries.corpus_audit.record import Corpus

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing it warns of what it imports
    import transformers

TEXT = "The Cat"
HONOURED: dict[str, list[str]] = {
    "score": ["--text", TEXT],
    "score --as": ["--text", TEXT, "--as", "minicons"],
    "score --boundary": ["--text", "Cat", "--given", "THE ", "--boundary", "exact"],
    "words": ["--text", TEXT],
    "next": ["--given", TEXT],
    "next --unit": ["--given", TEXT, "--unit", "byte"],
    "sample": ["--given", TEXT, "--seed", "1", "--max-tokens", "4"],
    "marginal": ["--text", TEXT, "--seed", "1"],
}
REFUSED: dict[str, list[str]] = {
    "condition": ["--matches", "the.*"],
    "infill": ["--given", TEXT, "--suffix", " sat"],
    "compress": ["FILE", "-o", "OUT"],
    "classify train": [
        "TABLE",
        *("--field", "text", "--label-field", "label", "--given", "a=A ", "--given", "b=B ", "-o"),
        "OUT",
    ],
}
ELSEWHERE = {
    "audit",
    "evaluate",
    "corpus",
    "decompress",
    "stimuli",
    "classify predict",
    "classify evaluate",
    "serve",
    "page",
}  # in tests of their own below, and in tests/server/test_normalized.py


def verbs(group: click.Group, before: str = "") -> dict[str, click.Command]:
    out: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        verb = group.get_command(click.Context(group), name)
        assert verb is not None
        here = f"{before} {name}".strip()
        out |= verbs(verb, here) if isinstance(verb, click.Group) else {here: verb}
    return out


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tiny.write(tmp_path_factory.mktemp("lower"), adds="bos")
    (home / "tokenizer.json").write_text(
        json.dumps({**tiny.tokenizer("bos"), "normalizer": {"type": "Lowercase"}})
    )
    return home


def test_every_verb_with_the_option_is_tried() -> None:
    found = {n for n, v in verbs(command).items() if any(p.name == "normalize" for p in v.params)}
    assert found == {n.split(" --")[0] for n in (*HONOURED, *REFUSED)} | ELSEWHERE


def said(home: Path, name: str, arguments: list[str], *options: str) -> str:
    done = CliRunner().invoke(
        command, [*name.split(" --")[0].split(), *arguments, "-m", str(home), "--json", *options]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.parametrize("name", HONOURED)
def test_the_answer_is_that_of_the_text_as_it_is_read(name: str, home: Path) -> None:
    arguments = HONOURED[name]
    lower = [a if a.startswith("--") else a.lower() for a in arguments]
    ours, theirs = said(home, name, arguments, "--normalize"), said(home, name, lower)
    ours = ours.replace('"normalized": "Lowercase"', '"normalized": ""').replace(
        '"normalized":"Lowercase"', '"normalized":""'
    )
    ours = ours.replace("; of the text as Lowercase left it", "").replace(
        " of the text as Lowercase left it", ""
    )
    a, b = json.loads(ours.splitlines()[0]), json.loads(theirs.splitlines()[0])
    for record in (a, b):
        for part in record if isinstance(record, list) else [record]:
            part.pop("text", None), part.pop("seconds", None)
    assert a == b


@pytest.mark.parametrize("name", REFUSED)
def test_verbs_that_cannot_refuse_it_by_name(name: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.jsonl").write_text(
        '{"text": "The Cat", "label": "a"}\n{"text": "sat", "label": "b"}\n' * 4
    )
    files = {"FILE": "a.txt", "TABLE": "a.jsonl", "OUT": "out"}
    arguments = [str(tmp_path / files[a]) if a in files else a for a in REFUSED[name]]
    done = CliRunner().invoke(command, [*name.split(), *arguments, "-m", str(home), "--normalize"])
    assert isinstance(done.exception, pofx.BadValue), (done.output, done.exception)
    assert "normalize: expected a model that reads texts as they are" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_file_of_another_reading_is_not_decompressed(home: Path) -> None:
    blob = pofx.compress(pofx.load(home), "the cat")
    with pytest.raises(pofx.BadValue, match="normalize: expected"):
        pofx.decompress(pofx.load(home, normalize=True), blob)


def test_mixtures(home: Path) -> None:
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    a, b = (
        pofx.posterior(pofx.mixture([lm, lm], [0.3, 0.7]), [TEXT]),
        pofx.posterior(pofx.mixture([strict, strict]), ["the cat"]),
    )
    assert a[0].evidence == pytest.approx(b[0].evidence, abs=1e-6)
    assert (a[0].terms.normalized, b[0].terms.normalized) == ("Lowercase", "")
    for lms in ([lm, strict], [strict, lm], [lm, pofx.fit(["the cat"])]):
        with pytest.raises(pofx.BadValue, match="normalize: expected"):
            pofx.mixture(lms, beam=4)
    with pytest.raises(pofx.BadValue, match="normalize: expected"):
        pofx.bytewise(lm)


def test_a_classifier_that_was_made_without(home: Path, tmp_path: Path) -> None:
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    made = pofx.GenerativeClassifier(strict, given={"a": "A ", "b": "B "}).fit(["the cat", "sat"], ["a", "b"])
    made.save(tmp_path / "made")
    with pytest.raises(
        pofx.BadValue, match="normalize: expected a model that reads texts as they are for a classifier"
    ):
        pofx.GenerativeClassifier.load(tmp_path / "made", lm)


def test_regions_and_stimuli(home: Path) -> None:
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    (ours,) = pofx.words(lm, ["The CAT sat"], [[(0, 3), (5, 7)]])
    (theirs,) = pofx.words(strict, ["the cat sat"], [[(0, 3), (5, 7)]])
    assert ours.words == theirs.words
    assert (ours.terms.normalized, theirs.terms.normalized) == ("Lowercase", "")
    a, b = (
        pofx.measure_stimuli(model, [{"item": 1, "word": word} for word in words])
        for model, words in ((lm, ("The", "CAT")), (strict, ("the", "cat")))
    )
    surprisals = [[row["surprisal_nats"] for row in table.to_arrow().to_pylist()] for table in (a, b)]
    assert surprisals[0] == surprisals[1] and None not in surprisals[0]
    with pytest.raises(pofx.BadValue, match="units: expected regions"):
        pofx.words(lm, ["The CAT"], [[(0, 3), (4, 99)]])


def test_a_normalizer_that_changes_lengths_moves_regions(tmp_path: Path) -> None:
    home = tiny.write(tmp_path / "nfkc", adds="bos")
    (home / "tokenizer.json").write_text(
        json.dumps({**tiny.tokenizer("bos"), "normalizer": {"type": "NFKC"}})
    )
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    (ours,) = pofx.words(lm, ["ﬁre ﬂy a"], [[(0, 3), (4, 6), (7, 8)]])
    (theirs,) = pofx.words(strict, ["fire fly a"], [[(0, 4), (5, 8), (9, 10)]])
    assert ours.words == theirs.words
    with pytest.raises(pofx.BadValue, match="that they change across regions"):
        pofx.words(lm, ["e\u0301a"], [[(0, 1), (1, 3)]])  # the accent is of the letter before


def test_choices_and_pairs(home: Path) -> None:
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    a = pofx.evaluate_choices(lm, [pofx.ChoiceItem("The", ("Cat", "SAT on"), 0)])
    b = pofx.evaluate_choices(strict, [pofx.ChoiceItem("the", ("cat", "sat on"), 0)])
    assert a.items[0].log_p.tolist() == b.items[0].log_p.tolist()
    assert (a.terms.normalized, b.terms.normalized) == ("Lowercase", "")
    ours = pofx.evaluate_pairs(lm, [pofx.Pair("The Cat", "CAT the")])
    theirs = pofx.evaluate_pairs(strict, [pofx.Pair("the cat", "cat the")])
    assert ours.margins().tolist() == theirs.margins().tolist()


def corpus(texts: list[str]) -> Corpus:
    n = len(texts)
    ids = tuple(map(str, range(n)))
    return Corpus(tuple(texts), ids, np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.bool_), ("f",))


def test_documents_of_an_audit_and_of_a_corpus(home: Path) -> None:
    strict, lm = pofx.load(home), pofx.load(home, normalize=True)
    texts = [f"The Cat {w} AT {v}" for w in ("sat", "THE", "Hat") for v in ("A", "b", "C", "d", "E", "f")]
    lower = [t.lower() for t in texts]
    ours, theirs = choose_documents(lm, texts, 0), choose_documents(strict, lower, 0)
    assert [p.tolist() for p in ours.paths] == [p.tolist() for p in theirs.paths]
    assert (ours.no_text, len(ours.paths)) == (0, len(texts))
    assert ours.openings.tolist() == theirs.openings.tolist()
    a, b = (
        neighbour_finding(corpus(t), m, np.arange(1, len(t)), 0) for m, t in ((lm, texts), (strict, lower))
    )
    assert a == b


@pytest.mark.parametrize("data", [b"The \xff Cat", b"\xc3 CAT", b"The c\xe2\x82at"])
def test_words_of_bytes_with_stray_ones(data: bytes, home: Path) -> None:
    """What is UTF-8 is lower-cased, and a stray byte is read as it is: as `bytes.lower` leaves it, which knows ASCII alone."""
    read, plain = pofx.load(home, normalize=True), pofx.load(home)
    (found,) = pofx.words(read, [data])
    assert (found.text, found.terms.normalized) == (data.lower(), "Lowercase")
    ids = plain.vocab.encode(data.lower())
    assert b"".join(plain.vocab.token_bytes[i] or b"" for i in ids) == data.lower()
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(home, torch_dtype=torch.float64).eval()
        path = torch.tensor([[tiny.BOS, *ids, tiny.EOS]])
        with torch.no_grad():
            logp = model(path).logits[0].log_softmax(-1)
    exact = float(logp[:-1].gather(1, path[0, 1:, None]).sum())
    assert found.total == pytest.approx(exact, abs=1e-3)
    assert -sum(w.surprisal for w in found.words) == pytest.approx(exact, abs=1e-3)
    shown = [w.decode("utf-8", "backslashreplace") for w in data.lower().split()]
    assert [w.text for w in found.words] == shown
