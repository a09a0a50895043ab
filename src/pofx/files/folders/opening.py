"""The folder that a name stands for."""

from __future__ import annotations

import os
from pathlib import Path

from pofx.files.folders.folder import Folder
from pofx.files.folders.local import LocalFolder
from pofx.files.urls import is_url, local_path


def open_folder(name: str | os.PathLike[str]) -> Folder:
    """Return the folder of a path or a URL; nothing is made or asked.

    Raises:
        BadSource: fsspec knows no such protocol, or its library refuses the URL.
        MissingExtra: The protocol needs a package that is not installed.

    Right: `open_folder("s3://bucket/scores/")`. Wrong: the URL of a file, below which a store would put other files.
    """
    text = local_path(os.fspath(name))
    if not is_url(text):
        return LocalFolder(Path(text))
    from pofx.files.folders.store import StoreFolder

    return StoreFolder(text)
