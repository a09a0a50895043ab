"""Documents at URLs: in memory, on this disk, and from a server on this machine."""

from __future__ import annotations

import builtins
import gzip
import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from corpus_files import KINDS, PACK, TEXTS, encoded, read

from pofx.corpus import remote
from pofx.corpus.documents import documents, records
from pofx.corpus.source import expand_path, source_of
from pofx.errors import BadSource, BadValue, MissingExtra
from pofx.files.urls import check_local, is_url, local_path
from pofx.lm.fingerprint import file_fingerprint


@pytest.fixture
def store() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    for path, text in {
        "/corpus/b.txt": "b",
        "/corpus/a.txt": "a",
        "/corpus/sub/deep/c.jsonl": '{"text": "c"}',
        "/corpus/README.md": "no corpus",
        "/corpus/.hidden.txt": "hidden",
        "/corpus/.git/d.txt": "hidden",
    }.items():
        system.pipe(path, f"{text}\n".encode())
    yield system
    system.rm("/", recursive=True)


@pytest.mark.parametrize(("kind", "packed"), KINDS)
def test_a_url_gives_what_the_local_file_gives(store: Any, tmp_path: Path, kind: str, packed: str) -> None:
    data = PACK[packed](encoded(kind, TEXTS))
    local = tmp_path / f"x.{kind}{packed}"
    local.write_bytes(data)
    store.pipe(f"/x.{kind}{packed}", data)
    options = {} if kind == "txt" else {"id": "id"}
    here = [(d.text, d.line) for d in records(local, **options)]
    assert here
    for url in (f"memory://x.{kind}{packed}", f"file://{local}", f"memory:///x.{kind}{packed}"):
        found = records(url, **options)
        assert [(d.text, d.line) for d in found] == here
        assert [(d.text, d.line) for d in found] == here  # again
        assert next(iter(found)).source == url


def test_two_readers_of_one_url_do_not_disturb_each_other(store: Any) -> None:
    store.pipe("/long.txt", b"".join(b"%d\n" % n for n in range(400_000)))  # more than a buffer
    both = list(zip(documents("memory://long.txt"), documents("memory://long.txt")))
    assert both == [(str(n), str(n)) for n in range(400_000)]


def test_directories_and_patterns(store: Any) -> None:
    assert expand_path("memory://corpus").files == tuple(
        f"memory://corpus/{n}" for n in ("a.txt", "b.txt", "sub/deep/c.jsonl")
    )
    assert expand_path("memory://corpus/").files == expand_path("memory://corpus").files
    assert expand_path("memory://corpus").others == ("memory://corpus/README.md",)
    assert read("memory://corpus")[0] == ["a", "b", "c"]
    assert read("memory://corpus", format="txt")[0] == ["no corpus", "a", "b", '{"text": "c"}']
    assert expand_path("memory://corpus/*.txt").files == ("memory://corpus/a.txt", "memory://corpus/b.txt")
    assert expand_path("memory://corpus/.*.txt").files == ("memory://corpus/.hidden.txt",)
    assert expand_path("memory://**/*.jsonl").files == ("memory://corpus/sub/deep/c.jsonl",)
    assert "memory:///corpus/a.txt" in expand_path("memory://").files
    with pytest.raises(BadSource, match=r"memory://corpus/\*.csv': expected files that match, got none"):
        read("memory://corpus/*.csv")
    store.pipe("/model/pofx.json", b"{}")
    with pytest.raises(BadSource, match="got the directory of a model"):
        read("memory://model")
    with pytest.raises(BadSource, match="got a directory"):
        source_of("memory://corpus")


def test_a_directory_on_this_disk_under_its_protocol(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    assert expand_path(f"file://{tmp_path}").files == (f"file://{tmp_path}/a.txt",)
    assert expand_path(f"file://{tmp_path}/*.txt").files == (f"file://{tmp_path}/a.txt",)


@pytest.mark.parametrize("url", ["memory://no.txt", "file:///no/such/file.txt"])
def test_a_missing_object_is_refused_as_a_missing_file_is(store: Any, url: str) -> None:
    def said(path: str) -> str:
        with pytest.raises(BadSource) as e:
            read(path)
        return str(e.value).replace(repr(path), "PATH")

    assert said(url) == said("no/such/file.txt")


def test_a_protocol_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_s3(name: str, *rest: Any, **options: Any) -> Any:
        if name == "s3fs":
            raise ModuleNotFoundError("No module named 's3fs'", name="s3fs")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_s3)
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(
        MissingExtra, match=r"'s3fs', which is not installed; install it with: pip install 'pofx\[s3\]'"
    ):
        read("s3://bucket/a.txt")


def test_a_protocol_that_nobody_knows_is_refused() -> None:
    with pytest.raises(
        BadSource, match="'nope://a.txt': expected a path, or a URL of a protocol that fsspec knows"
    ):
        read("nope://a.txt")


def test_limits_and_truncation_hold_at_a_url(store: Any) -> None:
    whole = gzip.compress(b"x\n" * (1 << 24))
    store.pipe("/bomb.txt.gz", whole)
    with pytest.raises(BadSource, match="expected at most 200 bytes for each byte of the packed file"):
        documents("memory://bomb.txt.gz").look()
    store.pipe("/cut.txt.gz", gzip.compress(b"a line\n")[:-4])
    with pytest.raises(BadSource, match="expected a whole .gz file, got a file that breaks off"):
        read("memory://cut.txt.gz")
    store.pipe("/long.txt", b"a" * 100)
    with pytest.raises(BadSource, match="expected a document of at most 10 bytes"):
        read("memory://long.txt", max_document=10)


class _Failing(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise RuntimeError("the token has expired\nand more")


def test_what_a_store_raises_is_no_exception_of_its_own(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store), "open", lambda self, path, mode: _Failing())
    with pytest.raises(
        BadSource, match=r"expected a readable file, got: RuntimeError: the token has expired; check"
    ):
        read("memory://corpus/a.txt")


def test_the_web_has_no_patterns_and_its_query_is_no_ending() -> None:
    assert not remote.can_list("https://host/a.txt?x=[1]")
    assert not remote.can_list("zip://*.txt::memory://a.zip")
    assert remote.ending_of("https://host/a.txt.gz?x=1.csv") == "/a.txt.gz"
    assert remote.ending_of("s3://bucket/what?.txt") == "s3://bucket/what?.txt"


# ------------------------------------------------------------------------------------------------------ fingerprints


def test_a_fingerprint_is_the_stores_mark_or_the_content(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\n")
    local = file_fingerprint(tmp_path / "a.txt")
    assert file_fingerprint("memory://corpus/a.txt") == local
    assert file_fingerprint(f"file://{tmp_path}/a.txt") == local
    store.pipe("/corpus/a.txt", b"c\n")
    assert file_fingerprint("memory://corpus/a.txt") != local

    def says(**marks: str) -> str:
        monkeypatch.setattr(type(store), "info", lambda self, path: {"type": "file", "size": 2, **marks})
        return file_fingerprint("memory://corpus/a.txt")

    assert says(ETag='"abc"') == '2 bytes, etag "abc"'
    assert says(ETag='"abc"', md5Hash="m") == "2 bytes, md5hash m"
    assert says(ETag='W/"abc"').startswith("2 bytes, blake2b ")
    monkeypatch.undo()
    with pytest.raises(BadSource, match="expected a readable file, got: No such file"):
        file_fingerprint("memory://corpus/none.txt")


# ------------------------------------------------------------------------------------------------------------ names


def test_which_paths_are_urls() -> None:
    assert all(is_url(u) for u in ("s3://b/a", "memory://a", "FILE:///a", "zip://a::s3://b", "git+x://a"))
    assert not any(
        is_url(p) for p in ("a.txt", "-", "C:\\a", "C://a", "./s3://b", "/s3://b", "a b://c", "1://x")
    )
    assert local_path("file:///a/b") == "/a/b"
    assert local_path("s3://a/b") == "s3://a/b"
    check_local("a/b")
    with pytest.raises(BadValue, match="expected a path on this machine, got the URL 's3://b/a'"):
        check_local("s3://b/a")


# ---------------------------------------------------------------------------------------------------------- the web


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, bytes]], str]]:
    pytest.importorskip("aiohttp")
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            data = pages.get(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if body:
                self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def put(found: dict[str, bytes]) -> str:
        pages.update(found)
        return f"http://127.0.0.1:{server.server_port}"

    yield put
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_web(serve: Callable[[dict[str, bytes]], str]) -> None:
    top = serve({"/a.txt": b"one\ntwo\n", "/b.jsonl.gz?v=2": gzip.compress(b'{"text": "x"}\n')})
    assert [d.id for d in records(f"{top}/a.txt")] == [f"{top}/a.txt:1", f"{top}/a.txt:2"]
    assert read(f"{top}/b.jsonl.gz?v=2")[0] == ["x"]
    with pytest.raises(BadSource, match="expected a file, got: No such file or directory"):
        read(f"{top}/none.txt")
    before = file_fingerprint(f"{top}/a.txt")
    assert before.startswith("8 bytes, blake2b ")
    serve({"/a.txt": b"one\ntow\n"})
    assert file_fingerprint(f"{top}/a.txt") != before
