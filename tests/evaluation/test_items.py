"""Rows become items, or the reason why they hold none."""

from __future__ import annotations

from typing import Any

import pytest

from pofx.errors import BadValue, NotText
from pofx.evaluation.items import BLIMP, ChoiceItem, ItemFields, Pair, choice_item, pair_item

ROW: dict[str, Any] = {"context": "2 + 2 =", "choices": ["3", "4"], "label": 1}


@pytest.mark.parametrize(
    ("label", "expected"),
    [(0, 0), (1, 1), ("4", 1), ("3", 0), ("1", 1), ("0", 0)],
)
def test_a_label_is_a_place_or_the_text_of_a_choice(label: object, expected: int) -> None:
    assert choice_item({**ROW, "label": label}).label == expected


@pytest.mark.parametrize("label", [2, -1, True, 1.0, None, "5", "²", [1], "1" * 5000])
def test_other_labels_are_refused(label: object) -> None:
    with pytest.raises(BadValue, match="^label: "):
        choice_item({**ROW, "label": label})


def test_a_label_of_two_meanings_is_refused() -> None:
    row = {"context": "1 + 0 =", "choices": ["1", "0"], "label": "1"}
    with pytest.raises(BadValue, match="one meaning"):
        choice_item(row)
    assert choice_item({**row, "label": 1}).label == 1
    assert choice_item({**row, "choices": ["0", "1"]}).label == 1


def test_choices_may_be_json_in_a_cell() -> None:
    assert choice_item({**ROW, "choices": '["a", "b"]'}).choices == ("a", "b")
    for bad in ("a, b", '{"a": 1}', "[1, 2]", "[" * 100_000, [1, 2], 3, ["a", "a"], ["a"], []):
        with pytest.raises(BadValue, match="^choices: "):
            choice_item({**ROW, "choices": bad})


def test_names_of_fields_and_groups() -> None:
    row = {"q": "a", "options": ["b", "c"], "gold": 0, "topic": 7, "key": 12}
    fields = ItemFields("q", "options", "gold", group="topic", id="key")
    assert choice_item(row, fields) == ChoiceItem("a", ("b", "c"), 0, "12", "7")
    with pytest.raises(BadValue, match="^topic: "):
        choice_item({**row, "topic": None}, fields)
    blimp = {"sentence_good": "a b", "sentence_bad": "b a", "UID": "order", "pair_id": "0"}
    assert pair_item(blimp, BLIMP, "p") == Pair("a b", "b a", "p", "order")


def test_texts_that_no_model_reads_are_refused() -> None:
    with pytest.raises(NotText):
        ChoiceItem("\ud800", ("a", "b"), 0)
    with pytest.raises(NotText):
        Pair("a", "\udfff")
    with pytest.raises(BadValue, match="two different texts"):
        Pair("a", "a")
    with pytest.raises(BadValue, match="^bad: expected a string"):
        pair_item({"good": "a", "bad": 3})
