"""Documents with known labels for bench/filter.py, made of what is on the machine: manuals, docstrings and translations.

Each document is a paragraph. "prose" is English, German or French, from manual pages, docstrings and catalogues of
translations. The other kinds are what a filter should leave out.
"""

from __future__ import annotations

import base64
import gettext
import gzip
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pofx
from pofx.queries.corpus_audit.near_duplicates import group_near_copies

LANGUAGES = ("en", "de", "fr")
OTHERS = (
    "es",
    "ru",
    "pl",
    "ja",
    "it",
    "pt_BR",
    "nl",
    "sv",
    "cs",
    "uk",
    "tr",
    "fi",
    "hu",
    "vi",
    "ko",
    "zh_CN",
)
LEAST, MOST = 200, 2000
# The share of each kind among the documents; prose takes what is left, and exact copies are of prose.
SHARES = {"copy": 0.15, "near copy": 0.08, "base64": 0.05, "boilerplate": 0.1, "other language": 0.12}


@dataclass(frozen=True)
class Labelled:
    """A document.

    Attributes:
        text: The text.
        kind: "prose", or what the document is.
        language: The language of prose, of copies and of other languages; "" for others.
        of: The text that a near copy was made of; "" for others.
    """

    text: str
    kind: str
    language: str = ""
    of: str = ""


_FONT = re.compile(r"\\f(\[[^]]*\]|\(..|.)|\\s[-+]?\d|\\[&%|^/,:]")
_NAMED = {
    "\\-": "-",
    "\\(aq": "'",
    "\\(dq": '"',
    "\\(lq": "“",
    "\\(rq": "”",
    "\\e": "\\",
    "\\ ": " ",
    "\\(co": "©",
}


def plain(roff: str) -> str:
    """Return a line of a manual page without its escapes."""
    for escape, text in _NAMED.items():
        roff = roff.replace(escape, text)
    return _FONT.sub("", roff).replace("\\(em", "—").strip()


def manual_paragraphs(language: str) -> Iterator[str]:
    """Yield the paragraphs of the manual pages of a language; "en" is the language of pages in no language's folder."""
    home = Path("/usr/share/man")
    folders = sorted((home if language == "en" else home / language).glob("man[1578]"))
    for page in (p for folder in folders for p in sorted(folder.glob("*"))):
        try:
            with gzip.open(page) if page.suffix == ".gz" else page.open("rb") as f:
                lines = f.read(1 << 20).decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError, EOFError):
            continue
        held: list[str] = []
        for line in [*lines, ".PP"]:
            if line.startswith((".B ", ".I ", ".BR ", ".IR ")):
                held.append(plain(line.split(" ", 1)[1].replace(" ", "").replace('"', "")))
            elif line.startswith((".", "'")) or not line.strip():
                text = " ".join(held)
                if LEAST <= len(text) <= MOST and "\\" not in text:
                    yield text
                held = []
            else:
                held.append(plain(line))


def translations(language: str) -> Iterator[str]:
    """Yield the long messages of the catalogues of a language."""
    for path in sorted(Path("/usr/share/locale", language, "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as f:
                messages = gettext.GNUTranslations(f)._catalog  # type: ignore[attr-defined]
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        for key, text in messages.items():
            if key and isinstance(text, str) and LEAST <= len(text) <= MOST and text != key:
                yield text


def docstrings() -> Iterator[str]:
    """Yield the paragraphs of the docstrings of Python's standard library."""
    for text in pofx.builtin_documents():
        yield from (p for p in text.split("\n\n") if LEAST <= len(p) <= MOST and ">>>" not in p)


def boilerplate() -> Iterator[str]:
    """Yield the stanzas of copyright files that list files, holders and names of licences, and lines of changelogs."""
    for path in sorted(Path("/usr/share/doc").glob("*/copyright")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for stanza in text.split("\n\n"):
            if re.match(r"(Files|Copyright|Upstream-Name|Format):", stanza) and LEAST <= len(stanza) <= MOST:
                yield stanza


def encoded(rng: random.Random, n: int) -> Iterator[str]:
    """Yield parts of binary files in base64, in lines of 76 characters."""
    files = [p for p in sorted(Path("/usr/bin").iterdir()) if p.is_file() and p.stat().st_size > 1 << 16]
    for _ in range(n):
        data = rng.choice(files).read_bytes()
        at = rng.randrange(len(data) - 1500)
        yield base64.encodebytes(data[at : at + rng.randint(200, 1400)]).decode("ascii")


def distinct(texts: Iterator[str], most: int, rng: random.Random, seen: set[str]) -> list[str]:
    """Return `most` texts at random that are equal to no other, whatever their case and white space."""
    found = []
    for text in texts:
        key = " ".join(text.casefold().split())
        if key not in seen:
            seen.add(key)
            found.append(text)
    rng.shuffle(found)
    return found[:most]


def apart(texts: list[str]) -> list[str]:
    """Return the texts without near copies of earlier ones, so that a near copy in the corpus is one that was made."""
    return [texts[k] for k in np.unique(group_near_copies(texts)).tolist()]


def edited(text: str, rng: random.Random) -> str:
    """Return a text in which one word in forty is another word of the text."""
    words = text.split(" ")
    for _ in range(max(1, len(words) // 40)):
        words[rng.randrange(len(words))] = rng.choice(words)
    return " ".join(words)


def corpus(n: int, seed: int = 0) -> tuple[list[Labelled], dict[str, list[str]]]:
    """Return n labelled documents in a random order, and other prose of each language to fit models on.

    Args:
        n: About how many documents.
        seed: The seed of all choices.
    """
    rng = random.Random(seed)
    seen: set[str] = set()
    n_prose = int(n * (1 - sum(SHARES.values())))
    prose: list[Labelled] = []
    clean: dict[str, list[str]] = {}
    for language in ("de", "fr", "en"):
        found = [manual_paragraphs(language), docstrings() if language == "en" else translations(language)]
        sources = apart([t for texts in found for t in distinct(texts, 2 * n, rng, seen)])
        rng.shuffle(sources)
        some = n_prose - len(prose) if language == "en" else n_prose // 5
        take = min(some, len(sources) * 2 // 3)
        prose += [Labelled(t, "prose", language) for t in sources[:take]]
        clean[language] = sources[take : 2 * take]
    foreign = [
        Labelled(t, "other language", name)
        for name in OTHERS
        for t in distinct(translations(name), int(n * SHARES["other language"]) // len(OTHERS), rng, seen)
    ]
    copies = [Labelled(d.text, "copy", d.language) for d in rng.sample(prose, int(n * SHARES["copy"]))]
    long = [d for d in prose if len(d.text) > 400]
    near = rng.sample(long, min(len(long), int(n * SHARES["near copy"])))
    out = [
        *prose,
        *foreign,
        *copies,
        *(Labelled(edited(d.text, rng), "near copy", d.language, d.text) for d in near),
        *(Labelled(t, "base64") for t in encoded(rng, int(n * SHARES["base64"]))),
        *(
            Labelled(t, "boilerplate")
            for t in distinct(boilerplate(), int(n * SHARES["boilerplate"]), rng, seen)
        ),
    ]
    rng.shuffle(out)
    return _first_is_prose(out), clean


def _first_is_prose(documents: list[Labelled]) -> list[Labelled]:
    """Return the documents, with the first of equal or nearly equal ones labelled as prose, and the later ones as copies."""
    texts: set[str] = set()
    families: set[str] = set()
    out = []
    for d in documents:
        if d.kind in ("prose", "copy", "near copy"):
            key = d.of or d.text
            kind = "copy" if d.text in texts else "near copy" if key in families else "prose"
            texts.add(d.text)
            families.add(key)
            d = Labelled(d.text, kind, d.language)
        out.append(d)
    return out
