"""The HTML document around the data of a page, which needs no network and no other file.

The data stand in a script element of type application/json. The script that `web/` builds draws the page from these data,
and puts every text into a text node. The Content-Security-Policy names this script and the style sheet by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from html import escape
from typing import Any

from pofx.report.html.blocks import Section
from pofx.report.html.made import Made
from pofx.report.json_records import plain
from pofx.report.visible import visible
from pofx.version import __version__
from pofx.web_pages import built


def page(title: str, sections: Sequence[Section], lead: str = "", made: Made | None = None) -> str:
    """Return a complete HTML document. A section with the title of the page has no heading of its own.

    Args:
        title: The title of the page.
        sections: The sections, in order.
        lead: A line under the title; "" for none.
        made: The command and the models; None where no command made the page.

    Right: `page("A title", [score_section(records)])`. Wrong: HTML in `title`, which is shown as text.
    """
    script, style = _script(), _style()
    policy = (
        f"default-src 'none'; style-src '{source_hash(style)}'; script-src '{source_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    data = page_data(title, sections, lead, made or Made(), compact=False)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="pofx {__version__}">\n'
        f"<title>{escape(visible(title))}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<div id="page"></div>\n'
        "<noscript>This page needs JavaScript, which draws it from the data within this file.</noscript>\n"
        f'<script type="application/json" id="data">{script_json(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def page_data(
    title: str, sections: Sequence[Section], lead: str, made: Made, compact: bool
) -> dict[str, Any]:
    """Return the data of a page; a `compact` page stands within another one, and has no header and no footer."""
    data = {
        "title": title,
        "lead": lead,
        "compact": compact,
        "made": {"version": __version__, **asdict(made)},
        "sections": [
            {"title": s.title, "blocks": [{"kind": b.kind, **b.data} for b in s.blocks]} for s in sections
        ],
    }
    found: dict[str, Any] = plain(data)
    return found


def script_json(value: Any) -> str:
    """Return a value as JSON without `<` for a script element, so no text can end the element by `</script>` or `<!--`."""
    packed = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _script() -> str:
    return closed_script(built("offline/offline.js").decode("utf-8"))


def closed_script(source: str) -> str:
    r"""Return a script, where `\x3c` stands for the `<` of a string that could end the script element."""
    for ends in ("</script", "<script", "<!--"):
        source = source.replace(ends, "\\x3c" + ends[1:])
    return source


@cache
def _style() -> str:
    style = built("offline/offline.css").decode("utf-8")
    assert "</" not in style  # noqa: S101  (ours: the style sheet is built from web/)
    return style


def source_hash(source: str) -> str:
    """Return the hash of a script or a style sheet, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest()).decode("ascii")
