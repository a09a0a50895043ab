"""The process that makes the tokenizer of a stranger's GGUF file, which `write_tokenizer_apart` starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pofx.files.isolated.child import serve
from pofx.models.pretrained.checkpoint.gguf.header import read_header
from pofx.models.pretrained.checkpoint.gguf.tokenizer import read_tokens, write_tokenizer


def make(path: Path, rows: int, directory: Path, pre: str | None) -> None:
    """Write tokenizer.json and tokenizer_config.json of a GGUF file into a directory, in this process."""
    write_tokenizer(path, read_tokens(read_header(path), pre), rows, directory)


def _task(request: Mapping[str, Any]) -> Callable[[], None]:
    from transformers import PreTrainedTokenizerFast  # noqa: F401  (the import comes before the limits hold)

    return lambda: make(Path(request["path"]), request["rows"], Path(request["directory"]), request["pre"])


if __name__ == "__main__":
    serve({"make": _task})
