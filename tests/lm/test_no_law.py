"""A law that is no number gives no number anywhere: every query and every transform refuses it, and the audit says so.

Of a logit of −∞ (a padding row that a bias shuts out) the share is 0, and all else is as a float64 softmax says.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.errors import NoLaw
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Trace, Want
from toy import ToyLM, ToyVocab


class Sick(ToyLM):
    """A toy whose law after "a" has an entry that is no number."""

    def __init__(self, bad: float, at: int, end: bool = True) -> None:
        super().__init__(ToyVocab(3, end))
        self.bad, self.at = bad, at

    def row(self, history: Any) -> np.ndarray:
        out = super().row(history)
        if len(history) and history[-1] == 0:
            out[self.at] = self.bad
        return out


QUERIES: dict[str, Callable[[LM], object]] = {
    "score": lambda lm: pofx.score(lm, ["ab", "b"]),
    "score, everything": lambda lm: pofx.score(lm, ["ab"], want=Want(entropy=True, rank=True, top=2, end=True)),
    "log_prob": lambda lm: pofx.log_prob(lm, "b", given="a"),
    "prefix_log_prob": lambda lm: pofx.prefix_log_prob(lm, "ab"),
    "next": lambda lm: pofx.next(lm, "a"),
    "next byte": lambda lm: pofx.next(lm, "a", unit="byte"),
    "next character": lambda lm: pofx.next(lm, "a", unit="character"),
    "next word": lambda lm: pofx.next(lm, "a", unit="word"),
    "words": lambda lm: pofx.words(lm, ["ab"]),
    "sample": lambda lm: pofx.sample(lm, 3, given="a", seed=0),
    "marginal": lambda lm: pofx.marginal(lm, "ab"),
    "compress": lambda lm: pofx.compress(lm, "ab"),
    "condition": lambda lm: pofx.condition(lm, pofx.Contains("ab"), n=8, max_tokens=4),
    "infill": lambda lm: pofx.infill(lm, "a", "b", n=8, max_tokens=4),
    "posterior": lambda lm: pofx.posterior(pofx.mixture([lm, lm]), ["ab"]),
}  # fmt: skip
TRANSFORMS: dict[str, Callable[[LM], LM]] = {
    "none": lambda lm: lm,
    "given": lambda lm: pofx.given(lm, "b"),
    "warp": lambda lm: pofx.warp(lm, temperature=0.9, top_p=0.99),
    "mixture": lambda lm: pofx.mixture([lm, ToyLM()]),
    "interpolate": lambda lm: pofx.interpolate([lm, ToyLM()], [0.5, 0.5]),
    "deterministic": pofx.deterministic,
    "windowed": lambda lm: pofx.windowed(lm, 4, 3),
    "bytewise": pofx.bytewise,
    "beam": lambda lm: pofx.bytewise(lm, beam=2),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(("bad", "at"), [(np.nan, 1), (np.inf, 2)])
def test_no_query_makes_a_number_of_it(query: str, transform: str, bad: float, at: int) -> None:
    with pytest.raises(NoLaw, match="numbers, got (nan|inf)") as caught:
        QUERIES[query](TRANSFORMS[transform](Sick(bad, at)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_audit_calls_it_improper(transform: str) -> None:
    found = pofx.audit(TRANSFORMS[transform](Sick(np.nan, 1)), ["ab", "b", "ca", "abc"] * 4)
    assert found.verdict == "improper"
    assert found.failed
    assert "no number" in found.reason


def test_a_pass_of_a_users_own_is_no_way_round_it() -> None:
    good = np.array([-1.0, -2.0])
    for field in ("entropy", "end", "masses", "top_logp", "low", "high", "leak"):
        with pytest.raises(NoLaw, match=field):
            Trace((good,), **{field: (np.array([0.5, np.nan]),)})
    with pytest.raises(NoLaw, match="log p of tokens"):
        Trace((good, np.array([np.nan])))
    Trace((np.array([-np.inf, -1.0]),), masses=(np.full((1, 2), -np.inf),))
    with pytest.raises(NoLaw):
        State(lambda: np.array([[0.0, np.nan]]), n=1).logp  # noqa: B018


def test_one_bad_row_costs_nobody_its_neighbours() -> None:
    from pofx.queries.scoring.stream import score_stream

    lm, texts = Sick(np.nan, 1), ["b", "ab", "cb", "a", ""]
    found = [r for block in score_stream(lm, texts, lambda t: (t, "")) for _, r in block]
    assert [isinstance(r, NoLaw) for r in found] == [False, True, False, True, False]
    assert found[2].total == pytest.approx(ToyLM().row([])[2] + ToyLM().row([2])[1] + ToyLM().row([2, 1])[3])


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> tuple[LM, LM, np.ndarray]:
    """A tiny Llama whose head has a bias of −∞ on its last rows; one with a nan in its head; p(· | <bos>, "a") of the
    former, by the float64 forward of `transformers`."""
    torch = pytest.importorskip("torch")
    import transformers

    from pofx.models.pretrained.inference.head import Head
    from pofx.models.pretrained.library.body import quiet
    from tiny_checkpoints import BOS, ROWS, write

    home = write(tmp_path_factory.mktemp("shut") / "m")
    bias = torch.zeros(ROWS)
    bias[-7:] = -torch.inf
    sound, broken = (pofx.load(Path(home), begin="<bos>") for _ in range(2))
    with quiet(), torch.no_grad():
        model = transformers.AutoModelForCausalLM.from_pretrained(home, dtype=torch.float64)
        ids = torch.tensor([[BOS, *sound.vocab.encode("a")]])
        law = torch.log_softmax(model(ids).logits[0, -1] + bias.double(), -1).numpy()
    weight = model.lm_head.weight.detach().float()
    sound.bare().head = Head(weight, bias)
    damaged = weight.clone()
    damaged[200] = torch.nan
    broken.bare().head = Head(damaged)
    return sound, broken, law


def test_a_padding_row_that_is_shut_out(shut: tuple[LM, LM, np.ndarray]) -> None:
    sound, _, law = shut
    p = np.exp(law)
    right = float(-np.sum(p[p > 0] * law[p > 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pofx.score(sound, ["ab"], want=Want(entropy=True, rank=True, top=3, end=True))[0]
        assert found.entropy is not None
        assert found.entropy[1] == pytest.approx(right, abs=1e-5)
        told = pofx.next(sound, "a", k=len(law))
        assert told.entropy == pytest.approx(right, abs=1e-5)
        assert sorted(a.logp for a in told.top)[:8] == pytest.approx(
            [-np.inf] * 7 + [law[:-7].min()], abs=1e-4
        )
        assert pofx.words(sound, ["ab a"])[0].words[0].entropy is not None
        pofx.sample(sound, 2, given="a", max_tokens=3, seed=0)
        pofx.next(sound, "a", unit="word", calls=2)


def test_damaged_weights_of_a_pretrained_model(shut: tuple[LM, LM, np.ndarray]) -> None:
    broken = shut[1]
    for query in ("score", "next", "next word", "words", "sample", "marginal", "condition", "compress"):
        with pytest.raises(NoLaw):
            QUERIES[query](broken)
    with pytest.raises(NoLaw):
        pofx.score(pofx.bytewise(broken, beam=2), ["ab"])
