"""Patterns of words at random: the spans are those of `re.finditer`, whichever engine finds them."""

from __future__ import annotations

import random
import re
import warnings

from fuzz.regular_expressions import pattern, strings
from pofx.algorithms.automata.linear_patterns import for_re2
from pofx.queries.segmentation.pattern_spans import pattern_spans

CASES = 150


def once(rng: random.Random) -> None:
    """One pattern that `re` can read and RE2 might, and strings."""
    text = rng.choice(("", "", "(?i)", "(?s)", "(?a)")) + pattern(rng) + rng.choice(("", "a", r"\w", "b+?"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(text)
    except (re.error, OverflowError, FutureWarning):
        return
    if for_re2(compiled) is None and rng.random() < 0.9:
        return
    for word in strings(rng, text):
        expected = [m.span() for m in compiled.finditer(word) if m.end() > m.start()]
        assert pattern_spans(compiled, word, 60.0) == expected, f"{text!r} on {word!r}"
