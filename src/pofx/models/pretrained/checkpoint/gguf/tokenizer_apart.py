"""The tokenizer of a GGUF file is made in a process of its own, with limits on time and memory."""

from __future__ import annotations

from pathlib import Path

from pofx.errors import BadSource
from pofx.files.isolated.process import Failed, Raised, run_isolated
from pofx.models.pretrained.checkpoint.gguf.header import ELSE

CHILD = "pofx.models.pretrained.checkpoint.gguf.child"
# 262,144 scored pieces take 9 s and 0.6 GB.
SECONDS, MEMORY = 300.0, 4 << 30


def write_tokenizer_apart(path: Path, rows: int, directory: Path, pre: str | None) -> None:
    """Call `write_tokenizer` in another process, since some files end the process of the tokenizers library.

    The written files have unknown content, too, and `vet` opens them in a process of its own before this process does.

    Args:
        path: The GGUF file.
        rows: The rows of the head.
        directory: The directory to write into.
        pre: The split of texts, as in `read_tokens`.

    Raises:
        BadSource: The tokenizer cannot be made within the limits.

    Right: `write_tokenizer_apart(path, rows, part, None)` in a conversion, which the cache keeps. Wrong: a call at every
    load.
    """
    request = {"path": str(path), "rows": rows, "directory": str(directory), "pre": pre}
    try:
        run_isolated("make", request, SECONDS, MEMORY, CHILD)
    except Raised:  # `gguf_library_call` wraps the calls of libraries, so this exception is a bug of pofx
        raise
    except Failed as e:
        raise BadSource(
            f"{path}: expected a GGUF tokenizer that transformers can convert, got: {e!s:.200}", ELSE
        ) from None
