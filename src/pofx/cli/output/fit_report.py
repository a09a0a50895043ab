"""The progress of a fit, and its report: the documents that were read, and the loss on held-out documents."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.lm.model import LM


class ProgressPrinter:
    """The progress of a fit on standard error: one live line on a terminal, else a line every ten seconds.

    Attributes:
        last: The latest progress that the fit reported, None before the first.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.last: Any = None
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._told = -math.inf

    def __call__(self, p: Any) -> None:
        """Keep the progress, and print a line when it is due."""
        self.last = p
        if self._quiet:
            return
        if not self._live and p.elapsed - self._told < 10 and p.fraction < 1:
            return
        self._told = p.elapsed
        line = (
            f"{100 * min(1.0, p.fraction):3.0f} %  {p.elapsed:5.0f} s, {max(0.0, p.eta):4.0f} s to go  "
            f"{p.tokens_per_second:7,.0f} tokens/s  train {p.train_nats:.1f} nats/document, "
            f"{p.train_bits_per_byte:.3f} bits/byte"
        )
        if p.validation_bits_per_byte is not None:
            line += f"  held out {p.validation_bits_per_byte:.3f} (best {p.best_bits_per_byte:.3f}, which is kept)"
        end = p.fraction >= 1
        click.echo(f"\r\x1b[2K{line}" if self._live else line, err=True, nl=not self._live or end)


# So many bytes of held-out documents are scored at a time: the ids and the log p of 1 MB take 20 MB.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Read:
    """What a fit read.

    Attributes:
        documents: How many documents.
        bytes: Their bytes.
    """

    documents: int
    bytes: int


def print_report(
    lm: LM,
    train: Read,
    kept: list[str],
    unspelled: int,
    took: float,
    passes: float | None,
    out: str,
    as_json: bool,
) -> None:
    """Print the model, its documents, and L(θ) on the held-out documents."""
    from pofx.units import count_noun

    n_bytes = train.bytes
    if train.documents == 1:
        click.echo(
            "pofx: warning: one document, so p(x1) and p(EOS) were seen once; if the file holds several documents, name "
            "their separator: --split, --separator",
            err=True,
        )
    if unspelled:
        click.echo(
            f"pofx: warning: {count_noun(unspelled, 'held-out document')} left out of the loss, for characters that "
            "the other documents lack; --vocab chars+bytes spells all characters",
            err=True,
        )
    losses = _losses(lm, kept)
    if as_json:
        record = {
            "model": out,
            "documents": train.documents,
            "bytes": n_bytes,
            "seconds": round(took, 3),
            "passes": 1.0 if passes is None else round(passes, 6),
            "held_out_documents": len(kept),
            "held_out_unspelled": unspelled,
            **losses,
        }
        click.echo(json.dumps(record, allow_nan=False))
        return
    click.echo(f"{out}: {lm.window}; x0 {lm.begin}; {'EOS' if lm.vocab.end is not None else 'no EOS'}")
    click.echo(
        f"fitted on {describe_reading(count_noun(train.documents, 'document'), count_noun(n_bytes, 'byte'), took, passes)}"
    )
    if not kept:
        click.echo("held out: no document, so nothing is known about new texts")
    elif losses["impossible"]:
        click.echo(
            f"held out: {losses['impossible']} of {count_noun(len(kept), 'document')} have probability zero, so "
            "L(θ) = ∞; a smoothed model gives every text its share"
        )
    else:
        first = "" if lm.begin.known != "none" else "; p(x1) not among the terms"
        rate = losses["bits_per_byte"]
        click.echo(
            f"held out: {count_noun(len(kept), 'document')}, L(θ) = {losses['nats_per_document']:.3f} nats a document"
            f"{'' if rate is None else f', {rate:.3f} bits per byte'}{first}"
        )
    given = "" if lm.begin.known != "none" else ' --given "…"'
    click.echo(
        f'next: pofx audit -m {out}\n      pofx sample -m {out}{given}\n      pofx score --text "…"{given} -m {out}'
    )


def _losses(lm: LM, kept: list[str]) -> dict[str, Any]:
    """Return −log p of the held-out documents; without x0, −log p of the tokens after the first token of each.

    A loss is null if a document has probability zero, since JSON has no infinity; `impossible` counts such documents.
    """
    from pofx.lm.model import encode_whole_texts
    from pofx.units import bits_per_byte

    totals: list[float] = []
    for block in _blocks(kept):
        paths, skips = encode_whole_texts(lm, block)
        totals += [-float(a.sum()) for a in lm.forward(paths, skip=skips).logp]
    impossible = sum(math.isinf(t) for t in totals)
    n_bytes = sum(len(t.encode("utf-8")) for t in kept)
    finite = bool(kept) and not impossible
    return {
        "nats_per_document": math.fsum(totals) / len(kept) if finite else None,
        "bits_per_byte": bits_per_byte(math.fsum(totals), n_bytes) if finite and n_bytes else None,
        "impossible": impossible,
        "first_token": lm.begin.known != "none",
    }


def describe_reading(documents: str, size: str, took: float, passes: float | None) -> str:
    """Return a phrase with the documents, the size and the time of a fit; `passes` is None for an n-gram.

    Right: "0.4 % of the tokens of 19,026 documents". Wrong: "19,026 documents" for a fit that the clock ended earlier.
    """
    if passes is not None and passes < 1:
        return f"{100 * passes:.2g} % of the tokens of {documents}, {size}, in {took:.2f} s"
    often = "" if passes is None else f", read {passes:.3g} times"
    return f"{documents}, {size}, in {took:.2f} s{often}"


def _blocks(texts: list[str]) -> Iterator[list[str]]:
    """Yield the texts in runs of about `_BLOCK` characters."""
    start = held = 0
    for i, text in enumerate(texts):
        held += len(text)
        if held >= _BLOCK:
            yield texts[start : i + 1]
            start, held = i + 1, 0
    yield texts[start:]
