"""A filter on disk: what is saved is what is read, and a damaged or hostile card is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filter_toys import toy_filter

from pofx.errors import BadSource
from pofx.files.directory import card_seal
from pofx.filtering.files import load_filter, save_filter
from pofx.filtering.quality import filter_texts

TEXTS = ["Time is gold.", "Le temps passe.", "", "xx"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filter") / "quality"
    save_filter(toy_filter(), home)
    return home


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "quality")


def test_what_is_read_judges_as_what_was_saved(saved: Path) -> None:
    assert repr(filter_texts(load_filter(saved), TEXTS)) == repr(filter_texts(toy_filter(), TEXTS))


def test_equal_filters_have_equal_bytes(saved: Path, tmp_path: Path) -> None:
    save_filter(load_filter(saved), tmp_path / "again")
    assert (tmp_path / "again/quality.json").read_bytes() == (saved / "quality.json").read_bytes()


def edited(home: Path, change: Callable[[dict[str, Any]], object], sealed: bool) -> Path:
    card = json.loads((home / "quality.json").read_text())
    change(card)
    if sealed:  # the seal finds damage; whoever writes a hostile file computes it anew
        card.pop("seal")
        card["seal"] = card_seal(card)
    (home / "quality.json").write_text(json.dumps(card))
    return home


def _around(card: dict[str, Any]) -> None:
    card["router"] = "languages/../languages"
    card["sha256"][card["router"]] = card["sha256"]["languages"]


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "path above": (lambda c: c.update(router="../quality"), "models in a directory beside this file"),
    "absolute path": (lambda c: c.update(router="/etc"), "models in a directory beside this file"),
    "a way around": (_around, "models in a directory beside this file"),
    "no path": (lambda c: c.update(router=7), "models in a directory beside this file"),
    "dots": (lambda c: c.update(router=".."), "models in a directory beside this file"),
    "format": (lambda c: c.update(format=99), "expected format 1, got 99"),
    "no bounds": (lambda c: c.pop("bounds"), "got a changed file"),
    "bounds of text": (lambda c: c["bounds"][0].update(high="3"), "got a changed file"),
    "crossed bounds": (lambda c: c["bounds"][0].update(low=9, high=1), "got a changed file"),
    "infinite bound": (lambda c: c["bounds"][0].update(high=10**400), "got a changed file"),
    "a reference out of order": (
        lambda c: c["references"][0]["bits_per_byte"].reverse(),
        "got a changed file",
    ),
    "a short reference": (lambda c: c["references"][0]["bits_per_byte"].pop(), "got a changed file"),
    "another language": (lambda c: c["languages"].reverse(), "got a changed file"),
    "a number as a name": (lambda c: c.update(languages=[1, 2]), "got a changed file"),
    "quantiles": (lambda c: c.update(quantiles=[0.9, 0.1]), "got a changed file"),
    "a step that is none": (lambda c: c["normaliser"].update(run="rm"), "got a changed file"),
    "a step of another kind": (lambda c: c["normaliser"].update(lower="yes"), "got a changed file"),
    "reject": (lambda c: c.update(reject=1.5), "got a changed file"),
    "hash": (lambda c: c["sha256"].update(languages="0"), "models whose hash is in quality.json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_card_is_refused(copy: Path, name: str) -> None:
    change, told = HOSTILE[name]
    with pytest.raises(BadSource, match=told) as refused:
        load_filter(edited(copy, change, sealed=True))
    assert "\n" not in str(refused.value)


def test_an_edited_card_is_refused(copy: Path) -> None:
    with pytest.raises(BadSource, match="got a changed file"):
        load_filter(edited(copy, lambda c: c["bounds"][0].update(high=3.0), sealed=False))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "an empty file"),
        (b"{", "no JSON"),
        (b"[]", "an array"),
        (b"\xff", "no UTF-8"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_a_damaged_card_is_refused(copy: Path, data: bytes, told: str) -> None:
    (copy / "quality.json").write_bytes(data)
    with pytest.raises(BadSource, match=told):
        load_filter(copy)


def test_every_cut_of_a_card_is_refused(copy: Path) -> None:
    card = copy / "quality.json"
    whole = card.read_bytes()
    for size in range(0, len(whole) - 2, 97):
        card.write_bytes(whole[:size])
        with pytest.raises(BadSource):
            load_filter(copy)


def test_a_link_that_leads_out_is_refused(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / "languages", tmp_path / "elsewhere")
    (copy / "languages").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadSource, match="models in a directory beside this file"):
        load_filter(copy)


def test_another_model_is_refused(copy: Path) -> None:
    card = copy / "languages/classifier.json"
    card.write_text(card.read_text() + " ")
    with pytest.raises(BadSource, match="models whose hash is in quality.json"):
        load_filter(copy)


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadSource, match=r"other files \(notes.txt\)"):
        save_filter(toy_filter(), tmp_path)
    with pytest.raises(BadSource, match=r"expected the directory of a filter, got no quality.json in it"):
        load_filter(tmp_path)
