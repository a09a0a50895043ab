"""The trial of a stranger's tokenizer: it is opened and run in a process of its own, once for each content."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pofx.errors import BadSource
from pofx.files.atomic import write_atomically
from pofx.files.cache import HASHES, cache_dir, sha256
from pofx.files.isolated.process import Failed, Raised, run_isolated
from pofx.vocab.tokenizer.files.chat_template import TASKS
from pofx.vocab.tokenizer.files.tokenizer_json import CONFIG_FILE, FILE, MAX_BYTES, SPECIAL_FILE

FORMAT = 1
# Gemma's 262,144 tokens take 4 s and 0.6 GB.
SECONDS, MEMORY = 60.0, 4 << 30
_here: set[str] = set()


def vet(folder: Path, rows: int, control: Sequence[int]) -> None:
    """Check in another process that `read_tokenizer(folder, rows, None, control)` can be called in this process.

    The tokenizers library prints its inner errors, and some files end its process. So a file of unknown content is first
    opened in a process of its own, with limits on time and memory. The tokenizer encodes some odd texts there. The cache
    remembers a success by the hash of the content.

    Args:
        folder: The directory of the tokenizer.
        rows: V, the number of ids in a next-token distribution.
        control: Further ids that are no text.

    Raises:
        BadSource: The tokenizer cannot be opened or run.

    Right: before the first `read_tokenizer` of a file from anywhere. Wrong: as a proof that no text can harm the library.
    """
    path = folder / FILE
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return  # refused before any library sees it
    key = _key(folder, rows, control)
    memo = cache_dir() / HASHES / f"tokenizer-{key}"
    if key in _here or memo.is_file():
        _here.add(key)
        return
    try:
        run_isolated(
            "open", {"folder": str(folder), "rows": rows, "control": list(control)}, SECONDS, MEMORY, TASKS
        )
    except Raised:  # `file_call` wraps each call of the library, so another exception is a mistake of pofx
        raise
    except Failed as e:
        raise BadSource(
            f"{path}: expected a tokenizer.json that the tokenizers library can run, got: {e!s:.160}",
            "get the file again, or use another model",
        ) from None
    _here.add(key)
    with suppress(OSError):
        write_atomically(memo, b"opened\n")


def _key(folder: Path, rows: int, control: Sequence[int]) -> str:
    """Return a hash of all inputs that decide the work of the library."""
    beside = [folder / n for n in (CONFIG_FILE, SPECIAL_FILE)]
    parts = [sha256(folder / FILE), *(sha256(p) if p.is_file() else "" for p in beside)]
    parts += [str(FORMAT), str(rows), repr(list(control)), importlib.metadata.version("tokenizers")]
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()
