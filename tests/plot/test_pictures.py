"""Pictures: what the artists draw is what the record says; drawn to memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import pofx
from pofx import plot
from pofx.classification.evaluation import Evaluation, evaluate
from pofx.models.transformer.learning_curve import MOST, CurveRecorder, LearningCurve
from pofx.plot.reliability import wilson
from pofx.plot.style import DARK, LIGHT
from pofx.report import heat
from small_models import BYTES, MLE, NO_END
from test_imports import python

mpl.use("Agg")
TEXT = "the cat sat and dogs"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    from matplotlib import pyplot

    yield
    pyplot.close("all")


@lru_cache
def fitted() -> pofx.LM:
    return pofx.fit(
        ["abcabc", "abd"] * 60,
        pofx.TransformerSpec(layers=1, width=8, heads=1, context=8, epochs=3),
        validation=["abd"],
    )


def evaluation() -> Evaluation:
    draw = np.random.default_rng(0)
    p = draw.dirichlet([1, 1], size=300)
    truth = (draw.random(300) < p[:, 1]).astype(np.int64)
    return evaluate(np.log(p), truth)


def drawn(ax: Any) -> bytes:
    out = io.BytesIO()
    ax.figure.savefig(out, format="png")
    return out.getvalue()


def line(ax: Any, k: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in ax.lines[k].get_xydata()]


def test_a_learning_curve() -> None:
    curve = fitted().learning_curve
    ax = plot.learning_curve(curve)
    assert line(ax, 0) == list(zip(curve.passes, curve.train_bits_per_byte))
    assert line(ax, 1) == list(zip(curve.validation_passes, curve.validation_bits_per_byte))
    assert len(curve.validation_passes) == 5
    assert curve.passes[-1] == pytest.approx(3)
    assert np.all(np.diff(curve.passes) > 0)
    assert np.all(np.diff(curve.seconds) > 0)
    assert curve.train_bits_per_byte[-1] < curve.train_bits_per_byte[0]
    assert drawn(ax).startswith(b"\x89PNG")
    assert plot.learning_curve({"a": curve, "b": curve}).get_legend().texts[2].get_text() == "b, training"


def test_the_points_of_a_curve_are_those_of_progress() -> None:
    told: list[Any] = []
    spec = pofx.TransformerSpec(layers=1, width=8, heads=1, context=8, epochs=1)
    lm = pofx.fit(["abcabc", "abd"] * 30, spec, validation=["abd"], progress=told.append)
    assert lm.learning_curve.train_bits_per_byte.tolist() == [p.train_bits_per_byte for p in told]
    assert lm.learning_curve.passes.tolist() == [p.passes for p in told]
    new = [i for i, p in enumerate(told) if p.validation_nats != (told[i - 1].validation_nats if i else None)]
    assert lm.learning_curve.validation_passes.tolist() == [told[i].passes for i in new]
    assert lm.learning_curve.validation_bits_per_byte[-1] == told[-1].validation_bits_per_byte


def test_a_long_fit_keeps_few_points() -> None:
    recorder = CurveRecorder()
    for step in range(1, 20_001):
        recorder.stepped(step, step / 10, step / 5, 1.0)
    curve = recorder.finish()
    assert MOST / 2 <= len(curve.passes) <= MOST
    assert len(set(np.diff(curve.passes).round(9))) == 1
    assert curve.passes[-1] > 1990


def test_a_loaded_model_has_no_curve(tmp_path: Any) -> None:
    pofx.save(fitted(), tmp_path / "m")
    assert pofx.load(tmp_path / "m").learning_curve is None
    with pytest.raises(pofx.BadValue, match="curves: expected a record LearningCurve"):
        plot.learning_curve(pofx.load(tmp_path / "m").learning_curve)


def test_reliability() -> None:
    found = evaluation()
    ax = plot.reliability(found)
    assert line(ax, 0) == [(0, 0), (1, 1)]
    assert line(ax, 1) == [(b.confidence, b.accuracy) for b in found.bins]
    dots = ax.collections[-1]
    assert dots.get_sizes().tolist() == pytest.approx([18 + 180 * b.n / found.n for b in found.bins])
    low, high = wilson(found.bins[0].accuracy, found.bins[0].n)
    assert ax.collections[0].get_segments()[0][:, 1].tolist() == pytest.approx([low, high])
    drawn(ax)


def test_the_interval_of_a_share() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.404, 0.596), abs=5e-4)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    assert 0.7 < wilson(1.0, 10)[0] < 0.73


def test_surprisal_of_one_model_has_the_shades_of_heat_text() -> None:
    worded = pofx.words(BYTES, [TEXT])[0]
    ax = plot.surprisal(worded)
    assert [bar.get_height() for bar in ax.patches] == [w.bits for w in worded.words]
    assert [t.get_text() for t in ax.get_xticklabels()] == TEXT.split()
    shades = [mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert shades == [heat.LIGHT[heat.shade(w.surprisal)] for w in worded.words]
    assert ax.get_legend() is None
    drawn(ax)


def test_surprisal_of_two_models() -> None:
    records = {"3-gram": pofx.words(BYTES, [TEXT])[0], "warped": pofx.words(pofx.warp(BYTES, 2.0), [TEXT])[0]}
    ax = plot.surprisal(records, dark=True)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == [w.bits for r in records.values() for w in r.words]
    assert [t.get_text() for t in ax.get_legend().texts] == list(records)
    assert mpl.colors.to_hex(ax.get_facecolor()) == DARK.paper
    drawn(ax)


def test_the_distribution_of_bits_per_byte() -> None:
    scored = pofx.score(BYTES, ["the cat", "dogs", "a dog sat", "zebra", ""])
    ax = plot.bits_per_byte(scored, bins=4)
    assert sum(bar.get_height() for bar in ax.patches) == 4
    rates = [s.bits_per_byte for s in scored[:4]]
    assert ax.lines[0].get_xdata()[0] == pytest.approx(np.mean(rates))
    assert "(1 without)" in ax.get_legend().texts[0].get_text()
    assert (
        len(plot.bits_per_byte({"a": scored, "b": pofx.score(MLE, ["the cat", "qqq"])}).get_legend().texts)
        == 2
    )
    drawn(ax)


def test_alive_is_the_series_of_the_audit() -> None:
    audit = pofx.audit(BYTES, ["the cat", "dogs"])
    series = next(f.series for f in audit.findings if f.check == "alive(L)")
    ax = plot.alive(audit)
    assert line(ax, 0) == [(float(x), p) for x, p in series.points if p > 0]
    drawn(ax)
    with pytest.raises(pofx.BadValue, match="audits: expected an audit with"):
        plot.alive(pofx.audit(NO_END, ["ab"]))


def test_losses() -> None:
    ax = plot.losses({"6-gram": 2.09, "no x0": math.nan, "both": 1.944})
    assert [bar.get_width() for bar in ax.patches] == [2.09, 0.0, 1.944]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["6-gram", "no x0", "both"]
    assert [t.get_text() for t in ax.texts] == ["2.090", "none", "1.944"]
    assert mpl.colors.to_hex(ax.patches[2].get_facecolor()) == heat.LIGHT[7]
    drawn(ax)


def test_axes_of_your_own() -> None:
    from matplotlib import pyplot

    _, (left, right) = pyplot.subplots(1, 2)
    assert plot.losses({"a": 1.0}, ax=right) is right
    assert not left.patches


@pytest.mark.parametrize(
    "call",
    [
        lambda: plot.surprisal({}),
        lambda: plot.surprisal("a text"),
        lambda: plot.surprisal(pofx.words(BYTES, [""])[0]),
        lambda: plot.surprisal({"a": pofx.words(BYTES, ["a"])[0], "b": pofx.words(BYTES, ["b"])[0]}),
        lambda: plot.losses({}),
        lambda: plot.losses({"a": math.nan}),
        lambda: plot.bits_per_byte(pofx.score(MLE, ["qqq"])),
        lambda: plot.reliability(None),
        lambda: plot.learning_curve({"a": fitted().learning_curve, "b": None}),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Any) -> None:
    with pytest.raises(pofx.BadValue, match=": expected .*, got .*; "):
        call()


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_can_be_read(theme: Any) -> None:
    for colour in (*theme.series, theme.ink, theme.soft):
        assert contrast(colour, theme.paper) >= 4.5, colour


def test_matplotlib_is_imported_by_the_first_picture() -> None:
    ran = python(
        "import sys\nsys.modules['matplotlib'] = None\nimport pofx\nfrom pofx import plot\n"
        "try:\n    plot.losses({'a': 1.0})\nexcept pofx.MissingExtra as e:\n    print(e)"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "pip install 'pofx[plot]'" in ran.stdout


def test_a_curve_is_a_record() -> None:
    assert isinstance(fitted().learning_curve, LearningCurve)
    assert repr(fitted().learning_curve).startswith("LearningCurve(best validation ")
