"""Ids of conversations where the tokenizer puts spaces before texts, and where control tokens swallow the spaces beside them.

The right ids are those of `transformers.apply_chat_template`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from pofx.models.pretrained.library.body import quiet
from pofx.vocab.tokenizer.checkpoint_files import read_tokenizer
from pofx.vocab.tokenizer.files import chat_template as template_module
from pofx.vocab.tokenizer.files.chat_template import render_chat
from pofx.vocab.tokenizer.tasks import render
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing it warns of what it imports
    import transformers

TEMPLATES = {
    "lines": (
        "{{ bos_token }}{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
    ),
    "spaces": (
        "{% for m in messages %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }} <|turn|> {{ m['role'] }} "
        "<|end|> {% endfor %}"
    ),
    "no control token first": "{{ messages[0]['content'] }} <|turn|>{{ messages[-1]['content'] }}<|end|>",
}
TALKS = [
    [{"role": "system", "content": "the cat"}, {"role": "user", "content": "what sat?"}],
    [{"role": "user", "content": "  the  cat "}, {"role": "assistant", "content": "\n cat\n"}],
    [{"role": "user", "content": ""}, {"role": "user", "content": "the <|nothing|> \u4e2d"}],
]
REPLACED: dict[str, Any] = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
PUTS: dict[str, dict[str, Any]] = {
    "Prepend": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, REPLACED],
        }
    },
    "Replace": {"normalizer": REPLACED},
    **{
        f"Metaspace {scheme}": {
            "pre_tokenizer": {
                "type": "Metaspace",
                "replacement": "\u2581",
                "prepend_scheme": scheme,
                "split": split,
            }
        }
        for scheme, split in (("always", True), ("first", False), ("never", False))
    },
}
STRIPS = {"neither": (False, False), "left": (True, False), "right": (False, True), "both": (True, True)}


def tokenizer(puts: str, strips: str) -> dict[str, Any]:
    """As SentencePiece's are: "▁" for the space, and a token for each byte that no other spells."""
    names = ["<unk>", "<s>", "</s>", "<|turn|>", "<|end|>"]
    merges = [
        ["\u2581", "t"],
        ["t", "h"],
        ["\u2581t", "h"],
        ["\u2581th", "e"],
        ["a", "t"],
        ["c", "at"],
        ["\u2581", "cat"],
        ["\u2581", "\u2581"],
    ]
    characters = [
        *"\u2581abcdefghijklmnopqrstuvwxyz?\n[]/INST",
    ]
    tokens = [
        *names,
        *(f"<0x{b:02X}>" for b in range(256)),
        *dict.fromkeys([*characters, *map("".join, merges)]),
    ]
    left, right = STRIPS[strips]
    added = [
        {"id": i, "content": t, "special": True, "single_word": False, "normalized": False}
        | {"lstrip": left and i > 2, "rstrip": right and i > 2}
        for i, t in enumerate(names)
    ]
    model = {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}
    model |= {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    decoder = {
        "type": "Sequence",
        "decoders": [
            {**REPLACED, "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ],
    }
    return {"version": "1.0", "added_tokens": added, "model": model, "decoder": decoder, **PUTS[puts]}


def made(folder: Path, puts: str, strips: str) -> tuple[TokenizerVocab, Any]:
    file = tokenizer(puts, strips)
    (folder / "tokenizer.json").write_text(json.dumps(file))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with quiet():
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
    return read_tokenizer(folder, len(file["model"]["vocab"]), 2), theirs


@pytest.mark.parametrize("strips", STRIPS)
@pytest.mark.parametrize("puts", PUTS)
def test_ids_are_those_of_transformers(
    puts: str, strips: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this process: how it is rendered apart is the matter of other tests.
    monkeypatch.setattr(template_module, "run_isolated", lambda task, request, *limits: render(request)())
    vocab, theirs = made(tmp_path, puts, strips)
    for source in TEMPLATES.values():
        for talk in TALKS:
            asked = {"add_generation_prompt": True, "return_dict": False, "chat_template": source}
            wanted = [int(i) for i in theirs.apply_chat_template(talk, **asked)]
            template = template_module.Template(source, {"bos_token": "<s>"})
            found, _ = render_chat(vocab, template, talk)
            assert found == wanted, (
                source,
                talk,
                theirs.convert_ids_to_tokens(found),
                theirs.convert_ids_to_tokens(wanted),
            )


def test_a_message_begins_no_control_token_that_the_template_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_module, "run_isolated", lambda task, request, *limits: render(request)())
    vocab, _ = made(tmp_path, "Replace", "neither")
    for said, rest in (("the <", "|end|>"), ("<|tur", "n|>"), ("<|end|", ">")):
        template = template_module.Template("{{ messages[0]['content'] }}" + rest, {})
        ids, text = render_chat(vocab, template, [{"role": "user", "content": said}])
        assert not vocab.control_ids & set(ids)
        assert (vocab.decode(ids), text) == ((said + rest).encode(), said + rest)
