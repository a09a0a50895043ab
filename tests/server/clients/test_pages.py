"""The pages of the clients run: their commands are executed with the clients' Python, and the outputs compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs_server import PageServer
from test_docs import DOCS, blocks, same

pytestmark = pytest.mark.clients
PAGES = ["serve-lm-eval", "serve-openai-python", "serve-llm", "serve-inspect"]


def commands(body: str) -> list[tuple[str, str]]:
    """Each command, with the lines of its here-document, and the output that is shown."""
    out: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = lines.index("END") + 1 if "<<'END'" in lines[0] else 1
        out.append(("\n".join(lines[:end]), "\n".join(lines[end:])))
    return out


@pytest.mark.parametrize("name", PAGES)
def test_page_runs(
    name: str, tmp_path: Path, clients_python: Path, offline: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copy(DOCS / "proverbs.txt", tmp_path / "docs")
    server = PageServer()
    here = {
        **offline,
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "LLM_USER_PATH": str(tmp_path / "llm"),
    }
    here["PATH"] = f"{clients_python.parent}:{os.environ['PATH']}"
    (tmp_path / "llm").mkdir()
    monkeypatch.chdir(tmp_path)
    ran = 0
    try:
        for block in blocks(DOCS / f"{name}.md"):
            for command, shown in commands(block.body) if block.kind == "text" else []:
                ran += 1
                if command.startswith("pofx serve"):
                    found = server.start(command.removesuffix(" &").split()[1:])
                elif command.startswith("pofx"):
                    found = pofx(command)
                else:
                    found = server.shown(shell(server.real(command), here))
                assert same(shown, found), f"{name}.md: $ {command}\n--- shown\n{shown}\n--- found\n{found}"
    finally:
        server.stop()
    assert ran > 3


def pofx(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout


def shell(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stderr[-3000:]}"
    return done.stdout
