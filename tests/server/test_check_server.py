"""`pofx serve` passes `pofx check-server`, whatever model it serves."""

from __future__ import annotations

import pytest
from served import Server

import pofx
from pofx.cli.main import main
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server

# Nothing ends after 64 tokens; a model without a context reads prompts of all lengths.
ALLOWED = {"EOS is kept": "skip", "too long": "skip"}


@pytest.mark.parametrize(
    "name",
    ["own", *(pytest.param(n, marks=pytest.mark.thorough) for n in ("open", "mle", "plain", "gguf", "tiny"))],
)
def test_a_model_passes(server: Server, model_files: dict[str, str], name: str) -> None:
    with ServerClient(server.url) as client:
        found = check_server(client, name, pofx.load(model_files[name])).report().findings
    assert [f.check for f in found] == list(CHECKS)
    others = {f.check: f for f in found if f.verdict != "pass" and ALLOWED.get(f.check) != f.verdict}
    if name == "tiny":
        assert others.pop("special tokens").verdict == "warn"  # its BOS has id 0
    assert others == {}


def test_the_verb_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check-server", server.url, "--model", "open"])
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    assert ", 0 warn, 0 fail, " in out
