"""Stimulus tables: each row has the numbers of its region, whatever the tokens are, and no row moves."""

from __future__ import annotations

import math
import random
import sys
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

import pofx
from enumerated import Pieces
from pofx.lm.model import LM
from pofx.stimuli.stimulus_fields import find_fields
from pofx.stimuli.stimulus_table import StimulusTable, measure_stimuli
from small_models import BYTES, NO_BEGIN, NO_END, ngram
from toy import ToyLM

SENTENCES = {"1": "the cat sat", "2": "a dog and dogs sat", "3": "cats", "4": "the cat sat"}
LINES = ["the cat sat on the mat.", "a dog ran, and the cat sat.", "dogs and cats ran on.", "the end."] * 3
SUBWORDS = ngram(LINES, vocab="bpe:270")
CHARACTERS = ngram(["猫が座る", "犬が走る", "猫が走る。", "東京の猫"], vocab="chars")
SPACES = sorted({chr(c).encode()[:1] for c in range(sys.maxunicode) if chr(c).isspace()})


def table(sentences: dict[str, str] = SENTENCES) -> list[dict[str, Any]]:
    return [{"item": i, "word": w, "time": len(w)} for i, t in sentences.items() for w in t.split()]


def up_to_a_boundary(lm: LM, start: str) -> float:
    """log P(a text begins with `start`, and a boundary follows), by asking for each continuation on its own; bytes only."""
    if not start:
        return 0.0
    mass = math.exp(pofx.log_prob(lm, start))
    return math.log(mass + sum(math.exp(pofx.prefix_log_prob(lm, start.encode() + b)) for b in SPACES))


def columns(found: StimulusTable) -> dict[str, list[Any]]:
    return {c.name: list(c.cells) for c in found.columns}


def test_surprisals_are_ratios_of_probabilities_of_strings() -> None:
    found = columns(measure_stimuli(BYTES, table()))
    at = 0
    for text in SENTENCES.values():
        words = text.split()
        for k in range(len(words)):
            before, here = (up_to_a_boundary(BYTES, " ".join(words[:n])) for n in (k, k + 1))
            assert found["surprisal_nats"][at] == pytest.approx(before - here, abs=1e-9)
            prefix = " ".join(words[: k + 1])
            assert found["boundary_nats"][at] == pytest.approx(
                pofx.prefix_log_prob(BYTES, prefix) - up_to_a_boundary(BYTES, prefix), abs=1e-9
            )
            ends = k == len(words) - 1
            rest = up_to_a_boundary(BYTES, text) - pofx.log_prob(BYTES, text) if ends else 0
            assert found["ending_nats"][at] == pytest.approx(rest, abs=1e-9)
            at += 1


@pytest.mark.parametrize("lm", [BYTES, SUBWORDS], ids=["bytes", "subwords"])
def test_regions_of_a_text_add_up_to_the_text(lm: LM) -> None:
    rng = random.Random(0)
    rows = []
    for n, text in enumerate([*LINES[:4], "cats", "naïve dogs"]):
        words = text.split()
        while words:  # regions of one to three words
            k = rng.randint(1, 3)
            rows.append({"item": n, "word": " ".join(words[:k]), "sentence": text})
            words = words[k:]
    found = columns(measure_stimuli(lm, rows))
    for n in range(6):
        mine = [k for k, row in enumerate(rows) if row["item"] == n]
        total = math.fsum(found["surprisal_nats"][k] + found["ending_nats"][k] for k in mine)
        assert total == pytest.approx(-pofx.log_prob(lm, rows[mine[0]]["sentence"]), abs=1e-9)
        ends = found["cumulative_nats"][mine[-1]] + found["ending_nats"][mine[-1]]
        assert ends == pytest.approx(total)


def test_words_have_the_surprisal_of_the_query_words() -> None:
    found = columns(measure_stimuli(SUBWORDS, table()))
    own = [w for t in SENTENCES.values() for w in pofx.words(SUBWORDS, [t])[0].words]
    assert found["surprisal_nats"] == pytest.approx([w.surprisal - w.ending for w in own], abs=1e-9)
    assert found["entropy_nats"] == pytest.approx([w.entropy for w in own])
    assert found["tokens"] == [w.tokens for w in own]


def test_a_token_that_spans_two_regions_is_said() -> None:
    rows = [{"item": 1, "word": w} for w in ("do", "gs", " a", "nd", " c", "ats")]
    found = columns(measure_stimuli(SUBWORDS, rows, join=""))
    ids = SUBWORDS.vocab.encode("dogs and cats")
    spans = SUBWORDS.vocab.spans(ids, "dogs and cats").tolist()
    regions = [(0, 2), (2, 4), (5, 6), (6, 8), (9, 10), (10, 13)]
    want = [
        any(
            lo < b and hi > a and any(lo < d and hi > c for c, d in regions if (c, d) != (a, b))
            for lo, hi in spans
        )
        for a, b in regions
    ]
    assert len(set(want)) == 2, "the model of this test must have tokens of both kinds"
    assert found["shared"] == want
    assert found["bounded"] == [False, True, False, True, False, True]
    total = math.fsum(found["surprisal_nats"]) + found["ending_nats"][-1]
    assert total == pytest.approx(-pofx.log_prob(SUBWORDS, "dogs and cats"))


@pytest.mark.parametrize("text", ["a b a", "a b ab", "ab b b", "a. b", "b. b a a", "b a b a b"])
def test_tokens_that_hold_only_the_space_after_a_region_are_not_shared(text: str) -> None:
    lm = ToyLM(Pieces(b"a", b"b", b"a ", b" b", b"b a", b"a b a", b"ab", b".", b". ", b" ", b"b."), seed=3)
    found = columns(measure_stimuli(lm, [{"item": 1, "word": w} for w in text.split()]))
    at, regions = 0, []
    for word in text.split():
        at = text.index(word, at)
        regions.append((at, at + len(word)))
        at += len(word)
    spans = lm.vocab.spans(lm.vocab.encode(text), text).tolist()
    over = [{k for k, (a, b) in enumerate(regions) if lo < b and hi > a} for lo, hi in spans]
    assert found["shared"] == [any(k in held and len(held) > 1 for held in over) for k in range(len(regions))]
    reach = [any(lo < b < hi for lo, hi in spans) for _, b in regions]
    assert [n is None for n in found["boundary_nats"]] == reach
    total = math.fsum(found["surprisal_nats"]) + found["ending_nats"][-1]
    assert total == pytest.approx(-pofx.log_prob(lm, text))


def test_reduction_is_the_entropy_before_less_the_entropy_after() -> None:
    found = columns(measure_stimuli(BYTES, table({"1": "the cat sat"})))
    entropy = [pofx.next(BYTES, p, unit="token").entropy for p in ("", "the", "the cat", "the cat sat")]
    assert found["entropy_nats"] == pytest.approx(entropy[:3])
    assert found["reduction_nats"] == pytest.approx([a - b for a, b in pairwise(entropy)])


def test_words_without_spaces_between_them() -> None:
    rows = [{"item": 1, "word": w} for w in ("猫", "が", "走る", "。")]
    found = columns(measure_stimuli(CHARACTERS, rows, join=""))
    text = "猫が走る。"
    for k, (start, end) in enumerate([(0, 1), (1, 2), (2, 4)]):  # anything may follow these regions
        want = pofx.prefix_log_prob(CHARACTERS, text[:start]) - pofx.prefix_log_prob(CHARACTERS, text[:end])
        assert found["surprisal_nats"][k] == pytest.approx(want)
    total = math.fsum(found["surprisal_nats"]) + found["ending_nats"][-1]
    assert total == pytest.approx(-pofx.log_prob(CHARACTERS, text))


def test_readings_of_several_people_share_the_region() -> None:
    plain = columns(measure_stimuli(BYTES, table(), previous=2))
    one = [{**row, "zone": k, "row": k} for k, row in enumerate(table())]
    rows = [{**row, "reader": who} for who in "abc" for row in one]
    random.Random(1).shuffle(rows)
    found = columns(measure_stimuli(BYTES, rows, previous=2))
    for name, cells in plain.items():
        assert found[name] == [cells[row["row"]] for row in rows], name


def test_words_that_a_table_lacks_come_from_a_table_of_the_texts() -> None:
    whole = [{"item": int(row["item"]), "word": row["word"], "zone": k} for k, row in enumerate(table())]
    full = columns(measure_stimuli(BYTES, whole))
    some = [{**whole[k], "item": str(whole[k]["item"]), "who": "a"} for k in (5, 1, 4, 4)]
    found = measure_stimuli(BYTES, some, texts=whole)
    assert [t.text for t in found.texts] == [SENTENCES["2"], SENTENCES["1"]]
    for name, cells in full.items():
        assert columns(found)[name] == [cells[k] for k in (5, 1, 4, 4)], name
    with pytest.raises(pofx.BadValue, match="row 1 and 'cat' in row 2 of the texts"):
        measure_stimuli(BYTES, [{**whole[1], "word": "dog"}], texts=whole)
    with pytest.raises(pofx.BadValue, match="texts: expected a column with the places"):
        measure_stimuli(BYTES, [{"item": 1, "word": "cat"}], texts=whole)


@pytest.mark.parametrize(
    ("places", "lacking"),
    [
        ([0, 1, 2], None),
        ([1, 2], None),
        ([2, 3], 1),
        ([1, 3], 2),
        ([0, 1, 4], 2),
        ([0.5, 3], None),
        (["2", "3"], 1),
        ([7, 8], None),
    ],
)
def test_a_place_that_no_row_has_is_told(places: list[Any], lacking: int | None) -> None:
    rows = [{"item": 1, "word": "cat", "zone": at} for at in places]
    if lacking is None:
        assert measure_stimuli(BYTES, rows).texts[0].lacking is None
        return
    with pytest.warns(
        UserWarning, match=r"got 1 text without some word, such as the word at place \d of the text of row 1"
    ):
        assert measure_stimuli(BYTES, rows).texts[0].lacking == lacking


def test_previous_regions_stay_within_their_text() -> None:
    rows = table()
    found = columns(measure_stimuli(BYTES, rows, previous=2))
    for k, row in enumerate(rows):
        for back in (1, 2):
            same = k >= back and rows[k - back]["item"] == row["item"]
            for name in ("surprisal_nats", "length"):
                assert found[f"previous_{back}_{name}"][k] == (found[name][k - back] if same else None)


def test_one_string_may_be_cut_into_regions_in_two_ways() -> None:
    rows = [{"item": 1, "word": "the cat"}, {"item": 1, "word": "sat"}, {"item": 2, "word": "the"}]
    rows += [{"item": 2, "word": "cat sat"}, {"item": 3, "word": "the cat"}, {"item": 3, "word": "sat"}]
    found = columns(measure_stimuli(BYTES, rows))["surprisal_nats"]
    alone = [columns(measure_stimuli(BYTES, rows[a : a + 2]))["surprisal_nats"] for a in (0, 2, 4)]
    assert found == [n for two in alone for n in two]
    assert found[0] != found[2]


def test_a_prefix_stands_before_the_text() -> None:
    rows = [{**row, "before": "a cat" if row["item"] == "1" else ""} for row in table()]
    found = columns(measure_stimuli(BYTES, rows, given_field="before"))
    plain = columns(measure_stimuli(BYTES, rows))
    n = 3
    assert found["surprisal_nats"][n:] == plain["surprisal_nats"][n:]
    total = math.fsum(found["surprisal_nats"][:n]) + found["ending_nats"][n - 1]
    assert total == pytest.approx(-pofx.log_prob(BYTES, " the cat sat", given="a cat"))
    same = columns(measure_stimuli(BYTES, rows[:n], given="a cat"))
    assert same["surprisal_nats"] == found["surprisal_nats"][:n]


def test_tables_of_arrow_come_back_whole_with_columns_of_each_model() -> None:
    given = pa.table(
        {"Item": pa.array([1, 1, 2], pa.int8()), "Word": ["the", "", "dogs"], "index": [7, 8, 9]}
    )
    found = measure_stimuli({"a": BYTES, "b": SUBWORDS}, given)
    out = found.to_arrow()
    assert out.select(["Item", "Word", "index_own"]).rename_columns(given.column_names) == given
    assert found.renamed == {"index": "index_own"}
    assert out["index"].to_pylist() == [0, None, 0]
    for name, lm in (("a", BYTES), ("b", SUBWORDS)):
        nats = out[f"{name}_surprisal_nats"].to_pylist()
        own = columns(measure_stimuli(lm, given))["surprisal_nats"]
        assert nats == own
        assert nats[1] is None
    assert pa.table(found) == out


def test_a_text_without_numbers_has_an_error_and_the_others_have_none() -> None:
    rows = [{"item": 1, "word": "猫"}, {"item": 2, "word": "cat"}, {"item": 2, "word": "猫"}]
    found = columns(measure_stimuli(CHARACTERS, rows))
    assert [e is None for e in found["error"]] == [True, False, False]
    assert [n is None for n in found["surprisal_nats"]] == [False, True, True]


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([], {}, "table: expected a table"),
        ("the cat", {}, "table: expected a table"),
        ([{"Wort": "a", "item": 1}], {}, "word: expected a column with a known name"),
        ([{"word": "a", "Satz": 1}], {}, "item: expected a column with a known name"),
        ([{"word": "a", "item": 1}], {"word": "wrd"}, "word: expected a column of the table, got 'wrd'"),
        ([{"word": "a", "item": 1}], {"item": []}, "item: expected at least one column"),
        ([{"word": "a", "item": 1}], {"join": "-"}, "join: expected white space"),
        ([{"word": "a", "item": 1}], {"given": "b", "given_field": "word"}, "expected given or given_field"),
        ([{"word": "a", "item": 1}, {"item": 1}], {}, "expected a value in column 'word' of row 2"),
        ([{"word": "a", "item": i} for i in (1, 2, 1)], {}, "rows of the text '1' one after another"),
        (
            [{"word": w, "item": 1, "zone": 3} for w in "ab"],
            {},
            "one word at place 3 of the text '1', got 'a' in row 1",
        ),
        (
            [{"word": "a", "item": 1, "zone": "x"}],
            {},
            "order: expected a number in column 'zone' of row 1, got 'x'",
        ),
        ([{"word": "a", "item": 1, "zone": math.nan}], {}, "order: expected a number"),
        (
            [{"word": "a", "item": 1, "before": b} for b in "xy"],
            {"given_field": "before"},
            "expected one prefix for a text, got two, in row 1 and row 2",
        ),
        ([{"word": "a", "item": 1}], {"previous": 21}, "previous: expected"),
    ],
)
def test_refusals(rows: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(pofx.BadValue, match="^.*") as refused:
        measure_stimuli(BYTES, rows, **options)
    assert says in str(refused.value)


def test_a_model_without_an_end_or_a_beginning_is_refused() -> None:
    with pytest.raises(pofx.NoEOS):
        measure_stimuli(NO_END, [{"item": 1, "word": "a"}])
    with pytest.raises(pofx.NoBOS):
        measure_stimuli(NO_BEGIN, [{"item": 1, "word": "a"}])


def test_conditions_of_an_item_are_different_texts() -> None:
    rows = [{"item": 1, "Condition": c, "word": w} for c in "ab" for w in ("the", "cat")]
    assert [t.text for t in measure_stimuli(BYTES, rows).texts] == ["the cat", "the cat"]
    with pytest.raises(pofx.BadValue, match="at least one"):
        measure_stimuli(BYTES, rows, item=())


@pytest.mark.parametrize(
    ("cells", "order"), [(("noun", "verb"), None), (("1", "2"), "region"), ((1, 2), "region")]
)
def test_a_column_region_has_places_where_its_values_are_numbers(
    cells: tuple[object, ...], order: str | None
) -> None:
    rows = [{"item": 1, "word": w, "region": r} for w, r in zip(("cats", "sleep"), cells)]
    assert find_fields(["item", "word", "region"], rows=rows).order == order
    assert measure_stimuli(BYTES, rows).texts[0].text == "cats sleep"
