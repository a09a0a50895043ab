"""`pofx page` and `pofx serve --open`: the address of the page goes to the browser."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from pofx.cli import serving
from served import DEADLINE, until


@pytest.fixture
def seen(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A browser that writes its address to a file: the file, and the environment that names the browser."""
    out, script = tmp_path / "opened.txt", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {out}.part && mv {out}.part {out}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return out, {**os.environ, "BROWSER": str(script)}


@pytest.mark.parametrize("verb", [["page"], ["serve", "--port", "0", "--open"]])
def test_the_browser_gets_the_address_that_was_written(
    verb: list[str], seen: tuple[Path, dict[str, str]]
) -> None:
    opened, environment = seen
    process = subprocess.Popen(
        [sys.executable, "-m", "pofx", *verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline().decode()
        url = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert url is not None, first
        until(opened.exists, "a browser with an address")
        assert opened.read_text() == url[0]
        answer = httpx.get(url[0], trust_env=False)
        assert "<title>pofx" in answer.text
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0
        assert errors == b""
    finally:
        process.kill()
        process.wait(DEADLINE)


def test_a_browser_without_a_window_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(serving.sys, "platform", "linux")
    assert not serving.open_in_browser("http://127.0.0.1:1")


@pytest.mark.thorough
def test_no_open_writes_the_address_alone(seen: tuple[Path, dict[str, str]]) -> None:
    opened, environment = seen
    process = subprocess.Popen(
        [sys.executable, "-m", "pofx", "page", "--no-open"], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while not lines[-1].startswith(b"Ctrl-C"):
            lines.append(process.stdout.readline())
            assert lines[-1]
        assert b"  builtin: x0 is <s> (trained)\n" in lines
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert not opened.exists()
    finally:
        process.kill()
        process.wait(DEADLINE)
        process.stdout.close()
