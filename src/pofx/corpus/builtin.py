"""A corpus that every machine has: the docstrings of the Python standard library."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import sysconfig
import warnings
from contextlib import suppress
from pathlib import Path

from pofx.errors import BadSource
from pofx.files.atomic import write_atomically
from pofx.files.cache import cache_dir

# Installed packages and tests are not the library's own prose, and newer Pythons lack lib2to3.
_SKIPPED = frozenset(
    {"site-packages", "dist-packages", "lib2to3", "tests", "test", "idle_test", "__pycache__"}
)
# The number is part of the cache's name, so that a change of the rules below makes old caches unreachable.
_RULES = 1
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_Documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def builtin_documents() -> list[str]:
    """Return the docstrings of the Python standard library: 8,011 documents, 1.72 MB of UTF-8 in Python 3.11.7.

    A document is the docstring of a module, class or function, as `inspect.cleandoc` leaves it: English prose about one
    subject. Equal docstrings are one document, and empty docstrings are none. No module is imported. Another version of
    Python has other documents.

    The first call reads the library (3 s), and later calls read a file in `pofx.files.cache.cache_dir()`. A damaged cache is
    made again, and a cache that cannot be written is no error.

    Returns:
        The documents, in the order of file and line.

    Raises:
        BadSource: Python came without its sources.

    Right: `train, held_out = split_documents(builtin_documents())`. Wrong: comparing losses on these documents between two
    versions of Python.
    """
    root = Path(sysconfig.get_path("stdlib"))
    path = _cache_path(root)
    with suppress(OSError, ValueError):
        return _unpack(path.read_bytes())
    docs = _walk(root)
    if not docs:
        raise BadSource(
            f"expected the sources of the Python standard library in {str(root)!r}, got none",
            "use a Python that ships its .py files, or documents of your own: pofx.documents(…)",
        )
    with suppress(OSError):
        write_atomically(path, _pack(docs))
    return docs


def _cache_path(root: Path) -> Path:
    place = hashlib.blake2b(
        f"{_RULES}\0{sys.version}\0{root}".encode("utf-8", "surrogateescape"), digest_size=8
    )
    version = ".".join(map(str, sys.version_info[:3]))
    return cache_dir() / f"builtin-{version}-{place.hexdigest()}.json"


def _pack(docs: list[str]) -> bytes:
    body = json.dumps(docs, ensure_ascii=False).encode("utf-8")
    return _sum(body) + b"\n" + body


def _unpack(data: bytes) -> list[str]:
    """Return the documents of a cache file; `ValueError` unless every byte is the one that was written."""
    found, _, body = data.partition(b"\n")
    if found != _sum(body):
        raise ValueError("checksum")
    docs: list[str] = json.loads(body)
    return docs


def _sum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).hexdigest().encode("ascii")


def _walk(root: Path) -> list[str]:
    files = []
    for here, below, names in os.walk(root):
        below[:] = [d for d in below if d not in _SKIPPED]
        files += [Path(here, name) for name in names if name.endswith(".py")]
    # Paths are compared with "/" between their parts, so that the order does not depend on the system's separator.
    files.sort(key=lambda p: p.relative_to(root).as_posix())
    seen: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the library, and not pofx, has the invalid escapes that Python warns of
        for file in files:
            seen.update(dict.fromkeys(_docstrings(file)))
    return list(seen)


def _docstrings(file: Path) -> list[str]:
    """Return the docstrings of one file in the order of lines; none for a file that does not parse, such as a template."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, _Documented):
            text = ast.get_docstring(node, clean=True)
            if text and text.strip() and _is_text(text):
                found.append((getattr(node, "lineno", 0), text))
        # The loop visits statements only: ast.walk would visit every expression as well, and take five times as long.
        for part in _BLOCKS:
            block = getattr(node, part, None)
            if isinstance(block, list):
                todo += block
    return [text for _, text in sorted(found, key=lambda pair: pair[0])]


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which an escape in a docstring can spell
        return False
    return True
