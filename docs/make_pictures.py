"""Take the pictures of README.md and docs/ from real runs: `make pictures`.

`python docs/make_pictures.py --demo demo.html` reads the page of an earlier demo; without the option the demo runs, which
takes some minutes. `--only page` takes one picture.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

DOCS = Path(__file__).parent
# A picture is shown at half its pixels, so it is sharp on fine screens.
SCALE = 2
WIDTH = 1100
# Heat text has eight shades and a text antialiased grey: 64 colours show no bands, and a file has a third of the bytes.
COLOURS = 64
LARGEST = 150_000
# A sentence of the kind that the built-in model was fitted on, with one surprise.
SENTENCE = "Return the number of cats in the list."


def main() -> None:
    """Take each picture, or those that are named."""
    takers = {"page": live_page, "score": offline_file, "demo": story}
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--demo", type=Path, metavar="FILE", help="the page of an earlier `pofx demo`")
    options.add_argument("--only", choices=takers, help="one picture")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        for name, take in takers.items():
            if chosen.only in (None, name):
                write(DOCS / f"{name}.png", take(browser, Path(home), chosen.demo))
        browser.close()


def live_page(browser: Browser, home: Path, demo: Path | None) -> bytes:
    """The page of `pofx page` with the built-in model, from its head to the first three factors."""
    with served(home) as url:
        page = opened(browser, f"{url}/#text={quote(SENTENCE)}")
        page.get_by_text("The chain rule, factor by factor").wait_for()
        rows = page.locator("details[open] tbody tr")
        return shot(page, page.locator("body"), rows.nth(2))


def offline_file(browser: Browser, home: Path, demo: Path | None) -> bytes:
    """The file of `pofx score --html`, to its twelfth factor."""
    file = home / "score.html"
    pofx("score", "--text", SENTENCE, "--html", str(file), home=home)
    page = opened(browser, file.as_uri())
    return shot(page, page.locator("body"), page.locator("details[open] tbody tr").nth(11))


def story(browser: Browser, home: Path, demo: Path | None) -> bytes:
    """The losses of the models of `pofx demo`, as bars, and which family has the lower loss."""
    if demo is None:
        demo = home / "demo.html"
        pofx("demo", "-o", str(demo), home=home)
    page = opened(browser, demo.resolve().as_uri())
    section = page.locator("section", has=page.get_by_role("heading", name="models"))
    # The table below has the seconds of each fit, which differ from machine to machine.
    return shot(page, section.first, section.first.get_by_text("bits per byte, and").first)


def pofx(*words: str, home: Path) -> None:
    """Run a command of pofx to its end, in a folder of its own."""
    subprocess.run([sys.executable, "-m", "pofx", *words], check=True, cwd=home)


@contextlib.contextmanager
def served(home: Path) -> Iterator[str]:
    """`pofx page` on a free port, and its address."""
    command = [sys.executable, "-m", "pofx", "page", "--no-open"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = re.search(r"http://\S+", process.stdout.readline())
            assert url is not None
            for line in process.stdout:
                if line.startswith("Ctrl-C"):
                    break
            yield url[0]
        finally:
            process.terminate()


def opened(browser: Browser, url: str) -> Page:
    """A page in light colours; an error of its scripts ends the run."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900},
        device_scale_factor=SCALE,
        color_scheme="light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    assert not wrong, wrong
    return page


def shot(page: Page, first: Locator, last: Locator) -> bytes:
    """A picture of the page's whole width, from the top of one element to the end of another."""
    top, end = first.bounding_box(), last.bounding_box()
    assert top is not None
    assert end is not None
    y = max(0.0, top["y"])
    height = end["y"] + end["height"] - y
    return page.screenshot(full_page=True, clip={"x": 0, "y": y, "width": WIDTH, "height": height})


def write(path: Path, png: bytes) -> None:
    """Write a picture in a palette, and print its size."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    small = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {picture.width} × {picture.height} pixels, {size:,} bytes")
    assert size < LARGEST, f"{path.name} has {size:,} bytes, more than {LARGEST:,}"


if __name__ == "__main__":
    main()
