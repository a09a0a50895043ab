"""The pages of `web/` as they were built: files that a browser reads, and no code of ours.

`live/` is the page of `pofx serve`: index.html, and files whose names carry a hash. `offline/` is the script and the style
sheet of a page that stands alone, `notebook/` those of frames in a notebook. `make web` builds all, and a clone without Node
has them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def built(path: str) -> bytes:
    """Return the bytes of a built file.

    Args:
        path: The path of the file in this package, such as "live/index.html".

    Right: `built("offline/offline.js")`. Wrong: a path from a request; `live_files()` names the files that may be sent.
    """
    return files("pofx.web_pages").joinpath(path).read_bytes()


@cache
def live_files() -> dict[str, bytes]:
    """Return the files of the live page, by their names below `assets/`."""
    folder = files("pofx.web_pages").joinpath("live", "assets")
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()}
