"""`pofx check-server`: its lines, its JSON, and its exit codes."""

import io
import json
import socket
from functools import partial

import pytest
from exact_server import MODEL, ExactServer, served
from faulty_servers import EndIsEaten, PlainErrors
from other_servers import Hostile, LikeLlamaCpp, Locked
from rich.console import Console

from pofx.cli.main import main
from pofx.cli.output.server_lines import print_findings
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server


@pytest.fixture
def few(monkeypatch):
    """The verb makes few checks, and is fast."""
    checks = ["echo", "EOS is kept", "text", "junk", "reference"]
    monkeypatch.setattr("pofx.server_check.check.check_server", partial(check_server, checks=checks))
    return checks


@pytest.fixture
def run(capsys, monkeypatch):
    """`pofx check-server …` of a server: the exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(server, *arguments):
        capsys.readouterr()
        with served(server) as url, pytest.raises(SystemExit) as ended:
            main(["check-server", url, *arguments])
        return ended.value.code, *capsys.readouterr()

    return call


def test_a_right_server_passes_with_one_line_a_check(run):
    code, out, err = run(ExactServer())
    head, *lines, last = out.splitlines()
    assert (code, err) == (0, "")
    assert head.endswith(", model exact")
    assert [line[8:].startswith(name) for name, line in zip(CHECKS, lines)] == [True] * len(CHECKS)
    assert last == "33 pass, 0 warn, 0 fail, 2 skipped"


def test_a_fault_is_one_line_with_what_was_sent_expected_and_got(run, few):
    code, out, _ = run(EndIsEaten())
    (line,) = [line for line in out.splitlines() if line.startswith("✗ fail  EOS is kept")]
    assert "sent " in line
    assert "; expected an entry for the generated EOS; got arrays of length " in line
    assert code == 1


def test_a_warning_is_no_failure(run, few):
    code, out, _ = run(PlainErrors())
    assert "! warn  junk" in out
    assert code == 0


def test_json_has_every_field_of_every_finding(run, few):
    code, out, err = run(LikeLlamaCpp(), "--json", "--model", "a name")
    record = json.loads(out)
    assert (code, err, record["failed"], record["model"]) == (0, "", False, "a name")
    assert [f["check"] for f in record["findings"]] == few
    assert all(set(f) == {"check", "verdict", "sent", "expected", "got"} for f in record["findings"])
    assert record["findings"][0]["verdict"] == "skip"


def test_a_reference_is_a_model_that_pofx_loads(run, few, monkeypatch):
    monkeypatch.setattr("pofx.cli.options.model.ModelOptions.load", lambda options: MODEL)
    code, out, _ = run(ExactServer(), "--reference", "builtin")
    assert code == 0
    assert "✓ pass  reference        differences of 0 nats a token, 0 at most, over 46 tokens" in out


def test_nobody_at_the_address_is_exit_code_2(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SystemExit) as ended:
        main(["check-server", f"http://127.0.0.1:{port}"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith("pofx: error: ")
    assert "start the server, or check its address" in err
    assert err.count("\n") == 1


def test_a_missing_key_is_exit_code_2_and_names_the_option(run):
    code, out, err = run(Locked())
    assert (code, out) == (2, "")
    assert "--api-key" in err


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://", "ftp://a", "http://a b"])
def test_no_address_is_exit_code_2(url, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check-server", url])
    assert ended.value.code == 2
    assert "pofx: error: URL: expected the address of a server, got " in capsys.readouterr().err


def test_the_key_comes_from_the_environment_and_is_never_shown(run, monkeypatch):
    seen = []
    monkeypatch.setenv("POFX_API_KEY", "sk-secret")
    monkeypatch.setattr(ServerClient, "__init__", lambda self, url, key: (seen.append(key), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        main(["check-server", "http://127.0.0.1:1"])
    assert seen == ["sk-secret"]


def test_a_key_that_travels_unencrypted_is_noted(capsys, monkeypatch):
    monkeypatch.setattr("pofx.server_check.check.check_server", lambda *_: 1 / 0)
    for url, noted in (
        ("http://example.com", True),
        ("https://example.com", False),
        ("http://127.0.0.1:1", False),
    ):
        with pytest.raises(ZeroDivisionError):
            main(["check-server", url, "--api-key", "sk-secret"])
        err = capsys.readouterr().err
        assert ("unencrypted; use https" in err) == noted
        assert "secret" not in err


def test_nothing_of_a_server_reaches_the_terminal_as_an_escape(run, few):
    _, out, _ = run(Hostile())
    assert not set(out) - {"\n"} & set(map(chr, range(32)))


@pytest.mark.parametrize("server", [ExactServer, EndIsEaten, Hostile])
def test_a_terminal_of_80_columns_wraps_below_the_column_of_words(server, capsys):
    screen = io.StringIO()
    with served(server()) as url, ServerClient(url) as client:
        failed = print_findings(
            check_server(client), Console(file=screen, width=80, force_terminal=True, no_color=True)
        )
    lines = [line.rstrip() for line in plain(screen.getvalue()).splitlines()]
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line[:1].strip()]
    assert len(heads) == len(CHECKS)
    assert all(line.startswith(" " * 24) for line in lines if line not in heads)
    assert failed == (server is not ExactServer)
    capsys.readouterr()


def plain(shown):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
