"""Bars of progress: the steps add up, stages follow each other, and every bar ends."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from tqdm import tqdm

import pofx
from pofx.lm.reading_progress import report_read
from pofx.report import bars
from pofx.report.progress import STEPS, ProgressBar
from small_models import BYTES


class Fake:
    """A bar that remembers."""

    made: list[Fake]

    def __init__(self, total: int | None, desc: str) -> None:
        self.total, self.desc, self.steps, self.closed = total, desc, [], False
        self.note = ""
        Fake.made.append(self)

    def update(self, n: int) -> None:
        assert not self.closed
        self.steps.append(n)

    def set_postfix_str(self, note: str) -> None:
        self.note = note

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Fake.made = []


@pytest.mark.thorough
def test_stages_of_a_call() -> None:
    pofx.compress(None, b"to be or not to be " * 40, progress=ProgressBar(Fake))
    assert [b.desc for b in Fake.made] == ["coding", "comparing"]
    assert all(b.closed and sum(b.steps) == b.total == STEPS for b in Fake.made)


def test_stages_without_shares() -> None:
    with ProgressBar(Fake) as progress:
        pofx.corpus_report(["ab", "cd", "ef", "a", "b", "dd"] * 4, progress=progress)
    assert {"reading", "shuffling", "fitting"} <= {b.desc for b in Fake.made}
    assert all(b.closed for b in Fake.made)
    assert Fake.made[1].total is None


@pytest.mark.parametrize("spec", [pofx.TransformerSpec(layers=1, width=8, heads=1, context=8, epochs=1)])
def test_a_fit(spec: pofx.TransformerSpec) -> None:
    pofx.fit(["abc", "abd"] * 20, spec, progress=ProgressBar(Fake))
    (bar,) = Fake.made
    assert bar.desc == "fitting"
    assert bar.note.endswith(" bits per byte")
    assert sum(bar.steps) == STEPS
    assert bar.closed


def test_passes_inside_a_query() -> None:
    progress = ProgressBar(Fake)
    with progress:
        report_read(1, 4)
        report_read(4, 4)
        report_read(2, 4)
        report_read(1, 4)
        pofx.score(BYTES, ["a"])
    assert [b.steps for b in Fake.made] == [[250, 750], [500], [250]]
    assert all(b.closed for b in Fake.made)
    report_read(1, 4)
    assert len(Fake.made) == 3


def test_tqdm_is_such_a_bar() -> None:
    out = io.StringIO()
    pofx.compress(None, b"ab" * 99, progress=ProgressBar(lambda **options: tqdm(file=out, **options)))
    assert "100%" in out.getvalue()
    assert "comparing" in out.getvalue()


def test_a_bar_itself_is_refused() -> None:
    with pytest.raises(pofx.BadValue, match="bar: expected a callable such as tqdm, got int"):
        ProgressBar(3)


def test_the_bar_of_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(bars.default_bar(9, "reading"), bars.NoBar)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    line = bars.default_bar(9, "reading")
    assert isinstance(line, bars.TerminalBar)
    line.update(3)
    line.close()
    shown: list[Any] = []
    handle = SimpleNamespace(update=lambda html: shown.append(html.data))
    monkeypatch.setattr(bars, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda html, display_id: shown.append(html.data) or handle)
    bar = bars.default_bar(STEPS, "reading <b>")
    for _ in range(STEPS):
        bar.update(1)
    bar.close()
    assert len(shown) == 1 + 101 + 1
    assert shown[51] == '<label><progress max="1000" value="500"></progress> reading &lt;b&gt;</label>'
    assert shown[-1] == ""
