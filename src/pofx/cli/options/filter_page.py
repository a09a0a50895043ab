"""The page of `pofx filter`: what a filter does to documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pofx.cli.options.pages import write_page

if TYPE_CHECKING:
    from pofx.corpus.documents import Document
    from pofx.filtering.overview import Seen
    from pofx.filtering.quality import QualityFilter

# The documents of a sample that are judged together.
_BATCH = 1000


def judged(quality: QualityFilter, documents: Sequence[Document]) -> Iterator[Seen]:
    """Judge documents, and yield a record of each for the page."""
    from pofx.filtering.overview import Seen
    from pofx.filtering.quality import filter_texts

    for at in range(0, len(documents), _BATCH):
        some = documents[at : at + _BATCH]
        for d, j in zip(some, filter_texts(quality, [d.text for d in some])):
            yield Seen(d.id, d.text, j.language, j.bits_per_byte, j.reason)


def write_filter_page(
    path: str, quality: QualityFilter, documents: Iterable[Seen], name: str, quiet: bool = False
) -> None:
    """Write the page of a filter and some documents.

    Args:
        path: The file.
        quality: The filter.
        documents: The documents that the filter judged.
        name: The name of the filter.
        quiet: Whether standard error stays empty.
    """
    from pofx.filtering.overview import overview
    from pofx.report.html.page import filter_sections

    found = overview(dict(zip(quality.languages, quality.bounds)), documents)
    models = [(f"{name}: {n}", lm) for n, lm in zip(quality.languages, quality.router.lms)]
    write_page(path, f"What the filter {name} keeps", filter_sections(found), models, quiet)
