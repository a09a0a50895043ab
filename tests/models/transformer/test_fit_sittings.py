"""A fit in several sittings: what is told of it, what stops it, and checkpoints that were damaged."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from pofx.cli.main import main
from pofx.cli.output.fit_report import ProgressPrinter, describe_reading
from pofx.errors import BadSource, Interrupted
from pofx.models.specs import TransformerSpec
from pofx.models.transformer.fit_state import FitProgress
from pofx.models.transformer.training import train
from pofx.vocab.vocabulary import CharVocab

CHARS = CharVocab("abcd")
FIT = TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=4, seed=3)


def corpus(n: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [CHARS.encode_array("a" * k + "b" * k) for k in rng.integers(1, 5, size=n)]


class Stop:
    """Notes where a fit stands, and sends a signal to itself after a step."""

    def __init__(self, after: int, number: int = signal.SIGINT) -> None:
        self.after, self.number, self.seen = after, number, list[FitProgress]()

    def __call__(self, p: FitProgress) -> None:
        self.seen.append(p)
        if p.step == self.after:
            os.kill(os.getpid(), self.number)


def test_the_best_and_the_time_are_of_all_sittings(tmp_path: Path) -> None:
    texts, held_out, file = corpus(150), corpus(20, 1), tmp_path / "fit.safetensors"
    steps: list[FitProgress] = []
    train(texts, FIT, CHARS, validation=held_out, progress=steps.append)
    half = next(p.step for p in steps if p.fraction >= 0.6)  # two of five measurements are after it
    first = Stop(half)
    with pytest.raises(Interrupted):
        train(texts, FIT, CHARS, validation=held_out, checkpoint=file, progress=first)
    second: list[FitProgress] = []
    train(texts, FIT, CHARS, validation=held_out, checkpoint=file, resume=True, progress=second.append)
    assert second[0].elapsed > first.seen[-1].elapsed
    assert second[0].step == half + 1
    best = [
        min(x for p in (*first.seen, *second[: k + 1]) if (x := p.validation_bits_per_byte))
        for k in range(len(second))
    ]
    assert [p.best_bits_per_byte for p in second] == best
    # As in one sitting, step by step.
    assert [p.best_bits_per_byte for p in second] == pytest.approx(
        [p.best_bits_per_byte for p in steps[half:]]
    )
    assert [p.passes for p in second] == [p.passes for p in steps[half:]]
    assert second[-1].passes == pytest.approx(4, abs=0.2)


def test_the_line_shows_the_best_of_the_fit(capsys: pytest.CaptureFixture[str]) -> None:
    at = FitProgress(9, 0.5, 100.0, 100.0, 50.0, 3.0, 2.0, 5.0, 2.5, best_bits_per_byte=2.25, passes=0.1)
    told = ProgressPrinter()
    told(at)
    err = capsys.readouterr().err
    assert "100 s,  100 s to go" in err
    assert "held out 2.500 (best 2.250, which is kept)" in err
    told(replace(at, elapsed=105.0))  # within ten seconds: nothing, but it is kept
    assert capsys.readouterr().err == ""
    assert told.last is not None
    assert told.last.elapsed == 105.0


def test_what_was_read_is_said() -> None:
    assert (
        describe_reading("19,026 documents", "8 bytes", 5, 0.004)
        == "0.4 % of the tokens of 19,026 documents, 8 bytes, in 5.00 s"
    )
    assert (
        describe_reading("2 documents", "8 bytes", 5, 1.0) == "2 documents, 8 bytes, in 5.00 s, read 1 times"
    )
    assert (
        describe_reading("2 documents", "8 bytes", 5, 12.34)
        == "2 documents, 8 bytes, in 5.00 s, read 12.3 times"
    )
    assert describe_reading("2 documents", "8 bytes", 5, None) == "2 documents, 8 bytes, in 5.00 s"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_in_a_checkpoint(tmp_path: Path, number: int) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    file = tmp_path / "fit.safetensors"
    with pytest.raises(Interrupted) as stopped:
        train(corpus(150), FIT, CHARS, checkpoint=file, progress=Stop(5, number))
    assert (stopped.value.step, file.is_file()) == (5, True)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        train(corpus(50), replace(FIT, epochs=1), CHARS, progress=Stop(1, signal.SIGTERM))
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    texts, file = corpus(30), tmp_path / "fit.safetensors"
    spec = replace(FIT, epochs=0.3, width=8, context=4)
    train(texts, spec, CHARS, validation=corpus(5, 1), checkpoint=file)
    good = file.read_bytes()
    head = int.from_bytes(good[:8], "little")
    rng = np.random.default_rng(0)
    # All kinds of places: the length of the header, the header, and the numbers.
    places = [*range(8), *rng.integers(8, 8 + head, 60), *rng.integers(8 + head, len(good), 60)]
    for at in map(int, places):
        bad = bytearray(good)
        bad[at] ^= 1 << int(rng.integers(8))
        if good[at : at + 1] == b" " and at > 8 + len(good[8 : 8 + head].rstrip()):
            continue  # the header's own padding holds nothing
        file.write_bytes(bytes(bad))
        with pytest.raises(BadSource) as caught:
            train(texts, spec, CHARS, checkpoint=file, resume=True)
        assert "\n" not in str(caught.value)
    file.write_bytes(good)
    train(texts, spec, CHARS, checkpoint=file, resume=True)


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("".join(f"the cat sat on mat {i}\n" for i in range(3000)))
    sizes = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "32"]

    def run(*more: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["fit", "corpus.txt", "-o", "m", "--family", "transformer", *sizes, *more])
        return ended.value.code, *capsys.readouterr()

    class Terminated(ProgressPrinter):
        """Sends SIGTERM after a second of fitting."""

        def __call__(self, p: FitProgress) -> None:
            super().__call__(p)
            if p.elapsed >= 1:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("pofx.cli.commands.models.fit.ProgressPrinter", Terminated)
    code, out, err = run("--seconds", "60")
    assert (code, out) == (130, ""), err
    assert "--resume" in err.splitlines()[-1]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    code, out, err = run("--seconds", "1.2", "--resume", "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["seconds"] >= 1.2  # of both sittings, though the second took a fifth of it
    assert record["passes"] > 0
    code, out, err = run("--seconds", "0.1", "--overwrite")
    read = re.search(
        r"^fitted on ([\d.]+) % of the tokens of 2,\d\d\d documents, [\d,]+ bytes, in ", out, re.MULTILINE
    )
    assert read, out
    assert 0 < float(read[1]) < 100
