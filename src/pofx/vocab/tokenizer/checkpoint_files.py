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
    """Return the vocabulary of a checkpoint directory: tokenizer.json with the control tokens of the two files beside it.

    tokenizer_config.json names control tokens and roles. special_tokens_map.json does so, too, where
    tokenizer_config.json has no "added_tokens_decoder"; transformers 5 reads the files in the same way. The files are
    plain data, and nothing is executed. There is no guard against a regular expression in the file that takes exponential
    time on some text, since the library has no limit to set.

    Args:
        directory: The checkpoint directory.
        rows: V, the number of ids in the model's next-token distribution.
        end: The id of EOS; None where texts never end.
        control: Further ids that are no text.

    Raises:
        BadSource: The files hold no tokenizer that spells texts exactly.

    Right: `read_tokenizer("SmolLM2-135M", rows=49152, end=0)`. Wrong: `rows=len(tokenizer)`, since the model's
    distribution may have more rows than there are tokens.
    """
    tokenizer, config, name = read_files(directory)
    vocab = TokenizerVocab(tokenizer, rows, end, control, config, name)
    vocab.template = read_template(Path(directory), config)
    return vocab


def read_files(directory: str | Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return the parsed tokenizer.json of a directory, the declarations of the files beside it, and its path."""
    folder = Path(directory)
    path = folder / tokenizer_json.FILE
    tokenizer = find_object(path, tokenizer_json.MAX_BYTES, "a tokenizer, a JSON object", infinite=True)
    if tokenizer is None:
        raise BadSource(
            f"{path}: expected a file with a tokenizer, got no such file",
            "write it with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(directory)",
        )
    config = find_object(folder / tokenizer_json.CONFIG_FILE, tokenizer_json.MAX_BYTES, infinite=True) or {}
    if "added_tokens_decoder" not in config:
        config |= (
            find_object(folder / tokenizer_json.SPECIAL_FILE, tokenizer_json.MAX_BYTES, infinite=True) or {}
        )
    return tokenizer, config, str(path)
