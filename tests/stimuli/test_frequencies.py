"""Log frequencies of words, which sum to one with the share of all words that the corpus lacks."""

from __future__ import annotations

import math
import sys

import pytest

import pofx
from pofx.stimuli.frequencies import WordFrequencies, frequencies_of
from pofx.stimuli.stimulus_table import measure_stimuli
from small_models import BYTES

CORPUS = ["The cat sat. The dog!", "  the end -- ", ""]


def test_shares_of_all_words_sum_to_one() -> None:
    known = WordFrequencies.of(CORPUS)
    words = ["the", "cat", "sat", "dog", "end", "--"]
    assert (known.total, len(known.counts)) == (8, len(words))
    shares = [math.exp(known.log_frequency(w)) for w in [*words, "zebra"]]
    assert math.fsum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(4 / 15)
    assert known.log_frequency("“The,") == known.log_frequency("the")
    mean = (known.log_frequency("the") + known.log_frequency("zebra")) / 2
    assert known.log_frequency("the zebra") == pytest.approx(mean)


def test_a_column_and_those_of_the_words_before() -> None:
    rows = [{"item": 1, "word": w} for w in ("the", "dog", "sat.")]
    found = {
        c.name: list(c.cells) for c in measure_stimuli(BYTES, rows, previous=1, frequencies=CORPUS).columns
    }
    known = WordFrequencies.of(CORPUS)
    logs = [known.log_frequency(w) for w in ("the", "dog", "sat")]
    assert found["log_frequency"] == logs
    assert found["previous_1_log_frequency"] == [None, *logs[:2]]
    assert "log_frequency" not in {c.name for c in measure_stimuli(BYTES, rows).columns}


@pytest.mark.parametrize(
    ("corpus", "says"), [([" "], "expected a corpus with words"), ("the", "list of documents")]
)
def test_refusals(corpus: list[str] | str, says: str) -> None:
    with pytest.raises(pofx.BadValue, match=f"^frequencies: .*{says}"):
        measure_stimuli(BYTES, [{"item": 1, "word": "a"}], frequencies=corpus)


def test_a_list_of_wordfreq_has_the_frequency_of_a_form() -> None:
    wordfreq = pytest.importorskip("wordfreq")
    found = frequencies_of("wordfreq:en")
    assert found.log_frequency("Cat,") == pytest.approx(math.log(wordfreq.word_frequency("cat", "en")))
    both = [math.log(wordfreq.word_frequency(w, "en")) for w in ("the", "cat")]
    assert found.log_frequency("the cat") == pytest.approx(sum(both) / 2)
    assert found.log_frequency("qzxqzx") == pytest.approx(math.log(1e-9))
    with pytest.raises(pofx.BadValue, match="expected a language of wordfreq, got 'xx'"):
        frequencies_of("wordfreq:xx")


def test_a_text_is_no_list_of_documents() -> None:
    with pytest.raises(pofx.BadValue, match="expected a list of documents, or 'wordfreq:en', got 'the cat'"):
        frequencies_of("the cat")


def test_without_wordfreq_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(pofx.MissingExtra, match=r"pip install 'pofx\[frequencies\]'"):
        frequencies_of("wordfreq:en")
