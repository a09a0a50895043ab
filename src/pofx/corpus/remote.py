"""Documents at a URL (`s3://bucket/a.jsonl`, `memory://a.txt`), as fsspec reads them."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pofx.files.filesystem import filesystem_of, store_errors

_CHUNK = 1 << 20
# The names by which stores call a mark that changes with the content of a file.
_MARKS = ("md5hash", "content-md5", "content_md5", "md5", "etag", "blob_id", "xet_hash")


@dataclass(frozen=True, slots=True)
class RemoteInfo:
    """The properties of a URL, as its store gives them.

    Attributes:
        kind: "file", "directory", or another word of fsspec.
        size: The size in bytes; None where the store does not say.
        mark: The store's name for the mark of the content and the mark itself; "" where the store has none.
    """

    kind: str
    size: int | None
    mark: str


def ending_of(url: str) -> str:
    """Return the part of a URL that ends in the name of the file: without the query, which only the web has."""
    return urlsplit(url).path if _is_web(url) else url.split("::")[0]


def find_info(url: str) -> RemoteInfo:
    """Ask the store for a URL's kind, size and mark.

    Raises:
        OSError: The URL names nothing, or the store refuses.
        BadSource: fsspec knows no such protocol.
        MissingExtra: The protocol needs a package that is not installed.
    """
    system, path = filesystem_of(url)
    with store_errors():
        info = system.info(path)
    marks = {str(name).lower(): str(value) for name, value in info.items() if value}
    # A weak ETag (W/"…") says that two contents mean the same, so their bytes may differ.
    found = [f"{name} {marks[name]}" for name in _MARKS if name in marks and not marks[name].startswith("W/")]
    return RemoteInfo(str(info["type"]), info.get("size"), found[0] if found else "")


def forget_listings(url: str) -> None:
    """Drop the listings that fsspec keeps of a store, so that the next question reaches the store."""
    filesystem_of(url)[0].invalidate_cache()


def can_list(url: str) -> bool:
    """Return whether a store lists directories: the web lists nothing, and a chain of URLs names one file."""
    return not _is_web(url) and "::" not in url


def list_matching(pattern: str) -> list[str]:
    """Return the URLs of all files that match a pattern, without hidden files; no URL where the store refuses."""
    system, path = filesystem_of(pattern)
    try:
        with store_errors():
            found = system.glob(path, detail=True)
    except OSError:
        return []
    files = (p for p, info in found.items() if info["type"] == "file" and ("/." in pattern or "/." not in p))
    return sorted(_url_of(system, _before(pattern, path), p) for p in files)


def list_below(directory: str) -> list[str]:
    """Return the URLs of all files below a directory, without hidden files, in the order of their paths.

    Raises:
        OSError: The store refuses.
    """
    system, path = filesystem_of(directory)
    with store_errors():
        found = system.find(path)
    hidden = re.compile(r"(^|/)\.")
    return sorted(
        _url_of(system, _before(directory, path), p) for p in found if not hidden.search(p[len(path) :])
    )


def open_url(url: str) -> io.BufferedReader:
    """Open a URL for reading; a stream that cannot seek is read from its beginning to its end.

    Raises:
        OSError: The URL names nothing, or the store refuses.
    """
    system, path = filesystem_of(url)
    with store_errors():
        streams = _is_web(url) and not _gives_ranges(system, path)
        file = system.open(path, "rb", **({"block_size": 0} if streams else {}))
    return io.BufferedReader(_RemoteStream(file, bool(file.seekable()) and not streams), _CHUNK)


def _gives_ranges(system: Any, path: str) -> bool:
    """Ask a server of the web for the second byte alone: many servers send the whole file, or refuse."""
    try:
        with system.open(path, "rb", cache_type="none") as file:
            file.seek(1)
            file.read(1)
    except ValueError:
        return False
    return True


def can_be_cut(url: str) -> bool:
    """Return whether a store gives ranges of a URL, its size, and a mark of its content, which costs one question a range.

    Raises:
        OSError: The URL names nothing, or the store refuses.
    """
    info = find_info(url)
    if not info.mark or info.size is None:
        return False
    with open_url(url) as file:
        return file.seekable()


def url_fingerprint(url: str) -> str:
    """Return the content of a URL as a size and the store's mark of it; as a size and a hash where the store has no mark.

    The mark costs one question. Without it the whole file is read, as a local one is.

    Raises:
        OSError: The URL names nothing, or the store refuses.
    """
    forget_listings(url)
    info = find_info(url)
    if info.mark and info.size is not None:
        return f"{info.size} bytes, {info.mark}"
    code, size = hashlib.blake2b(digest_size=16), 0
    with open_url(url) as file:
        while chunk := file.read(_CHUNK):
            code.update(chunk)
            size += len(chunk)
    return f"{size} bytes, blake2b {code.hexdigest()}"


class _RemoteStream(io.RawIOBase):
    """A file of fsspec as a raw stream of Python, whose errors are each an `OSError`.

    The stream keeps its own place, since fsspec hands out one file in memory to all readers.
    """

    def __init__(self, file: Any, can_seek: bool) -> None:
        self._file = file
        self._at = 0
        self._can_seek = can_seek

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._can_seek

    def readinto(self, into: Any) -> int:
        with store_errors():
            if self._can_seek:
                self._file.seek(self._at)
            data = self._file.read(len(into))
        self._at += len(data)
        into[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if not self._can_seek:
            raise io.UnsupportedOperation("the store gives the file from its beginning to its end only")
        with store_errors():
            if whence == io.SEEK_CUR:
                offset, whence = self._at + offset, io.SEEK_SET
            self._file.seek(offset, whence)
            self._at = self._file.tell()
        return self._at

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _url_of(system: Any, like: str, path: str) -> str:
    """Return a path of a listing as a URL, after the protocol (and host) that the user wrote."""
    return f"{like}{path}" if like else str(system.unstrip_protocol(path))


def _before(url: str, path: str) -> str:
    """Return the part of a URL that stands before its path; "" where the path is spelled in another way there."""
    url = url.rstrip("/")
    return url.removesuffix(path) if path and url.endswith(path) else ""
