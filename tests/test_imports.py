"""What is loaded when, and what works without the extras. All of it in processes of its own."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import pofx

HEAVY = (
    "torch",
    "transformers",
    "numpy",
    "tokenizers",
    "safetensors",
    "rich",
    "click",
    "pyarrow",
    "matplotlib",
)

# A finder before all others, which says of a package that it is not installed.
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=60)


def loaded_by(code: str) -> set[str]:
    """Which of the heavy packages stand in sys.modules at the end."""
    ran = python(f"{code}\nimport sys, json\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))")
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy() -> None:
    assert loaded_by("import pofx") == set()


def test_errors_and_specs_load_nothing_heavy() -> None:
    assert (
        loaded_by("import pofx; pofx.NgramSpec(); pofx.TransformerSpec(); pofx.errors; pofx.BadValue")
        == set()
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], [], ["fit", "--help"], ["score", "--help"], ["nope"]]
)
def test_help_loads_only_click(arguments: list[str]) -> None:
    code = f"from pofx.cli.main import main\ntry:\n    main({arguments!r})\nexcept SystemExit:\n    pass"
    assert loaded_by(code) == {"click"}


def test_the_core_never_loads_torch() -> None:
    code = (
        "import pofx\nlm = pofx.fit(['ab', 'ba', 'abba'], pofx.NgramSpec(order=3))\n"
        "pofx.score(lm, ['ab']); pofx.sample(lm, 2, seed=0); pofx.next(lm)\n"
        "import tempfile, os\nd = os.path.join(tempfile.mkdtemp(), 'm')\npofx.save(lm, d); pofx.load(d)"
    )
    assert loaded_by(code) & {"torch", "transformers", "rich", "click", "pyarrow"} == set()


@pytest.mark.parametrize("how", ["BLOCKED = {'torch'}" + BLOCK, "import sys; sys.modules['torch'] = None"])
def test_without_torch(how: str) -> None:
    ran = python(
        how
        + """
import pofx
texts = ["one", "two", "three", "ones", "twos", "on"] * 5
lm = pofx.fit(texts, pofx.NgramSpec(order=3))
assert pofx.log_prob(lm, "two") < 0
assert len(pofx.sample(lm, 3, seed=1)) == 3
assert pofx.audit(lm, texts).verdict in ("joint", "conditional", "prefix-only", "improper")
import tempfile, os
d = os.path.join(tempfile.mkdtemp(), "m")
pofx.save(lm, d)
assert pofx.log_prob(pofx.load(d), "two") == pofx.log_prob(lm, "two")
try:
    pofx.fit(texts, pofx.TransformerSpec(epochs=1))
except pofx.MissingExtra as e:
    print(e)
"""
    )
    assert ran.returncode == 0, ran.stderr
    assert "pip install 'pofx[torch]'" in ran.stdout
    assert ran.stdout.count("\n") == 1


def test_the_command_without_torch(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    ran = python(
        "BLOCKED = {'torch'}" + BLOCK + "\nfrom pofx.cli.main import main\n"
        f"main(['fit', {str(tmp_path / 'a.txt')!r}, '-o', {str(tmp_path / 'm')!r}, '--family', 'transformer'])"
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "pip install 'pofx[torch]'" in ran.stderr
    assert not (tmp_path / "m").exists()


def test_every_name_of_the_face_resolves() -> None:
    for name in pofx.__all__:
        assert getattr(pofx, name) is not None, name
    assert dir(pofx) == sorted(pofx.__all__)
    assert len(set(pofx.__all__)) == len(pofx.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        pofx.nonsense  # noqa: B018


def test_next_and_errors_are_what_they_say() -> None:
    from pofx.queries.next_unit.next import next_token

    assert pofx.next is next_token
    assert pofx.errors.BadValue is pofx.BadValue


def test_the_table_of_homes_is_what_the_type_checker_reads() -> None:
    tree = ast.parse(Path(pofx.__file__).read_text(encoding="utf-8"))
    guarded = next(n for n in tree.body if isinstance(n, ast.If))
    seen: dict[str, str] = {}
    for line in guarded.body:
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            seen[alias.asname or alias.name] = line.module or ""
    assert seen.pop("errors") == seen.pop("plot") == "pofx"
    assert seen.pop("next") == "pofx.queries.next_unit.next"
    assert seen == {name: f"pofx.{home}" for name, home in pofx._HOME_OF.items()}
    assert set(pofx.__all__) == {*seen, "errors", "next", "plot"}


def test_every_module_imports() -> None:
    root = Path(pofx.__file__).parent
    for file in sorted(root.rglob("*.py")):
        name = ".".join(["pofx", *file.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")
        importlib.import_module(name)


@pytest.mark.thorough
def test_bad_input_is_refused_without_assertions(tmp_path: Path) -> None:
    ran = python(
        f"""
import pofx
from pofx import *
lm = fit(["ab", "ba"], NgramSpec(order=2))
none = fit(["ab", "ba"], NgramSpec(order=2, begin=False))
endless = fit(["ab", "ba"], NgramSpec(order=2, end=False))
cases = [
    lambda: NgramSpec(order=0), lambda: NgramSpec(alpha=-1), lambda: TransformerSpec(width=7),
    lambda: MixingSpec(memory=256), lambda: fit([], MixingSpec()),
    lambda: score(lm, "ab"), lambda: score(lm, ["ab"], ["a", "b"]), lambda: score(lm, ["\\ud800"]),
    lambda: sample(lm, -1), lambda: sample(lm, 1, max_tokens=0), lambda: sample(lm, 1, seed=-1),
    lambda: pofx.next(lm, k=0), lambda: warp(lm, temperature=0), lambda: warp(lm, top_p=0),
    lambda: mixture([]), lambda: mixture([lm], [-1]), lambda: mixture([lm, none]), lambda: interpolate([lm]),
    lambda: fit("ab"), lambda: fit([]), lambda: fit(["a"], "spec"), lambda: split_documents("ab"),
    lambda: load("no such model"), lambda: load("builtin", dtype="int8"), lambda: save(warp(lm), {str(tmp_path / "w")!r}),
    lambda: log_prob(none, "ab"), lambda: log_prob(endless, "ab"), lambda: log_prob(none, ""),
    lambda: list(documents("no such file.txt")), lambda: audit(lm, "a text"),
]
for i, case in enumerate(cases):
    try:
        case()
    except PofxError as e:
        if "\\n" in str(e) or len(str(e)) < 20:
            print("form", i, e)
    else:
        print("not refused", i)
""",
        "-O",
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr
