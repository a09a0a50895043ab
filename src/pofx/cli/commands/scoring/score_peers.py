"""pofx score --as TOOL: the number that another tool prints, and the terms of the number."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.output.notices import print_notice
from pofx.cli.spelling import in_shell
from pofx.jobs.documents import Documents

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.peers import PeerScore


def print_peer(
    lm: LM, peer: str, texts: list[str | bytes], given: str | bytes, asked: Documents, as_json: bool
) -> None:
    """Print a table a text, or a line a document; exit with code 1 if the tool has no number for a document."""
    from pofx.queries.scoring.peers import as_peer

    if texts:
        for text in texts:
            score = as_peer(lm, text, peer, given=given)
            if as_json:
                _echo({"text": text, **_record(score)})
            else:
                _show(score, _ours(lm, text, given))
        return
    _lines(lm, peer, asked, as_json)


def _lines(lm: LM, peer: str, asked: Documents, as_json: bool) -> None:
    from pofx.errors import PofxError
    from pofx.queries.scoring.peers import as_peer
    from pofx.report.terminal.peers import peer_value

    n = failed = 0
    for item in asked.items(print_notice):
        n += 1
        here = item.id
        found = asked.ask(item)
        try:
            if isinstance(found, PofxError):
                raise found
            score = as_peer(lm, found[0], peer, given=found[1])
        except PofxError as e:
            failed += 1
            told = in_shell(e)
            click.echo(f"pofx: warning: {item.source}:{item.line}: {told}", err=True)
            if as_json:
                _echo({"id": here, "peer": peer, "error": str(told)})
            else:
                click.echo(f"{here}\t")
            continue
        if as_json:
            _echo({"id": here, "text": found[0], **_record(score)})
        else:
            click.echo(f"{here}\t{peer_value(score)}")
    if not n:
        raise asked.no_rows_error()
    if failed:
        click.get_current_context().exit(1)


def _record(score: PeerScore) -> dict[str, Any]:
    return {
        "peer": score.peer,
        "value": score.value,
        "unit": score.unit,
        "note": score.note,
        "terms": [asdict(t) for t in score.terms],
    }


def _echo(record: dict[str, Any]) -> None:
    from pofx.report.json_records import dumps

    click.echo(dumps(record))


def _show(score: PeerScore, ours: str) -> None:
    from rich.console import Console

    from pofx.report.terminal.peers import peer_table

    console = Console()
    console.print(peer_table(score))
    console.print(f"{ours}\n", markup=False, highlight=False)


def _ours(lm: LM, text: str | bytes, given: str | bytes) -> str:
    """Return a line with pofx's own number for the text, or with the reason why pofx has no number."""
    from pofx.errors import PofxError
    from pofx.queries.scoring.score import score
    from pofx.report.numerals import fixed_point
    from pofx.report.visible import visible

    try:
        (found,) = score(lm, [text], given)
        if given:
            told = f"log P(text | context) = {fixed_point(found.prefix_total)} nats, EOS not counted"
            return f"pofx: {told}; {visible(str(replace(found.terms, end=False)))}"
        return f"pofx: log p(x) = {fixed_point(found.total)} nats; {visible(str(found.terms))}"
    except PofxError as e:
        return f"pofx: no log p(x): {visible(str(in_shell(e)))}"
