"""The vocabulary of a checkpoint directory, from the tokenizer's files in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.json_file import find_object
from pofx.vocab.tokenizer.files import tokenizer_json
from pofx.vocab.tokenizer.files.chat_template import read_template
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab


def read_tokenizer(
    directory: str | Path, rows: int, end: int | None = None, control: Iterable[int] = ()
) -> TokenizerVocab:
    """Return the vocabulary of a checkpoint directory: tokenizer.json, and what the two files beside it declare.

    tokenizer_config.json, and special_tokens_map.json where the former has no "added_tokens_decoder", name
    control tokens and roles, as transformers 5 reads them. The rest is as in `TokenizerVocab`. Plain data:
    nothing is executed. `BadSource`, one line, for files that hold no such tokenizer. Not guarded against: a
    regular expression in the file that takes exponential time on some text; the library has no limit to set.

    Right: `read_tokenizer("SmolLM2-135M", rows=49152, end=0)`. Wrong: `rows=len(tokenizer)`; the model's output
    distribution may have more rows than there are tokens.
    """
    tokenizer, config, name = read_files(directory)
    vocab = TokenizerVocab(tokenizer, rows, end, control, config, name)
    vocab.template = read_template(Path(directory), config)
    return vocab


def read_files(directory: str | Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return the parsed tokenizer.json of a directory, what the files beside it declare, and the name of the first."""
    folder = Path(directory)
    path = folder / tokenizer_json.FILE
    tokenizer = find_object(path, tokenizer_json.MAX_BYTES, "a tokenizer, a JSON object", infinite=True)
    if tokenizer is None:
        raise BadSource(
            f"{path}: expected a tokenizer in this one file, got none",
            "write it with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(directory)",
        )
    config = find_object(folder / tokenizer_json.CONFIG_FILE, tokenizer_json.MAX_BYTES, infinite=True) or {}
    if "added_tokens_decoder" not in config:
        config |= (
            find_object(folder / tokenizer_json.SPECIAL_FILE, tokenizer_json.MAX_BYTES, infinite=True) or {}
        )
    return tokenizer, config, str(path)
