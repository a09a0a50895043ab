"""A folder as a job needs it: files that appear in one step, and names that are relative to the folder."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path


class Folder(ABC):
    """Files below one name. Every method takes the name of a file relative to the folder, such as "parts/a.parquet".

    Attributes:
        name: The folder as the user named it, without a / at its end.
    """

    name: str

    def path(self, file: str) -> str:
        """Return the full name of a file, for messages."""
        return f"{self.name}/{file}"

    @abstractmethod
    def check(self) -> None:
        """Ask a store for the folder, before long work.

        Raises:
            BadSource: The store cannot be reached, or refuses.
        """

    @abstractmethod
    def held(self) -> AbstractContextManager[bool]:
        """Keep the folder for one run, and make it where it is missing.

        A folder that was made here and is empty at the end is removed.

        Yields:
            Whether two runs cannot harm each other: no second run can start, or no run can replace the file of another.

        Raises:
            BadSource: The folder is a file, another run holds it, or the store refuses.
            OSError: The folder cannot be made.
        """

    @abstractmethod
    def scratch(self) -> AbstractContextManager[Path]:
        """Give a directory of this machine, in which `put_file` finds its file; the directory is removed at the end."""

    @abstractmethod
    def find(self, file: str) -> bytes | None:
        """Return the content of a file; None where there is no such file.

        Raises:
            BadSource: The name is that of a directory, a pipe or a device of this machine, or the file is over 1 GiB.
            OSError: The file cannot be read.
        """

    @abstractmethod
    def find_all(self, files: Iterable[str]) -> dict[str, bytes]:
        """Return the content of those of the files that exist. `OSError` where a file cannot be read."""

    @abstractmethod
    def sha256(self, file: str) -> str | None:
        """Return the SHA-256 of a file in hexadecimal; None where there is no such file."""

    @abstractmethod
    def fetch(self, file: str, into: Path) -> Path:
        """Return a file on this machine: the file itself, or a copy that a store's file has in the directory `into`.

        Raises:
            OSError: There is no such file, or the disk is full.
        """

    @abstractmethod
    def put_new(self, file: str, data: bytes) -> bool:
        """Write a file in one step, and return True. False: the store has a file of that name, which stays as it is."""

    @abstractmethod
    def put_file(self, file: str, made: Path) -> None:
        """Give a file of `scratch` its name in one step; the file is moved away from `scratch` or left there.

        Raises:
            BadSource: A store has a file of that name with other bytes, which is never replaced.
            OSError: The folder cannot be written.
        """

    @abstractmethod
    def replace(self, file: str, data: bytes) -> None:
        """Write a file in one step, in place of an older one."""

    @abstractmethod
    def remove(self, *names: str) -> None:
        """Remove files, and folders with all that is in them; names that do not exist are left out."""

    @abstractmethod
    def top(self) -> list[str]:
        """Return the names in the folder itself, sorted, without hidden names; [] where the folder does not exist."""

    @abstractmethod
    def modified(self) -> dict[str, float]:
        """Return each file below the folder with the time of its last change, seconds since 1970; no hidden names."""

    @abstractmethod
    def tidy(self) -> None:
        """Remove what runs that were killed have left, once a run has ended."""


def is_hidden(file: str) -> bool:
    """Return whether a part of a relative name begins with a dot."""
    return any(part.startswith(".") for part in file.split("/"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file of this machine in hexadecimal; `OSError` where it cannot be read."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
