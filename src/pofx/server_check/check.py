"""All checks of a server, in their order, and the report of their findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from pofx.errors import BadSource
from pofx.lm.model import LM
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.checks import (
    company,
    distributions,
    end,
    ids,
    long_prompt,
    reference,
    refusals,
    shape,
    stream,
    text,
    usage,
)
from pofx.server_check.discover import discover
from pofx.server_check.finding import Broken, Outcome, ServerFinding, ServerReport, Unaskable
from pofx.server_check.probe import Probe

# The name of each check, as reports and docs/check-server.md write it.
CHECKS: dict[str, Callable[[Probe], Outcome]] = {
    "echo": shape.check_echo,
    "lengths": shape.check_lengths,
    "max_tokens 0": shape.check_max_tokens_0,
    "max_tokens 1": shape.check_max_tokens_1,
    "EOS is kept": end.check_end_is_kept,
    "nulls": shape.check_nulls,
    "numbers": shape.check_numbers,
    "ids verbatim": ids.check_ids_verbatim,
    "BOS once": ids.check_begin_once,
    "batch": company.check_batch,
    "order": company.check_order,
    "concurrent": company.check_concurrent,
    "twice": company.check_twice,
    "shared prefix": company.check_shared_prefix,
    "rows differ": distributions.check_rows_differ,
    "echo = next": distributions.check_echo_is_next,
    "greedy": distributions.check_greedy,
    "keys": distributions.check_keys,
    "sums": distributions.check_sums,
    "text": text.check_text,
    "text_offset": text.check_offsets,
    "usage": usage.check_usage,
    "stream": stream.check_events,
    "stream text": stream.check_text,
    "stream logprobs": stream.check_logprobs,
    "stream usage": stream.check_usage,
    "long prompt": long_prompt.check_long_prompt,
    "too long": refusals.check_too_long,
    "unknown id": refusals.check_unknown_id,
    "junk": refusals.check_junk,
    "empty prompt": refusals.check_empty_prompt,
    "tokenizer": ids.check_round_trip,
    "special tokens": ids.check_special_tokens,
    "reference ids": reference.check_reference_ids,
    "reference": reference.check_reference_numbers,
}

# A server that died gives no more answers, and each further question would wait for the time-out.
_MOST_LOST = 2


@dataclass(frozen=True)
class ServerCheck:
    """A conformance test of one server, under way.

    Attributes:
        address: The address of the server.
        model: The name of the model in requests; None for no name.
        findings: The findings, each as soon as its check is done.
    """

    address: str
    model: str | None
    findings: Iterator[ServerFinding]

    def report(self) -> ServerReport:
        """Make all checks."""
        return ServerReport(self.address, self.model, tuple(self.findings))


def check_server(
    client: ServerClient,
    model: str | None = None,
    reference: LM | None = None,
    checks: Collection[str] = tuple(CHECKS),
) -> ServerCheck:
    """Test whether a server gives the log-probabilities of prompts as evaluation clients expect them.

    Args:
        client: The client of the server.
        model: The name of the model; by default the first one that the server lists.
        reference: A model whose numbers the server should give, in nats a token; None for none.
        checks: The names of the checks to make; by default all of `CHECKS`.

    Returns:
        The test, whose findings come one by one.

    Raises:
        BadSource: The server cannot be reached, wants a key, or answers no completion.

    Right: `check_server(ServerClient("http://127.0.0.1:8000")).report().failed`. Wrong: a test of a server that others use,
    whose caches and queues the test fills.
    """
    probe = discover(client, model, reference)
    return ServerCheck(client.address, probe.model, _findings(probe, checks))


def _findings(probe: Probe, checks: Collection[str]) -> Iterator[ServerFinding]:
    lost = 0
    for name, check in CHECKS.items():
        if name not in checks:
            continue
        try:
            if lost >= _MOST_LOST:
                raise Unaskable("the server stopped answering")
            outcome = check(probe)
        except Unaskable as e:
            outcome = Outcome("skip", "", "", str(e))
        except Broken as e:
            outcome = e.outcome
        except BadSource as e:
            lost += 1
            outcome = Outcome("fail", "the requests of this check", "answers", e.message)
        yield ServerFinding(name, outcome.verdict, outcome.sent, outcome.expected, outcome.got)
