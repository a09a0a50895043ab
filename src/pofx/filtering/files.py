"""A filter on disk, without pickle: quality.json, and a directory with the models of its languages."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pofx.classification.files import CARD as ROUTER_CARD
from pofx.classification.files import ClassifierSettings, load_joint, save_joint
from pofx.errors import BadSource, BadValue, PofxError
from pofx.files.directory import card_seal, check_output_directory, file_sha256, replaced_output
from pofx.files.json_file import read_object
from pofx.filtering.bounds import Bounds, check_quantiles
from pofx.filtering.normaliser import Normaliser
from pofx.filtering.quality import QualityFilter
from pofx.filtering.reference import KEPT, Reference
from pofx.values import check_real_number, check_whole_number

CARD = "quality.json"
ROUTER = "languages"
FORMAT = 1
# A language takes 20 kB, so that a card holds some hundreds of languages.
MOST = 1 << 23
_ADVICE = "copy the directory again, or fit the filter again"


def save_filter(quality: QualityFilter, directory: str | Path) -> None:
    """Write a filter as a directory, in one step.

    The directory holds quality.json, and `languages/`, a classifier that `pofx classify predict` reads, too. An older filter
    there is replaced; another directory is not.

    Args:
        quality: The filter.
        directory: The directory to write.

    Raises:
        BadSource: The directory cannot be written, or holds anything but a filter.
        BadValue: The filter has more languages than its card holds.

    Right: `save_filter(fit_filter(texts), "quality")`. Wrong: the directory of a model, which holds other files.
    """
    check_output_directory(directory, CARD, "filter")
    card: dict[str, Any] = {
        "format": FORMAT,
        "normaliser": quality.normaliser.settings,
        "languages": list(quality.languages),
        "router": ROUTER,
        "reject": quality.reject,
        "least_posterior": quality.least_posterior,
        "quantiles": quality.quantiles,
        "bounds": [{**asdict(b), "low": _finite(b.low), "high": _finite(b.high)} for b in quality.bounds],
        "references": [
            {"documents": r.documents, "bits_per_byte": r.values.tolist()} for r in quality.references
        ],
    }
    with replaced_output(directory, "filter") as part:
        prior = dict(zip(quality.languages, np.exp(quality.router.log_prior).tolist()))
        save_joint(quality.router, ClassifierSettings(None, prior), quality.rejection, part / ROUTER)
        card["sha256"] = {ROUTER: file_sha256(part / ROUTER / ROUTER_CARD)}
        text = json.dumps({**card, "seal": card_seal(card)}) + "\n"
        if len(text) > MOST:
            raise BadValue(
                f"expected languages that take at most {MOST:,} bytes in {CARD}, got {len(text):,}",
                "fit several filters, of fewer languages each",
                argument="languages",
            )
        (part / CARD).write_text(text, encoding="utf-8")


def load_filter(directory: str | Path) -> QualityFilter:
    """Read a filter that `save_filter` wrote, and check its hashes.

    Args:
        directory: The directory of the filter.

    Returns:
        The filter.

    Raises:
        BadSource: The directory has no filter, or is damaged.

    Right: `load_filter("quality")`. Wrong: `load_filter("quality/quality.json")`, since the models lie beside that file.
    """
    home = Path(directory)
    if not (home / CARD).is_file():
        raise BadSource(
            f"{home}: expected the directory of a filter, got no {CARD} in it",
            "fit a filter with: pofx filter fit SAMPLE -o quality/",
        )
    card = read_object(home / CARD, MOST, "a filter", _ADVICE)
    try:
        return _filter(home, card)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as e:
        if isinstance(e, BadSource):
            raise
        why = f" ({e})" if isinstance(e, PofxError) else ""
        raise BadSource(
            f"{home / CARD}: expected the file as pofx wrote it, got a changed file{why}", _ADVICE
        ) from None


def filter_fingerprint(directory: str | Path) -> str:
    """Return the seal of a filter's card, which stands for all numbers and models of the filter."""
    card = read_object(Path(directory) / CARD, MOST, "a filter", _ADVICE)
    return str(card.get("seal"))


def _filter(home: Path, card: dict[str, Any]) -> QualityFilter:
    if card.get("format") != FORMAT:
        raise BadSource(
            f"{home / CARD}: expected format {FORMAT}, got {card.get('format')!r:.40}",
            "read the filter with the version of pofx that wrote it",
        )
    seal = card.pop("seal", None)
    if seal != card_seal(card):
        raise ValueError("a seal that does not fit")
    normaliser = Normaliser(**card["normaliser"])
    names = _list(card["languages"], lambda v: v if isinstance(v, str) else _wrong())
    place = _inside(home, card["router"])
    if file_sha256(place / ROUTER_CARD) != card["sha256"][card["router"]]:
        raise BadSource(f"{place}: expected the models whose hash is in {CARD}, got other models", _ADVICE)
    router, _, rejection = load_joint(place)
    bounds = tuple(_list(card["bounds"], _bounds))
    references = tuple(_list(card["references"], _reference))
    asked = card["quantiles"]
    if tuple(names) != router.classes or not len(names) == len(bounds) == len(references):
        raise ValueError("numbers of other languages")
    return QualityFilter(
        normaliser,
        router,
        rejection,
        check_real_number("reject", card["reject"], 0, 1, below=True),
        check_real_number("least_posterior", card["least_posterior"], 0, 1),
        references,
        bounds,
        None if asked is None else check_quantiles((asked[0], asked[1])),
    )


def _inside(home: Path, name: Any) -> Path:
    """Return the place of a part, which must lie in the directory itself, links followed."""
    place = home / name if isinstance(name, str) else home
    if not isinstance(name, str) or Path(name).name != name or place.resolve().parent != home.resolve():
        raise BadSource(
            f"{home / CARD}: expected the models in a directory beside this file, got {name!r:.60}", _ADVICE
        )
    return place


def _bounds(record: dict[str, Any]) -> Bounds:
    low, high = (
        sign * math.inf if record[name] is None else check_real_number(name, record[name], -math.inf)
        for name, sign in (("low", -1), ("high", 1))
    )
    counts = [check_whole_number(n, record[n]) for n in ("kept", "documents", "kept_bad", "bad")]
    if record["how"] not in ("quantiles", "labels") or low > high:
        raise ValueError("bounds that are none")
    return Bounds(low, high, record["how"], *counts)


def _reference(record: dict[str, Any]) -> Reference:
    values = np.array(
        _list(record["bits_per_byte"], lambda v: check_real_number("bits_per_byte", v, -math.inf))
    )
    documents = check_whole_number("documents", record["documents"])
    if len(values) != min(documents, KEPT) or (np.diff(values) < 0).any():
        raise ValueError("a sample that is not in order")
    return Reference(values.astype(np.float64), documents)


def _list(value: Any, one: Callable[[Any], Any]) -> list[Any]:
    return [one(v) for v in value] if isinstance(value, list) else _wrong()


def _wrong() -> Any:
    raise ValueError("a value of another kind")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
