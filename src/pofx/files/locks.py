"""Locks on files: of two processes that write one path at the same moment, the second is refused, where locks exist."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from types import ModuleType

from pofx.errors import BadSource
from pofx.files.cache import LOCKS, cache_dir, private_directory

# The system's own lock ends with its process, so no stale lock is left. `filelock` would be a dependency of the core.
fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None


def open_locked(path: Path) -> BufferedRandom:
    """Open a file for this process alone; the file is made if need be. Closing it releases the lock.

    Args:
        path: The file to open and to lock. Where the system has no locks, the file is only opened.

    Returns:
        The open, locked file; a file that another process removed before the lock was taken is made again.

    Raises:
        BlockingIOError: Another holder has the lock.
        OSError: The file cannot be made or locked.
    """
    while True:
        path.touch()
        try:
            file = path.open("r+b")
        except FileNotFoundError:  # the other holder ended in between, and removed its file
            continue
        if fcntl is None:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        # The other holder may have ended between the opening and the lock. Then this file has another name, or no name.
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()


def is_locked(path: Path) -> bool:
    """Return whether another holder has the lock of a file; a file that is missing or cannot be read has no lock."""
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def written_by_another(path: Path | str) -> BadSource:
    """Return the error of a path that another process is writing."""
    return BadSource(
        f"{path}: expected a path that no other run writes, got a path that another run is writing",
        "wait for the other run, or write to another path",
    )


@contextmanager
def locked_outputs(paths: Iterable[Path | str]) -> Iterator[None]:
    """Keep other processes of this user from writing these paths as long as the block runs.

    A path that is there already is locked by name and by inode, so that its links and hard links are the same file.
    The locks are files in the cache, since a directory of results is no place for files of ours. Without a cache that can
    be written, or on a system without locks, nothing is locked.

    Args:
        paths: Files or directories that will be made or replaced.

    Raises:
        BadSource: Another process has locked one of the paths, which the message names.

    Right: `with locked_outputs([out, page]): …`, with the check whether `out` exists inside the block. Wrong: two blocks,
    one for each path, since two processes could then refuse each other.
    """
    keys = dict(key for path in paths for key in _keys(path))
    with ExitStack() as held:
        # All processes take the locks in one order, so that one of them always gets all of its locks.
        for key in sorted(keys):
            try:
                held.enter_context(_held(key, keys[key]))
            except BlockingIOError:
                raise written_by_another(keys[key]) from None
        yield


# Inodes come last, and shorter names first, so that a message names the output rather than a file beside the output.
_Key = tuple[int, int, bytes]


def _keys(path: Path | str) -> Iterator[tuple[_Key, Path | str]]:
    name = os.fsencode(os.path.realpath(path))
    yield (0, len(name), name), path
    with suppress(OSError):
        info = os.stat(path)
        yield (1, info.st_dev, b"%d" % info.st_ino), path


@contextmanager
def _held(key: _Key, path: Path | str) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    try:
        home = private_directory(cache_dir() / LOCKS)
        lock = home / hashlib.blake2b(repr(key).encode("ascii"), digest_size=16).hexdigest()
        file = open_locked(lock)
    except BlockingIOError:
        if key[0] == 1 and _is_of_a_file_that_is_gone(lock, key):
            yield
            return
        raise
    except (OSError, BadSource):
        # A run goes on without a lock where the cache cannot be written.
        yield
        return
    try:
        with suppress(OSError):
            file.truncate(0)  # a process that was killed leaves its name there
            file.write(os.fsencode(os.path.realpath(path)))
            file.flush()
        yield
    finally:
        # The name is removed while the lock is held, since `open_locked` of another process checks that its file has a name.
        with suppress(OSError):
            lock.unlink()
        file.close()


def _is_of_a_file_that_is_gone(lock: Path, key: _Key) -> bool:
    """Return whether the file that a lock of an inode names has another inode by now, or no longer exists.

    A file that is made next gets the inode of a file that was removed, while the lock of the removed file may still be held.
    """
    try:
        named = lock.read_bytes()
    except OSError:
        return False
    try:
        info = os.stat(named)
    except (OSError, ValueError):
        return bool(named)
    return (info.st_dev, b"%d" % info.st_ino) != key[1:]
