"""What `pofx --help` and the help of each verb say."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable

import pytest
from command_line import Ran

import pofx
from pofx.cli.main import ROOMS, VERBS, module_of

# ----------------------------------------------------------------------------------------------------------- help


def test_help_names_every_verb(run: Callable[..., Ran]) -> None:
    for arguments in (["--help"], ["-h"], []):
        ran = run(*arguments)
        assert (ran.code, ran.err) == (0, "")
        assert all(re.search(rf"^  {verb} ", ran.out, re.MULTILINE) for verb in VERBS)
        assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", [v for v in VERBS if v != "demo"])
def test_help_of_a_verb_fits_a_terminal(run: Callable[..., Ran], verb: str) -> None:
    ran = run(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 85  # an example may run on, to be copied whole
    command = importlib.import_module(module_of(verb)).command
    assert all(p.help for p in command.params if p.param_type_name == "option")


def test_version(run: Callable[..., Ran]) -> None:
    assert pofx.__version__ in run("--version").out


def test_each_verb_lies_in_one_room() -> None:
    placed = [verb for verbs in ROOMS.values() for verb in verbs]
    assert sorted(placed) == sorted(VERBS)
    for verb in VERBS:
        assert importlib.util.find_spec(module_of(verb)) is not None, verb
