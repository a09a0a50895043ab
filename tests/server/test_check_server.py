"""`pofx serve` passes `pofx check-server`, whatever model it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server
from served import Server, serving

# Nothing ends after 64 tokens; a model without a context reads prompts of all lengths.
ALLOWED = {"EOS is kept": "skip", "too long": "skip"}

# Each next-token distribution sums to 1: what a history leaves to words that it has not seen is their back-off weight.
NORMALISED = """\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-99 <s> -0.146128
-0.69897 </s>
-0.5228787 the -0.2218487
-0.5228787 cat -0.30103
-0.69897 dog

\\2-grams:
-0.30103 <s> the
-0.39794 the cat
-0.5228787 the dog
-0.2218487 cat </s>

\\end\\
"""


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


def test_a_normalised_arpa_file_passes(tmp_path: Path) -> None:
    file = tmp_path / "normalised.arpa"
    file.write_text(NORMALISED)
    with serving(tmp_path, {"words": str(file)}) as server, ServerClient(server.url) as client:
        found = check_server(client, reference=pofx.load(file)).report().findings
    assert {f.check for f in found if f.verdict != "pass"} == {"too long"}
    assert {f.got for f in found if f.check == "sums"} == {"sums from 1 to 1 over 4 tokens"}


def test_of_an_arpa_file_that_is_not_normalised_the_sums_alone_fail(
    server: Server, model_files: dict[str, str]
) -> None:
    with ServerClient(server.url) as client:
        found = check_server(client, "words", pofx.load(model_files["words"])).report().findings
    others = [f for f in found if f.verdict not in ("pass", "skip")]
    assert [(f.check, f.verdict) for f in others] == [("sums", "fail")]
    assert others[0].got == "a sum of 1.10921"


def test_the_verb_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check-server", server.url, "--model", "open"])
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    assert ", 0 warn, 0 fail, " in out


@pytest.mark.parametrize("name", ["gguf", pytest.param("plain", marks=pytest.mark.thorough)])
def test_a_model_passes_with_a_memory_of_prefixes(
    tmp_path: Path, model_files: dict[str, str], server_cache: str, name: str
) -> None:
    """The second round asks the prompts of the first round again, so the memory has their prefixes."""
    models = {name: model_files[name]}
    with serving(tmp_path, models, POFX_CACHE=server_cache) as server, ServerClient(server.url) as client:
        reference, saved = pofx.load(model_files[name]), [0.0]
        for _ in range(2):
            found = check_server(client, name, reference).report().findings
            assert {f.check for f in found if f.verdict not in ("pass", ALLOWED.get(f.check))} == set()
            saved.append(server.metric("pofx_prefix_saved_tokens_total"))
    assert saved[0] < saved[1] < saved[2] - saved[1]
