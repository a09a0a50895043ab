"""A report as one self-contained page, which needs no network and no other file.

    page("A title", [prose_section(…), score_section(…), audit_section(…)])

The Content-Security-Policy names the page's own style and script by their hashes, so no other script can run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from pofx.report import heat
from pofx.report.html.audit import audit_fragment, audit_section
from pofx.report.html.draws import draws_fragment, draws_section
from pofx.report.html.score import score_fragment, score_section
from pofx.report.html.sections import (
    Fragment,
    Section,
    code,
    paragraph,
    prose_section,
    quote,
    table,
    table_section,
    text,
)

__all__ = [
    "Fragment",
    "Section",
    "audit_fragment",
    "audit_section",
    "code",
    "draws_fragment",
    "draws_section",
    "page",
    "paragraph",
    "prose_section",
    "quote",
    "score_fragment",
    "score_section",
    "table",
    "table_section",
]

# A page of at least so many sections has a list of them at its top.
CONTENTS_FROM = 4


def page(title: str, sections: Sequence[Section], lead: str = "") -> str:
    """Return a complete HTML document. A section with the title of the page has no heading of its own.

    Args:
        title: The title of the page.
        sections: The sections, in order.
        lead: A line under the title; "" for none.

    Right: `page("A title", [score_section(records)])`. Wrong: HTML in `title`; all text is escaped.
    """
    style = _style()
    script = _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = "".join(
        _section(k, replace(s, title="") if s.title == title else s) for k, s in enumerate(sections, start=1)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{text(title)}</h1>{f'<p>{text(lead)}</p>' if lead else ''}</header>\n"
        f"{_contents(sections)}<main>\n{body}</main>\n"
        "<footer>Made with pofx. Logarithms are natural, in nats, unless a unit says otherwise.</footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _section(k: int, section: Section) -> str:
    blocks = "\n".join(b.html for b in section.fragments)
    if not section.title:
        return f'<section id="s{k}">\n{blocks}\n</section>\n'
    heading = f'<h2 id="h{k}">{text(section.title)}</h2>'
    return f'<section id="s{k}" aria-labelledby="h{k}">\n{heading}\n{blocks}\n</section>\n'


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < CONTENTS_FROM:
        return ""
    items = "".join(
        f'<li><a href="#s{k}">{text(s.title)}</a></li>' for k, s in enumerate(sections, start=1) if s.title
    )
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>\n'


def _style() -> str:
    light = heat.css_variables(heat.LIGHT, heat.LIGHT_INK)
    dark = heat.css_variables(heat.DARK, heat.DARK_INK)
    steps = "".join(f".h{i}{{background:var(--h{i});color:var(--h-ink)}}" for i in range(len(heat.LIGHT)))
    scale = f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f"{scale}\n{_asset('page.css')}{steps}\n"


def _asset(name: str) -> str:
    return files("pofx.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest()).decode("ascii")
