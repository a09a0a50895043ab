"""A stand-in for S3 on a free loopback port, and a door to it that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx.jobs.documents import Documents

from store_toys import KEYS, Door  # isort: skip  (finds the modules below)
from shard_toys import Recipe, files_of, run

from loopback import answering

TEXTS = ["the cat", "a cat", "the end", "cat", "tea", "teeth that eat", "a"] * 6


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of the stand-in."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def door(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The stand-in through a door, with one empty bucket."""
    import fsspec

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    door = Door(server)
    with answering(door.answer) as address:
        door.address = address
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
        type(system).clear_instance_cache()
        if system.exists("bucket"):
            system.rm("bucket", recursive=True)
        system.mkdir("bucket")
        door.seen.clear()
        yield door
        type(system).clear_instance_cache()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    pofx.save(pofx.fit(["the cat", "a cat", "the end"], pofx.NgramSpec(order=2)), tmp_path / "m")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{t}\n" for t in TEXTS))
    return Recipe(str(tmp_path / "m"), Documents((str(corpus),)))


@pytest.fixture
def whole(recipe: Recipe, tmp_path: Path) -> dict[str, bytes]:
    """The oracle: a directory of this machine."""
    run(recipe, tmp_path / "whole")
    return files_of(tmp_path / "whole")
