"""Input from the web and from the Hugging Face Hub: the units and rows of local files; output there is refused."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from web_toys import REPOSITORY, Hub, Web  # isort: skip  (finds the modules below)
from shard_toys import Recipe, files_of, run

from loopback import answering
from pofx.errors import BadSource
from pofx.files.folders.opening import open_folder
from pofx.jobs.documents import Documents
from pofx.jobs.sharded.cutting import cut
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.verify import verify

pytestmark = pytest.mark.stores
LINES = [f"row {k} of the file" for k in range(300)]
TEXT = "".join(f"{line}\n" for line in LINES).encode()


@dataclass
class Place:
    """A stand-in, and the URL above its files."""

    server: Web
    url: str


@contextmanager
def hub(patch: pytest.MonkeyPatch) -> Iterator[Place]:
    from huggingface_hub import constants

    server = Hub()
    with answering(server.answer) as address:
        patch.setenv("HF_ENDPOINT", address)
        # The library reads the variable when it is imported.
        patch.setattr(constants, "ENDPOINT", address)
        patch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        yield Place(server, f"hf://{REPOSITORY}")


@pytest.fixture(params=["http", "hf"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "hf":
        with hub(monkeypatch) as found:
            yield found
    else:
        server = Web()
        with answering(server.answer) as address:
            yield Place(server, f"{address}/corpus")
            fsspec.filesystem("http").clear_instance_cache()


def put(place: Place, name: str, data: bytes) -> str:
    """Put a file beside the others, and return its URL."""
    place.server.files[name if isinstance(place.server, Hub) else f"corpus/{name}"] = data
    return f"{place.url}/{name}"


def rows(documents: Documents) -> list[tuple[int, str]]:
    return [(i.line, getattr(i, "text", "")) for i in documents.items()]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.parquet"])
def test_the_units_are_those_of_the_file(place: Place, tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"text": LINES}), tmp_path / "a.parquet", row_group_size=25)
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(TEXT[:3000], 1) + gzip.compress(TEXT[3000:], 1))
    data = (tmp_path / name).read_bytes()
    url = put(place, name, data)
    here = list(cut(Documents((str(tmp_path / name),)), 500))
    there = list(cut(Documents((url,)), 500))
    assert [(u.stretch, u.bytes) for u in there] == [(u.stretch, u.bytes) for u in here]
    assert len(there) > 3
    found = [r for u in there for r in rows(Documents((u.path,), stretch=u.stretch))]
    assert found == rows(Documents((str(tmp_path / name),)))
    there[1].check_input()
    put(place, name, data[:-1] + b" ")
    with pytest.raises(BadSource, match="edited since"):
        there[1].check_input()


def test_a_job_has_the_bytes_of_one_process(place: Place, recipe: Recipe, tmp_path: Path) -> None:
    url = put(place, "a.txt", Path(recipe.documents.files[0]).read_bytes())
    there = replace(recipe, documents=Documents((url,)))
    _, one = run(there, tmp_path / "one")
    events, two = run(there, tmp_path / "two", workers=2)
    assert (one.failed, two.failed) == ((), ())
    assert len(files_of(tmp_path / "one" / "parts")) == events[0].units > 3
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_output_is_refused_before_anything_is_sent(place: Place, recipe: Recipe) -> None:
    place.server.seen.clear()
    for begin in (lambda: run(recipe, f"{place.url}/out"), open_folder(f"{place.url}/out").check):
        with pytest.raises(
            BadSource, match=r"/out: expected a store that can be written, got a .*; write to a local"
        ):
            begin()
    assert not [r for r in place.server.seen if r.method not in ("GET", "HEAD")]


@pytest.mark.parametrize("lacking", [{"ranges": False}, {"ranges": False, "says": False}, {"tags": False}])
def test_a_server_without_ranges_or_marks_gives_one_unit(lacking: dict[str, bool]) -> None:
    server = Web({"a.txt": TEXT}, **lacking)
    with answering(server.answer) as address:
        (unit,) = cut(Documents((f"{address}/a.txt",)), 500)
        assert unit.stretch is None
        assert [text for _, text in rows(Documents((unit.path,)))] == LINES
        unit.check_input()
        server.files["a.txt"] = TEXT.replace(b"row 7 ", b"row 8 ")
        with pytest.raises(BadSource, match="edited since"):
            unit.check_input()


def test_a_large_file_is_read_from_a_server_without_ranges() -> None:
    """fsspec asks for blocks of 5 MB; a server that answers each with the whole file is read as a stream."""
    server = Web({"a.txt": (b"x" * 65535 + b"\n") * 200}, ranges=False, says=False, tags=False)
    with answering(server.answer) as address:
        found = rows(Documents((f"{address}/a.txt",)))
    assert [len(text) for _, text in found] == [65535] * 200


def test_a_unit_of_the_hub_asks_for_its_own_range(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(monkeypatch) as place:
        url = put(place, "large.txt", (b"x" * 63 + b"\n") * (40 << 14))
        *_, last = cut(Documents((url,)), 8 << 20)
        place.server.seen.clear()
        first = next(iter(Documents((last.path,), stretch=last.stretch).items()))
        assert first.line == (32 << 20) // 64 + 1
        asked = [
            r.headers.get("Range", r.headers.get("range")) for r in place.server.seen if "/resolve/" in r.path
        ]
        assert asked
        assert all(a and int(a.removeprefix("bytes=").split("-")[0]) >= 32 << 20 for a in asked)


def test_a_job_that_was_copied_to_the_hub_is_verified_there(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, whole: dict[str, bytes]
) -> None:
    with hub(monkeypatch) as place:
        place.server.files |= {f"scores/{name}": data for name, data in whole.items()}
        there = f"{place.url}/scores"
        assert verify(there) == []
        assert status(there).totals.units == status(there).units > 3
        place.server.files["scores/parts/part-0000001.parquet"] = b"no part"
        assert [f.fault for f in verify(there)] == ["damaged"]


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for loopback, and the context of its server."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - day, now + day
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "cert.pem").write_bytes(made.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return directory / "cert.pem", context


def test_the_command_reads_https_and_the_hub(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, tmp_path: Path
) -> None:
    def said(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        program: Any = [
            sys.executable,
            "-m",
            "pofx",
            "score",
            *words,
            "-m",
            recipe.model,
            "--unit-size",
            "100",
        ]
        return subprocess.run(
            [*program, "--quiet"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **variables},
        )

    trusted, tls = certificate(tmp_path)
    text = Path(recipe.documents.files[0]).read_bytes()
    with answering(Web({"a.txt": text}).answer, tls) as address, hub(monkeypatch) as place:
        put(place, "in/b.txt", text)
        words = (f"{address}/a.txt", f"{place.url}/in/*.txt")
        got = said(*words, "-o", f"{tmp_path}/out/", "--workers", "1", SSL_CERT_FILE=str(trusted))
        assert got.returncode == 0, got.stderr
        assert verify(tmp_path / "out") == []
        assert status(tmp_path / "out").totals.rows == 2 * len(text.splitlines())
        got = said(*words, "-o", f"{tmp_path}/untrusted/")
        assert (got.returncode, len(got.stderr.splitlines())) == (2, 1), got.stderr
        assert "CERTIFICATE_VERIFY_FAILED" in got.stderr
        got = said(str(recipe.documents.files[0]), "-o", f"{place.url}/out/")
        assert (got.returncode, len(got.stderr.splitlines())) == (2, 1), got.stderr
        assert "expected a store that can be written, got a repository of the Hugging Face Hub" in got.stderr
