"""The wheel carries the built pages: a server that was installed from it serves `/` without Node."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from served import serving

ROOT = Path(__file__).parents[1]
PAGES = "pofx/web_pages/"
# What the page may weigh on its way to a browser.
LIVE_PAGE = 100_000


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.thorough
def test_a_server_from_the_wheel_serves_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as z:
        pages = {n.removeprefix(PAGES): z.read(n) for n in z.namelist() if n.startswith(PAGES)}
    built = ROOT / "src" / PAGES
    files = [f for f in built.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert pages == {f.relative_to(built).as_posix(): f.read_bytes() for f in files}
    assert {
        "live/index.html",
        "offline/offline.js",
        "offline/offline.css",
        "notebook/text.js",
    } <= pages.keys()
    assets = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', pages["live/index.html"].decode())
    assert len(assets) == 2

    home = tmp_path / "installed"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home), str(wheel))
    alone = {"PYTHONPATH": str(home), "PATH": str(tmp_path / "nothing")}
    monkeypatch.chdir(tmp_path)
    assert Path(run("-c", "import pofx; print(pofx.__file__)", **alone)).is_relative_to(home)
    with serving(tmp_path, {"builtin": "builtin"}, **alone) as server:
        answer = server.get("/")
        assert answer.status_code == 200
        assert answer.content == pages["live/index.html"]
        for name in assets:
            answer = server.get(f"/{name}")
            assert answer.status_code == 200
            assert answer.content == pages[f"live/{name}"]
    sent = sum(len(gzip.compress(body, 9)) for name, body in pages.items() if name.startswith("live/"))
    with capsys.disabled():
        sys.stdout.write(f"\nwheel {wheel.stat().st_size:,} bytes; live page, compressed, {sent:,} bytes\n")
    assert sent < LIVE_PAGE
