"""The contexts and continuations of a task: description, examples and the text of each row, joined as lm-eval joins them."""

from __future__ import annotations

import ast
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource
from pofx.evaluation.lm_eval.data_rows import Row, read_rows
from pofx.evaluation.lm_eval.task import Task, TaskItem
from pofx.evaluation.lm_eval.task_file import Prompt, TaskFile, read_task_file
from pofx.evaluation.lm_eval.templates import render_rows

SEED = 1234  # of the examples; the default of `lm_eval run`


def read_task(path: str | os.PathLike[str]) -> Task:
    """Read a task of lm-eval: a YAML file whose templates and local data files are the whole task.

    No code runs: `!function` is refused, and templates are rendered in Jinja's sandbox, in a process of its own.

    Args:
        path: The YAML file. Relative paths of data files begin in the working directory, as in lm-eval.

    Returns:
        The task: for each row its contexts and continuations, and the metrics.

    Raises:
        BadSource: The file is no such task, a data file cannot be read, or a row does not fit the templates.
        MissingExtra: PyYAML or Jinja is not installed.

    Right: `read_task("task.yaml").items[0].contexts`. Wrong: the name of a task of lm-eval, whose rows lie on a server.
    """
    return finished(read_task_file(path))


def finished(file: TaskFile) -> Task:
    """Return a task whose templates are rendered with the rows of its data files.

    Args:
        file: The task as its file states it.

    Raises:
        BadSource: A data file cannot be read, or a row does not fit the templates.
        MissingExtra: Jinja is not installed.

    Right: `finished(read_task_file("task.yaml"))`. Wrong: rows that a function of Python makes.
    """
    rows = _rows(file, file.split)
    features = set(rows[0])
    about = {"description": file.description}
    docs = _read_prompts(file, file.prompt, rows, features, about)
    several = isinstance(docs[0].text, int) and docs[0].choices is not None
    shots = _shots(file, rows, features, len(docs))
    items = []
    for k, doc in enumerate(docs):
        before = doc.description + "".join(_example(file, shot, several) for shot in shots[k])
        items.append(_item(file, k, doc, before, several))
    return Task(file.name, file.output, tuple(items), file.metrics, file.left_out)


@dataclass(frozen=True)
class _Doc:
    """The rendered parts of a row."""

    text: Any
    target: Any
    choices: tuple[str, ...] | None
    prefix: str
    description: str


def _rows(file: TaskFile, split: str) -> list[Row]:
    paths = file.data.get(split)
    if paths is None:
        raise BadSource(
            f"{file.path}: expected data_files of the split {split!r}, got {', '.join(file.data)}",
            "mend the task",
        )
    rows = read_rows(paths, file.field)
    if not rows:
        raise BadSource(f"{' '.join(paths)}: expected rows, got none", "name a file with rows")
    return rows


def _read_prompts(
    file: TaskFile,
    prompt: Prompt,
    rows: Sequence[Mapping[str, Any]],
    features: set[str],
    about: Mapping[str, str],
) -> list[_Doc]:
    """Render the templates of a prompt with each row; the name of a field stands for the value of the field."""
    asked: dict[str, Any] = {
        "doc_to_text": prompt.text,
        "doc_to_target": prompt.target,
        "doc_to_choice": prompt.choice,
        "gen_prefix": prompt.prefix,
        **about,
    }
    templates = {name: v for name, v in asked.items() if isinstance(v, str) and v not in features}
    rendered = render_rows(file.path, templates, rows)

    def value(name: str, k: int) -> Any:
        given = asked.get(name)
        if isinstance(given, str) and given in features:
            return rows[k].get(given)
        return rendered[name][k] if name in templates else given

    with_choices = file.prompt.choice is not None
    out = []
    for k in range(len(rows)):
        text, target = value("doc_to_text", k), value("doc_to_target", k)
        if "doc_to_text" in templates and with_choices and text.isdigit():
            text = _literal(text)
        if "doc_to_target" in templates and (
            (with_choices and target.isdigit())
            or (len(target) >= 2 and target[0] == "[" and target[-1] == "]")
        ):
            target = _literal(target)
        choices = value("doc_to_choice", k)
        choices = _literal(choices) if "doc_to_choice" in templates else choices
        if choices is not None and not _are_strings(choices):
            raise _refused(file, k, f"doc_to_choice: expected a list of strings, got {choices!r:.60}")
        prefix, description = value("gen_prefix", k) or "", value("description", k) or ""
        for name, found in (("gen_prefix", prefix), ("description", description)):
            if not isinstance(found, str):
                raise _refused(file, k, f"{name}: expected a string, got {found!r:.60}")
        out.append(_Doc(text, target, None if choices is None else tuple(choices), prefix, description))
    return out


def _shots(file: TaskFile, rows: Sequence[Row], features: set[str], n: int) -> list[list[_Doc]]:
    """Return the examples before each row, drawn as lm-eval draws them."""
    if not file.shots:
        return [[] for _ in range(n)]
    pool: Sequence[Mapping[str, Any]]
    pool = (
        file.samples
        if file.shot_split is None
        else rows
        if file.shot_split == file.split
        else _rows(file, file.shot_split)
    )
    # lm-eval leaves the row itself out only where the task names the test split as the split of the examples.
    own = file.shot_split if file.own_shots else None
    apart = own == file.test_split
    draws = random.Random(SEED)
    docs = _read_prompts(file, file.shot_prompt, pool, features, {})
    everyone = list(range(len(pool)))
    many = file.shots + (apart and file.sampler == "default")
    out = []
    for k in range(n):
        others = [i for i in range(len(pool)) if pool[i] != rows[k]] if apart else everyone
        if len(pool) < many or len(others) < file.shots:
            raise _refused(file, k, f"expected {many:,} examples in the split, got {len(pool):,}")
        chosen = others[: file.shots]
        if file.sampler == "default":
            drawn = draws.sample(range(len(pool)), many)
            kept = [i for i in drawn if not apart or pool[i] != rows[k]][: file.shots]
            chosen = kept if len(kept) == file.shots else draws.sample(others, file.shots)
        out.append([docs[i] for i in chosen])
    return out


def _example(file: TaskFile, doc: _Doc, several: bool) -> str:
    """Return an example with its answer."""
    text, choices = doc.text, doc.choices
    if several and choices is not None and isinstance(text, int) and text < len(choices):
        text, choices = choices[text], None
    target = doc.target
    empty = target is None or target == ""
    if choices and isinstance(target, int) and -len(choices) <= target < len(choices):
        target = choices[target]
    elif isinstance(target, list | tuple) and target:
        target = target[0]
    if not isinstance(text, str) or not (empty or isinstance(target, str)):
        raise BadSource(
            f"{file.path}: expected examples with a text and an answer, got {text!r:.60} and {target!r:.60}",
            "mend the templates of the examples",
        )
    prompt = file.shot_prompt
    if empty:
        return text + (_between(text, doc.prefix, prompt.target_delimiter) + doc.prefix if doc.prefix else "")
    between = _between(text, doc.prefix, prompt.target_delimiter) if doc.prefix else prompt.target_delimiter
    answer = doc.prefix + _spaced(doc.prefix, target) + target
    return f"{text}{between}{answer}{prompt.fewshot_delimiter}"


def _item(file: TaskFile, k: int, doc: _Doc, before: str, several: bool) -> TaskItem:
    """Return the strings of a row, and its right choices."""
    prompt = file.prompt

    def context(text: Any, delimiter: str) -> str:
        if not isinstance(text, str):
            raise _refused(file, k, f"doc_to_text: expected a string, got {text!r:.60}")
        return before + text + (_between(text, doc.prefix, delimiter) + doc.prefix if doc.prefix else "")

    if file.output != "multiple_choice":
        if not isinstance(doc.target, str):
            raise _refused(file, k, f"doc_to_target: expected a string, got {doc.target!r:.60}")
        rolling = file.output == "loglikelihood_rolling"
        return TaskItem(
            str(k), ("" if rolling else context(doc.text, prompt.target_delimiter),), (doc.target,)
        )
    choices = doc.choices
    assert choices is not None  # noqa: S101  (ours: a task of this kind has choices)
    if not choices:
        raise _refused(file, k, "doc_to_choice: expected choices, got none")
    if several:
        contexts = tuple(context(c, "") for c in choices)
        written = (f"{prompt.target_delimiter}{doc.target}",) * len(choices)
    else:
        contexts = (context(doc.text, prompt.target_delimiter),) * len(choices)
        written = tuple(prompt.target_delimiter + c for c in choices)
    alone = tuple(prompt.target_delimiter + c for c in choices) if "acc_mutual_info" in file.metrics else ()
    gold = _gold(file, k, doc.text if several else doc.target, choices)
    return TaskItem(str(k), contexts, written, choices, gold, alone)


def _gold(file: TaskFile, k: int, found: Any, choices: tuple[str, ...]) -> tuple[int, ...]:
    """Return the places of the right choices; a place or a text that is no choice is left out, as it is never right."""
    out = []
    for one in found if isinstance(found, list | tuple) else [found]:
        place = choices.index(one) if isinstance(one, str) and one in choices else one
        place = int(place) if isinstance(place, float) and place.is_integer() else place
        if not isinstance(place, int | str) or isinstance(place, bool):
            raise _refused(
                file, k, f"doc_to_target: expected a place, or the text of a choice, got {one!r:.60}"
            )
        if isinstance(place, int) and 0 <= place < len(choices):
            out.append(place)
    return tuple(out)


def _between(before: str, after: str, delimiter: str) -> str:
    """Return the delimiter where neither string has white space at the join, and the first string is not empty."""
    return "" if not before or before[-1].isspace() or after[:1].isspace() else delimiter


def _spaced(before: str, after: str) -> str:
    return _between(before, after, " ") if after else ""


def _literal(text: str) -> Any:
    """Return the value that a string of Python's literals spells; the string itself where it spells none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _are_strings(found: Any) -> bool:
    return isinstance(found, list | tuple) and all(isinstance(c, str) for c in found)


def _refused(file: TaskFile, k: int, told: str) -> BadSource:
    return BadSource(f"{file.path}: row {k:,}: {told}", "mend the row, or the template")
