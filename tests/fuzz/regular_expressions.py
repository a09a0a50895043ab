"""Patterns at random: `Matches` accepts what `re.fullmatch` accepts, or refuses the pattern in one line."""

from __future__ import annotations

import random
import re
import warnings

import pofx
from pofx.algorithms.automata.regular_expressions import regular

CASES = 30

# Few letters, so that random strings meet random patterns; and those with odd cases: ß ẞ ſ K (Kelvin) İ ı ǆ ǅ µ μ Σ ς.
LETTERS = "aabbk1_ \n]-^Kß\u1e9eſ\u212aİıǅµμΣςé\u0660\u2003\U0001f600\U00010428"
ITEMS = (
    "a", "b", "k", "ß", ".", r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\n", r"\.", "[^]a]", "[]a]", "[]-a]", "[^]]", "[^]", "[a-k]",
    "[^a-b]", r"[\w-]", r"[^\W\d]", "[K-k]", "[\u00b5-\u03c2]", r"\x61", r"\u0061", r"\N{LATIN SMALL LETTER A}", r"[\]\-^]", "[a^]", r"\141",
    "\ud800", "[\ud7ff-\ue000]", "", "a",
)  # fmt: skip
PLACES = ("^", "$", r"\A", r"\Z", r"\b", r"\B", "(?m:^)", "(?m:$)", r"(?a:\b)")
REPEATS = ("*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{0}", "{0,0}", "{,}", "{ 1}")
GROUPS = (
    "(", "(?:", "(?P<n>", "(?i:", "(?s:", "(?a:", "(?ai:", "(?m:", "(?x: ", "(?-i:", "(?u:", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?#", "(?is-m:",
)  # fmt: skip
REFUSED = r"without (look-around|a back-reference|a conditional group|an atomic group|a possessive)|classes without '\['|states"


def pattern(rng: random.Random, depth: int = 3) -> str:
    """A pattern, most often one that `re` can parse."""
    out = ""
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
        kind = rng.random()
        if kind < 0.08:
            out += rng.choice(PLACES)
            continue
        if kind < 0.35 and depth:
            part = rng.choice(GROUPS) + pattern(rng, depth - 1) + ")"
        elif kind < 0.45:
            part = "[" + rng.choice(("", "^")) + "".join(rng.choices(LETTERS, k=rng.randint(0, 3))) + "]"
        else:
            part = rng.choice(ITEMS)
        if rng.random() < 0.4:
            part += rng.choice(REPEATS) + rng.choice(("", "", "", "?", "+"))
        out += part
    return out + ("|" + pattern(rng, depth - 1) if depth and rng.random() < 0.25 else "")


def strings(rng: random.Random, of: str) -> list[str]:
    """Strings over the same letters: the empty one, short ones, and pieces of the pattern."""
    letters = LETTERS + of
    out = ["", "\n"]
    out += ["".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(30)]
    out += ["".join(rng.choices("ab\n", k=rng.randint(1, 6))) for _ in range(20)]
    return out


def once(rng: random.Random) -> None:
    """One pattern, and strings."""
    text = rng.choice(("", "", "", "(?i)", "(?s)", "(?m)", "(?a)", "(?x)", "(?im)")) + pattern(rng)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(text)
    except (re.error, OverflowError):
        compiled = None
    try:
        dfa = regular(text)
    except pofx.BadValue as e:
        refusal = str(e)
    else:
        refusal = ""
    if refusal:
        assert refusal.isprintable(), refusal
        assert compiled is None or re.search(REFUSED, refusal), f"{text!r}: {refusal}"
        return
    assert compiled is not None, f"{text!r} is accepted"
    for word in strings(rng, text):
        try:
            data = word.encode()
        except UnicodeEncodeError:
            continue
        expected = compiled.fullmatch(word) is not None
        assert dfa.accepts(data) == expected, f"{text!r} on {word!r}: re says {expected}"
