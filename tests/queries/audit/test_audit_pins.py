"""Reports of the candidates, and verdicts that `pofx audit` keeps."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from named_core import (
    _BEHIND_X0_ALONE,
    END,
    HELD,
    X0,
    as_of_a_large_vocabulary,  # noqa: F401  (a fixture that each test uses)
    row,
    sink,
    trained,
)

from pofx.cli.main import pofx as cli
from pofx.errors import BadSource
from pofx.files.locks import locked_outputs
from pofx.files.pins import Pin, check_pin, find_pin, pin
from pofx.lm.model import LM
from pofx.queries.audit.audit import audit
from pofx.report.html import page as html
from pofx.report.json_records import plain
from pofx.report.terminal.audit import audit_candidates
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin


def shown(item, width: int = 100) -> str:
    from rich.console import Console

    console = Console(width=width, record=True, file=io.StringIO())
    console.print(item)
    return console.export_text()


def test_reports_show_every_candidate_and_ending() -> None:
    a = audit(with_begin(sink(), "<s>", "declared"), HELD)
    text, block = shown(audit_candidates(a)), plain(html.audit_block(a).data)
    for c in a.candidates:
        assert c.name in text
        assert c.name in [found["name"] for found in block["audit"]["candidates"]]
    assert f"{100 * row(a, '<s>').same:.0f} %" in text
    assert row(a, "<s>").same in [found["same"] for found in block["audit"]["candidates"]]
    for note in (text, block["candidates_note"]):
        assert "chance is 2.32" in note
    assert "<s> ←" in text
    long = replace(a, candidates=tuple(replace(c, name="<|im_start|> twice") for c in a.candidates))
    assert shown(audit_candidates(long), 80).count("<|im_start|> twice") >= len(a.candidates)
    assert shown(audit_candidates(audit(_BEHIND_X0_ALONE, HELD))).strip() == ""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POFX_DATA", str(tmp_path / "data"))
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(HELD))
    return path


def run(monkeypatch: pytest.MonkeyPatch, lm: LM, *arguments: str):
    monkeypatch.setattr("pofx.models.loading.load", lambda *a, **k: lm)
    return CliRunner().invoke(cli, ["audit", "-m", "toy", *arguments])


def test_a_verdict_is_kept_for_the_next_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, windowed(trained()), "--test", str(home), "--pin")
    assert ran.exit_code == 0, ran.output
    assert "kept: toy is joint, x0 <s>" in ran.stderr
    found = find_pin("core")
    assert found is not None
    assert (found.begin, found.end, found.verdict, found.begin_text) == (X0, END, "joint", "<s>")
    assert found.reason
    assert found.date
    assert found.version
    ran = run(monkeypatch, windowed(sink()), "--test", str(home), "--pin", "--json")
    assert ran.exit_code == 1
    assert '"candidates"' in ran.stdout
    found = find_pin("core")
    assert found is not None
    assert (found.begin, found.verdict) == (None, "conditional")
    assert "no x0" in ran.stderr


def test_a_verdict_is_forgotten_even_a_damaged_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        fingerprint = "core"

    monkeypatch.setattr(
        "pofx.models.pretrained.checkpoint.source.find_checkpoint", lambda name, **how: Path(name)
    )
    monkeypatch.setattr("pofx.models.pretrained.checkpoint.rules.check_checkpoint", lambda path: Found)
    pin("core", Pin(X0, END, "joint", "")).write_text("{")
    for said in ("forgot the verdict on toy", "no verdict was kept on toy"):
        ran = CliRunner().invoke(cli, ["audit", "-m", "toy", "--unpin"])
        assert (ran.exit_code, said in ran.stderr) == (0, True)
    assert CliRunner().invoke(cli, ["audit", "-m", "toy", "--pin", "--unpin"]).exit_code == 2


def test_a_verdict_without_a_place_costs_no_audit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POFX_DATA", str(home))  # a file
    monkeypatch.setattr("pofx.queries.audit.audit.audit", lambda *a: pytest.fail("an audit was made"))
    ran = run(monkeypatch, windowed(trained()), "--test", str(home), "--pin")
    assert isinstance(ran.exception, BadSource)
    assert "expected a place to keep the verdict" in str(ran.exception)


def test_a_verdict_that_another_audit_is_about_to_keep_costs_no_audit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.setattr("pofx.queries.audit.audit.audit", lambda *a: pytest.fail("an audit was made"))
    with locked_outputs([check_pin("core")]):
        ran = run(monkeypatch, windowed(trained()), "--test", str(home), "--pin")
    assert isinstance(ran.exception, BadSource)
    assert "expected a path that no other run writes" in str(ran.exception)


def test_our_own_models_have_nothing_to_be_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, _BEHIND_X0_ALONE, "--test", str(home), "--pin")
    assert ran.exit_code == 2
    assert "expected a pretrained model" in ran.stderr
