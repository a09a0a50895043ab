"""Types of the library that need a care of their own: each against a plain float64 forward, or refused with a number."""

from __future__ import annotations

import itertools
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pofx
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.models.pretrained.checkpoint.families.table import architecture
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.inference.context_length import context_length
from pofx.models.pretrained.library.model import read_model
from pofx.models.pretrained.library.reader import compare_with_library
from pofx.models.pretrained.model import PretrainedLM
from pofx.queries.audit.agreement import forward_finding
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.vocabulary import Vocab
from tiny_architectures import CONTEXT, write
from tiny_checkpoints import BOS, EOS, ROWS

LONG = [1.0, 2.0, 4.0, 8.0]


def long_rope(original: int) -> dict[str, Any]:
    return {
        "rope_type": "longrope",
        "rope_theta": 100.0,
        "factor": 4.0,
        "short_factor": [1.0] * 4,
        "long_factor": LONG,
        "original_max_position_embeddings": original,
    }


def exact(directory: Path, paths: list[list[int]], dtype: torch.dtype = torch.float64) -> list[np.ndarray]:
    """log p(path[i] | path[:i]), i ≥ 1, by the library's plain forward."""
    model, out = read_model(check_checkpoint(directory), dtype), []
    for p in paths:
        with torch.inference_mode():
            logits = model(torch.tensor([p[:-1]]), use_cache=False).logits[0].double()
        log_distributions = torch.log_softmax(logits, -1)
        out.append(log_distributions[torch.arange(len(p) - 1), torch.tensor(p[1:])].numpy())
    return out


def some_paths(longest_text: int) -> list[list[int]]:
    rng = np.random.default_rng(1)
    return [[BOS, *rng.integers(4, ROWS, n).tolist()] for n in (1, 2, 9, longest_text)]


# What each did before: other logits, a library's exception at load, or one beyond a context that was not the model's.
MENDED: list[tuple[str, dict[str, Any], int | None]] = [
    ("recurrent_gemma", {"logits_soft_cap": 0.5}, None),
    ("llama4_text", {}, CONTEXT),
    ("electra", {}, CONTEXT),
    ("rembert", {}, CONTEXT),
    ("xlstm", {}, None),
    ("mpt", {"max_seq_len": 24}, 24),
    ("roberta", {"pad_token_id": 1}, CONTEXT - 2),
    ("mamba", {}, None),
]


@pytest.mark.parametrize(("kind", "changes", "context"), MENDED, ids=[kind for kind, *_ in MENDED])
def test_a_plain_forward_of_the_library(
    tmp_path: Path, kind: str, changes: dict[str, Any], context: int | None
) -> None:
    directory = write(tmp_path, kind, **changes)
    lm = read_pretrained(check_checkpoint(directory), None, "float32", None)
    assert lm.context == context
    paths = some_paths(context or 70)  # the last token of a path is not read
    found = lm.forward(paths, skip=1).logp
    for mine, whole in zip(found, exact(directory, paths)):
        assert np.abs(mine - whole).max() < 2e-5
    if context is not None:
        with pytest.raises(pofx.TooLong):
            lm.forward(some_paths(context + 1), skip=1)
    short = [p[:8] for p in paths]
    slow = forward_by_extension(lm, short, Want(), 1).logp  # states of several lengths side by side
    for a, b in zip(lm.forward(short, skip=1).logp, slow):
        assert np.abs(a - b).max() < 2e-5


@pytest.mark.parametrize(
    ("kind", "changes"), [("cpmant", {}), ("gemma3_text", {"use_bidirectional_attention": True})]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_looks_ahead_is_refused_with_the_number(
    tmp_path: Path, kind: str, changes: dict[str, Any], dtype: str
) -> None:
    directory = write(tmp_path, kind, **changes)
    paths = some_paths(20)[-1:]
    alone = [exact(directory, [paths[0][: k + 1]])[0][-1] for k in range(1, len(paths[0]))]
    assert (
        np.abs(exact(directory, paths)[0] - alone).max() > 0.5
    )  # so it is the library's model that looks ahead
    with pytest.raises(
        pofx.BadSource, match=r"expected a causal language model, got .* changes by \d+(\.\d+)? nats"
    ):
        read_pretrained(check_checkpoint(directory), None, dtype, None)


def without(directory: Path, name: str) -> Path:
    """The checkpoint, its config without a field."""
    config = json.loads((directory / "config.json").read_text())
    del config[name]
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layers_without_positions_that_a_config_does_not_list(tmp_path: Path, dtype: str) -> None:
    directory = without(write(tmp_path, "smollm3", num_hidden_layers=4), "no_rope_layers")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a fall-back would be loud
        lm = read_pretrained(check_checkpoint(directory), None, dtype, None)
    assert isinstance(lm.body, DecoderBody)
    paths = some_paths(40)
    off = np.concatenate([a - b for a, b in zip(lm.forward(paths, skip=1).logp, exact(directory, paths))])
    assert np.abs(off).max() < (2e-5 if dtype == "float32" else 0.2)


def test_the_probe_is_in_float32_whatever_the_dtype(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.models.pretrained import files

    # A wrong law that is 0.25 nats a token off on average: little beside the 2 nats that bfloat16 may be off.
    def all_turn(config: Any) -> Any:
        return architecture({**config, "no_rope_layers": [1] * 4})

    monkeypatch.setattr(files, "architecture", all_turn)
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    directory = write(tmp_path / "m", "smollm3", num_hidden_layers=4)
    with pytest.warns(RuntimeWarning, match="the library's forward is used"):
        lm = read_pretrained(check_checkpoint(directory), None, "bfloat16", None)
    assert not isinstance(lm.body, DecoderBody)


def test_the_cap_on_scores_that_the_library_does_not_use(tmp_path: Path) -> None:
    directory = write(tmp_path, "gemma3_text", attn_logit_softcapping=0.2, final_logit_softcapping=3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm = read_pretrained(check_checkpoint(directory), None, "float32", None)
    paths = some_paths(40)
    for mine, whole in zip(lm.forward(paths, skip=1).logp, exact(directory, paths)):
        assert np.abs(mine - whole).max() < 2e-5


class Letters(Vocab):
    """x0, EOS, a, b."""

    size, end, token_bytes = 4, EOS, (None, None, b"a", b"b")

    def encode(self, text: str | bytes) -> list[int]:
        return [2 + "ab".index(c) for c in str(text)]


def letters(directory: Path, rope: str = "short", context: int | None = None) -> PretrainedLM:
    """A model of four tokens; context: in place of the one that was found."""
    model = read_model(check_checkpoint(directory), torch.float32, rope)
    body, head, _ = compare_with_library(model, directory, None)
    return PretrainedLM(body, head, Letters(), context or context_length(model), "float32")


def everything(lm: LM, tokens: int) -> float:
    """Σ p(x) over the texts of up to so many tokens, and Σ P over the prefixes that are one longer: 1 for any law."""
    others = (0, 2, 3)
    ended = [[BOS, *x, EOS] for n in range(tokens + 1) for x in itertools.product(others, repeat=n)]
    alive = [[BOS, *x] for x in itertools.product(others, repeat=tokens + 1)]
    return math.fsum(math.exp(x.sum()) for x in lm.forward(ended + alive, skip=1).logp)


ORIGINAL, TOKENS = 4, 6


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("long")
    return write(home, "llama", vocab_size=4, rope_parameters=long_rope(ORIGINAL))


class TestLongRope:
    def test_the_context_is_the_range_of_one_law(self, directory: Path) -> None:
        lm = letters(directory)
        assert lm.context == ORIGINAL
        whole = windowed(with_begin(lm, BOS))
        paths = [list(x) for x in itertools.product((2, 3), repeat=TOKENS)]
        fast, slow = whole.forward(paths).logp, forward_by_extension(whole, paths, Want(), 0).logp
        assert max(np.abs(a - b).max() for a, b in zip(fast, slow)) < 1e-5
        assert everything(windowed(lm), TOKENS) == pytest.approx(1, abs=1e-5)

    def test_the_long_factors_for_all_lengths(self, directory: Path) -> None:
        lm = letters(directory, "long")
        assert lm.context == CONTEXT
        for tokens in range(2, TOKENS + 1):
            assert everything(lm, tokens) == pytest.approx(1, abs=1e-5)
        # A text beyond the original length has these numbers from the library as it is.
        path = [BOS, 2, 2, 3, 2, 3, 3, 2, 2]
        assert np.abs(lm.forward([path], skip=1).logp[0] - exact(directory, [path])[0]).max() < 1e-5

    def test_beyond_the_range_there_is_no_distribution_and_the_audit_finds_it(self, directory: Path) -> None:
        lm = letters(directory, context=CONTEXT)
        assert abs(everything(lm, TOKENS) - 1) > 1e-4
        rng = np.random.default_rng(0)
        path = np.array([BOS, *rng.choice([2, 3], CONTEXT - 1)])
        short = [path[:3]]
        plain = lm.forward(short, skip=1).logp
        assert forward_finding(lm, short, plain, 1).verdict == "pass"
        assert forward_finding(lm, short, plain, 1, path).verdict == "fail"
        sound = letters(directory, "long")
        plain = sound.forward(short, skip=1).logp
        assert forward_finding(sound, short, plain, 1, path).verdict == "pass"

    @pytest.mark.parametrize(("rope", "context"), [("short", 8), ("long", CONTEXT)])
    def test_the_own_decoder_has_the_chosen_factors(self, tmp_path: Path, rope: str, context: int) -> None:
        directory = write(tmp_path, "phi3", rope_parameters=long_rope(8), original_max_position_embeddings=8)
        lm = read_pretrained(check_checkpoint(directory), None, "float32", None, rope=rope)
        assert isinstance(lm.body, DecoderBody)
        assert lm.context == context
        paths = some_paths(context)[-1:]  # the last token is not read, and a longer text has the long factors
        assert np.abs(lm.forward(paths, skip=1).logp[0] - exact(directory, paths)[0]).max() < 1e-5

    def test_options(self, tmp_path: Path) -> None:
        directory = write(tmp_path, "phi3", rope_parameters=long_rope(8), original_max_position_embeddings=8)
        short, long = pofx.load(directory), pofx.load(directory, rope="long")
        assert (short.context, long.context) == (8, CONTEXT)
        assert short.fingerprint != long.fingerprint
        text = "a b c d e f g h i j k"
        ids = [BOS, *long.vocab.encode(text), EOS]
        assert pofx.log_prob(long, text) == pytest.approx(exact(directory, [ids])[0].sum(), abs=1e-4)
        with pytest.raises(pofx.BadValue, match="one distribution, got 20; .*rope='long'"):
            pofx.load(directory, context=20)
        with pytest.raises(pofx.BadValue, match="rope: expected 'short' or 'long'"):
            pofx.load(directory, rope="longer")
        other = write(tmp_path / "other", "llama")
        with pytest.raises(pofx.BadValue, match="no long factors"):
            pofx.load(other, rope="long")


@pytest.mark.thorough
def test_speeds_that_fall_with_the_length(tmp_path: Path) -> None:
    rope = {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0}
    directory = write(tmp_path, "llama", vocab_size=4, max_position_embeddings=5, rope_parameters=rope)
    lm = letters(directory)
    assert lm.context == 5
    assert everything(windowed(lm), TOKENS) == pytest.approx(1, abs=1e-5)
    assert abs(everything(letters(directory, context=CONTEXT), TOKENS) - 1) > 1e-5


@pytest.mark.parametrize("kind", ["biogpt", "gemma", "gemma3_text", "falcon_mamba"])
def test_prefixes_of_several_lengths_go_on_together(tmp_path: Path, kind: str) -> None:
    lm = read_pretrained(check_checkpoint(write(tmp_path, kind)), None, "float32", None)
    paths, rng = some_paths(20), np.random.default_rng(3)
    states = [lm.extend(lm.start(1), [p]) for p in paths]
    new = rng.integers(4, ROWS, (len(paths), 3))
    laws = lm.extend(states[0].cat(*states[1:]), new).logp
    longer = [[*p, *more.tolist(), 7] for p, more in zip(paths, new)]
    for log_distributions, whole in zip(laws, exact(tmp_path, longer)):
        assert abs(log_distributions[7] - whole[-1]) < 2e-5
    with pytest.raises(ValueError, match="expected rows of one length, got 1 to 2 ids"):
        lm.extend(lm.start(2), [[4], [4, 5]])
