"""The check that decode ∘ encode = id, on documents and on strings made to break it."""

from __future__ import annotations

from pofx.queries.audit.held_out import HeldOut, spell_text
from pofx.queries.findings import Check, Finding, Measure
from pofx.vocab.vocabulary import Vocab

# Texts that tokenizers are known to change: names of control tokens, spaces, line ends, composed letters, NUL, emoji.
HOSTILE: tuple[str | bytes, ...] = (
    "",
    " ",
    "  two  spaces  ",
    "line\r\nline\rline\n",
    "\ttab",
    "NUL \x00 inside",
    "</s>",
    "<s>",
    "a</s>b",
    "<|endoftext|>",
    "<|im_start|>user",
    "<pad><unk>[CLS][SEP]",
    "é and e\u0301, ﬁ and fi, Å and A\u030a",
    "👩‍👩‍👧 🇪🇺 \U0001f926\U0001f3fd",
    "▁ Ġ Ċ ##ing",
    "\ufeffbyte order mark",
    "العربية עברית ไทย",
    b"\xff\xfe stray bytes \x80",
)

# The most names of a pretrained model's own control tokens that are tried: a vocabulary may have thousands.
NAMES = 8


def roundtrip_finding(vocab: Vocab, held: HeldOut) -> Finding:
    """Count the texts that decode to another text or yield a control token; `NotText` is no failure."""
    wrong, refused = list(held.wrong), held.no_text
    hostile = (*HOSTILE, *list(vocab.control.names)[:NAMES])
    for text in hostile:
        ids, problem = spell_text(vocab, text)
        if problem:
            wrong.append(problem)
        refused += ids is None and not problem
    tried = len(held.paths) + len(held.wrong) + held.no_text + len(hostile)
    if wrong:
        why = f"{len(wrong)} of {tried} texts are not spelled faithfully, such as: {wrong[0]}. "
        why += "The probability of such a text is that of another string."
    else:
        why = f"{tried - refused} texts decode to themselves; {len(hostile)} hostile texts were tried, too. "
        why += f"{refused} were refused as no text of this vocabulary, which is no fault."
        why += " No text yields a control token, not even a text that spells the name of a control token."
    return Finding(Check.ROUND_TRIP, "fail" if wrong else "pass", float(len(wrong)), 0.0, Measure.TEXTS, why)
