"""Errors: a code for each class, advice in a field, and the words of Python and of the command line for it."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import pofx.errors as errors
from pofx.cli.main import pofx as command
from pofx.cli.spelling import in_shell
from pofx.errors import Advice, Argument, BadValue, Interrupted, NoBOS, PofxError, not_replaced, not_resumable

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PofxError)]
SOURCES = sorted(Path(inspect.getfile(errors)).parent.rglob("*.py"))
# Published: programs compare them, so that a changed code breaks them.
CODES = {
    "PofxError": "error",
    "NoBOS": "no-bos",
    "NoEOS": "no-eos",
    "TooLong": "too-long",
    "NotText": "not-text",
    "BadSource": "bad-source",
    "BadValue": "bad-value",
    "Impossible": "impossible",
    "NoLaw": "no-law",
    "Unreached": "unreached",
    "Undecodable": "undecodable",
    "OutOfMemory": "out-of-memory",
    "Interrupted": "interrupted",
    "MissingExtra": "missing-extra",
}


def test_each_class_has_a_code_of_its_own_that_stays() -> None:
    assert {c.__name__: vars(c)["code"] for c in CLASSES} == CODES
    assert len(set(CODES.values())) == len(CODES)


@cache
def raised() -> list[tuple[Path, ast.Call]]:
    """Every call in the sources that makes an error of pofx."""
    return [
        (path, node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES
    ]


def test_every_error_has_advice_or_says_that_it_needs_none() -> None:
    found = raised()
    assert len(found) > 400
    without = [
        f"{path}:{call.lineno}"
        for path, call in found
        if len(call.args) < 2 and not any(k.arg == "advice" for k in call.keywords)
    ]
    assert without == []


def test_no_message_below_the_command_line_spells_an_option() -> None:
    """Options stand in `Advice` and `Argument`; a message or plain advice with one would reach Python's callers."""
    for path, call in raised():
        if "cli" in path.parts:
            continue
        for argument in call.args:
            if isinstance(argument, ast.Constant | ast.JoinedStr):
                text = ast.unparse(argument)
                command = "pofx " in text or "pip install" in text or "--merge" in text or "--long" in text
                assert "(--" not in text and (" --" not in text or command), f"{path}:{call.lineno}: {text}"


def test_python_and_the_command_line_spell_advice_each_its_own_way() -> None:
    e = BadValue(
        "expected one, got two",
        ["leave it out", Advice("say so", "split='file'", "--split file")],
        Argument("split", "--split"),
    )
    assert str(e) == "split: expected one, got two; leave it out, or say so (split='file')"
    assert str(in_shell(e)) == "--split: expected one, got two; leave it out, or say so (--split file)"
    assert str(in_shell(in_shell(e))) == str(in_shell(e))
    assert (e.message, e.advice[0]) == ("expected one, got two", Advice("leave it out"))
    assert (
        str(e.within("a.txt"))
        == "split: a.txt: expected one, got two; leave it out, or say so (split='file')"
    )


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        (click.Option(["--given"]), "p(x1); name a text (--given), or fit"),
        (click.Argument(["given"], metavar="[GIVEN]"), "p(x1); name a text (GIVEN), or fit"),
        (click.Argument(["prefix"]), "p(x1); name a text (PREFIX), or fit"),
        (click.Option(["--text"]), "p(x1); fit"),
    ],
)
def test_advice_that_needs_a_parameter_is_for_verbs_that_have_it(
    parameter: click.Parameter, told: str
) -> None:
    e = NoBOS("p(x1)", [Advice("name a text", "given=…", "--given", parameter="given"), "fit"])
    assert str(e) == "p(x1); name a text (given=…), or fit"
    verb = click.Context(click.Command("verb", params=[parameter]))
    assert str(in_shell(e, verb)) == told


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_survive_copies_and_processes(kind: type[PofxError]) -> None:
    e = Interrupted(3, 0.5, None) if kind is Interrupted else kind("found", Advice("do", "x=1", "--x"))
    for again in (copy.copy(e), pickle.loads(pickle.dumps(e))):  # noqa: S301  (our own bytes)
        assert (type(again), str(again), again.advice, again.code) == (kind, str(e), e.advice, e.code)


def test_an_interrupted_fit_says_how_to_go_on() -> None:
    e = Interrupted(7, 0.25, Path("c"))
    assert (
        str(e) == "interrupted after step 7, 25 % of the fit; continue the fit (resume=True, checkpoint='c')"
    )
    assert str(in_shell(e)).endswith("of the fit; continue the fit (--resume)")
    with pytest.raises(Interrupted, match="nothing was kept; begin again$"), not_resumable("begin again"):
        raise e


def _verbs(group: click.Group, parent: click.Context | None = None) -> Iterator[click.Context]:
    """The context of each verb of the command line, those of groups within."""
    context = click.Context(group, parent)
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        if isinstance(verb, click.Group):
            yield from _verbs(verb, context)
        else:
            yield click.Context(verb, context, name)


def test_a_message_names_the_option_of_its_argument_in_every_verb() -> None:
    e = BadValue("expected one, got two", argument="begin")
    verbs = list(_verbs(command))
    assert len(verbs) >= 15
    for verb in verbs:
        for parameter in verb.command.params:
            if isinstance(parameter, click.Option) and parameter.name in ("begin", "max_tokens", "n", "seed"):
                told = str(in_shell(BadValue("expected one, got two", argument=parameter.name), verb))
                assert told == f"{max(parameter.opts, key=len)}: expected one, got two"
        has = any("--begin" in p.opts for p in verb.command.params)
        assert str(in_shell(e, verb)) == f"{'--begin' if has else 'begin'}: expected one, got two"
        assert str(in_shell(BadValue("begin: expected one, got two"), verb)).startswith(
            "begin: "
        )  # no argument, a text
    # Of several options a message names those that the verb has.
    several = BadValue(
        "expected files with fields", argument=Argument("given, keep", "--given-field, --keep, --cluster")
    )
    named = {verb.info_name: str(in_shell(several, verb)).partition(":")[0] for verb in verbs}
    assert (named["score"], named["corpus"]) == ("--given-field, --keep", "--cluster")
    # A message may begin with the name of a file, which is no argument.
    assert str(in_shell(not_replaced("begin"), verbs[0])).startswith("begin: ")
