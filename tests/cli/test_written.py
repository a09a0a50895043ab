"""What a verb writes is none of what it reads, by whatever name, and no other thing that it writes."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import pofx
from pofx.cli.main import VERBS, Verbs, main
from pofx.cli.options.written import READ, Verb, Written
from pofx.corpus.writing import _cell

ROWS = [{"text": "the cat sat", "label": "a"}, {"text": "a dog", "label": "b"}] * 4
# For each output of a verb: the arguments that read IN and write OUT.
OUTPUTS: dict[tuple[str, str], str] = {
    ("score", "out"): "score IN -o OUT",
    ("score", "html_path"): "score IN --html OUT",
    ("words", "out"): "words IN -o OUT",
    ("words", "html_path"): "words IN --html OUT",
    ("next", "html_path"): "next -m IN --html OUT",
    ("posterior", "html_path"): "posterior --text a -m IN -m model --html OUT",
    ("infill", "html_path"): "infill --suffix a -m IN --html OUT",
    ("stimuli", "out"): "stimuli IN --word text --item text -o OUT",
    ("stimuli", "html_path"): "stimuli IN --word text --item text --html OUT",
    ("stimuli", "record"): "stimuli IN --word text --item text --record OUT",
    ("evaluate", "out"): "evaluate IN -o OUT",
    ("evaluate", "html_path"): "evaluate IN --html OUT",
    ("diff", "out"): "diff IN -m model -m model -o OUT",
    ("diff", "html_path"): "diff IN -m model -m model --html OUT",
    ("corpus", "out"): "corpus IN -o OUT",
    ("corpus", "html_path"): "corpus IN --html OUT",
    ("compress", "out"): "compress IN -o OUT",
    ("compress", "html_path"): "compress IN --html OUT",
    ("marginal", "html_path"): "marginal --text a -m IN --html OUT",
    ("decompress", "out"): "decompress IN -o OUT",
    ("fit", "out"): "fit IN -o OUT",
    ("fit", "save_held_out"): "fit IN -o model --save-held-out OUT",
    ("audit", "html_path"): "audit -m model --test IN --html OUT",
    ("sample", "html_path"): "sample -m IN --html OUT",
    ("classify train", "out"): "classify train a=IN b=IN -o OUT",
    ("classify predict", "out"): "classify predict classes IN -o OUT",
    ("classify evaluate", "html_path"): "classify evaluate classes IN --label-field label --html OUT",
    ("filter fit", "out"): "filter fit IN -o OUT",
    ("filter fit", "html_path"): "filter fit IN -o quality --html OUT",
    ("filter apply", "html_path"): "filter apply classes IN -o kept --rest rest --html OUT",
    ("filter apply", "out"): "filter apply classes IN -o OUT --rest rest",
    ("filter apply", "rest"): "filter apply classes IN -o kept --rest OUT",
    ("demo", "out"): "",  # reads no file
}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every verb, and every verb of a verb."""
    root = Verbs()
    for name in VERBS:
        verb = root.get_command(click.Context(root), name)
        assert verb is not None
        yield name, verb
        if isinstance(verb, click.Group):
            yield from ((f"{name} {inner}", sub) for inner, sub in verb.commands.items())


def test_every_file_that_a_verb_names_is_known_to_be_read_or_written() -> None:
    written = set()
    for name, verb in commands():
        for parameter in verb.params:
            assert parameter.name is not None
            if isinstance(parameter.type, Written):
                written.add((name, parameter.name))
                assert isinstance(verb, Verb), name
                continue
            names_a_file = isinstance(parameter.type, click.Path | click.File) or parameter.metavar in (
                "FILE",
                "DIR",
                "MODEL",
            )
            if isinstance(parameter, click.Argument):
                names_a_file |= parameter.name not in (
                    "texts",
                    "given",
                    "prefix",
                    "suffix",
                    "name",
                    "url",
                )
            assert not names_a_file or parameter.name in READ, f"{name}: {parameter.name}: read or written?"
    assert written == set(OUTPUTS)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """A command in a directory of its own that must be refused and change nothing; what it says."""
    monkeypatch.chdir(tmp_path)

    def call(command: str) -> str:
        before = content()
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        assert ended.value.code == 2
        assert content() == before
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    return call


def content() -> dict[str, bytes | str]:
    return {
        str(p): os.readlink(p) if p.is_symlink() else p.read_bytes()
        for p in sorted(Path().rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def named(how: str, source: str) -> str:
    """Another name of a file."""
    if how == "the name itself":
        return source
    if how == "another spelling":
        return f".//{source}"
    name = f"x{source}"
    if how == "a hard link":
        os.link(source, name)
    else:
        Path(name).symlink_to(Path(source).absolute() if how == "a symbolic link" else "middle")
        if how == "a link to a link":
            Path("middle").symlink_to(source)
    return name


@pytest.mark.parametrize(
    "how", ["the name itself", "another spelling", "a hard link", "a symbolic link", "a link to a link"]
)
@pytest.mark.parametrize("output", [o for o, arguments in OUTPUTS.items() if arguments])
def test_no_output_is_an_input(run: Callable[[str], str], output: tuple[str, str], how: str) -> None:
    source = "in.arpa" if output[0] in ("sample", "fit") and output[1] != "save_held_out" else "in.jsonl"
    Path(source).write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    Path("model").mkdir()
    Path("classes").mkdir()
    arguments = OUTPUTS[output].replace("IN", source).replace("OUT", named(how, source))
    assert "expected another file than the input" in run(arguments)


# The sides of a filter are directories, which may be in a store.
IN_STORES = {("filter apply", "out"), ("filter apply", "rest")}


@pytest.mark.parametrize(
    "output", [o for o, arguments in OUTPUTS.items() if arguments and o not in IN_STORES]
)
def test_no_output_is_a_url(run: Callable[[str], str], output: tuple[str, str]) -> None:
    Path("in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    arguments = OUTPUTS[output].replace("IN", "in.jsonl").replace("OUT", "s3://bucket/out.jsonl")
    assert "expected a path on this machine, got the URL 's3://bucket/out.jsonl'" in run(arguments)


def test_a_file_under_its_protocol_is_the_same_input(run: Callable[[str], str]) -> None:
    Path("in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    url = f"file://{Path('in.jsonl').absolute()}"
    assert "expected another file than the input" in run(f"score {url} -o in.jsonl")


def test_nor_is_the_standard_input(run: Callable[[str], str]) -> None:
    Path("in.txt").write_text("a cat\n")
    kept = os.dup(0)
    try:
        with open("in.txt", "rb") as f:
            os.dup2(f.fileno(), 0)
            assert "expected another file than the input" in run("score - --html in.txt")
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_nor_what_is_written_on_the_way(run: Callable[[str], str]) -> None:
    for name in ("o.csv.part", "o.csv.progress", ".o.csv.new", "m.checkpoint"):
        Path(name).write_text('{"text": "a"}\n')
        out = "fit IN --format jsonl -o m" if name[0] == "m" else "score IN --format jsonl -o o.csv --fresh"
        assert "expected another file than the input" in run(out.replace("IN", name))


def test_nor_what_lies_in_a_directory_that_is_replaced(run: Callable[[str], str]) -> None:
    pofx.save(pofx.fit(["a cat"], pofx.NgramSpec(order=2)), "model")
    Path("model/in.txt").write_text("a cat\n")
    assert "expected a directory of its own" in run("fit model/in.txt -o model")
    Path("model/in.txt").rename("in.txt")
    Path("model/scores.csv").write_text("1\n")
    assert "got other files (scores.csv)" in run("fit in.txt -o model --overwrite")


def test_nor_what_a_model_is_made_of(run: Callable[[str], str]) -> None:
    pofx.save(pofx.fit(["a cat"], pofx.NgramSpec(order=2)), "model")
    Path("in.txt").write_text("a cat\n")
    for name in ("pofx.json", "model.safetensors", "tokenizer.json"):
        assert "expected no file in a directory that --model reads" in run(
            f"score in.txt -m model --html model/{name}"
        )


def test_no_two_outputs_are_one(run: Callable[[str], str]) -> None:
    Path("in.txt").write_text("a cat\n" * 9)
    Path("link.arpa").symlink_to("m.arpa")  # of a file that is not there yet
    for arguments in (
        "-o m.arpa --save-held-out m.arpa",
        "-o m.arpa --save-held-out ./m.arpa",
        "-o m.arpa --save-held-out link.arpa",
        "-o m --save-held-out m/held-out.jsonl",
        "-o m --save-held-out m.checkpoint",
    ):
        assert "expected another file than -o writes" in run(f"fit in.txt {arguments}")


def test_devices_may_be_named_as_often_as_one_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("a cat\n" * 9)
    with pytest.raises(SystemExit) as ended:
        main(["fit", "in.txt", "/dev/null", "--format", "txt", "-o", "m", "--save-held-out", "/dev/null"])
    assert ended.value.code == 0, capsys.readouterr().err


@pytest.mark.thorough
def test_a_packed_file_beside_its_plain_one_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    with pytest.raises(SystemExit) as ended:
        main(["score", "a.jsonl.gz", "-o", "a.jsonl"])
    assert ended.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "score in.txt --html shut/a.html",
        "score in.txt -o shut/a.csv",
        "score in.txt -o shut/new/a.csv",
        "audit --html shut/a.html",
        "fit in.txt -o m --save-held-out shut/a.jsonl",
        "fit in.txt -o shut/m",
        "compress in.txt -o shut/a",
    ],
)
def test_a_directory_that_takes_no_file_is_told_before_any_work(
    run: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    Path("in.txt").write_text("a cat\n" * 9)
    Path("shut").mkdir()
    Path("shut").chmod(0o555)
    allowed = os.access
    if allowed("shut", os.W_OK):  # to the superuser all directories are open
        monkeypatch.setattr(os, "access", lambda p, mode: Path(p).name != "shut" and allowed(p, mode))
    try:
        assert "expected a place to write, got 'shut/" in run(command)
        assert sorted(os.listdir()) == ["in.txt", "shut"]
    finally:
        Path("shut").chmod(0o755)


@pytest.mark.parametrize("value", [0, -7, 2**70, 0.1, -0.0, 1e-300, 1e22, 1e16, True, [1, "ä"], {"a": None}])
def test_a_cell_is_spelled_as_json_spells_it(value: object) -> None:
    assert _cell(value) == json.dumps(value, ensure_ascii=False)
    assert (_cell("1,5"), _cell(None)) == ("1,5", "")


@pytest.mark.parametrize(("out", "says"), [("new/deep/out.csv", 1), ("there/out.csv", 0), ("out.csv", 0)])
def test_a_new_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str, says: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("in.txt").write_text("a cat\n")
    pofx.save(pofx.fit(["a cat", "a dog"], pofx.NgramSpec(order=2)), "model")
    with pytest.raises(SystemExit) as ended:
        main(f"score in.txt -m model -o {out}".split())
    assert ended.value.code == 0
    said = capsys.readouterr().err
    assert said.count("-o: the directory 'new/deep' is new, and will be made\n") == says
    assert said.count("is new") == says
