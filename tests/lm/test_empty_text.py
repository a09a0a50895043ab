"""The empty text of a model whose x0 is its EOS: its path is EOS alone, and its probability p(EOS | EOS).

The right value is a look-up in the law that a toy draws for the history [EOS]; a tiny checkpoint, whose EOS stands for
x0, has it of the forward of `transformers` in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.posterior import posterior
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from toy import ToyLM, ToyVocab

END = 2


def core() -> ToyLM:
    return ToyLM(ToyVocab(2), seed=5, begin=False)


def plain() -> LM:
    return with_begin(core(), END)


def law(history: list[int]) -> np.ndarray:
    return core().row(history)


FAMILIES: dict[str, Callable[[], LM]] = {
    "begun": plain,
    "windowed": lambda: windowed(plain(), 4),
    "windows side by side": lambda: windowed(plain(), 3, 2),
    "deterministic": lambda: pofx.deterministic(plain()),
    "mixture of one": lambda: pofx.mixture([plain(), plain()], [0.3, 0.7]),
    "interpolate of one": lambda: pofx.interpolate([plain(), plain()], [0.3, 0.7]),
    "temperature 1": lambda: pofx.warp(plain(), temperature=1.0),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_query_answers(family: str) -> None:
    lm, right = FAMILIES[family](), float(law([END])[END])
    p = math.exp(right)
    assert pofx.log_prob(lm, "") == pytest.approx(right, abs=1e-12)
    assert pofx.prefix_log_prob(lm, "") == 0
    assert pofx.words(lm, [""])[0].total == pytest.approx(right, abs=1e-12)
    assert pofx.words(lm, [""])[0].words[0].surprisal == pytest.approx(-right, abs=1e-12)
    assert pofx.marginal(lm, "").total == pytest.approx(right, abs=1e-12)
    shown = {a.shown: a.logp for a in pofx.next(lm, "", k=3).top}
    assert right == pytest.approx(shown["EOS"], abs=1e-12)
    for unit in ("byte", "character"):
        over = [a.logp for a in pofx.next(lm, "", k=3, unit=unit).top if a.bytes is None]
        assert over == [pytest.approx(right, abs=1e-12)]
    assert pofx.condition(lm, pofx.Length(0)).log_evidence == pytest.approx(right, abs=1e-12)
    draws = pofx.sample(lm, 500, max_tokens=30, seed=1)
    empty = [d for d in draws if d.bytes == b"" and d.ended]
    assert abs(len(empty) / 500 - p) < 5 * math.sqrt(p * (1 - p) / 500)
    assert all(d.total == pytest.approx(right, abs=1e-12) for d in empty)
    assert pofx.decompress(lm, pofx.compress(lm, b"")) == b""
    assert pofx.compression(lm, b"").ideal_bits == pytest.approx(-right / math.log(2), abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_text_costs_no_neighbour(family: str) -> None:
    lm = FAMILIES[family]()
    found = [s.total for s in pofx.score(lm, ["ab", "", "ba", ""])]
    alone = [pofx.score(lm, [t])[0].total for t in ("ab", "", "ba", "")]
    assert found == pytest.approx(alone, abs=1e-12)
    if family != "windows side by side":  # whose second window forgets
        assert found[0] == pytest.approx(law([END])[0] + law([END, 0])[1] + law([END, 0, 1])[END], abs=1e-12)


def test_a_posterior_of_the_empty_text() -> None:
    other = with_begin(ToyLM(ToyVocab(2), seed=6, begin=False), END)
    found = posterior(pofx.mixture([plain(), other], [0.5, 0.5]), ["", "a"])[0]
    assert found.evidence[0] == pytest.approx(law([END])[END], abs=1e-12)


def test_the_sum_over_strings_counts_the_empty_one() -> None:
    lm, letters = plain(), "ab"
    some = [""]
    for _ in range(7):
        some += [t + c for t in some[-(2 ** (len(some[-1]))) :] for c in letters]
    assert len(set(some)) == 2**8 - 1
    total = math.fsum(math.exp(s.total) for s in pofx.score(lm, some))
    longest = [t + c for t in some if len(t) == 7 for c in letters]
    alive = math.fsum(math.exp(s.prefix_total) for s in pofx.score(lm, longest))
    assert total + alive == pytest.approx(1, abs=1e-12)


def test_x0_twice_is_still_refused() -> None:
    for path in ([END, 0], [END, END]):
        with pytest.raises(BadValue, match="it stands before a text once"):
            plain().forward([path])
    with pytest.raises(BadValue, match="it stands before a text once"):
        # A control token that is not EOS ends nothing, alone or not.
        with_begin(_Control(), 3).forward([[3]])


def test_windows_may_begin_with_an_x0_that_was_drawn() -> None:
    lm = windowed(with_begin(_Control(), 3), 4, 2)
    path = [0, 1, 3, 0, 1, END]  # the second window begins with id 3
    slow = [float(lm.extend(lm.start(1), [path[:i]]).logp[0, path[i]]) for i in range(len(path))]
    np.testing.assert_allclose(lm.forward([path]).logp[0], slow, atol=1e-12)


class _Control(ToyLM):
    """a, b, EOS, and a control token."""

    def __init__(self) -> None:
        vocab = ToyVocab(2)
        vocab.token_bytes, vocab.size = (*vocab.token_bytes, None), 4
        super().__init__(vocab, seed=3, begin=False)


@pytest.mark.thorough
def test_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import torch
    import transformers

    from pofx.models.pretrained.library.body import quiet
    from tiny_checkpoints import EOS, write

    home = write(tmp_path / "m")
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(home, dtype=torch.float64)
        right = float(torch.log_softmax(model(torch.tensor([[EOS]])).logits[0, -1], -1)[EOS].detach())
    lm = pofx.load(home, begin="<eos>")
    assert lm.begin.id == lm.vocab.end == EOS
    both = [s.total for s in pofx.score(lm, ["the cat", ""])]
    assert both[1] == pytest.approx(right, abs=1e-5)
    assert both[0] == pytest.approx(pofx.log_prob(lm, "the cat"), abs=1e-4)
    assert pofx.log_prob(pofx.bytewise(lm, beam=3), "") < 0
    assert pofx.decompress(lm, pofx.compress(lm, b"")) == b""
    assert pofx.audit(lm, ["the cat", "a cat", ""] * 4).documents == 12
