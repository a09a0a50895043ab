"""The white space between words where punctuation and clitics have rows of their own."""

from __future__ import annotations

import pytest

from pofx.stimuli.spaces import spaced
from pofx.stimuli.stimulus_fields import StimulusFields
from pofx.stimuli.stimulus_texts import read_texts_of_rows


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("I do n't know , he said .", "I don't know, he said."),
        ("( It 's late ) !", "(It's late)!"),
        ('He said " no " and " yes " .', 'He said "no" and "yes".'),
        ("« Non » , dit-elle …", "«Non», dit-elle…"),
        ("“ Why ? ” she asked", "“Why?” she asked"),
        ("a – b — c", "a – b — c"),
        (", and", ", and"),
        ("dijo : ¿ Qué ?", "dijo: ¿Qué?"),
        ("rock 'n' roll ’s", "rock 'n' roll’s"),
        ("salt & pepper ?!", "salt & pepper?!"),
        ("word", "word"),
        (".", "."),
    ],
)
def test_texts_as_an_author_writes_them(words: str, text: str) -> None:
    parts = words.split(" ")
    assert "".join(" " * s + w for s, w in zip(spaced(parts), parts)) == text
    rows = [{"item": 1, "word": f" {w} "} for w in parts]
    (found,) = read_texts_of_rows(rows, StimulusFields("word", ("item",)), attach=True)
    assert found.text == text
    assert [text[a:b] for a, b in found.regions] == parts
