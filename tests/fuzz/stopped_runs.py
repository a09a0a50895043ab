"""What a stopped run or fit leaves (rows, progress, stretches, a checkpoint), damaged: it is refused, or ends in the same bytes."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from unittest import mock

import pofx
from fuzz.kept_files import damaged
from pofx.cli.main import main
from pofx.errors import BadSource, Interrupted
from pofx.files.journal_files import files_beside
from pofx.lm.trace import Path as Ids
from pofx.lm.trace import Trace, Want
from pofx.transforms import windowed as rule
from pofx.transforms.windowed import windowed
from toy import ToyLM, ToyVocab

CASES = 30
LINES = ["ab", "abcacbbaabca" * 30, "ba", "cab" * 40, "c"]
# Which calls of the model a run is stopped at: after some rows and in the middle of a text, or before the first row.
STOPPED = {"rows.jsonl": 6, "rows.csv": 15, "first.jsonl": 2}
TEXTS = ["the cat sat", "a dog ran far", "the dog sat on the mat", "a cat ran away"]
FIT = pofx.TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=4.0)


class Stopped(BaseException):
    """As a kill, for which nothing in pofx may have a handler."""


class Dying(ToyLM):
    """A toy of 16 tokens that dies in one of its calls; never for 0."""

    def __init__(self, dies_at: int) -> None:
        super().__init__(ToyVocab())
        self.context, self.work, self.fingerprint = 16, rule.PRODUCTS // 32, "toy"
        self.dies_at, self.done = dies_at, 0

    def forward(self, paths: Sequence[Ids], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        self.done += 1
        if self.done == self.dies_at:
            raise Stopped
        return super().forward(paths, want, skip)


def score(home: Path, out: Path, dies_at: int = 0) -> tuple[object, str]:
    """The exit code of `pofx score … -o out`, and what it says; the code of a run that dies is None."""
    lm, said = Dying(dies_at), io.StringIO()
    with (
        mock.patch("pofx.cli.options.model.ModelOptions.load", return_value=windowed(lm)),
        mock.patch("pofx.files.reading_tape_file.SECONDS", 0.0),
        mock.patch("pofx.files.journal.SECONDS", 0.0),
        contextlib.redirect_stderr(said),
    ):
        try:
            main(["score", str(home / "in.txt"), "-o", str(out)])
        except SystemExit as e:
            return e.code, said.getvalue()
        except Stopped:
            pass
    return None, said.getvalue()


@cache
def run_left(name: str) -> tuple[Path, dict[Path, bytes], bytes]:
    """The target of a stopped run, the files beside it, and what the whole run makes."""
    home = Path(tempfile.mkdtemp(prefix="pofx-fuzz-"))
    (home / "in.txt").write_text("\n".join(LINES) + "\n")
    out = home / name
    assert score(home, out)[0] == 0
    whole = out.read_bytes()
    out.unlink()
    assert score(home, out, STOPPED[name])[0] is None
    left = {path: path.read_bytes() for path in files_beside(out) if path.exists()}
    assert len(left) > 1
    return out, left, whole


def run_again(rng: random.Random) -> None:
    """One file of a stopped run is damaged, and the run is taken up."""
    out, left, whole = run_left(rng.choice(sorted(STOPPED)))
    bad = rng.choice(sorted(left))
    raw = damaged(rng, left[bad] or b"\n")
    for path, content in left.items():
        path.write_bytes(raw if path == bad else content)
    try:
        code, said = score(out.parent, out)
        told = f"{bad.name}: {raw[:2000]!r}\n{said}"
        if code == 2:
            errors = [line for line in said.splitlines() if "error" in line]
            assert len(errors) == 1 and errors[0].isprintable() and "; " in errors[0], told
            assert not out.exists(), told
        else:
            assert code == 0, told
            assert out.read_bytes() == whole, told
    finally:
        for path in (out, *files_beside(out)):
            path.unlink(missing_ok=True)


class _Stop:
    """Interrupts a fit after its second step."""

    def __call__(self, progress: object) -> None:
        if progress.step == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


@cache
def fit_left() -> tuple[Path, bytes, bytes]:
    """The checkpoint of a stopped fit, its content, and the model that the whole fit makes."""
    file = Path(tempfile.mkdtemp(prefix="pofx-fuzz-")) / "fit.safetensors"
    whole = pofx.fit(TEXTS, FIT)
    with contextlib.suppress(Interrupted):
        pofx.fit(TEXTS, FIT, checkpoint=file, progress=_Stop())
    return file, file.read_bytes(), _weights(whole)


def _weights(lm: pofx.LM) -> bytes:
    home = Path(tempfile.mkdtemp(prefix="pofx-fuzz-")) / "m"
    pofx.save(lm, home)
    raw = (home / "model.safetensors").read_bytes()
    shutil.rmtree(home.parent)
    return raw


def fit_again(rng: random.Random) -> None:
    """The checkpoint of a stopped fit is damaged, and the fit is taken up."""
    file, left, whole = fit_left()
    raw = damaged(rng, left)
    file.write_bytes(raw)
    refusal = ""
    found = b""
    try:
        found = _weights(pofx.fit(TEXTS, FIT, checkpoint=file, resume=True))
    except BadSource as e:
        refusal = str(e)
    if refusal:
        assert refusal.isprintable() and "expected" in refusal, refusal
    else:
        assert found == whole, raw[:2000]


def once(rng: random.Random) -> None:
    """One file of one stopped run or fit."""
    if rng.randrange(4):
        run_again(rng)
    else:
        fit_again(rng)
