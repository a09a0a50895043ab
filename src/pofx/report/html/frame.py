"""A page in a frame for a cell of a notebook, with the components of its record alone.

A notebook keeps each output by itself, and the document of a frame sees no other. So a frame has its own script, which is
packed by gzip: the script of all components would be 160 kB in each cell. Without scripts the frame shows a plain table.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Final

from pofx.report.html.blocks import Block, Section
from pofx.report.html.document import page_data, script_json, source_hash
from pofx.report.html.made import Made
from pofx.report.html.still import still_table
from pofx.version import __version__
from pofx.web_pages import built

# The kinds of blocks that each script of web/src/notebook draws; the script of a page of --html draws all kinds.
PARTS: Final = {
    "notebook/table": {"table", "chart", "amounts", "curve", "model"},
    "notebook/text": {"scores", "words", "next", "draws"},
    "notebook/report": {"audit", "corpus", "evaluation", "posteriors", "conditioned"},
}
WHOLE: Final = "offline/offline"

# Between style and script, which have no such character.
_BETWEEN = "\0"

# The style and the script are those whose hashes the policy names; a browser refuses any other.
_LOADER = """(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("packed").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const parts = (await new Response(stream).text()).split("\\0");
  ["style", "script"].forEach((name, k) => {
    const element = document.createElement(name);
    element.textContent = parts[k];
    document.head.append(element);
  });
})();"""


def fragment(
    sections: Sequence[Section], height: int = 320, line: str = "", narrow: int | None = None
) -> str:
    """Return a page as a frame for a cell of a notebook. Its script has no access to the notebook.

    Args:
        sections: The sections, in order; a section with the title "" has no heading.
        height: The height of the frame, pixels. A longer page scrolls within the frame.
        line: A line above the plain table, which a browser without scripts shows.
        narrow: The height of the frame on a screen of 360 px, pixels; None for `height`.

    Right: `fragment([Section("", (draws_block(draws),))])`. Wrong: many fragments in one cell, each of which carries its
    script; put all records into one fragment.
    """
    part = _part([block for section in sections for block in section.blocks])
    style, script = _sources(part)
    policy = (
        f"default-src 'none'; style-src '{source_hash(style)}'; "
        f"script-src '{source_hash(_LOADER)}' '{source_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    data = page_data("pofx", sections, "", Made(), compact=True)
    still = "".join(still_table(block) for section in sections for block in section.blocks)
    inner = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="pofx {__version__}">\n<title>pofx</title>\n</head>\n<body>\n'
        f'<div id="page"><p>{escape(line)}</p>{still}</div>\n'
        f'<script type="application/json" id="data">{script_json(data)}</script>\n'
        f'<script type="text/plain" id="packed">{_packed(part)}</script>\n'
        f"<script>{_LOADER}</script>\n</body>\n</html>\n"
    )
    # JSON has many quotation marks and few apostrophes, and an escaped one takes six bytes.
    source = escape(inner, quote=False).replace("'", "&#x27;")
    return (
        f'<iframe srcdoc=\'{source}\' sandbox="allow-scripts" title="{escape(line or "pofx")}" width="100%" '
        f'height="{height}" style="{_height_rule(height, narrow or height)}" frameborder="0"></iframe>'
    )


def _height_rule(wide: int, narrow: int) -> str:
    """Return the height of a frame by the width of the screen: `narrow` at 360 px, `wide` from 860 px on.

    A frame cannot follow its content without a script in the notebook.
    """
    low, high = sorted((wide, narrow))
    return f"height:clamp({low}px,calc({wide}px + {narrow - wide} * (860px - 100vw) / 500),{high}px)"


def _part(blocks: Sequence[Block]) -> str:
    kinds = {block.kind for block in blocks}
    return next((name for name, drawn in PARTS.items() if kinds <= drawn), WHOLE)


@cache
def _sources(part: str) -> tuple[str, str]:
    """Return the style sheet and the script of a part."""
    style, script = (built(f"{part}.{ending}").decode("utf-8") for ending in ("css", "js"))
    assert _BETWEEN not in style + script  # noqa: S101  (ours: both are built from web/)
    return style, script


@cache
def _packed(part: str) -> str:
    both = _BETWEEN.join(_sources(part)).encode("utf-8")
    return base64.b64encode(gzip.compress(both, 9, mtime=0)).decode("ascii")
