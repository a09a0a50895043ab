"""The documentation runs: its commands and Python are executed, the outputs it shows are compared.

The conventions of README.md and docs/*.md:

    ```console   lines that begin with "$ " are commands, run in order; what follows is compared with what they print
    ```sh        commands, run, output not compared
    ```python    run, all blocks of a page in one namespace; an ```output block right after is compared
    ```text      never run

In an expected output a line `...` stands for any lines and `...` within a line for any characters; spaces at the
ends of lines and blank lines do not count. A number of a float32 model may be off by one unit of its last place. `<!-- slow -->` on the line before a fence: the block is not run (what takes minutes, or
changes the machine). `<!-- varies -->`: run, output not compared (what depends on the version of Python).
Every page runs in an empty directory that holds copies of docs/proverbs.txt, docs/proverbes.txt and docs/jobs. One that uses SmolLM2
is skipped where that is not installed, and finds it converted: what is said once, the first time, is on no page.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

import pofx
from docs_server import PageServer
from pofx.cli.main import VERBS, main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("jobs/*.md"))]
ALL_PAGES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
CORPORA = ("proverbs.txt", "proverbes.txt")
MOST_SLOW, MOST_VARYING, MOST_PRETRAINED = 10, 4, 3
RUN = ("console", "sh", "python")


@dataclass(frozen=True)
class Block:
    kind: str
    body: str
    line: int
    slow: bool
    varies: bool


def blocks(page: Path) -> list[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    out, at = [], 0
    while at < len(lines):
        opened = re.fullmatch(r"```(\w*)", lines[at])
        if opened is None:
            assert not lines[at].startswith("```"), f"{page.name}:{at + 1}: what fence is this?"
            at += 1
            continue
        close = lines.index("```", at + 1)
        before = lines[at - 1] if at else ""
        out.append(
            Block(
                opened[1],
                "\n".join(lines[at + 1 : close]),
                at + 1,
                "<!-- slow -->" in before,
                "<!-- varies -->" in before,
            )
        )
        at = close + 1
    return out


class Shell:
    """Just enough of one: pofx in this process, cat, head, ls, echo $?, and > FILE; `pofx serve … &`, curl, kill %1."""

    def __init__(self) -> None:
        self.code = 0
        self.server = PageServer()

    def run(self, line: str) -> str:
        words = shlex.split(line, comments=True)
        target = words[words.index(">") + 1] if ">" in words else None
        words = words[: words.index(">")] if target else words
        text = self._run(words)
        if target:
            out, err = text
            Path(target).write_text(out, encoding="utf-8")
            return err
        return "".join(text)

    def _run(self, words: list[str]) -> tuple[str, str]:
        name, arguments = words[0], words[1:]
        if name == "echo":
            assert arguments == ["$?"], "the only echo here is echo $?"
            return f"{self.code}\n", ""
        if words[-1] == "&":
            assert words[:2] == ["pofx", "serve"], "only a server runs beside the page"
            return self.server.start(words[1:-1]), ""
        if name == "curl":
            self.code = 0
            return self.server.curl(arguments), ""
        if name == "kill":
            assert arguments == ["%1"], "the only job is %1"
            self.server.stop()
            self.code = 0
            return "", ""
        if name == "cat":
            return "".join(Path(a).read_text(encoding="utf-8") for a in arguments), ""
        if name == "head":
            lines = Path(arguments[1]).read_text(encoding="utf-8").splitlines(keepends=True)
            return "".join(lines[: int(arguments[0][1:])]), ""
        if name == "ls":
            return "".join(f"{p}\n" for p in sorted(os.listdir(arguments[0]))), ""
        assert name == "pofx", f"a command that the docs' shell does not know: {name}"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as e:
                self.code = int(e.code or 0)
        # How far a run is, which a slow machine tells and a fast one does not.
        told = "".join(
            line for line in err.getvalue().splitlines(True) if not line.startswith("pofx: so far")
        )
        return out.getvalue(), told


def steps(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with the output shown."""
    if block.kind == "sh":
        for line in block.body.splitlines():
            if line.strip() and not line.startswith("#"):
                yield line, ""
        return
    parts = re.split(r"(?m)^\$ (.*)$", block.body)
    assert not parts[0].strip(), f"line {block.line}: a console block begins with '$ '"
    yield from zip(parts[1::2], parts[2::2])


NUMBER = r"-?\d[\d,]*\.\d+"
FLOAT32_MODELS = ("smollm2",)


def same(shown: str, found: str, float32: bool = False) -> bool:
    """Whether an output is the one that the page shows.

    A number of a float32 model may differ by one unit of the last place that is shown: such a model promises 1e-5 nats a
    token on every processor, so -20.91649 and -20.91651 are the same value, and round to -20.916 and -20.917. All
    other text, whole numbers among it, is compared letter by letter.
    """

    def tidy(text: str) -> list[str]:
        return [
            " ".join(line.split()) if float32 else line.rstrip() for line in text.splitlines() if line.strip()
        ]

    def fits(shown: list[str], found: list[str]) -> bool:
        if not shown:
            return not found
        if shown[0].strip() == "...":
            return any(fits(shown[1:], found[i:]) for i in range(len(found) + 1))
        return bool(found) and same_line(shown[0], found[0], float32) and fits(shown[1:], found[1:])

    return fits(tidy(shown), tidy(found))


def same_line(shown: str, found: str, float32: bool) -> bool:
    """Whether a line is the one that is shown, in which `...` stands for any characters."""
    if not float32:
        return re.fullmatch(".*?".join(map(re.escape, shown.split("..."))), found) is not None
    parts = re.split(rf"({NUMBER}|\.\.\.)", shown)
    pattern = "".join(
        re.escape(part) if i % 2 == 0 else ".*?" if part == "..." else f"({NUMBER})"
        for i, part in enumerate(parts)
    )
    match = re.fullmatch(pattern, found)
    places = [i for i, part in enumerate(parts) if i % 2 and part != "..."]
    return match is not None and all(
        same_number(parts[i], text, cut=parts[i + 1 : i + 3] == ["", "..."])
        for i, text in zip(places, match.groups())
    )


def same_number(shown: str, found: str, cut: bool) -> bool:
    """Whether two numbers are at most one unit of the last place apart; cut: the shown number is cut off, not rounded."""
    a, b = (Decimal(text.replace(",", "")) for text in (shown, found))
    places, found_places = (-int(x.as_tuple().exponent) for x in (a, b))
    if cut:
        return found_places >= places and abs(a - b) < Decimal(2).scaleb(-places)
    # As many decimals (9.999 and 10.000), or as many digits that count (0.00999 and 0.0100).
    digits = [len(x.as_tuple().digits) for x in (a, b)]
    alike = places == found_places or digits[0] == digits[1]
    return alike and abs(a - b) <= Decimal(1).scaleb(-min(places, found_places))


def run_page(page: Path) -> None:
    shell = Shell()
    try:
        run_blocks(page, shell)
    finally:
        shell.server.stop()


def run_blocks(page: Path, shell: Shell) -> None:
    names = {"__name__": "docs"}
    all_blocks = blocks(page)
    for block, after in zip(all_blocks, [*all_blocks[1:], None]):
        if block.slow or block.kind not in RUN:
            continue
        where = f"{page.name}:{block.line}"
        if block.kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(shell.server.real(block.body), where, "exec"), names)  # noqa: S102  (our own documentation)
            if after is not None and after.kind == "output" and not block.varies:
                compare(where, after.body, printed.getvalue(), is_float32(block.body))
            continue
        commands = list(steps(block))
        for (command, shown), (then, _) in zip(commands, [*commands[1:], ("", "")]):
            shell.code = 0 if command.startswith("pofx") else shell.code
            found = shell.run(command)
            told = "pofx: error" in shown or "echo $?" in (command, then)
            assert shell.code == 0 or told, f"{where}: $ {command}\nexit {shell.code}: {found}"
            if block.kind == "console" and not block.varies:
                compare(f"{where}: $ {command}", shown, found, is_float32(command))


def is_float32(commands: str) -> bool:
    """Whether the numbers are those of a model that computes in float32."""
    return any(name in commands for name in FLOAT32_MODELS)


def compare(where: str, shown: str, found: str, float32: bool) -> None:
    assert same(shown, found, float32), f"{where}\n--- shown\n{shown}\n--- found\n{found}"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return os.environ.get("POFX_CACHE") or str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def here(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    for name in CORPORA:
        shutil.copy(DOCS / name, tmp_path / "docs" / name)
    shutil.copytree(DOCS / "jobs", tmp_path / "docs" / "jobs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_CACHE", cache)
    monkeypatch.setenv("POFX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("POFX_MODEL", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def uses_smollm2(page: Path) -> bool:
    run = [b for b in blocks(page) if b.kind in RUN and not b.slow]
    commands = [b.body if b.kind == "python" else "\n".join(c for c, _ in steps(b)) for b in run]
    return any("smollm2" in c for c in commands)


def named(page: Path) -> str:
    return page.stem if page.parent != DOCS / "jobs" else f"jobs-{page.stem}"


# All pages together take a minute. These are the ones that a newcomer tries first.
QUICK = ("tutorial", "score", "words", "next", "sample")


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=named(p), marks=[pytest.mark.thorough] * (p.stem not in QUICK)) for p in PAGES],
)
def test_page_runs(page: Path, here: Path) -> None:
    if uses_smollm2(page):
        from pofx.models.pretrained.checkpoint.source import find_checkpoint, packaged_models

        smollm2 = next(n for n in packaged_models() if n.name == "smollm2")
        if not smollm2.installed:
            pytest.skip(f"SmolLM2 is not installed; get it: {smollm2.get}")
        find_checkpoint("smollm2")
    run_page(page)


def test_few_blocks_are_exempt() -> None:
    every = [b for page in PAGES for b in blocks(page)]
    assert sum(b.slow for b in every) <= MOST_SLOW
    assert sum(map(uses_smollm2, PAGES)) <= MOST_PRETRAINED
    assert sum(b.varies for b in every) <= MOST_VARYING
    markers = sum(
        page.read_text(encoding="utf-8").count(m)
        for page in PAGES
        for m in ("<!-- slow -->", "<!-- varies -->")
    )
    assert markers == sum(b.slow + b.varies for b in every), "a marker that stands before no fence"
    assert sum(b.kind in RUN and not b.slow for b in every) >= 60


def test_kinds_of_fences() -> None:
    for page in ALL_PAGES:
        for block in blocks(page):
            assert block.kind in (*RUN, "output", "text"), f"{page.name}:{block.line}: ```{block.kind}"


def test_the_comparison_sees_a_difference() -> None:
    assert same("a\n...\nb 1... c", "a  \nx\ny\nb 1.25 c\n\n")
    assert not same("a\nb", "a\nx\nb")
    assert not same("a 1.25", "a 1.26")
    assert not same("", "anything")


def test_numbers_of_float32_differ_by_one_unit_and_no_more() -> None:
    for shown, found in (
        ("sum -20.916", "sum -20.917"),
        ("p 0.00999 q", "p 0.0100 q"),
        ("-42.5376... nats", "-42.53758124 nats"),
        ("-42.5376...", "-42.537700001"),
        ("  -9.999  x\n...\n1,264.5", " -10.000  x\ny\n1,264.6"),
    ):
        assert same(shown, found, float32=True), shown
        assert not same(shown, found), shown
    for shown, found in (
        ("sum -20.916", "sum -20.918"),
        ("sum -20.916", "sum 20.916"),
        ("sum -20.916", "sum -20.9164"),
        ("-42.5376...", "-42.53784"),
        ("rank 1,264", "rank 1,265"),
        ("8 tokens, -1.5", "7 tokens, -1.5"),
        ("-20.916 nats", "-20.916 bits"),
    ):
        assert not same(shown, found, float32=True), (shown, found)


def test_a_wrong_output_is_seen(here: Path) -> None:
    for body in (
        "```console\n$ head -1 docs/proverbs.txt\nA good workman.\n```\n",
        "```python\nprint(1)\n```\n\n```output\n2\n```\n",
    ):
        page = here / "page.md"
        page.write_text(body, encoding="utf-8")
        with pytest.raises(AssertionError, match="found"):
            run_page(page)
    page.write_text("```console\n$ pofx score --text x -m nosuch\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="exit 2"):
        run_page(page)


def slug(heading: str) -> str:
    kept = "".join(c for c in heading.strip().lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def test_links_resolve() -> None:
    for page in ALL_PAGES:
        text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{page.name}: link to {target}"
            if anchor:
                headings = re.findall(r"(?m)^#+ (.*)$", file.read_text(encoding="utf-8"))
                assert anchor in map(slug, headings), f"{page.name}: no heading for {target}"


def test_every_page_is_linked_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"({name}" in index, name


def test_every_verb_has_a_page() -> None:
    for verb in VERBS:
        page = DOCS / f"{verb}.md"
        assert page.exists(), verb
        assert f"pofx {verb}" in page.read_text(encoding="utf-8")


def test_every_public_name_is_described() -> None:
    api = (DOCS / "api.md").read_text(encoding="utf-8")
    missing = [n for n in pofx.__all__ if not re.search(rf"`(pofx\.)?{n}\b", api)]
    assert not missing


def test_the_command_line_page_is_fresh() -> None:
    # In a process of its own: click remembers the help option of a verb that another test called without its group.
    told = subprocess.run(
        [sys.executable, "-c", "import write_cli; print(write_cli.render(), end='')"],
        cwd=DOCS,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == told.stdout, "run: python docs/write_cli.py"


def test_the_architecture_page_has_the_floors_of_the_import_contracts() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [c["layers"] for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    assert len(contracts) > 5
    for layers in contracts:
        floors = [re.split(r" [|:] ", layer) for layer in layers]
        room = floors[0][0].rpartition(".")[0].removeprefix("pofx").strip(".").replace(".", "/")
        named = [{name.rpartition(".")[2] for name in floor} for floor in floors]
        if not room:
            block = page[page.index("```text") :]
            order = [
                max(
                    block.index(f"\n{name}/") if len(floor) == 1 else block.index(f"{name}/")
                    for name in floor
                )
                for floor in named[:-1]
            ]
            assert order == sorted(order)
            assert all(name in block for name in named[-1])
            continue
        row = next(line for line in page.splitlines() if line.startswith(f"| `{room}/` |"))
        shown = [set(re.findall(r"`(\w+)/?`", part)) for part in row.split("|")[2].split(";")]
        assert shown == named, room


def test_no_paths_of_a_machine() -> None:
    for page in ALL_PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(work|root|home|tmp|Users|usr|var|mnt)/|site-packages/", text), (
            page.name
        )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        run_page(Path(name).resolve())
