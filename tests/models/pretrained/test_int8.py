"""The products in integers of 8 bits: exact against NumPy, row by row, in every family, with an error that is stated."""

from __future__ import annotations

import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pofx
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.pretrained import files, rounding
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference import quantized
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.inference.quantized import (
    MOST_ACTIVATION,
    MOST_WEIGHT,
    QuantizedLinear,
)
from pofx.models.pretrained.model import PretrainedLM
from pofx.models.pretrained.rounding import Rounding
from pofx.queries.audit.agreement import batch_finding, forward_finding, probability_bound, text_bound
from tiny_architectures import CONTEXT, write
from tiny_checkpoints import BOS, ROWS

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="the products of integers were tested on x86-64 alone",
)


def digits(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The high digit, and the low digit from −64 to 63, of whole numbers to the base 128."""
    high = (x + 64) // 128
    return high, x - 128 * high


@pytest.mark.parametrize(("rows", "inner", "outer"), [(1, 64, 8), (7, 97, 33), (33, 576, 40), (3, 8192, 5)])
@pytest.mark.parametrize("kind", ["largest", "signs", "random"])
def test_the_products_are_those_of_whole_numbers(rows: int, inner: int, outer: int, kind: str) -> None:
    rng = np.random.default_rng(0)

    def whole(shape: tuple[int, int], most: int) -> np.ndarray:
        if kind == "largest":
            return np.full(shape, most)
        drawn = rng.integers(-most, most + 1, shape) if kind == "random" else rng.choice([-most, most], shape)
        drawn[:, 0] = most  # a step is then 1
        return drawn

    x, w = whole((rows, inner), MOST_ACTIVATION), whole((outer, inner), MOST_WEIGHT)
    (x1, x0), (w1, w0) = digits(x), digits(w)
    exact = 128 * 128 * (x1 @ w1.T) + 128 * (x0 @ w1.T + x1 @ w0.T)
    found = QuantizedLinear(torch.tensor(w).float())(torch.tensor(x).float()).double().numpy()
    scale = np.abs(x) @ np.abs(w).T
    assert np.max(np.abs(found - exact) / scale) < 4e-7  # three roundings to float32


def test_a_row_does_not_depend_on_its_company() -> None:
    torch.manual_seed(0)
    layer = QuantizedLinear(torch.randn(40, 576), torch.randn(40))
    x = torch.randn(700, 576) * torch.logspace(-6, 6, 700)[:, None]
    whole = layer(x)
    order = torch.randperm(700)
    assert torch.equal(layer(x[order]), whole[order])
    for n in (1, 2, 5, 64, 513):
        assert torch.equal(layer(x[-n:]), whole[-n:])


def test_the_error_of_a_product_is_small_beside_its_row() -> None:
    torch.manual_seed(0)
    x, w, b = torch.randn(50, 300), torch.randn(60, 300), torch.randn(60)
    x[0], x[1], w[0] = 0, 1e-38, 0
    x[2] *= 1e30
    exact = x.double() @ w.double().T + b.double()
    found = QuantizedLinear(w, b)(x).double()
    assert ((found - exact).norm(dim=1) / exact.norm(dim=1)).max() < 5e-4
    assert torch.equal(found[0], b.double())
    assert QuantizedLinear(w, b)(x[:0]).shape == (0, 60)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_stays_visible_and_in_its_row(bad: float) -> None:
    x, layer = torch.ones(3, 8), QuantizedLinear(torch.ones(4, 8))
    x[1, 2] = bad
    found = layer(x)
    assert not torch.isfinite(found[1]).any()
    assert torch.isfinite(found[[0, 2]]).all()


# Plain and gated MLPs, parallel and sandwich norms, ALiBi, learned positions, latent attention, experts of each layout.
KINDS = "llama gemma3_text gpt2 gpt_neox phi3 bloom falcon olmo2 cohere mixtral qwen2_moe deepseek_v3 gpt_oss"


def paths() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [np.array([BOS, *rng.integers(0, ROWS, n)]) for n in (3, CONTEXT - 2, 9, 9)]


def read(directory: Path, dtype: str = "int8") -> PretrainedLM:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a fall-back would be loud
        return read_pretrained(check_checkpoint(directory), None, dtype, None)


@pytest.mark.parametrize("kind", KINDS.split())
def test_every_kind_of_layer_in_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(files, "known_or_measured", lambda *_: Rounding(0.01, 0.1, 0.0, 9))
    directory = write(tmp_path, kind)
    plain, lm = read(directory, "float32"), read(directory)
    assert isinstance(lm.body, DecoderBody)
    assert lm.dtype == "int8"
    off = np.concatenate(
        [a - b for a, b in zip(lm.forward(paths(), skip=1).logp, plain.forward(paths(), skip=1).logp)]
    )
    assert 0 < np.abs(off).mean() < 2e-3
    steps = forward_by_extension(lm, paths(), Want(), 1).logp
    for alone, together, step in zip(
        [lm.forward([p], skip=1).logp[0] for p in paths()], lm.forward(paths(), skip=1).logp, steps
    ):
        assert np.abs(alone - together).max() < 5e-3
        assert np.abs(step - together).max() < 5e-3


def test_the_terms_state_the_error_that_was_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rounding, "builtin_documents", lambda: ["a text of some words", "and another text"])
    measured: list[Rounding] = []
    measure = rounding.measure

    def counted(*of: Any) -> Rounding:
        measured.append(measure(*of))
        return measured[-1]

    monkeypatch.setattr(rounding, "measure", counted)
    directory = write(tmp_path / "m", "llama")
    for _ in range(2):
        lm = pofx.load(directory, begin=BOS, dtype="int8")
        assert len(measured) == 1
        assert lm.rounding == measured[0].mean > 0
    stated = pofx.score(lm, ["a"])[0].terms.dtype
    assert stated.startswith("int8, ± ") and stated.endswith(" nats a token")
    number = float(stated.split()[2])
    assert measured[0].mean <= number <= 2 * measured[0].mean
    for path in (tmp_path / "cache").rglob("rounding-*"):
        path.write_text('{"mean": -1}')  # a damaged memory is measured again
    pofx.load(directory, begin=BOS, dtype="int8")
    assert len(measured) == 2
    assert pofx.load(directory, begin=BOS).rounding == 0.0


def test_a_model_that_the_library_reads_refuses_int8(tmp_path: Path) -> None:
    with pytest.raises(pofx.BadValue, match=r"own decoder reads for int8, got .*type mamba.* use float32"):
        pofx.load(write(tmp_path, "mamba"), dtype="int8")


def test_a_processor_whose_products_saturate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "can_quantize", lambda: False)
    with pytest.raises(pofx.BadValue, match="exact products of integers"):
        pofx.load(write(tmp_path, "llama"), dtype="int8")


def test_a_product_that_saturates_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of two products are clipped to 15 bits: digits up to 127 then lose numbers, as digits up to 255 do in 16 bits."""

    class Saturating:
        qlinear_prepack = staticmethod(lambda weight, shape: weight)
        bits = 15

        @classmethod
        def qlinear_pointwise(
            cls, x: torch.Tensor, _: float, centre: int, w: torch.Tensor, *rest: Any
        ) -> Any:
            pairs = (x[:, None].int() * w[None].int()).unflatten(2, (-1, 2)).sum(3)
            most = 2 ** (cls.bits - 1)
            return (pairs.clamp(-most, most - 1).sum(2) - centre * w.int().sum(1)).float()

    monkeypatch.setattr(torch.ops, "onednn", Saturating)
    assert not quantized.can_quantize.__wrapped__()
    Saturating.bits = 16
    assert quantized.can_quantize.__wrapped__()


def test_the_audit_holds_integers_to_their_own_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "known_or_measured", lambda *_: Rounding(0.01, 0.1, 0.0, 9))
    lm = read(write(tmp_path, "gpt_neox"))
    plain = lm.forward(paths(), skip=1).logp
    assert forward_finding(lm, paths(), plain, 1).verdict == "pass"
    assert batch_finding(lm, paths(), plain, 1, 0).verdict == "pass"
    assert text_bound(lm, 50) == pytest.approx(50 * 0.02)
    assert probability_bound(lm) == 0.01
    # A pass that is off by a tenth of a nat a token is still a fault.
    assert forward_finding(lm, paths(), [x + 0.3 for x in plain], 1).verdict == "fail"
