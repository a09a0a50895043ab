"""What all verbs have in common: options given once, help in groups, one spelling for one thing, "did you mean"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from pofx.cli.command import Command
from pofx.cli.main import VERBS, pofx

# One name for one thing: the parameter of a verb -> its spellings.
SPELLINGS = {
    "texts": {"--text"},
    "given": {"--given"},
    "model_name": {"-m", "--model"},
    "names": {"-m", "--model"},
    "test_files": {"--test"},
    "as_json": {"--json"},
    "html_path": {"--html"},
    "quiet": {"--quiet"},
    "out": {"-o", "--out"},
    "k": {"-k"},
    "top": {"-k"},
    "show_": {"-k"},
    "draws": {"-n"},
    "n": {"-n"},
    "unit": {"--unit"},
    "how": {"--unit"},
}


def commands() -> Iterator[tuple[str, click.Command]]:
    with click.Context(pofx) as top:
        for verb in VERBS:
            command = pofx.get_command(top, verb)
            assert command is not None
            below = getattr(command, "commands", {})
            yield from ((f"{verb} {name}", c) for name, c in below.items()) if below else [(verb, command)]


ALL = dict(commands())


def options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option)]


@pytest.mark.parametrize("verb", ALL)
def test_an_option_with_one_value_is_given_once(verb: str) -> None:
    command = ALL[verb]
    assert isinstance(command, Command)
    for option in options(command):
        if option.multiple or option.is_flag:
            continue
        spelled = min(option.opts, key=len)
        ran = CliRunner().invoke(
            pofx, [*verb.split(), option.opts[0], *"1" * option.nargs, option.opts[-1], *"2" * option.nargs]
        )
        assert ran.exit_code == 2
        assert f"{spelled}: expected once, got 2 times." in ran.output, (spelled, ran.output)


def test_an_option_with_many_values_is_given_often() -> None:
    ran = CliRunner().invoke(pofx, ["score", "--text", "a", "--text", "b", "--json"])
    assert ran.exit_code == 0, ran.output
    assert len(ran.stdout.splitlines()) == 2


@pytest.mark.parametrize("verb", ALL)
def test_one_thing_has_one_spelling(verb: str) -> None:
    for option in options(ALL[verb]):
        assert set(option.opts) == SPELLINGS.get(option.name or "", set(option.opts))
    named = [p.name for p in ALL[verb].params if isinstance(p, click.Argument)]
    assert set(named) <= {
        "files",
        "file",
        "directory",
        "name",
        "url",
    }  # a text, a prefix and a model are options


def test_one_spelling_is_of_one_kind() -> None:
    kinds = defaultdict(set)
    for command in ALL.values():
        for option in options(command):
            for spelled in option.opts:
                kinds[spelled].add((option.is_flag, option.nargs))
    # `score --entropy` adds the column of a law that is at hand; the entropy of words is an estimate, which `stimuli` names.
    assert {s: k for s, k in kinds.items() if len(k) > 1} == {"--entropy": {(True, 1), (False, 1)}}


@pytest.mark.parametrize("verb", ALL)
def test_help_is_grouped(verb: str) -> None:
    shown = CliRunner().invoke(pofx, [*verb.split(), "--help"]).output
    headings = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    order = ["Input:", "Model:", "Fit:", "Numbers:", "Server:", "Output:"]
    assert headings == [h for h in order if h in headings]
    assert headings[-1] == "Output:"
    for option in options(ALL[verb]):
        assert all(f"{spelled}" in shown for spelled in option.opts)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["scroe"], "'score'"),
        (["condtion"], "'condition'"),
        (["classify", "trian"], "'train'"),
        (["cache", "clera"], "'clear'"),
        (["score", "--txt", "a"], "--text"),
        (["score", "--text", "a", "-m", "smolm2"], "'smollm2'"),
        (["score", "--text", "a", "-m", "biultin"], "'builtin'"),
    ],
)
def test_a_mistyped_word_gets_the_nearest(
    typed: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pofx.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(typed)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "id you mean" in said
    assert meant in said
    assert said.count("\n") == 1


def test_a_word_that_is_near_no_verb_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    from pofx.cli.main import main

    with pytest.raises(SystemExit):
        main(["xyzzy"])
    assert "expected a verb (fit, score, words," in capsys.readouterr().err


def test_a_shell_completes_models_and_verbs() -> None:
    complete = BashComplete(pofx, {}, "pofx", "_POFX_COMPLETE")
    models = complete.get_completions(["score", "-m"], "smo")
    assert ("smollm2", "plain") in [(c.value, c.type) for c in models]
    assert "file" in [c.type for c in models]
    assert "builtin" in [c.value for c in complete.get_completions(["audit", "-m"], "")]
    assert [c.value for c in complete.get_completions([], "sco")] == ["score"]
