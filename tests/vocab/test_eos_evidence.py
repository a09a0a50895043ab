"""The EOS of a checkpoint whose files contradict each other: no token of text is one because a single file says so.

Expected log-probabilities are those of the library's forward in float64 over ids put together here by hand.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import pofx
import tiny_checkpoints as tiny
from pofx.models.pretrained.library.body import quiet
from pofx.vocab.tokenizer.files.control_tokens import is_mark

TEXT = "the cat saw the cat!"
TABLE: dict[str, int] = tiny.tokenizer()["model"]["vocab"]
THE, MARK = TABLE["Ġthe"], TABLE["!"]  # ids of text
ROWS = tiny.ROWS
Edit = Callable[..., Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("gpt2"), "gpt2")


@pytest.fixture
def edited(home: Path) -> Edit:
    """The same weights, and what each file says of the EOS; "absent" for no word of it."""

    def edit(
        config: object = tiny.EOS,
        generation: object = "absent",
        tokenizer: object = "<eos>",
        special: bool = True,
    ) -> Path:
        for name, key, value in (
            ("config.json", "eos_token_id", config),
            ("generation_config.json", "eos_token_id", generation),
            ("tokenizer_config.json", "eos_token", tokenizer),
        ):
            found = json.loads((home / name).read_text())
            found.pop(key, None)
            if value != "absent":
                found[key] = value
            (home / name).write_text(json.dumps(found))
        made = tiny.tokenizer()
        for added in made["added_tokens"]:
            added["special"] = special or added["content"] != "<eos>"
        if not special:
            made["added_tokens"] = [a for a in made["added_tokens"] if a["content"] != "<eos>"]
        (home / "tokenizer.json").write_text(json.dumps(made))
        return home

    return edit


def ids_of(text: str) -> list[int]:
    """The merges of the tiny vocabulary, by hand."""
    words = re.findall(" ?[a-z]+|[^a-z]", text)
    out: list[int] = []
    for w in (w.replace(" ", "Ġ") for w in words):
        spelled = {"Ġthe": ["Ġthe"], "the": ["the"], "Ġcat": ["Ġ", "c", "at"]}.get(w, list(w))
        out += [TABLE[t] for t in spelled]
    return out


def exact(home: Path, end: int) -> float:
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(home, torch_dtype=torch.float64).eval()
    path = torch.tensor([[tiny.BOS, *ids_of(TEXT), end]])
    with torch.no_grad():
        logp = model(path).logits[0].log_softmax(-1)
    return float(logp[:-1].gather(1, path[0, 1:, None]).sum())


def heard(what: Callable[[], Any]) -> tuple[Any, list[str]]:
    """The answer, and what was warned of the EOS."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        out = what()
    return out, [str(w.message) for w in found if "EOS" in str(w.message)]


WRONG: dict[str, Any] = {
    "a word": THE,
    "a sign": MARK,
    "a word first": [THE, tiny.EOS],
    "words only": [THE, MARK],
    "beyond the law": 5000,
    "negative": -1,
    "a row without a token": ROWS - 1,
    "null": None,
    "no word of it": "absent",
    "an empty list": [],
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_what_config_says_alone_ends_no_text(said: Any, edited: Edit) -> None:
    home = edited(config=said)
    lm, warned = heard(lambda: pofx.load(home, begin="<bos>"))
    assert lm.vocab.end == tiny.EOS
    assert lm.vocab.encode(TEXT) == ids_of(TEXT)
    assert pofx.log_prob(lm, TEXT) == pytest.approx(exact(home, tiny.EOS), abs=1e-3)
    assert len(warned) == 1
    ids = said if isinstance(said, list) else [] if said in (None, "absent") else [said]
    for part in ("config.json", "taken: 1 (", "--end", *map(str, ids)):
        assert part in warned[0], warned
    assert warned[0].isprintable()


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_another_end_frees_what_config_named(said: Any, edited: Edit) -> None:
    home = edited(config=said)
    lm, warned = heard(lambda: pofx.load(home, begin="<bos>", end="<|endoftext|>"))
    assert not warned  # the user has chosen
    assert lm.vocab.end == 3
    assert lm.vocab.encode(TEXT) == ids_of(TEXT)
    assert pofx.log_prob(lm, TEXT) == pytest.approx(exact(home, 3), abs=1e-3)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config": [tiny.EOS, 3]},
        {"config": [3, tiny.EOS]},
        {"config": None, "generation": [tiny.EOS]},
        {"generation": THE},
        {"tokenizer": "absent"},
        {"config": THE, "tokenizer": "Ġthe"},  # two files that do not copy from each other
        {"config": tiny.EOS, "tokenizer": "absent", "special": False},  # no file but config.json knows of it
    ],
    ids=str,
)
def test_files_that_agree_are_believed_in_silence(files: dict[str, Any], edited: Edit) -> None:
    lm, warned = heard(lambda: pofx.load(edited(**files), begin="<bos>"))
    config = files.get("config", tiny.EOS) or tiny.EOS
    assert lm.vocab.end == (config[0] if isinstance(config, list) else config)
    assert not warned
    assert lm.vocab.token_bytes[lm.vocab.end] is None
    assert lm.vocab.end not in lm.vocab.encode("the <eos> the <|endoftext|>")


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"config": 3}, 3),  # two control tokens: what the model was trained with
        ({"config": None, "generation": THE}, tiny.EOS),
        ({"config": THE, "generation": tiny.EOS, "tokenizer": "absent"}, tiny.EOS),
        ({"config": THE, "tokenizer": "absent"}, None),
        ({"config": None, "tokenizer": "the"}, None),
        ({"config": None, "tokenizer": "!"}, None),
        ({"config": MARK, "tokenizer": "Ġthe"}, None),
        ({"config": THE, "special": False}, tiny.EOS),
    ],
    ids=str,
)
def test_files_that_disagree(files: dict[str, Any], taken: int | None, edited: Edit) -> None:
    lm, warned = heard(lambda: pofx.load(edited(**files), begin="<bos>"))
    assert lm.vocab.end == taken
    assert len(warned) == 1
    assert lm.vocab.encode(TEXT) == ids_of(TEXT)
    assert np.isfinite(pofx.prefix_log_prob(lm, TEXT))
    if taken is None:
        assert "taken: none" in warned[0]
        with pytest.raises(pofx.NoEOS):
            pofx.log_prob(lm, TEXT)


def test_a_name_that_a_file_calls_eos_stays_no_text(edited: Edit) -> None:
    home = edited(tokenizer="absent", special=False)
    assert pofx.load(home, end="<|endoftext|>").vocab.token_bytes[tiny.EOS] is None


def test_a_user_may_end_texts_by_a_word(edited: Edit) -> None:
    lm = pofx.load(edited(), begin="<bos>", end=THE)
    assert lm.vocab.end == THE
    assert THE not in lm.vocab.encode(TEXT)


@pytest.mark.parametrize("found", ["1", [1, "2"], True, {"id": 1}, 1.0])
def test_ids_are_whole_numbers(found: object, edited: Edit) -> None:
    with pytest.raises(pofx.BadSource, match="generation_config.json: expected .*eos_token_id, got"):
        pofx.load(edited(generation=found))


def test_what_looks_like_the_name_of_a_control_token() -> None:
    for name in [
        "</s>",
        "<s>",
        "<eos>",
        "<pad>",
        "<|endoftext|>",
        "<|im_end|>",
        "<end_of_turn>",
        "[PAD]",
        "[/INST]",
        "<｜end▁of▁sentence｜>",
        "▁<EOT>",
    ]:
        assert is_mark(name), name
    for text in (
        "the",
        "Ġthe",
        "!",
        "<div>",
        "</p>",
        "[i]",
        "<0",
        "<>",
        "(x)",
        "{x}",
        "a<b>",
        "<=>",
        "\n",
        "<br/>",
    ):
        assert not is_mark(text), text
