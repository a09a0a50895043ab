"""One server a session for all tests over HTTP: a model of every kind, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

import pofx
from pofx.cli.main import pofx as cli
from served import Server, serving, until

TEXTS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "é"]
ARPA = """\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-99 <s> -0.3
-0.7 </s>
-0.6 the -0.3
-0.6 cat -0.3
-0.9 dog -0.2

\\2-grams:
-0.2 <s> the
-0.4 the cat
-0.6 the dog
-0.1 cat </s>

\\end\\
"""


@pytest.fixture(scope="session")
def server_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache for the tests of the server: `pofx models` lists whatever is converted into the cache of all tests."""
    return str(tmp_path_factory.mktemp("server-cache"))


@pytest.fixture(scope="module", autouse=True)
def cache_of_the_server(server_cache: str) -> Iterator[None]:
    """The tests use that cache, and so do the servers that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POFX_CACHE", server_cache)
        yield


@pytest.fixture(scope="session")
def fitted_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where each fitted model lies, by its name: with and without x0, without EOS, unsmoothed; and an ARPA file."""
    home = tmp_path_factory.mktemp("fitted")
    kinds = {"own": {}, "open": {"begin": False}, "mle": {"smoothing": "mle"}, "endless": {"end": False}}
    for name, options in kinds.items():
        pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=3, **options)), home / name)
    (home / "words.arpa").write_text(ARPA)
    return {**{name: str(home / name) for name in kinds}, "words": str(home / "words.arpa")}


@pytest.fixture(scope="session")
def model_files(
    tmp_path_factory: pytest.TempPathFactory, fitted_files: dict[str, str], server_cache: str
) -> dict[str, str]:
    """Where each model lies, by its name: the fitted ones, and random ones in the layout of Hugging Face and as GGUF."""
    import tiny_checkpoints
    import tiny_gguf

    home = tmp_path_factory.mktemp("pretrained")
    tiny_checkpoints.write(home / "tiny", adds="bos")
    tiny_checkpoints.write(home / "plain")
    tiny_gguf.write(home / "tiny.gguf", "llama", tiny_gguf.model("llama"), tiny_gguf.byte_level())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POFX_CACHE", server_cache)
        for name in ("tiny", "plain", "tiny.gguf"):
            pofx.load(home / name)  # converted here, where the libraries are imported already
    pretrained = {"tiny": "tiny", "plain": "plain", "gguf": "tiny.gguf"}
    fitted = {
        name: file for name, file in fitted_files.items() if name != "endless"
    }  # a mixture wants EOS of all
    return {**fitted, **{name: str(home / file) for name, file in pretrained.items()}}


@pytest.fixture(scope="session")
def classifier_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the classifier of the server lies: texts of two languages, some of them held out."""
    home = tmp_path_factory.mktemp("classifier")
    texts = {"en": TEXTS[:6], "fr": ["le chat", "un chat", "le chien", "la fin", "é", "les chats"]}
    files = []
    for label, lines in texts.items():
        (home / f"{label}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        files.append(f"{label}={home / label}.txt")
    out = str(home / "languages")
    done = CliRunner().invoke(cli, ["classify", "train", *files, "-o", out, "--held-out", "0.3"])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    model_files: dict[str, str],
    server_cache: str,
    classifier_file: str,
) -> Iterator[Server]:
    """The server that most tests ask; it must live, be idle and have written nothing when they have ended.

    The server has no memory of prefixes, since tests compare its numbers with those of Python to 1e-9.
    """
    home = tmp_path_factory.mktemp("server")
    options = ("-c", classifier_file, "--prefix-memory", "0")
    with serving(home, model_files, *options, POFX_CACHE=server_cache) as s:
        yield s
        until(s.idle, "an idle server")
        assert s.get("/ready").status_code == 200
        assert s.errors.read_text() == ""
