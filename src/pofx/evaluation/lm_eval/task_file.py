"""A task of lm-eval as its YAML file states it: the files of its rows, its templates and its metrics. No code is run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pofx.evaluation.lm_eval.fields import Fields
from pofx.evaluation.lm_eval.plain_yaml import read_mapping

Output = Literal["multiple_choice", "loglikelihood", "loglikelihood_rolling"]
Sampler = Literal["default", "first_n"]
# The metrics that pofx computes, for each kind of task; the first ones are those of a task that names none.
METRICS: Mapping[Output, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
}
_UNNAMED: Mapping[Output, int] = {"multiple_choice": 2, "loglikelihood": 2, "loglikelihood_rolling": 3}
AGGREGATIONS = {
    "perplexity": "perplexity",
    "brier_score": "brier_score",
    "word_perplexity": "weighted_perplexity",
    "byte_perplexity": "weighted_perplexity",
    "bits_per_byte": "bits_per_byte",
}
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix")
_DELIMITERS = ("target_delimiter", "fewshot_delimiter")
_READ = {
    *("task", "dataset_path", "dataset_name", "dataset_kwargs", "output_type", "description", "num_fewshot"),
    *("fewshot_config", "metric_list", *_SPLITS, *_PROMPT, *_DELIMITERS),
}
# Fields that change no number of these tasks.
_UNHEEDED = {
    *("task_alias", "tag", "metadata", "should_decontaminate", "doc_to_decontamination_query"),
    *("generation_kwargs", "repeats", "unsafe_code"),
}


@dataclass(frozen=True)
class Prompt:
    """The templates of a row. A template is Jinja, or the name of a field of the rows.

    Attributes:
        text: The template of the text before the answer; a whole number for the place of the right text.
        target: The template of the right answer, or the answer itself: a place from 0, or several places.
        choice: The template of the choices, or the choices themselves; None where the task has none.
        prefix: The template of the beginning of the answer; None for none.
        target_delimiter: The string between the text and the answer.
        fewshot_delimiter: The string after each example.
    """

    text: str | int
    target: str | int | tuple[Any, ...]
    choice: str | tuple[str, ...] | None
    prefix: str | None
    target_delimiter: str
    fewshot_delimiter: str


@dataclass(frozen=True)
class TaskFile:
    """A task of lm-eval, before its rows are read.

    Attributes:
        path: The file.
        name: The name of the task.
        output: The kind of the task.
        data: The data files of each split.
        field: The field of a data file that holds the rows; None for a file of rows.
        split: The split that is evaluated.
        test_split: The split that the task names as its test split; None where it names none.
        shot_split: The split of the examples; None where `samples` holds them.
        own_shots: Whether the task itself names `shot_split`.
        samples: The examples where the file itself holds them.
        prompt: The templates of the rows.
        shot_prompt: The templates of the examples.
        description: The template of the text before everything; "" for none.
        shots: The number of examples before a row.
        sampler: How examples are chosen.
        metrics: The metrics that pofx computes.
        left_out: The metrics of the task that pofx does not compute.
    """

    path: str
    name: str
    output: Output
    data: Mapping[str, tuple[str, ...]]
    field: str | None
    split: str
    test_split: str | None
    shot_split: str | None
    own_shots: bool
    samples: tuple[Mapping[str, Any], ...]
    prompt: Prompt
    shot_prompt: Prompt
    description: str
    shots: int
    sampler: Sampler
    metrics: tuple[str, ...]
    left_out: tuple[str, ...]


def read_task_file(path: str | os.PathLike[str]) -> TaskFile:
    """Read the YAML file of a task, and the files that it includes.

    Args:
        path: The file.

    Raises:
        BadSource: The file is no task, or a task of another kind.
        MissingExtra: PyYAML is not installed.

    Right: `read_task_file("task.yaml")`. Wrong: the file of a group of tasks, which names tasks and holds none.
    """
    return task_of_mapping(str(path), read_mapping(Path(path)))


def task_of_mapping(path: str, values: Mapping[str, Any]) -> TaskFile:
    """Return the task that a mapping states.

    Args:
        path: The file of the mapping.
        values: The mapping.

    Raises:
        BadSource: The mapping states no task, or a task of another kind.

    Right: `task_of_mapping("task.yaml", read_mapping(Path("task.yaml")))`. Wrong: the mapping of a group.
    """
    found = Fields(path, values)
    if not isinstance(values.get("task", ""), str) or "group" in values:
        raise found.refused("task", "expected one task, got a group of tasks", "read the group (read_group)")
    found.check_only(_READ | _UNHEEDED)
    output = found.choice("output_type", tuple(METRICS), "generate_until")
    data, field = _data(found)
    splits = {name: found.text(name, None) for name in _SPLITS}
    split = splits["test_split"] or splits["validation_split"]
    if split is None:
        raise found.refused(
            "test_split", "expected a split to evaluate, got neither a test nor a validation split"
        )
    more = Fields(path, found.mapping("fewshot_config"), "fewshot_config.")
    more.check_only({"sampler", "split", "samples", *_PROMPT, *_DELIMITERS})
    named = more.text("split", splits["fewshot_split"])
    samples = more.value("samples", None) if named is None else None
    if samples is not None and not (isinstance(samples, list) and all(isinstance(s, dict) for s in samples)):
        raise more.refused("samples", f"expected a list of mappings, got {samples!r:.60}")
    others = splits["training_split"] or splits["validation_split"] or splits["test_split"]
    prompt = _prompt(found, output)
    metrics, left_out = _metrics(found, output)
    return TaskFile(
        path=path,
        name=found.text("task", None) or Path(path).stem,
        output=output,
        data=data,
        field=field,
        split=split,
        test_split=splits["test_split"],
        shot_split=None if samples is not None else named or others,
        own_shots=named is not None,
        samples=tuple(samples or ()),
        prompt=prompt,
        shot_prompt=_prompt(more, output, prompt),
        description=found.text("description", "") or "",
        shots=found.whole("num_fewshot"),
        sampler=more.choice("sampler", ("default", "first_n"), "default"),
        metrics=metrics,
        left_out=left_out,
    )


def _prompt(found: Fields, output: Output, base: Prompt | None = None) -> Prompt:
    text = found.value("doc_to_text", "" if base is None else base.text)
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise found.refused("doc_to_text", f"expected a template, got {text!r:.60}")
    target = found.value("doc_to_target", None if base is None else base.target)
    target = tuple(target) if isinstance(target, list) else target
    if isinstance(target, bool) or not isinstance(target, str | int | tuple):
        raise found.refused("doc_to_target", f"expected a template, got {target!r:.60}")
    choice = found.value("doc_to_choice", None if base is None else base.choice)
    choice = tuple(choice.values()) if isinstance(choice, dict) else choice
    choice = tuple(choice) if isinstance(choice, list) else choice
    if isinstance(choice, tuple) and not all(isinstance(c, str) for c in choice):
        raise found.refused("doc_to_choice", f"expected strings, got {choice!r:.60}")
    if not isinstance(choice, str | tuple) and (choice is not None or output == "multiple_choice"):
        raise found.refused("doc_to_choice", f"expected a template or a list of strings, got {choice!r:.60}")
    return Prompt(
        text,
        target,
        choice,
        found.text("gen_prefix", None if base is None else base.prefix),
        cast(str, found.text("target_delimiter", " " if base is None else base.target_delimiter)),
        cast(str, found.text("fewshot_delimiter", "\n\n" if base is None else base.fewshot_delimiter)),
    )


def _data(found: Fields) -> tuple[dict[str, tuple[str, ...]], str | None]:
    """Return the data files of each split, and the field of the rows in them."""
    told = "expected json with local data_files"
    if found.value("dataset_path", None) != "json":
        advice = "write the rows to a .jsonl file, and name it (dataset_path: json, dataset_kwargs: {data_files: …})"
        raise found.refused("dataset_path", f"{told}, got {found.value('dataset_path', None)!r:.60}", advice)
    settings = Fields(found.path, found.mapping("dataset_kwargs"), "dataset_kwargs.")
    settings.check_only({"data_files", "field", "trust_remote_code"})
    files = settings.value("data_files", None)
    # A file without a split is of the split "train", as in `datasets`.
    by_split = files if isinstance(files, dict) else {"train": files}
    out: dict[str, tuple[str, ...]] = {}
    for split, names in by_split.items():
        listed = names if isinstance(names, list) else [names]
        if not listed or not all(isinstance(n, str) and n for n in listed):
            raise settings.refused("data_files", f"{told}, got {names!r:.60}", "name a .json or .jsonl file")
        out[str(split)] = tuple(listed)
    return out, settings.text("field", None)


def _metrics(found: Fields, output: Output) -> tuple[tuple[str, ...], tuple[str, ...]]:
    listed = found.value("metric_list", [{"metric": m} for m in METRICS[output][: _UNNAMED[output]]])
    if not isinstance(listed, list) or not all(
        isinstance(m, dict) and isinstance(m.get("metric"), str) for m in listed
    ):
        raise found.refused("metric_list", f"expected a list of metrics, got {listed!r:.60}")
    named = {m["metric"]: m.get("aggregation") for m in listed}
    for name, how in named.items():
        usual = AGGREGATIONS.get(name, "mean")
        if name in METRICS[output] and how not in (None, usual):
            raise found.refused("metric_list", f"expected the aggregation {usual} of {name}, got {how!r:.60}")
    computed = tuple(m for m in named if m in METRICS[output])
    if not computed:
        raise found.refused(
            "metric_list", f"expected one of {', '.join(METRICS[output])}, got {', '.join(named) or 'none'}"
        )
    return computed, tuple(m for m in named if m not in METRICS[output])
