"""The error of input files without a document."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pofx.errors import BadSource, no_documents


def no_documents_in(files: Sequence[str], of: str = "") -> BadSource:
    """Return the error of files that hold no document; where every file has 0 bytes, the message says so.

    Args:
        files: The paths, as the user named them.
        of: A kind of documents, such as " of class a".

    Returns:
        The error, to be raised.

    Right: `raise no_documents_in(["empty.txt"])`. Wrong: this error for texts that a caller passed in Python, which have no
    path; use `no_documents`.
    """
    where = " ".join(files)
    if not files or not all(map(_is_empty, files)):
        return no_documents(where, of)
    got = "an empty file" if len(files) == 1 else f"{len(files):,} empty files"
    return BadSource(
        f"{where}: expected at least one document{of}, got {got}", "name a file that holds texts"
    )


def _is_empty(path: str) -> bool:
    try:
        return os.path.isfile(path) and os.path.getsize(path) == 0
    except (OSError, ValueError):  # a file that has gone since it was read, or a name with NUL
        return False
