"""The page explains verdicts in the words of the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pofx.report.verdicts import GLOSS

WORDS = Path(__file__).parents[2] / "web" / "src" / "parts" / "begins" / "words.ts"


def test_the_words_are_those_of_the_terminal() -> None:
    table = re.search(r"const GLOSS[^{]*\{(.*?)\};", WORDS.read_text("utf-8"), re.DOTALL)
    assert table is not None
    assert json.loads("{" + table[1].strip().rstrip(",") + "}") == dict(GLOSS)
