"""A GGUF file's tokenizer is made in a process of its own, with limits on time and memory."""

from __future__ import annotations

from pathlib import Path

from pofx.errors import BadSource
from pofx.files.isolated.process import Failed, Raised, run_isolated
from pofx.models.pretrained.checkpoint.gguf.header import ELSE

CHILD = "pofx.models.pretrained.checkpoint.gguf.child"
# 262,144 scored pieces take 9 s and 0.6 GB.
SECONDS, MEMORY = 300.0, 4 << 30


def write_tokenizer_apart(path: Path, rows: int, directory: Path, pre: str | None) -> None:
    """`write_tokenizer` elsewhere: the tokenizers library prints what goes wrong inside it, and some files end its process.

    pre: as in `read_tokens`. What is written is of unknown content, too, and `vet` opens it elsewhere before anybody does.
    `BadSource`, one line, where the work fails.

    Right: in a conversion, which the cache keeps by the file's hash. Wrong: for each load.
    """
    request = {"path": str(path), "rows": rows, "directory": str(directory), "pre": pre}
    try:
        run_isolated("make", request, SECONDS, MEMORY, CHILD)
    except (
        Raised
    ):  # calls of libraries are wrapped (`gguf_library_call`), so that this one is a mistake of ours
        raise
    except Failed as e:
        raise BadSource(
            f"{path}: expected a GGUF tokenizer that transformers can convert, got: {e!s:.200}", ELSE
        ) from None
