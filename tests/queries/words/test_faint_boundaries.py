"""Boundaries of words 159 nats below the likeliest token, in float32 checkpoints, held against a float64 forward.

The head's rows for white space and EOS are moved along a direction that each hidden state has, so that the whole set
is faint. The right values are log-sum-exps of the float64 law over the tokens that a hand-written list names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pofx
import tiny_checkpoints as tiny
from pofx.lm.model import LM
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.library.model import read_model
from pofx.vocab.subwords import BYTE_CHARACTERS

DEPTH = 159.0
TOKENS = [*tiny.SPECIALS, *BYTE_CHARACTERS, *(a + b for a, b in tiny.MERGES)]
# Tokens of the tiny tokenizer that begin with ASCII white space, and EOS.
BEGINS = [
    i
    for i, t in enumerate(TOKENS)
    if i >= 4 and t[0] in [BYTE_CHARACTERS[b] for b in b" \t\n\v\f\r\x1c\x1d\x1e\x1f"]
]
FAINT = [*BEGINS, tiny.EOS]
# Rows without a token, control tokens, and bytes with which white space beyond ASCII begins: no part of any answer.
NOWHERE = [0, 2, 3, *range(len(TOKENS), tiny.ROWS), *(4 + b for b in (0xC2, 0xE1, 0xE2, 0xE3))]


def faint(home: Path, family: str) -> Path:
    """A checkpoint whose hidden states have a large first entry, which the head's rows of `FAINT` read alone."""
    tiny.write(home, family, adds="bos", tie_word_embeddings=False)
    path = home / "model.safetensors"
    weights = load_file(path)
    embedded = next(n for n in weights if n.endswith(("embed_tokens.weight", "wte.weight")))
    weights[embedded][:, 0] = 4.0
    for name, t in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            t[0] = 0  # nothing is added to the first entry; GPT-2 has its matrices transposed
        if name.endswith("c_proj.weight"):
            t[:, 0] = 0
    head = weights["lm_head.weight"]
    head[:, 0] = 0
    save_file(weights, path, {"format": "pt"})
    hidden = hidden_states(home)
    assert hidden[:, 0].min() > 0.3 * hidden[:, 0].max() > 0
    head *= 6.0
    head[FAINT, 0] = -DEPTH / float(hidden[:, 0].mean())
    head[NOWHERE, 0] = -4 * DEPTH / float(hidden[:, 0].mean())
    save_file(weights, path, {"format": "pt"})
    return home


def hidden_states(home: Path) -> np.ndarray:
    model = read_model(check_checkpoint(home), torch.float64)
    with torch.no_grad():
        found: np.ndarray = model.base_model(torch.arange(20)[None]).last_hidden_state[0].numpy()
    return found


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LM, torch.nn.Module]:
    home = faint(tmp_path_factory.mktemp("faint"), request.param)
    return pofx.load(home), read_model(check_checkpoint(home), torch.float64)


def law(model: torch.nn.Module, ids: list[int]) -> np.ndarray:
    """log p(· | x0, ids) in float64, a row for each place from that of the first token to the one after the last."""
    with torch.no_grad():
        z = model(torch.tensor([[tiny.BOS, *ids]])).logits[0]
        found: np.ndarray = torch.log_softmax(z, dim=-1).numpy()
    return found


def path(model: torch.nn.Module, ids: list[int]) -> float:
    """log p of the tokens after x0."""
    logp = law(model, ids)
    return float(sum(logp[k, i] for k, i in enumerate(ids)))


def ids(*tokens: str) -> list[int]:
    return [TOKENS.index(t) for t in tokens]


def mass(logp: np.ndarray, members: list[int]) -> float:
    return float(np.logaddexp.reduce(logp[members]))


def test_words(case: tuple[LM, torch.nn.Module]) -> None:
    lm, model = case
    text = ids("m", "i", "x", "Ġ", "d", "o", "g")
    assert list(lm.vocab.encode("mix dog")) == text
    logp = law(model, text)
    boundary = mass(logp[3], FAINT)
    assert logp[3].max() - boundary > 0.6 * DEPTH  # else the case is none
    first = -(path(model, text[:3]) + boundary)
    second = -first - path(model, [*text, tiny.EOS])
    found = pofx.words(lm, ["mix dog"])[0]
    assert [w.surprisal for w in found.words] == pytest.approx([first, second], rel=1e-5)
    assert min(first, second) > DEPTH
    assert found.total == pytest.approx(-first - second, rel=1e-5)


def test_next(case: tuple[LM, torch.nn.Module]) -> None:
    lm, model = case
    logp = law(model, ids("m", "i", "x"))[-1]
    near = [i for i in range(4, len(TOKENS)) if i not in (*FAINT, *NOWHERE)]
    found = pofx.next(lm, "mix", k=len(near))
    assert {a.id for a in found.top} == set(near)
    assert found.rest == pytest.approx(mass(logp, FAINT), rel=1e-5)
    every = {a.id: a.logp for a in pofx.next(lm, "mix", k=tiny.ROWS).top}
    assert [every[i] for i in FAINT] == pytest.approx(list(logp[FAINT]), rel=1e-5)
    # No token of the tiny tokenizer begins with "x" and goes on, so that bytes are first bytes of tokens.
    bytes_ = {a.id: a.logp for a in pofx.next(lm, "mix", k=257, unit="byte").top}
    spaces = [i for i in BEGINS if TOKENS[i][0] == "Ġ"]
    assert len(spaces) == 3
    assert bytes_[ord(" ")] == pytest.approx(mass(logp, spaces), rel=1e-5)


def test_marginal(case: tuple[LM, torch.nn.Module]) -> None:
    lm, model = case
    spelled = [ids("x", "Ġa"), ids("x", "Ġ", "a")]
    right = np.logaddexp.reduce([path(model, [*s, tiny.EOS]) for s in spelled])
    found = pofx.marginal(lm, "x a")
    assert found.kind == "exact"
    assert found.total == pytest.approx(right, rel=1e-5)
    assert found.total < -1.5 * DEPTH


def test_prefix_log_prob(case: tuple[LM, torch.nn.Module]) -> None:
    lm, model = case
    for text in (ids("x", "Ġa"), ids("x", "Ġa", "Ġ", "d")):
        string = "".join(TOKENS[i] for i in text).replace("Ġ", " ")
        assert pofx.prefix_log_prob(lm, string) == pytest.approx(path(model, text), rel=1e-5)
        assert pofx.log_prob(lm, string) == pytest.approx(path(model, [*text, tiny.EOS]), rel=1e-5)
