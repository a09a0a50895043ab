"""Regular expressions as conditions accept what `re.fullmatch` accepts, or are refused by the name of what they hold."""

from __future__ import annotations

import itertools
import re

import pytest

import pofx
from pofx.algorithms.automata.character_sets import POINTS, characters
from pofx.algorithms.automata.regular_expressions import parsed, regular

STRINGS = ["".join(w) for n in range(5) for w in itertools.product("ab\n", repeat=n)]
# Pairs and triples that fold to each other in other ways than by one lower-case letter each; and digits, spaces, letters.
ODD = [
    *"ßẞſsSKkKİIiıÅåÅµμΜΣσςǆǅǄΘθϴϑΩωΩꭰᎠⴀႠ𐐀𐐨٠²½\u2003\u0085\u1680_-]^[\\.é😀ﬅﬆ",
    "SS",
    "ss",
    "ab]",
    "a-]",
    "\r\n",
]


def disagreements(pattern: str) -> list[str]:
    """The strings on which the automaton and `re` differ."""
    dfa, compiled = regular(pattern), re.compile(pattern)
    return [w for w in [*STRINGS, *ODD] if dfa.accepts(w.encode()) != (compiled.fullmatch(w) is not None)]


@pytest.mark.parametrize(
    "pattern",
    [
        "", "a*b", "(a*b){0,2}", "(ab*)?a", "[^a]*", ".", ".*b.", "a|b|", "(?s:.*bb.*)", "a{,2}", "(a*){2}", "(?P<x>a)b", "a??b", "a{b}", "a{1,", "a{,}",
        "(|a)*", "(a|)+b", "((ab)*b){0,2}", "(?:)*", "a{0}", "()|a", "[a\n]{2}", "(?:a{0,2}){2}?b",  # empty parts, counts
        "[^]a]", "[]a]+", "[]-a]", "[^]]", "see [1]\\].", "[a\\]-]*", "[a-]", "[-a]", "[\\w-]", "[^\\W\\d_]", "[\\s\\S]", "[\\b]", "[\\x61-b]",  # classes
        "\\w\\W", "\\d", "\\D", "\\s", "(?a)\\w", "(?a:\\d)|\\d", "(?u:\\s)", "[^\\s]",  # Unicode and ASCII
        "(?i)[a-z]", "(?i:ß)", "(?i)k", "(?i)i", "(?i)s+", "(?i)[^k]", "(?i)µ", "(?i)[α-ω]", "(?i)[^α-ω]", "(?ia)k", "(?ia)[a-z]", "(?i:\\W)", "(?i)(?-i:K)",
        "(?i:A)b", "(?i)ǆ", "(?i)ﬅ", "(?i)Å", "(?i)Ꭰ", "(?i)𐐀",  # folded case
        "a++b", "a?+b", "a{2}+", "a{1,2}+b", "(?:a)++b", "[ab]*+\n", "a*+b*", ".*+", "(?>a)b", "(?>ab)", "(?>a*)b", "(?>)", "(?>a+)a",  # no way back
        "(?#a comment)a", "(?x) a b # and no more\n", "(?x: a )b", "(?-s:.)", "(?s).", "(?s:.)b",  # notes and flags
        "^a$", "a$", "$\n?", "$$\n", "a$\n", "(?m)a$\n^b", "(?m:^a$)", "\\Aa\\Z", "a\\Z\n", "a^b", "(?:^)*a", "a(?:$|b)", "(^|b)a",  # places
        "\\b", "\\B", "\\ba\\b", "a\\Bb", "\\b.\\b", "(?:\\b|\n)+a", "(?a:\\b).*", "\\B\n", "a\\b\n\\b.",
        "(?!)|a", "(?=)a", "\ud800|a", "[\ud7ff-\ue000]", "\\N{LATIN SMALL LETTER A}", "\\141", "\\u0061", "\\U00000061",
    ],
)  # fmt: skip
def test_the_language_is_that_of_re(pattern: str) -> None:
    assert disagreements(pattern) == []


def test_folded_case_is_that_of_re_for_every_character_that_has_one() -> None:
    cased = [
        chr(c) for c in range(POINTS) if len({chr(c), chr(c).lower(), chr(c).upper()}) > 1 and c % 7 == 0
    ]
    text = "".join(map(chr, range(0x20000)))
    ops = pytest.importorskip("re._constants")
    for c in cased[::4]:
        found = characters((ops.LITERAL, ord(c)), re.IGNORECASE | re.UNICODE)
        inside = [p for lo, hi in zip(found[::2], found[1::2]) for p in range(lo, hi)]
        assert inside == [m.start() for m in re.compile(re.escape(c), re.IGNORECASE).finditer(text)], c


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(?=a)b", "look-around"), ("(?!ab)[ab]*", "look-around"), ("(?<=a)b", "look-around"), ("a(?<!b)", "look-around"),
        (r"(a)\1", "a back-reference"), ("(?P<n>a)(?P=n)", "a back-reference"), ("(a)?(?(1)b|a)", "a conditional group"),
        ("(?>a|ab)b", "an atomic group"), ("(?>a*b)a", "an atomic group"), ("(?>a??)b", "an atomic group"),
        ("(?:ab)*+", "a possessive quantifier"), ("(?:a|ab)++b", "a possessive quantifier"), ("(?:a*)?+b", "a possessive"),
    ],
)  # fmt: skip
def test_what_has_no_automaton_is_refused_by_name(pattern: str, name: str) -> None:
    with pytest.raises(
        pofx.BadValue, match=rf"^matches: expected a regular expression without {name}.*got"
    ) as e:
        regular(pattern)
    assert str(e.value).isprintable()


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "[b-a]",
        r"\p{L}",
        "a**",
        "(?<n>a)",
        "[\n",
        "*",
        "a{3,2}",
        "(?P<n>a)(?P<n>b)",
        "[b-\n]",
        "(" * 9000 + ")" * 9000,
        "a{99999999999}",
        r"\N{NO SUCH}",
        "(?L)a",
        "x(?i)",
    ],
)
def test_what_re_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(pofx.BadValue, match=r"^matches: expected .*got.*; ") as e:
        regular(pattern)
    assert str(e.value).isprintable()


@pytest.mark.parametrize("pattern", ["[[:alpha:]]+", "[a--b]", "[a&&b]", "[a||b]", "[a~~b]"])
def test_what_re_warns_of_is_refused(pattern: str) -> None:
    with pytest.raises(pofx.BadValue, match="expected classes without '\\['.*write a backslash"):
        regular(pattern)


def test_it_takes_text_only() -> None:
    with pytest.raises(pofx.BadValue, match="expected a pattern of type str, got b'a'"):
        parsed(b"a", "matches")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a|b)*a(a|b){20}",
        "(?:(?:a{50}){50}){50}",
        "((((a?){9}){9}){9}){9}",
        "a{5000}",
        r"(\w+\s){40}",
        "(?:a?){3000}b",
        "(?:(?:(?:a*)*)*){19999}",
    ],
)
def test_a_pattern_of_too_many_states_is_refused(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.algorithms.automata.nfa.STATES", 500)
    monkeypatch.setattr("pofx.algorithms.automata.nfa.WORK", 50_000)
    with pytest.raises(
        pofx.BadValue, match="expected a pattern of at most .* states.*got a pattern of more.*shorten"
    ):
        regular(pattern)


def test_a_pattern_of_too_many_characters_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(pofx.BadValue, match="at most 100,000 characters, got a pattern of 1,000,000"):
        pofx.Matches("a" * 10**6)


def test_large_classes_many_times_are_small() -> None:
    # 200 characters, each of four widths, with two or three states within.
    assert regular("[a-\U0010ffff]{200}").size < 10 * 200
    assert regular("a{400}").size == 402
    # As few as there can be: one that has seen nothing of "cat", "c", "ca", and all of it; six within a character.
    assert regular("(?s:.*cat.*)").size <= 1 + 4 * 7


def test_the_same_set_has_the_same_number_of_states() -> None:
    for one, other in [
        ("a*", "(a|aa)*"),
        ("(a|b)*", "(a*b*)*"),
        ("a|b|ab", "(?:a|ab|b)"),
        ("(?:a|b){3}", "[ab][ab][ab]"),
    ]:
        assert regular(one).size == regular(other).size


def test_nothing_at_all() -> None:
    assert (
        regular("(?!)").empty
        and regular("a^b").empty
        and regular("\ud800").empty
        and regular("[^\\s\\S]").empty
    )
