"""Where pofx keeps what it can rebuild, and how a file is replaced without ever being half there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """The directory of rebuildable files: `$POFX_CACHE`, or the user's cache directory. It may not exist.

    Right: `cache_dir() / "name"`, then `write_atomically`. Wrong: anything there that cannot be made again.
    """
    chosen = os.environ.get("POFX_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("pofx")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file `path` by `data` in one step; directories are made. Readers see the old or the new.

    `OSError` where the directory cannot be written; then nothing is left behind.
    Right: `write_atomically(p, b"…")`. Wrong: on a path that other programs hold open for appending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, since os.replace is atomic only within one file system; and made by plain open, since
    # the tempfile module would make a file that nobody but its owner can read.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
