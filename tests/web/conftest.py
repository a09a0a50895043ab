"""One server and one browser a session: `pofx serve` with small models, and Debian's Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

import pofx
from pofx.cli.main import pofx as cli
from served import Server, serving

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
DOCS = HERE.parents[1] / "docs"
# A request that the server refuses is an error in the console of a browser, and part of what a page has to live with.
REFUSED = "Failed to load resource: the server responded with a status of 4"


# A machine that runs other tests may keep a page waiting for longer than the 5 s of Playwright.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.web)


@pytest.fixture(scope="session")
def model_paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where each served model lies: two n-grams of bytes, and two tiny networks of subwords, one of them without x0."""
    import tiny_checkpoints

    home = tmp_path_factory.mktemp("models")
    for name, file in {"english": "proverbs.txt", "french": "proverbes.txt"}.items():
        pofx.save(pofx.fit((DOCS / file).read_text().splitlines(), pofx.NgramSpec(order=4)), home / name)
    tiny_checkpoints.write(home / "tiny", adds="bos")
    tiny_checkpoints.write(home / "plain")
    for name in ("tiny", "plain"):
        pofx.load(home / name)  # converted here, where the libraries are imported already
    return {name: str(home / name) for name in ("english", "french", "tiny", "plain")}


@pytest.fixture(scope="session")
def classifier_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the served classifier lies: proverbs of two languages, some of them held out."""
    out = str(tmp_path_factory.mktemp("classifier") / "languages")
    files = [f"english={DOCS}/proverbs.txt", f"french={DOCS}/proverbes.txt"]
    done = CliRunner().invoke(cli, ["classify", "train", *files, "-o", out])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, model_paths: dict[str, str], classifier_path: str
) -> Iterator[Server]:
    """The server; it must have written nothing when the tests have ended."""
    with serving(tmp_path_factory.mktemp("site"), model_paths, "-c", classifier_path) as s:
        yield s
        assert s.errors.read_text() == ""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as p:
        b = p.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield b
        b.close()


@dataclass
class Watched:
    """What a page did wrong: errors of its scripts and its console, and requests to other origins."""

    origin: str
    allowed: list[str] = field(default_factory=lambda: [REFUSED])
    wrong: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda e: self.wrong.append(f"error: {e}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(a in message.text for a in self.allowed):
            self.wrong.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin + "/", "data:", "blob:")):
            self.wrong.append(f"request: {request.url}")


Opened = Callable[..., Page]


@pytest.fixture
def watched(site: Server) -> Iterator[Watched]:
    """The faults of the pages of a test, of which there must be none; a test may allow more messages of the console."""
    seen = Watched(site.url)
    yield seen
    assert seen.wrong == []


@pytest.fixture
def opened(browser: Browser, site: Server, watched: Watched) -> Iterator[Opened]:
    """Open the page: `opened("#hash", width=360, scheme="dark")`."""
    contexts: list[BrowserContext] = []

    def open_page(
        hash: str = "", width: int = 1100, height: int = 900, scheme: str = "light", **options: object
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        watched.watch(page)
        page.goto(f"{site.url}/{hash}")
        page.get_by_label("Model", exact=True).wait_for()
        return page

    yield open_page
    for c in contexts:
        c.close()


@pytest.fixture
def page(opened: Opened) -> Page:
    """The page, 1100 pixels wide and light."""
    return opened()
