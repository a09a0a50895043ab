"""Vocabularies as `tokenizer.json` and `tokenizer_config.json`: other tools give a text the same ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pofx.errors import BadSource, BadValue, PofxError
from pofx.files.json_file import find_object
from pofx.vocab.subwords import BYTE_CHARACTERS, BYTE_LEVEL, PRE_TOKENIZER, SubwordVocab, bpe_model
from pofx.vocab.vocabulary import BEGIN_TEXT, END_TEXT, ByteVocab, CharVocab, Vocab
from pofx.vocab.words import WordVocab

FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
MAX_BYTES = 1 << 28  # a million subwords, the most that pofx learns, take 100 MB

# A WordLevel model refuses unknown words if its unknown token is not in its table. No word has a space.
_UNKNOWN = " unknown"
_CONTROL = " control "
_BYTE_DECODER = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
_FUSE = {"type": "Fuse"}
_PER_CHARACTER = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
_PER_WORD = {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False}


def write_tokenizer(vocab: Vocab, directory: str | Path, begin: bool) -> None:
    """Write a vocabulary for `transformers.AutoTokenizer.from_pretrained(directory)`, which then gives texts the same ids.

    EOS is "</s>" with id `vocab.end`. With `begin`, x0 is "<s>" with id `vocab.size`, and other tools put x0 before every
    text. Three differences remain. A tool that takes only str cannot read stray bytes. Words with two spaces in a row are
    refused here, and other tools read the two spaces as one. `tokenizers` without `transformers` reads the text "</s>" as
    EOS.

    Args:
        vocab: A vocabulary of one of pofx's four classes.
        directory: The directory to write to, made if needed.
        begin: Whether x0 stands before every text.

    Raises:
        BadValue: The vocabulary is of another class, or has no tokens.

    Right: `write_tokenizer(ByteVocab(), "model", begin=True)`. Wrong: a subclass of yours, whose encode() no
    tokenizer.json can hold; save its parts yourself.
    """
    description = tokenizer_json(vocab, begin)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": begin,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a text that spells "</s>" is text
        "model_max_length": 10**30,  # how transformers writes "no limit"; the model's window is in its config
    }
    if begin:
        config["bos_token"] = BEGIN_TEXT
    if vocab.end is not None:
        config["eos_token"] = END_TEXT
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((FILE, description), (CONFIG_FILE, config)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def tokenizer_json(vocab: Vocab, begin: bool) -> dict[str, Any]:
    """Return the content of tokenizer.json for a vocabulary, with "<s>" put before every text if `begin`."""
    model, pre_tokenizer, decoder = _pipeline(vocab)
    # The order of ids is needed here: readers number added tokens by their place after the model's table.
    added = [] if vocab.end is None else [_special(END_TEXT, vocab.end)]
    if begin:
        added.append(_special(BEGIN_TEXT, vocab.size))
    clash = next((t["content"] for t in added if t["content"] in model["vocab"]), None)
    if clash is not None or not model["vocab"]:
        what = (
            "none"
            if clash is None
            else f"the token {clash!r}, which is the name of a control token in the file"
        )
        raise BadValue(
            f"expected text tokens to save, got {what}",
            "save a model whose vocabulary spells text",
            argument="vocab",
        )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": _begin_first(vocab.size) if begin else None,
        "decoder": decoder,
        "model": model,
    }


def read_saved_vocab(directory: str | Path) -> Vocab:
    """Return the vocabulary that `write_tokenizer` saved in a directory, with the same ids.

    The function reads tokenizer.json alone, as plain data. The file is accepted only if writing the vocabulary again gives
    the same model, pre- and post-processors and control tokens. So no part of the file that would change an id elsewhere
    is ignored.

    Raises:
        BadSource: There is no such file, or `write_tokenizer` would write another one.
    """
    path = Path(directory) / FILE
    found = find_object(path, MAX_BYTES, "a tokenizer.json, a JSON object", "save the model again")
    if found is None:
        raise BadSource(
            f"{path}: expected the vocabulary of a saved model, got no such file",
            "copy the model's directory again",
        )
    try:
        model, added = found["model"], found["added_tokens"]
        names = [t["content"] for t in added]
        vocab = _vocab_of(found, model, END_TEXT in names)
        again = tokenizer_json(vocab, BEGIN_TEXT in names)
    except (KeyError, TypeError, AttributeError) as e:
        raise BadSource(
            f"{path}: expected a tokenizer.json written by pofx, got none of its form ({e!r:.80})",
            "copy the model's directory again",
        ) from None
    except PofxError as e:
        raise BadSource(f"{path}: {e.subject}", e.advice) from None
    for key in ("model", "pre_tokenizer", "normalizer", "added_tokens", "post_processor"):
        if found.get(key) != again[key]:
            raise BadSource(
                f"{path}: expected a tokenizer.json written by pofx, got a foreign {key!r}",
                "save the model again, or load it as a Hugging Face model",
            )
    return vocab


def _pipeline(vocab: Vocab) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
    """Return model, pre-tokenizer and decoder of a vocabulary, by its exact class: a subclass may encode otherwise."""
    kind = type(vocab)
    if isinstance(vocab, ByteVocab) and kind is ByteVocab:
        return bpe_model({c: b for b, c in enumerate(BYTE_CHARACTERS)}, []), BYTE_LEVEL, _BYTE_DECODER
    if isinstance(vocab, SubwordVocab) and kind is SubwordVocab:
        return bpe_model(vocab.vocab, vocab.merges), PRE_TOKENIZER, _BYTE_DECODER
    if isinstance(vocab, CharVocab) and kind is CharVocab:
        table = {c: i for i, c in enumerate(vocab.characters)}
        if not vocab.escape:
            return _word_level(table), _PER_CHARACTER, _FUSE
        table |= {f"<0x{b:02X}>": len(vocab.characters) + b for b in range(256)}
        decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, _FUSE]}
        return bpe_model(table, [], byte_fallback=True), _PER_CHARACTER, decoder
    if isinstance(vocab, WordVocab) and kind is WordVocab:
        spaced = next((w for w in vocab.words if w is not None and " " in w), None)
        names = [f"{_CONTROL}{i}" if w is None else w for i, w in enumerate(vocab.words)]
        if spaced is not None or len(set(names)) < len(names):
            what = "one word twice" if spaced is None else repr(spaced[:40])
            raise BadValue(
                f"expected distinct words without spaces to save, got {what}",
                "rename the words",
                argument="vocab",
            )
        return _word_level({w: i for i, w in enumerate(names)}), _PER_WORD, None
    raise BadValue(
        f"expected a vocabulary of pofx to save, got "
        f"{kind.__module__}.{kind.__qualname__}, whose encode() no tokenizer.json can hold",
        "build the vocabulary by a class of pofx",
        argument="vocab",
    )


def _vocab_of(found: dict[str, Any], model: dict[str, Any], end: bool) -> Vocab:
    """Return the vocabulary that has the table of a model; the caller checks the rest of the file."""
    table, pre_tokenizer = model["vocab"], found["pre_tokenizer"]
    if not isinstance(table, dict):
        raise TypeError("vocab is no table")
    ids = list(table.values())
    if any(type(i) is not int for i in ids) or sorted(ids) != list(range(len(ids))):
        raise BadValue(
            f"expected each id from 0 to {len(ids) - 1} once in the table of tokens, got gaps or repeats",
            "number the tokens without gaps",
        )
    if pre_tokenizer == PRE_TOKENIZER:
        return SubwordVocab(table, model["merges"], end=end)
    if pre_tokenizer == BYTE_LEVEL:
        return ByteVocab(end=end)
    tokens = sorted(table, key=table.__getitem__)
    if pre_tokenizer == _PER_WORD:
        return WordVocab([None if w == f"{_CONTROL}{i}" else w for i, w in enumerate(tokens)], end=end)
    if pre_tokenizer == _PER_CHARACTER:
        escape = model["type"] == "BPE"
        return CharVocab(tokens[:-256] if escape else tokens, end=end, escape=escape)
    raise TypeError("another pre_tokenizer")


def _word_level(table: dict[str, int]) -> dict[str, Any]:
    return {"type": "WordLevel", "vocab": table, "unk_token": _UNKNOWN}


def _special(content: str, i: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": i, "content": content, **flags}


def _begin_first(i: int) -> dict[str, Any]:
    first = {"SpecialToken": {"id": BEGIN_TEXT, "type_id": 0}}
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [first, a],
        "pair": [first, a, b],
        "special_tokens": {BEGIN_TEXT: {"id": BEGIN_TEXT, "ids": [i], "tokens": [BEGIN_TEXT]}},
    }
