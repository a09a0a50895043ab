"""Fitting a transformer: it learns a language, resumes to the bit, and keeps to its seconds."""

from __future__ import annotations

import json
import math
import signal
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pofx.corpus.split import split_documents  # noqa: E402
from pofx.errors import BadSource, BadValue, Interrupted  # noqa: E402
from pofx.models.fitting import fit  # noqa: E402
from pofx.models.specs import TransformerSpec  # noqa: E402
from pofx.models.transformer.files import to_files  # noqa: E402
from pofx.models.transformer.fit_state import FitProgress  # noqa: E402
from pofx.models.transformer.model import TransformerLM  # noqa: E402
from pofx.models.transformer.training import train  # noqa: E402
from pofx.vocab.vocabulary import CharVocab  # noqa: E402
from tiny_transformers import CHARS, SMALL  # noqa: E402


def corpus(n: int, seed: int = 0) -> list[np.ndarray]:
    """A language with a rule: a…a b…b as often, then c or d."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, size=n)
    return [CHARS.encode_array("a" * k + "b" * k + "cd"[int(rng.integers(2))]) for k in sizes]


def test_a_language_is_learned_and_x0_is_quiet(tmp_path: Path) -> None:
    spec = TransformerSpec(layers=2, width=32, heads=2, context=16, epochs=12)
    seen: list[FitProgress] = []
    texts, held_out = corpus(400), corpus(100, seed=1)
    lm = train(texts, spec, CHARS, validation=held_out, progress=seen.append)
    counts = np.bincount(np.concatenate([np.append(t, CHARS.end) for t in held_out]), minlength=CHARS.size)
    unigram = -(counts * np.log(counts / counts.sum())).sum() / len(held_out)
    loss = -sum(x.sum() for x in lm.forward([np.append(t, CHARS.end) for t in held_out]).logp) / len(held_out)
    best = min(p.validation_nats for p in seen if p.validation_nats is not None)
    assert loss == pytest.approx(best, rel=1e-5)
    # log 4 for the length and log 2 for the last letter: the entropy of a document, nats.
    assert math.log(8) - 0.05 < loss < math.log(8) + 0.3 < unigram
    assert seen[-1].fraction == 1
    assert seen[-1].train_nats == pytest.approx(loss, rel=0.15)
    bytes_of = sum(len(t) for t in held_out)
    last = next(p for p in reversed(seen) if p.validation_nats is not None)
    assert last.validation_nats is not None
    assert last.validation_bits_per_byte == pytest.approx(
        last.validation_nats * len(held_out) / bytes_of / math.log(2)
    )
    to_files(lm, tmp_path)
    assert CHARS.size in json.loads((tmp_path / "generation_config.json").read_text())["suppress_tokens"]
    transformers = pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of third parties
        other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
        with torch.no_grad():
            ids = torch.from_numpy(np.append(CHARS.size, held_out[0]))[None]
            assert float(other(ids).logits.softmax(-1)[0, :, CHARS.size].max()) < 1e-6


class Stop:
    """A progress callback that presses Ctrl-C after some steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, p: FitProgress) -> None:
        if p.step == self.after and self.after < 10:
            raise KeyboardInterrupt
        if p.step == self.after:
            signal.raise_signal(signal.SIGINT)


FIT = TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=2.5, seed=3)


def test_resumed_is_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    texts, held_out, file = corpus(150), corpus(20, 1), tmp_path / "fit.safetensors"
    whole = train(texts, FIT, CHARS, validation=held_out)
    for after in (7, 30):
        with pytest.raises(Interrupted, match="resume=True") as stopped:
            train(
                texts,
                FIT,
                CHARS,
                validation=held_out,
                checkpoint=file,
                resume=after > 7,
                progress=Stop(after),
            )
        assert stopped.value.checkpoint == file
    parts = train(texts, FIT, CHARS, validation=held_out, checkpoint=file, resume=True)
    for a, b in zip(whole.net.parameters(), parts.net.parameters()):
        assert torch.equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]  # no temporary files


def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path) -> None:
    texts, file = corpus(30), tmp_path / "fit.safetensors"
    spec = replace(FIT, epochs=0.2)
    train(texts, spec, CHARS, checkpoint=file)
    with pytest.raises(BadValue, match=r"width 16 there and 32 here"):
        train(texts, replace(spec, width=32), CHARS, checkpoint=file, resume=True)
    with pytest.raises(BadValue, match="documents"):
        train(corpus(30, 9), spec, CHARS, checkpoint=file, resume=True)
    with pytest.raises(BadSource, match="none"):
        train(texts, spec, CHARS, checkpoint=tmp_path / "absent", resume=True)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(BadSource, match="damaged"):
        train(texts, spec, CHARS, checkpoint=file, resume=True)


def test_seconds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by an eighth of a second between steps: four of them end a fit of half a second."""
    seen: list[FitProgress] = []
    clock = [100.0]

    def told(now: FitProgress) -> None:
        seen.append(now)
        clock[0] += 0.125

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    train(corpus(50), replace(FIT, epochs=None, seconds=0.5), CHARS, progress=told)
    assert [p.elapsed for p in seen] == [0.0, 0.125, 0.25, 0.375]
    assert [p.fraction for p in seen] == [0.0, 0.25, 0.5, 0.75]
    assert seen[1].eta == 0.375


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(BadValue, match="got none"):
        train([], FIT, CHARS)
    with pytest.raises(BadValue, match="EOS"):
        train(corpus(2), FIT, CharVocab("abcd", end=False))


def test_resuming_may_take_more_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 4, size=30) for _ in range(20)]
    train(documents, replace(SMALL, seconds=0.2), CHARS, checkpoint=tmp_path / "c")
    steps: list[int] = []
    train(
        documents,
        replace(SMALL, seconds=0.5),
        CHARS,
        checkpoint=tmp_path / "c",
        resume=True,
        progress=lambda p: steps.append(p.step),
    )
    assert steps
    assert steps[0] > 1, "went on, did not begin again"


def test_documents_that_a_split_left_still_have_some_to_validate_on() -> None:
    """The split of a caller and that inside `fit` are of different seeds: else the second holds out none."""
    left, _ = split_documents([f"document number {k}" for k in range(200)], held_out=0.1)
    lm = fit(left, TransformerSpec(layers=1, width=16, heads=1, context=16, epochs=0.2))
    assert isinstance(lm, TransformerLM)
    assert lm.learning_curve is not None
    assert len(lm.learning_curve.validation_bits_per_byte)
