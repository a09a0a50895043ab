"""Records whose numbers are parts of a whole become bars: a marginal sum, a compressed file, a prior, posteriors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pofx.report.html.amounts import Amount, Fact, amounts_block
from pofx.report.html.blocks import Block, Cell, Numeral, table
from pofx.report.numerals import fixed_point, probability, significant_digits, with_commas
from pofx.report.sums import addends
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.classification.bayes import Posterior
    from pofx.queries.compression.compress import Compression
    from pofx.queries.marginal.marginal import Marginal

# The most rows of texts or of classes.
ROWS = 50
# The most classes whose posteriors stand in a table below the bars; more columns are wider than a page.
COLUMNS = 8


def marginal_block(found: Marginal) -> Block:
    """Return a block of the sum over tokenisations: log p(x), and the share of p(x) of the tokenisation of `encode`.

    Args:
        found: The sum over the tokenisations of one text.
    """
    sign = "≥" if found.kind == "lower" else "="
    facts = [
        Fact(fixed_point(found.total), "nats", f"log p(x) {sign}"),
        Fact(significant_digits(found.gap_bits), "bits more than the tokenisation of encode"),
    ]
    if found.estimate is not None and found.se:
        low, high = found.interval
        facts.append(Fact(f"{fixed_point(low)} to {fixed_point(high)}", "nats", "95 % interval"))
    note = {
        "exact": "The sum is exact.",
        "lower": "A lower bound: other tokenisations were not drawn, and add to the sum.",
        "estimate": "The sum over the tokenisations that were not found is an unbiased estimate.",
    }[found.kind]
    if found.total == -math.inf:
        return amounts_block(
            facts[:1], (), "", "", told=str(found.terms), note="No tokenisation is possible."
        )
    summed = math.exp(min(0.0, found.lower - found.total))
    canonical = min(summed, math.exp(found.canonical - found.total))
    rows = [Amount("the tokenisation of encode", canonical, _percent(canonical))]
    if found.found > 1:
        others = f"{count_noun(found.found - 1, 'other tokenisation')}, summed"
        rows.append(Amount(others, summed - canonical, _percent(summed - canonical)))
    if found.kind == "estimate":
        rows.append(Amount("all further ones, estimated", 1 - summed, _percent(1 - summed), role="rest"))
    whole = "p(x)" if found.kind != "lower" else "the sum"
    title = "What spells the text"
    return amounts_block(facts, rows, title, f"share of {whole}", told=str(found.terms), note=note)


def compression_block(made: Compression, xz: int | None = None) -> Block:
    """Return a block of the bits of a compressed file by purpose, beside the bits of the data.

    Args:
        made: The compressed file.
        xz: The bytes that xz -9 takes for the same data; None for no such row.
    """
    size, data = 8 * len(made.blob), 8 * made.bytes
    longest = max(size, data, 8 * (xz or 0), 1)
    coded = "−log2 p of the texts" if made.tokens else "−log2 p, by counts learned on the way"
    parts = [
        (coded, made.ideal_bits),
        (f"{count_noun(made.lanes, 'parallel stream')}, each after x0", made.lane_bits),
        ("quantisation", made.quantisation_bits),
        ("coded without the model", float(made.escape_bits)),
        ("header: names, sizes, hashes", float(made.header_bits)),
    ]
    parts = [(name, n) for name, n in parts if n or name.startswith("header")]
    bits = addends([n for _, n in parts], size, 1)
    rates = (
        addends([n / made.bytes for _, n in parts], size / made.bytes) if made.bytes else [""] * len(parts)
    )
    rows = [
        Amount(name, max(0.0, n) / longest, _commas(b), rate)
        for (name, n), b, rate in zip(parts, bits, rates)
    ]
    each = fixed_point(size / made.bytes) if made.bytes else ""
    rows.append(Amount("the file", size / longest, _commas(fixed_point(size, 1)), each, "sum"))
    for name, n in (("xz -9", xz), ("the data as they are", made.bytes)):
        if n is not None:
            rate = fixed_point(8 * n / made.bytes) if made.bytes else ""
            rows.append(Amount(name, 8 * n / longest, _commas(fixed_point(8 * n, 1)), rate, "rest"))
    facts = [
        Fact(f"{with_commas(made.bytes)} to {with_commas(len(made.blob))}", "bytes"),
        *([Fact(each, "bits a byte")] if made.bytes else []),
        *([Fact(with_commas(made.tokens), "tokens, EOS counted")] if made.tokens else []),
    ]
    return amounts_block(facts, rows, "The bits of the file", "bits", "bits a byte of the data")


def joint_block(joint: Any) -> Block:
    """Return a block of a classifier: its classes with their prior P(class), and what p(text | class) is.

    Args:
        joint: The `Joint`, whose module fits models, so `report` must not import its type.
    """
    priors = [math.exp(float(p)) for p in joint.log_prior]
    documents = math.fsum(map(float, joint.count))
    rows = [
        Amount(str(c), prior, _percent(prior), _documents(float(n)))
        for c, prior, n in list(zip(joint.classes, priors, joint.count))[:ROWS]
    ]
    begin, window = joint.lms[0].begin, joint.lms[0].window
    made = "a model of each class" if joint.given is None else "one model, after the prefix of the class"
    note = f"p(text | class) is that of {made}; x0 {begin}; window rule: {window}."
    if len(priors) > ROWS:
        note = f"And {len(priors) - ROWS:,} more classes. {note}"
    facts = [
        Fact(with_commas(len(priors)), "classes"),
        Fact(_documents(documents), "documents"),
        *([Fact(significant_digits(joint.power), "", "power of the likelihood")] if joint.power != 1 else []),
    ]
    return amounts_block(facts, rows, "P(class) before the text is read", "prior", "documents", note=note)


def class_posterior_blocks(found: Posterior) -> list[Block]:
    """Return blocks of posteriors of classes: a bar for the likeliest class of each text, and a table of few classes.

    Args:
        found: The posteriors of some texts.
    """
    n, classes = found.log_p.shape
    rows = []
    for i in range(min(n, ROWS)):
        best = int(found.best[i])
        p = math.exp(float(found.log_p[i, best]))
        evidence = fixed_point(float(found.log_evidence[i]))
        rows.append(Amount(f"text {i}: class {best}", p, _percent(p), evidence))
    more = f"And {n - ROWS:,} more texts." if n > ROWS else ""
    facts = [
        Fact(with_commas(n), "text" if n == 1 else "texts"),
        Fact(with_commas(classes), "classes"),
        *([Fact(fixed_point(float(found.log_evidence.mean())), "nats", "mean log p(text)")] if n else []),
    ]
    bars = amounts_block(
        facts, rows, "The likeliest class of each text", "posterior", "log p(text), nats", note=more
    )
    if not 2 < classes <= COLUMNS or not n:
        return [bars]
    cells: list[Sequence[Cell]] = [
        (f"text {i}", *(Numeral(probability(float(x))) for x in found.log_p[i])) for i in range(min(n, ROWS))
    ]
    return [bars, table(("", *(f"P(class {c})" for c in range(classes))), cells)]


def _documents(n: float) -> str:
    """Return a count of documents; EM gives expected counts, which are not whole."""
    return with_commas(int(n)) if n.is_integer() else significant_digits(n, 4)


def _percent(share: float) -> str:
    return f"{significant_digits(100 * share)} %"


def _commas(number: str) -> str:
    whole, point, decimals = number.partition(".")
    return f"{int(whole):,}{point}{decimals}" if whole.isdigit() else number
