"""How far a run is: told after each pass over a long text, with the tokens that are done, on terminals and elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pofx
from pofx.cli.output import progress
from pofx.cli.output.progress import RareLines, SoFar, _Place
from pofx.corpus.documents import Document
from pofx.lm.model import LM
from pofx.lm.reading_progress import listen_to_reading, report_read
from pofx.models.specs import TransformerSpec
from pofx.transforms.windowed import windowed

pytest.importorskip("torch")
from tiny_checkpoints import write


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LM:
    return pofx.load(write(tmp_path_factory.mktemp("tiny"), "llama"), begin="<bos>", budget=16)


@pytest.fixture(scope="module")
def ours() -> LM:
    spec = TransformerSpec(width=16, layers=1, heads=1, context=16, seconds=0.2)
    return pofx.fit(["the cat sat", "a cat"] * 4, spec)


def told_by(lm: LM, texts: list[str], given: str = "") -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    with listen_to_reading(lambda done, of: seen.append((done, of))):
        pofx.score(lm, texts, given)
    return seen


@pytest.mark.parametrize("given", ["", "a cat"])
@pytest.mark.parametrize("which", ["large", "ours", "windowed"])
def test_each_pass_tells_how_many_tokens_are_done(
    which: str, given: str, request: pytest.FixtureRequest
) -> None:
    lm: LM = request.getfixturevalue("ours" if which == "ours" else "large")
    lm = windowed(lm, 12) if which == "windowed" else lm
    texts = ["the cat sat on a mat " * (130 if which == "ours" else 3), "a cat"]  # ours: 2,048 a pass
    of = sum(len(r.tokens) + 1 for r in pofx.score(lm, texts, given))  # EOS is a token that is done, too
    seen = told_by(lm, texts, given)
    assert len(seen) > 1
    assert seen[-1] == (of, of)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert {o for _, o in seen} == {of}


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_single_pass_tells_behind_each_layer(tmp_path: Path, family: str) -> None:
    """Two layers and a head, by our decoder and by the library's: thirds of the 21 positions of one pass."""
    lm = pofx.load(write(tmp_path, family), begin="<bos>")
    text = "b" * 20
    assert len(pofx.score(lm, [text])[0].tokens) == 20
    assert told_by(lm, [text]) == [(7, 21), (14, 21), (21, 21), (21, 21)]


def test_what_an_earlier_run_read_says_nothing_of_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    told: list[str] = []
    so_far = SoFar(_Place(()), lambda line, share: told.append(line))
    so_far.read(document(1), document(1))
    so_far.recalled(900, 1000)
    clock.now += 10
    so_far.inside(950, 1000)
    assert told[-1].startswith("0 rows  950 tokens  5.0 tokens/s")


def test_nobody_hears_behind_the_listener() -> None:
    seen: list[int] = []
    with listen_to_reading(lambda done, of: seen.append(done)):
        report_read(1, 9)
        with listen_to_reading(lambda done, of: None):
            report_read(2, 9)
        report_read(3, 9)
    report_read(4, 9)
    assert seen == [1, 3]


# What is told of it -----------------------------------------------------------------------------------------------


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def document(line: int, text: str = "a", source: str = "f.txt") -> Document:
    return Document(text, f"{source}:{line}", source, line)


def test_the_time_left_inside_a_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One text is the whole file: after a quarter of its tokens, at 10 s, 30 s are left."""
    clock = Clock(monkeypatch)
    path = tmp_path / "f.txt"
    text = "\n".join("abc" for _ in range(40))
    path.write_text(text)
    told: list[str] = []
    so_far = SoFar(_Place((str(path),)), lambda line, share: told.append(line))
    so_far.begin(0)
    so_far.read(document(1, text, str(path)), document(1, text, str(path)))
    clock.now += 10
    so_far.inside(25, 100)
    clock.now += 10
    so_far.inside(50, 100)
    so_far.moved(document(1, text, str(path)), 100, 1)
    cells = [re.split("  +", line) for line in told]
    assert [c[0] for c in cells] == ["0 rows", "0 rows", "1 row"]
    assert [c[1] for c in cells] == ["25 tokens", "50 tokens", "100 tokens"]
    assert cells[0][2].startswith("2.5 tokens/s on ")
    lefts = [c[3] for c in cells]
    assert lefts == ["0:30 left", "0:20 left", "all read"]


def test_tokens_of_a_block_are_counted_once(tmp_path: Path) -> None:
    told: list[str] = []
    so_far = SoFar(_Place(()), lambda line, share: told.append(line))
    so_far.begin(3)
    for k in range(2):
        so_far.read(document(k + 1), document(k + 1))
        so_far.inside(5, 10)
        so_far.inside(10, 10)
        so_far.moved(document(k + 1), 10, 1)
    assert [re.split("  +", line)[1] for line in told] == [f"{n} tokens" for n in (5, 10, 10, 15, 20, 20)]
    assert told[-1].startswith("5 rows")


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    tell, when = RareLines(), []
    for _ in range(4000):
        clock.now += 1
        tell("x", 0.0)
        if capsys.readouterr().err:
            when.append(clock.now - 100)
    assert when == [3, 9, 21, 45, 93, 189, 381, 765, 1365, 1965, 2565, 3165, 3765]
