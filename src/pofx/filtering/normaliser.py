"""The normaliser of a filter: the steps that a text goes through before a model reads the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from pofx.errors import BadValue
from pofx.vocab.vocabulary import to_bytes

Form = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]
Spaces = Literal["keep", "lines", "strip"]
FORMS = ("none", "NFC", "NFD", "NFKC", "NFKD")
SPACES = ("keep", "lines", "strip")

# The marks that CCNet (2020) replaces. One of its pairs makes a double quote of the full-width digit one; models that were
# fitted on CCNet's text have seen that quote, so the pair stays.
_QUOTES = "„”“«»１」「《》"
_MARKS = {
    **dict.fromkeys(_QUOTES, '"'),
    **dict(zip("，。、∶：？！（）；～％", ",.,::?!();~%")),
    **dict(zip("–━►´’〈〉【】", "---''<>[]")),
    "—": " - ",
    "．": ". ",
    "…": "...",
}
_ASCII_MARKS = str.maketrans(_MARKS)
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_DIGIT = re.compile(r"\d")
_LINE_END = re.compile(r"\r\n?")
_BLANKS = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r" ?\n ?(?:\n ?)+")


@dataclass(frozen=True)
class Normaliser:
    """The steps between a document and the text that the models of a filter read, in the order of the fields.

    Attributes:
        spaces: "keep": white space stays. "strip": the text loses the white space at its ends. "lines": each line
            also loses the white space at its ends, other runs of white space become one space, and several blank lines
            become one. Line ends become line feeds.
        lower: Whether letters become lower case.
        accents: Whether accents stay; False makes "e" of "é".
        digits: Whether digits stay; False makes 0 of each digit.
        marks: Whether quotes, dashes and full-width marks stay; False makes ASCII signs of these marks.
        control: Whether control characters stay, line ends included; False removes them.
        form: The Unicode form of the result; "none" leaves the text as it is.

    Right: `NORMALISERS["ccnet"]("Ça va ?")`. Wrong: another normaliser than that of the fit, whose text the models do not
    know.
    """

    spaces: Spaces = "lines"
    lower: bool = False
    accents: bool = True
    digits: bool = True
    marks: bool = True
    control: bool = True
    form: Form = "NFC"

    def __post_init__(self) -> None:
        for name, known in (("form", FORMS), ("spaces", SPACES)):
            if getattr(self, name) not in known:
                raise BadValue(
                    f"expected one of {', '.join(known)}, got {getattr(self, name)!r:.60}",
                    "write one of these words",
                    argument=name,
                )
        for f in fields(self):
            if f.type == "bool" and not isinstance(getattr(self, f.name), bool):
                raise BadValue(
                    f"expected True or False, got {getattr(self, f.name)!r:.60}",
                    "write one of the two",
                    argument=f.name,
                )

    def __call__(self, text: str) -> str:
        """Return the text that the models read.

        Args:
            text: The document.

        Returns:
            The normalised text.

        Raises:
            NotText: The document has a lone surrogate.
        """
        to_bytes(text)  # refuses a lone surrogate, which no model reads
        if self.spaces != "keep":
            text = text.strip()
        if self.spaces == "lines":
            text = _BLANKS.sub(" ", _LINE_END.sub("\n", text))
            text = _BLANK_LINES.sub("\n\n", text).replace(" \n", "\n").replace("\n ", "\n")
        if self.lower:
            text = text.lower()
        if not self.accents:
            text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
        if not self.digits:
            text = _DIGIT.sub("0", text)
        if not self.marks:
            text = text.translate(_ASCII_MARKS)
        if not self.control:
            text = _CONTROL.sub("", text)
        return text if self.form == "none" else unicodedata.normalize(self.form, text)

    @property
    def settings(self) -> dict[str, Any]:
        """The steps as plain JSON."""
        return asdict(self)


# "ccnet" gives, for each line, the text on which the n-grams of CCNet were fitted. Letters that the removal of accents has
# decomposed stay decomposed there, so "ccnet" has no form.
NORMALISERS = {
    "pofx": Normaliser(),
    "ccnet": Normaliser("strip", True, False, False, False, False, "none"),
    "none": Normaliser("keep", form="none"),
}
