"""The cache of files that pofx can rebuild. Converted models have a limit of size, and hashes verify their content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pofx.errors import BadSource, BadValue
from pofx.files.atomic import is_leftover, remove, replaced_directory, write_atomically
from pofx.files.json_file import read_object
from pofx.files.limits import parse_size

MODELS = "models"
HASHES = "hashes"
# Directories of small records, each removed as a whole: hashes of files, answers of `transformers`, finished runs.
PROBES, FINISHED = "probes", "finished"
ROOMS = (HASHES, PROBES, FINISHED)
# Empty files, which are locks while a process holds them. No other process removes them, and `entries` leaves them out.
LOCKS = "locks"
CARD = "pofx-entry.json"
LIMIT = 20 * 10**9
LIMIT_VARIABLE = "POFX_CACHE_LIMIT"
MAX_HASHES = 4096
_MOST_CARD = 1 << 20
_STALE = 24 * 3600.0  # seconds after which an unfinished part belongs to a process that was killed
_RACY = 2.0  # seconds within which a changed file may change again and keep its time


def cache_dir() -> Path:
    """Return the directory of rebuildable files: `$POFX_CACHE`, or the user's cache directory. It may not exist.

    Right: `cache_dir() / "name"`, then `write_atomically`. Wrong: a file that pofx cannot make again.
    """
    chosen = os.environ.get("POFX_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("pofx")


@dataclass(frozen=True)
class Entry:
    """An entry of the cache.

    Attributes:
        name: The name that `pofx cache` shows.
        path: The file or directory.
        size: Its bytes.
        used: The time of its last use, seconds since 1970.
    """

    name: str
    path: Path
    size: int
    used: float


def entries() -> list[Entry]:
    """Return the entries of the cache, the latest used first: models, built-in files, directories of small records."""
    top = cache_dir()
    found = [p for p in _children(top / MODELS) if _is_entry(p)]
    found += [p for p in _children(top) if p.name.startswith("builtin-")]
    found += [top / room for room in ROOMS if _children(top / room)]
    return sorted((_entry(p) for p in found), key=lambda e: -e.used)


def model_path(name: str) -> Path:
    """Return the directory of the converted model of a name, whether it exists or not."""
    return cache_dir() / MODELS / name


def is_intact(path: Path) -> bool:
    """Return whether a converted model exists, byte for byte as it was made; if so, it counts as used now.

    SHA-256 reads 1.4 GB/s here: 0.4 s for SmolLM2 in float32. A file that stayed the same is not read again (`sha256`).
    """
    try:
        files = read_object(path / CARD, _MOST_CARD)["files"]
        if {p.name for p in path.iterdir()} != {CARD, *files}:
            return False
        for name, (size, digest) in files.items():
            if (path / name).stat().st_size != size or sha256(path / name) != digest:
                return False
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    with suppress(OSError):
        os.utime(path / CARD)
    return True


def keep_model(name: str, size: int, fill: Callable[[Path], object]) -> Path:
    """Make a converted model: a directory into which `fill` writes, and which appears under its name in one step.

    The models used longest ago are removed until the new model fits into `limit()`. A damaged model of the name is
    replaced. Of two processes that make one model at once, the first to finish wins.

    Args:
        name: The name of the model, which stands for one content.
        size: The bytes of the model, roughly.
        fill: The function that writes the files.

    Returns:
        The directory of the model.

    Raises:
        BadSource: The model alone is larger than the limit, or than the free space of the disk.

    Right: `keep_model("smollm2-0a1b", 540_000_000, write)`. Wrong: a name for content that can change.
    """
    home = private_directory(cache_dir() / MODELS)
    target = home / name
    most = limit()
    if size > most:
        raise BadSource(
            f"{name}: expected a model that takes at most {most / 1e9:.1f} GB in the cache, got a model of "
            f"{size / 1e9:.1f} GB",
            f"allow more: {LIMIT_VARIABLE}={-(-size // 10**9)}G",
        )
    _make_room(home, most - size, target)
    free = shutil.disk_usage(home).free
    if free < size:
        raise BadSource(
            f"{home}: expected {size / 1e9:.1f} GB free for {name}, got {free / 1e9:.1f}",
            "free some space, or set POFX_CACHE to a larger disk",
        )
    try:
        with replaced_directory(target, 0o700, is_kept=is_intact) as part:
            fill(part)
            files = {p.name: (p.stat().st_size, _digest(p)) for p in sorted(part.iterdir())}
            (part / CARD).write_text(json.dumps({"files": files}) + "\n")
    except OSError as e:
        raise BadSource(
            f"{home}: expected a cache that can be written, got: {e.strerror or e}",
            "set POFX_CACHE to another directory",
        ) from None
    return target


def clear(name: str | None = None) -> list[Entry]:
    """Remove one entry, or all entries, and return the removed entries. `BadValue` for a name that no entry has."""
    doomed = [e for e in entries() if name in (None, e.name)]
    if name is not None and not doomed:
        raise BadValue(
            f"expected the name of an entry of the cache, got {name!r:.80}", "list the names: pofx cache"
        )
    for e in doomed:
        remove(e.path)
    if name is None:
        _remove_stale(cache_dir() / MODELS)
    return doomed


def limit() -> int:
    """Return the most bytes that converted models may take together: `$POFX_CACHE_LIMIT` (bytes, or 500M, 20G), or 20 GB."""
    chosen = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not chosen:
        return LIMIT
    size = parse_size(chosen)
    if size is None:
        raise BadValue(
            f"{LIMIT_VARIABLE}: expected a size such as 500M or 20G, got {chosen!r:.40}",
            "set it to a number and a unit, or unset it",
        )
    return size


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; remembered while the size, times, path and inode stay the same."""
    path = path.resolve()
    before = path.stat()
    # A copy that keeps the time of its source changes the second of the two times.
    times = (before.st_mtime_ns, before.st_ctime_ns)
    memo = _memo(repr((str(path), before.st_size, *times, before.st_dev, before.st_ino)))
    with suppress(OSError, ValueError):
        known = memo.read_text("ascii").strip()
        if re.fullmatch("[0-9a-f]{64}", known):
            return known
    digest = _digest(path)
    after = path.stat()
    settled = time.time() - max(after.st_mtime, after.st_ctime) > _RACY
    if settled and (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (before.st_size, *times):
        _keep_memo(memo, digest)
    return digest


def is_remembered(fact: str) -> bool:
    """Return whether `remember` kept a fact. The cache may lose each fact at any time."""
    return _memo(fact).is_file()


def remember(fact: str) -> None:
    """Keep a fact that holds for ever, such as that a content was checked, if the cache can be written.

    Right: a fact about a content, named by its hash. Wrong: a fact about a path, whose file may change.
    """
    _keep_memo(_memo(fact), "")


def _memo(fact: str) -> Path:
    return cache_dir() / HASHES / hashlib.sha256(fact.encode("utf-8", "surrogateescape")).hexdigest()


def _keep_memo(memo: Path, text: str) -> None:
    with suppress(OSError, BadSource):
        home = private_directory(memo.parent)
        if len(old := _children(home)) >= MAX_HASHES:
            for p in old:
                p.unlink()
        write_atomically(memo, text.encode("ascii") + b"\n")


def _digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def private_directory(home: Path) -> Path:
    """Return the directory, made if need be, which only its owner can read or write."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            info = home.stat()
            if info.st_uid == os.geteuid():
                home.chmod(0o700)
            elif os.geteuid() != 0:
                raise BadSource(
                    f"{home}: expected a cache directory that you own, got another user's",
                    "set POFX_CACHE to a directory of your own",
                )
    except OSError as e:
        raise BadSource(
            f"{home}: expected a cache that can be written, got: {e.strerror or e}",
            "set POFX_CACHE to another directory",
        ) from None
    return home


def _make_room(home: Path, most: int, spare: Path) -> None:
    """Remove the models used longest ago until the others take at most `most` bytes."""
    _remove_stale(home)
    there = sorted((_entry(p) for p in _children(home) if _is_entry(p) and p != spare), key=lambda e: -e.used)
    total = 0
    for e in there:
        total += e.size
        if total > most:
            remove(e.path)


def _children(home: Path) -> list[Path]:
    try:
        return sorted(home.iterdir())
    except OSError:
        return []


def _is_entry(p: Path) -> bool:
    return not p.name.startswith(".") and (p / CARD).is_file()


def _remove_stale(home: Path) -> None:
    """Remove the parts that killed processes left; a young part may belong to a running process, and stays."""
    for p in _children(home):
        with suppress(OSError):
            if is_leftover(p) and time.time() - p.stat().st_mtime > _STALE:
                shutil.rmtree(p, ignore_errors=True)


def _entry(p: Path) -> Entry:
    size, used = 0, 0.0
    for f in (p, *p.rglob("*")) if p.is_dir() else (p,):
        with suppress(OSError):
            info = f.stat()
            size += info.st_size if f.is_file() else 0
            used = max(used, info.st_mtime)
    return Entry(p.name, p, size, used)
