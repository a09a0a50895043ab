"""What the command line says of files: the same options in each verb, refused before a model is loaded, told once."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import click
import pytest

from pofx.cli.main import VERBS, main, pofx
from pofx.cli.options import model as chosen
from pofx.cli.options.layout import OPTIONS

LINES = ["Time flies.", "Love is blind.", "Haste makes waste."]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    (place / "a.txt").write_text("\n".join(LINES * 3))
    with pytest.raises(SystemExit):
        main(["fit", str(place / "a.txt"), "-o", str(place / "m"), "--order", "3"])
    return place / "m"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


def commands() -> dict[str, click.Command]:
    out: dict[str, click.Command] = {}
    with click.Context(pofx) as context:
        for verb in VERBS:
            command: Any = pofx.get_command(context, verb)
            out |= {f"{verb} {n}": c for n, c in getattr(command, "commands", {verb: command}).items()}
    return out


def test_the_options_are_the_same_in_every_verb_that_reads_documents() -> None:
    class Probe(click.Command):
        pass

    probe = Probe("probe", callback=lambda: None)
    for option in OPTIONS.values():
        option(probe.callback)
    names = {p.name for p in probe.callback.__click_params__}  # type: ignore[union-attr]
    assert {"field", "id", "delimiter", "quoting", "encoding", "max_document", "max_expansion"} <= names
    readers = {name for name, c in commands().items() if any(p.name in names - {"id"} for p in c.params)}
    assert {n.split()[0] for n in readers} == {
        "fit",
        "score",
        "diff",
        "words",
        "audit",
        "corpus",
        "classify",
        "filter",
        "evaluate",
        "stimuli",
        "reading",
    }
    # A row of these verbs is no text.
    of_texts = {
        "evaluate": {"field", "split", "separator"},
        **{verb: {"field", "split", "separator", "id"} for verb in ("stimuli", "reading")},
    }
    for name in readers:
        wanted = names - of_texts.get(name.split()[0], set())
        assert wanted <= {p.name for p in commands()[name].params}, name


VERBS_OF_FILES = {
    "score": ["score", "FILE"],
    "score -o": ["score", "FILE", "-o", "o.csv"],
    "words": ["words", "FILE"],
    "audit": ["audit", "-m", "MODEL", "--test", "FILE"],
    "corpus": ["corpus", "FILE", "-m", "MODEL"],
    "fit": ["fit", "FILE", "-o", "new"],
    "classify train": ["classify", "train", "FILE", "--label-field", "text", "-o", "new"],
}


@pytest.mark.parametrize("verb", VERBS_OF_FILES)
def test_a_mistyped_field_is_refused_before_a_model_is_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    Path("a.jsonl").write_text("".join(json.dumps({"body": t, "n": 1}) + "\n" for t in LINES * 900))
    monkeypatch.setattr(chosen.ModelOptions, "load", lambda *_: pytest.fail("loaded a model"))
    arguments = ["a.jsonl" if a == "FILE" else "nowhere" if a == "MODEL" else a for a in VERBS_OF_FILES[verb]]
    code, out, err = run(capsys, *arguments, "--field", "boddy")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(
        "pofx: error: a.jsonl: expected a field 'boddy' in any of the first 1,000 rows, got only 'body'"
    )
    assert "did you mean 'body'?" in err or verb == "classify train"
    assert sorted(os.listdir()) == ["a.jsonl"]


def test_a_mistyped_keep_is_refused(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    Path("a.jsonl").write_text('{"text": "a", "key": 1}\n')
    code, _, err = run(capsys, "score", "a.jsonl", "-o", "o.csv", "--keep", "kye", "-m", str(model))
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean 'key'?" in err
    assert os.listdir() == ["a.jsonl"]


def test_warnings_of_one_kind_are_one(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    rows = ['{"text": 3}'] * 500 + ["nonsense", "", '{"text": "Time"}', "more nonsense", '{"text": null}', ""]
    Path("a.jsonl").write_text("\n".join(rows) + "\n")
    code, out, err = run(capsys, "score", "a.jsonl", "-m", str(model), "--quiet")
    assert code == 1
    assert len(out.splitlines()) == 504
    assert sorted(err.splitlines()) == [
        "pofx: 2 blank lines skipped",
        "pofx: warning: 1 more row as in a.jsonl:501: expected a JSON object",
        "pofx: warning: 500 more rows as in a.jsonl:1: expected a string in field 'text'",
        "pofx: warning: 503 of 504 rows without a score",
        "pofx: warning: a.jsonl:1: expected a string in field 'text', got a number; mend the row, or name another field (--field)",
        "pofx: warning: a.jsonl:501: expected a JSON object, got no JSON: Expecting value at character 0",
    ]
    code, out, err = run(capsys, "fit", "a.jsonl", "-o", "m", "--held-out", "0")
    assert code == 0
    assert err.splitlines()[2:6] == [
        "pofx: warning: 500 more rows as in a.jsonl:1: expected a string in field 'text'",
        "pofx: warning: 1 more row as in a.jsonl:501: expected a JSON object",
        "pofx: 2 blank lines skipped",
        "pofx: warning: 503 bad rows left out, 1 document read",
    ]


def scored(capsys: pytest.CaptureFixture[str], model: Path, *arguments: str) -> list[str]:
    code, out, err = run(capsys, "score", *arguments, "-m", str(model), "--json", "--quiet")
    assert code == 0, err
    return [json.loads(line)["text"] for line in out.splitlines()]


def test_what_a_message_advises_is_what_reads_the_file(
    capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    """Each file is refused in a line that names an option; with that option its texts are scored."""
    cases: dict[str, tuple[bytes, list[str]]] = {
        "a.csv": (b"n;text\n1;Time flies.\n", ["--delimiter", ";"]),
        "b.csv": (b"sep=;\nn;text\n1;Time flies.\n", ["--delimiter", ";"]),
        "c.csv": (b"n\ttext\n1\tTime flies.\n", ["--delimiter", "\\t"]),
        "d.txt": ("Time flies.\n".encode("utf-16"), ["--encoding", "utf-16"]),
        "e.txt": ("Time flies.\n".encode("utf-16-be"), ["--encoding", "utf-16-be"]),
        "f.jsonl": (b'[{"text": "Time flies."}]', ["--format", "json"]),
        "g.txt": (b"__label__a Time flies.\n", ["--format", "fasttext"]),
        "h.docx": (b"Time flies.\n", ["--format", "txt"]),
    }
    for name, (data, option) in cases.items():
        Path(name).write_bytes(data)
        code, out, err = run(capsys, "score", name, "-m", str(model))
        assert (code, out, err.count("\n")) == (2, "", 1), name
        shown = f'{option[0]} "{option[1]}"' if option[0] == "--delimiter" else " ".join(option)
        assert shown in err, name
        assert scored(capsys, model, name, *option) == ["Time flies."], name
    Path("i.txt").write_bytes("Déjà vu.\n".encode("cp1252"))
    code, _, err = run(capsys, "score", "i.txt", "-m", str(model))
    assert code == 1
    assert "('é' in Windows-1252); say so if the file is in Windows-1252 (--encoding cp1252)" in err
    assert scored(capsys, model, "i.txt", "--encoding", "cp1252") == ["Déjà vu."]


def test_directories_and_patterns(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    Path("c/d").mkdir(parents=True)
    for name in ("c/a.txt", "c/d/b.txt", "c/notes.md"):
        Path(name).write_text("Time.\n")
    code, out, err = run(capsys, "score", "c", "-m", str(model), "--quiet")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["c/a.txt:1", "c/d/b.txt:1"]
    assert (
        err
        == "pofx: c: 2 files read, 1 of another ending left out, such as 'c/notes.md' (--format reads all files)\n"
    )
    code, _, err = run(capsys, "score", "c/**/*.txt", "-o", "o.jsonl", "-m", str(model), "--quiet")
    assert (code, err) == (0, "")
    assert [json.loads(x)["id"] for x in Path("o.jsonl").read_text().splitlines()] == [
        "c/a.txt:1",
        "c/d/b.txt:1",
    ]


def test_separators_as_they_are_typed(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    Path("a.txt").write_bytes(b"Time flies.\r\n\r\nLove is blind.\r\n")
    for typed in ("\\n\\n", "\\r\\n\\r\\n", "\n\n"):
        assert scored(capsys, model, "a.txt", "--separator", typed) == LINES[:2]
    Path("a.txt").write_bytes(b"Time flies.\\nLove is blind.\n")
    assert scored(capsys, model, "a.txt", "--separator", "\\\\n") == LINES[:2]


def test_what_decides_the_rows_is_part_of_a_run(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    from pofx.cli.options.layout import Layout

    one, other = (Layout("text", None, "line", None, None, quoting=q) for q in ("none", "minimal"))
    assert one.settings != other.settings
    limits = Layout("text", None, "line", None, None, max_document=5)
    assert limits.settings == Layout("text", None, "line", None, None).settings


def test_rows_of_a_file_whose_name_is_no_utf8(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        Path(name).write_text(
            "Fruit.\n"
        )  # not a text that the model was fitted on, of which the user is warned
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    for out in ("o.parquet", "o.jsonl", "o.csv"):
        code, _, err = run(capsys, "score", name, "-o", out, "-m", str(model), "--quiet")
        assert (code, err) == (0, ""), out
    assert pq.read_table("o.parquet")["id"].to_pylist() == ["caf\\xe9.txt:1"]
    code, _, err = run(capsys, "score", name, "--format", "parquet", "-o", "p.parquet", "-m", str(model))
    assert (code, err.count("\n")) == (2, 1)
    assert sorted(os.listdir()) == sorted([name, "o.parquet", "o.jsonl", "o.csv"])


@pytest.mark.parametrize(
    ("option", "value"), [("--max-document", "x"), ("--max-expansion", "nan"), ("--encoding", "hex")]
)
def test_values_that_are_none(
    capsys: pytest.CaptureFixture[str], model: Path, option: str, value: str
) -> None:
    Path("a.txt").write_text("a\n")
    code, _, err = run(capsys, "score", "a.txt", option, value, "-m", str(model))
    assert (code, err.count("\n")) == (2, 1)
    assert option in err


def test_a_file_in_a_directory_that_is_read_only(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    Path("c").mkdir()
    Path("c/a.txt.gz").write_bytes(gzip.compress(b"Time flies.\n"))
    Path("c").chmod(0o555)
    try:
        assert scored(capsys, model, "c") == ["Time flies."]
    finally:
        Path("c").chmod(0o755)
