"""ARPA files as toolkits and people leave them: read for what they hold, or refused by what they are."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pofx
from pofx.errors import BadSource
from pofx.models.ngram.arpa import read_arpa, write_arpa

LN10 = math.log(10)
# "a b": p(a|<s>) of the 2-gram, p(b|<s> a) backs off twice, p(</s>|b) of the 2-gram.
PLAIN = (
    "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-99\t<s>\t-0.3\n-0.7\t</s>\n-0.5\ta\t-0.2\n-0.6\tb\t-0.1\n\n"
    "\\2-grams:\n-0.25\t<s> a\n-0.15\tb </s>\n\n\\end\\\n"
)
A_B = (-0.25 - 0.2 - 0.6 - 0.15) * LN10


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


CMU = (
    "#### Copyright ####\nThis file is in the ARPA-standard format introduced by Doug Paul.\n\n"
    "Beginning of data mark: \\data\\\nngram 1=nr            # number of 1-grams\n\\1-grams:\np_1     wd_1 bo_wt_1\n"
    "end of data mark: \\end\\\n\n"
)
READ: dict[str, tuple[str, str | bytes]] = {
    "plain": ("m.arpa", PLAIN),
    "blank lines first": ("m.arpa", "\n\n" + PLAIN),
    "a preamble": ("m.arpa", CMU + PLAIN),
    "iARPA": ("m.arpa", "iARPA\n" + PLAIN),
    "a byte order mark": ("m.arpa", b"\xef\xbb\xbf" + PLAIN.encode()),
    "a byte order mark before a blank line": ("m.arpa", b"\xef\xbb\xbf\n" + PLAIN.encode()),
    "CRLF": ("m.arpa", PLAIN.replace("\n", "\r\n")),
    "spaces for tabs": ("m.arpa", PLAIN.replace("\t", "   ")),
    "tabs for spaces": ("m.arpa", PLAIN.replace(" a\n", "\ta\n").replace("b </s>", "b\t</s>")),
    "spaces around counts": ("m.arpa", PLAIN.replace("ngram 1=4", " ngram  1 =     4 ")),
    "an empty order": ("m.arpa", PLAIN.replace("ngram 2=2", "ngram 2=2\nngram 3=0")),
    "an empty order with a section": (
        "m.arpa",
        PLAIN.replace("ngram 2=2", "ngram 2=2\nngram 3=0").replace("\\end\\", "\\3-grams:\n\n\\end\\"),
    ),
    "upper case": ("M.ARPA", PLAIN),
    "upper case, packed": ("M.ARPA.GZ", gzip.compress(PLAIN.encode())),
    ".lm": ("m.lm", PLAIN),
    ".lm, packed": ("m.lm.gz", gzip.compress(PLAIN.encode())),
    "no ending": ("model", CMU + PLAIN),
    "packed under a plain name": ("m.arpa", gzip.compress(PLAIN.encode())),
    "packed under any name": ("m.bin", gzip.compress(PLAIN.encode())),
    "plain under a packed name": ("m.arpa.gz", PLAIN),
    "numbers of other forms": ("m.arpa", PLAIN.replace("-0.25", "-2.5e-1").replace("-0.15", "-.15")),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(tmp_path: Path, name: str) -> None:
    file, data = READ[name]
    lm = pofx.load(written(tmp_path / file, data))
    assert pofx.log_prob(lm, "a b") == pytest.approx(A_B, abs=1e-6)


def test_an_empty_order_keeps_the_weights_below_it(tmp_path: Path) -> None:
    """With 3-grams promised, none of which there are, p(v | u w) = weight(u w) p(v | w)."""
    text = PLAIN.replace("ngram 2=2", "ngram 2=2\nngram 3=0").replace("-0.25\t<s> a", "-0.25\t<s> a\t-0.4")
    lm = pofx.load(written(tmp_path / "m.arpa", text))
    assert pofx.log_prob(lm, "a b") == pytest.approx(A_B - 0.4 * LN10, abs=1e-6)


def test_an_empty_order_in_the_middle(tmp_path: Path) -> None:
    text = PLAIN.replace("ngram 2=2", "ngram 2=0\nngram 3=1")
    head, _ = text.split("\\2-grams:")
    lm = pofx.load(written(tmp_path / "m.arpa", head + "\\3-grams:\n-0.01\t<s> a b\n\n\\end\\\n"))
    # a: -0.5 after the weight of <s>; b: the 3-gram; </s>: -0.7 after the weight of b.
    assert pofx.log_prob(lm, "a b") == pytest.approx((-0.5 - 0.3 - 0.01 - 0.7 - 0.1) * LN10, abs=1e-6)


# Characters that Python's str.split, str.splitlines or float would take for white space.
ODD = [
    "\u00a0",
    "\u3000",
    "\u0085",
    "\u000b",
    "\u000c",
    "\u001c",
    "\u2028",
    "\u2003",
    "\ufeff",
    "\u200b",
    "１",
    "-0.25",
]


@pytest.mark.parametrize("word", [*ODD, *(f"x{c}y" for c in ODD)], ids=ascii)
def test_only_spaces_and_tabs_separate(tmp_path: Path, word: str) -> None:
    text = PLAIN.replace("\ta\t", f"\t{word}\t").replace("<s> a", f"<s> {word}")
    lm = pofx.load(written(tmp_path / "m.arpa", text))
    assert pofx.log_prob(lm, f"{word} b") == pytest.approx(A_B, abs=1e-6)
    with pytest.raises(pofx.NotText):
        pofx.log_prob(lm, "a b")
    write_arpa(lm, tmp_path / "again.arpa")  # type: ignore[arg-type]
    assert pofx.log_prob(read_arpa(tmp_path / "again.arpa"), f"{word} b") == pytest.approx(A_B, abs=1e-6)


words_of_a_file = st.lists(
    st.text(
        st.characters(exclude_characters=" \t\r\n", exclude_categories=("Cs",)), min_size=1, max_size=4
    ).filter(lambda w: w not in ("<s>", "</s>", "<unk>", "<UNK>")),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words_of_a_file, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["\t", " ", " \t "]))
def test_any_words_are_read_as_they_are(tmp_path: Path, words: list[str], end: str, gap: str) -> None:
    p = math.log10(1 / (len(words) + 1))
    lines = ["\\data\\", f"ngram 1={len(words) + 2}", "", "\\1-grams:", f"-99{gap}<s>", f"{p:.12f}{gap}</s>"]
    lines += [f"{p:.12f}{gap}{w}" for w in words] + ["", "\\end\\", ""]
    lm = pofx.load(written(tmp_path / "m.arpa", end.join(lines)))
    text = " ".join(words)
    assert pofx.log_prob(lm, text) == pytest.approx((len(words) + 1) * p * LN10, abs=1e-9)
    assert lm.vocab.decode(lm.vocab.encode(text)) == text.encode()


REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "KenLM": (
        "m.arpa",
        b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(64),
        "binary file of KenLM",
    ),
    "KenLM without ending": (
        "m.binary",
        b"mmap lm http://kheafield.com/code format version 5\n\0",
        "file of KenLM",
    ),
    "SRILM": ("m.bin", b"SRILM_BINARY_NGRAM_001\n\x00\x01", "binary file of SRILM"),
    "IRSTLM": ("m.arpa", b"blmt 3 10 20 30\n\x00", "binary file of IRSTLM"),
    "bzip2": ("m.arpa", b"BZh91AY&SY", "packed by bzip2"),
    "xz": ("m.arpa", b"\xfd7zXZ\x00\x00", "packed by xz"),
    "zip": ("m.arpa", b"PK\x03\x04\x14\x00", "a zip archive"),
    "UTF-16": ("m.arpa", PLAIN.encode("utf-16"), "UTF-16"),
    "Latin-1": ("m.arpa", PLAIN.replace("a", "é").encode("latin-1"), "UTF-8"),
    "a text": ("m.arpa", "To be, or not to be\n" * 20_000, "data"),
    "one long line": ("m.arpa", "\\data\\\nngram 1=1\n" + "x" * 2_000_000, "a line of over"),
    "nothing": ("m.arpa", "", "got an empty file"),
    "two classes": (
        "m.arpa",
        PLAIN.replace("ngram 1=4", "ngram 1=6").replace("\\1-grams:\n", "\\1-grams:\n-1 <unk>\n-1 <UNK>\n"),
        "one class of unknown words",
    ),
    "a count twice": ("m.arpa", PLAIN.replace("ngram 2=2", "ngram 1=4\nngram 2=2"), "once for each"),
    "a count in words": ("m.arpa", PLAIN.replace("ngram 2=2", "ngram 2=２"), "COUNT"),
    "a section too many": ("m.arpa", PLAIN.replace("\\end\\", "\\3-grams:\n\n\\end\\"), "section 3"),
    "a section too few": ("m.arpa", PLAIN.replace("ngram 2=2", "ngram 2=2\nngram 3=1"), "orders"),
    **{
        f"{number!r} for log p": ("m.arpa", PLAIN.replace("-0.25\t<s>", f"{number}\t<s>"), "log10 p ≤ 0")
        for number in ("nan", "1_0", "-１", "\u3000-0.25", "0.5", "inf", "--1", "-1e", "", "0x1p-3")
    },
    **{
        f"{number!r} for a weight": ("m.arpa", PLAIN.replace("a\t-0.2", f"a\t{number}"), "log10 p ≤ 0")
        for number in ("nan", "inf", "1e400", "-0.2 -0.2", "x")
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_it_is(tmp_path: Path, name: str) -> None:
    file, data, said = REFUSED[name]
    with pytest.raises(BadSource) as caught:
        pofx.load(written(tmp_path / file, data))
    message = str(caught.value)
    assert said in message, message
    assert file in message
    assert "expected" in message
    assert "got" in message
    assert "\n" not in message


def test_other_files_are_not_taken_for_one(tmp_path: Path) -> None:
    for name, data in (
        ("a.txt", b"a\nb\n"),
        ("a.gz", gzip.compress(b"a\nb\n")),
        ("b.gz", b"\x1f\x8b no gzip"),
    ):
        with pytest.raises(BadSource, match="got another file"):
            pofx.load(written(tmp_path / name, data))


def test_either_name_of_the_class_is_the_class(tmp_path: Path) -> None:
    def load(name: str) -> pofx.LM:
        text = PLAIN.replace("ngram 1=4", "ngram 1=5").replace("ngram 2=2", "ngram 2=3")
        text = text.replace("\\1-grams:\n", f"\\1-grams:\n-1.5 {name} -0.7\n").replace(
            "\\2-grams:\n", f"\\2-grams:\n-0.9 {name} b\n"
        )
        return pofx.load(written(tmp_path / "m.arpa", text), unknown="class")

    upper, lower = load("<UNK>"), load("<unk>")
    assert upper.vocab.token_bytes == lower.vocab.token_bytes == (None, b" a", b" b", None)
    expected = (-0.3 - 1.5 - 0.9 - 0.15) * LN10
    assert [pofx.log_prob(lm, "x b") for lm in (upper, lower)] == pytest.approx(
        [expected, expected], abs=1e-6
    )


def test_zero_probability_as_toolkits_write_it(tmp_path: Path) -> None:
    for zero in ("-99", "-inf", "-Inf"):
        lm = pofx.load(written(tmp_path / "m.arpa", PLAIN.replace("-0.25\t<s> a", f"{zero}\t<s> a")))
        assert pofx.log_prob(lm, "a b") == -np.inf
        assert pofx.log_prob(lm, "b") == pytest.approx((-0.3 - 0.6 - 0.15) * LN10, abs=1e-6)


@pytest.mark.parametrize("name", ["X.ARPA", "x.Arpa.GZ"])
def test_what_is_saved_under_such_a_name_is_such_a_file(tmp_path: Path, name: str) -> None:
    lm = pofx.fit(["ab", "ba"], pofx.NgramSpec(order=2))
    pofx.save(lm, tmp_path / name)
    assert (tmp_path / name).is_file()
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.lower().endswith(".gz")
    assert pofx.log_prob(pofx.load(tmp_path / name), "ab") == pytest.approx(pofx.log_prob(lm, "ab"), abs=1e-8)
