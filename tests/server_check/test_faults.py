"""Each faulty server is found out by the check that is meant for its fault, and a right server passes all checks."""

import re
from pathlib import Path

import pytest
from exact_server import MODEL, ExactServer, served
from faulty_servers import FAULTS, Lacking

from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server


def findings_of(server, reference=None, checks=tuple(CHECKS), model=None):
    with served(server) as url, ServerClient(url, seconds=60) as client:
        report = check_server(client, model, reference, checks).report()
    return {f.check: f for f in report.findings}


def test_a_right_server_passes_all_checks():
    found = findings_of(ExactServer(), MODEL)
    assert list(found) == list(CHECKS)
    assert {name: f for name, f in found.items() if f.verdict != "pass"} == {}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_fault_is_found_by_the_check_that_is_meant_for_it(fault):
    check, verdict = FAULTS[fault]
    found = findings_of(fault(), MODEL, [check])[check]
    assert found.verdict == verdict, found
    assert found.sent
    assert found.expected
    assert found.got


def test_a_law_that_may_be_cut_is_a_warning():
    assert findings_of(Lacking(), None, ["sums"])["sums"].verdict == "warn"


@pytest.mark.thorough
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_fault_is_found_among_all_checks_too(fault):
    check, verdict = FAULTS[fault]
    found = findings_of(fault(), MODEL)
    assert list(found) == list(CHECKS)
    assert found[check].verdict == verdict, found[check]


def test_every_check_has_a_fault_that_it_finds():
    assert set(CHECKS) == {check for check, _ in FAULTS.values()}


def test_every_check_is_explained_and_no_other():
    page = (Path(__file__).parents[2] / "docs/check-server.md").read_text(encoding="utf-8")
    table = page.partition("## The checks")[2].partition("\n\nTwo numbers")[0]
    assert re.findall(r"(?m)^\| ([^|]+?) \|", table)[1:] == list(CHECKS)
