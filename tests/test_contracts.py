"""What the code may ask of a model: declared facts of `LM` and `State`, never a class or what a state carries."""

from __future__ import annotations

import ast
import math
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import pofx
from byte_toys import toy
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.deterministic import deterministic
from pofx.transforms.given import given
from pofx.transforms.mixture import mixture
from pofx.transforms.warp import warp
from pofx.transforms.windowed import windowed

ROOT = Path(pofx.__file__).parent


@lru_cache
def _every_tree() -> list[tuple[Path, ast.Module]]:
    return [(p, ast.parse(p.read_text())) for p in sorted(ROOT.rglob("*.py"))]


def _trees(*folders: str) -> list[tuple[Path, ast.Module]]:
    return [(p, t) for p, t in _every_tree() if any(p.is_relative_to(ROOT / f) for f in folders)]


def _lm_classes() -> set[str]:
    """Names of all classes below `LM` that pofx has."""
    bases: dict[str, set[str]] = {}
    for _, tree in _trees("."):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {b.id for b in node.bases if isinstance(b, ast.Name)}
    found = {"LM"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found - {"LM"}


def test_no_query_reads_what_a_state_carries_or_asks_for_a_class() -> None:
    classes = _lm_classes()
    assert {"Bytewise", "Mixture", "Warp", "Given", "NgramLM"} <= classes
    for path, tree in _trees("queries", "report"):
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Attribute) and node.attr == "carry"), f"{path}:{node.lineno}"
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "isinstance"
            ):
                asked = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
                assert not asked & classes, f"{path}:{node.lineno}: {asked & classes}"


def test_a_model_is_changed_by_nobody_once_it_is_made() -> None:
    names = {f.name for f in fields(Info)} - {"dtype"}  # torch's own contexts have one, too
    for path, tree in _trees("."):
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(part, ast.Attribute) and part.attr in names:
                        assert isinstance(part.value, ast.Name), f"{path}:{node.lineno}"
                        assert part.value.id == "self", f"{path}:{node.lineno}: {part.value.id}.{part.attr}"


def test_what_a_model_says_of_itself_is_one_value() -> None:
    lm = toy()
    other = lm.with_info(fingerprint="abc")
    assert (lm.fingerprint, other.fingerprint) == ("", "abc")
    for f in fields(Info):
        if f.name != "fingerprint":
            assert getattr(other.info, f.name) == getattr(lm.info, f.name) == getattr(lm, f.name)
    with pytest.raises(TypeError):
        lm.with_info(fingerprnt="abc")


@pytest.mark.parametrize("around", [deterministic, lambda lm: given(lm, "a"), lambda lm: windowed(lm, 50)])
def test_the_leak_of_a_mixture_does_not_hang_on_what_is_asked(around) -> None:
    lm = mixture([around(bytewise(toy(seed=0))), around(bytewise(toy(seed=1)))], [0.5, 0.5])
    path = [list(b"ab")]
    plain, more = lm.forward(path), lm.forward(path, Want(entropy=True))
    assert plain.leak is not None
    assert more.leak is not None
    assert more.leak[0] == pytest.approx(plain.leak[0])
    assert plain.leak[0].sum() > 0.1
    assert pofx.score(lm, ["ab"])[0].terms.leak > 0.1


@pytest.mark.parametrize("unit", ["byte", "character", "word"])
@pytest.mark.parametrize("beam", [1, 2])
def test_bounds_pass_through_wrappers(unit: str, beam: int) -> None:
    bare = bytewise(toy(), beam)
    want = pofx.next(bare, "ab", 4, unit=unit)
    assert beam > 1 or any(a.low < a.logp or a.logp < a.high for a in want.top)
    for lm in (windowed(bare, 50), deterministic(bare), mixture([bare, bare], [0.3, 0.7])):
        found = pofx.next(lm, "ab", 4, unit=unit)
        for a, b in zip(found.top, want.top):
            assert (a.id, a.bytes) == (b.id, b.bytes)
            assert [a.low, a.logp, a.high] == pytest.approx([b.low, b.logp, b.high], abs=1e-9)
            assert a.low > -math.inf


def test_what_a_sampler_changed_is_told_through_wrappers() -> None:
    cooled = warp(toy(), temperature=0.5)
    for lm in (cooled, deterministic(cooled), given(cooled, "a"), windowed(cooled, 9)):
        draw = pofx.sample(lm, 1, seed=3, max_tokens=4)[0]
        assert draw.warp == "temperature 0.5"
        assert draw.own is not None
        path = [*map(int, draw.tokens), *([lm.vocab.end] if draw.ended else [])]
        plain: LM = given(toy(), "a") if lm.begin.text.endswith("'a'") else toy()
        assert np.asarray(draw.own) == pytest.approx(plain.forward([path]).logp[0])
