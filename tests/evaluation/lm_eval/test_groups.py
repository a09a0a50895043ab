"""Groups of tasks of lm-eval: which files they name, and the means over their tasks, by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from lm_eval_tasks import write_tasks

import pofx
from pofx.errors import BadSource
from pofx.evaluation.items import Pair
from pofx.evaluation.lm_eval.group import evaluate_group
from pofx.evaluation.lm_eval.group_file import read_group
from pofx.evaluation.lm_eval.prompts import read_task
from pofx.evaluation.lm_eval.task import task_of_items

ROWS = [{"q": "a", "a": ["b", "cab"], "label": k % 2} for k in range(5)]
TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{a}}}}"
doc_to_target: label
"""
MEANS = "aggregate_metric_list: [{metric: acc, weight_by_size: %s}, {metric: acc_norm}]\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The tasks one (5 rows) and two (2 rows), in a folder below."""
    (tmp_path / "below").mkdir()
    for name, rows in (("one", ROWS), ("two", ROWS[:2])):
        data = tmp_path / f"{name}.jsonl"
        data.write_text("".join(json.dumps(r) + "\n" for r in rows))
        (tmp_path / "below" / f"file-{name}.yaml").write_text(TASK.format(name=name, rows=data))
    return tmp_path


def group_at(home: Path, text: str) -> Path:
    path = home / "group.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("by_size", [True, False])
def test_the_means_by_hand(home: Path, by_size: bool) -> None:
    path = group_at(home, "group: both\ntask: [one, two]\n" + MEANS % str(by_size).lower())
    report = evaluate_group(pofx.fit(["a b", "a cab", "b"], pofx.NgramSpec(order=2)), read_group(path))
    assert [r.task.name for r in report.reports] == ["one", "two"]
    (first, second), sizes = ({m.name: m for m in r.metrics} for r in report.reports), (5, 2)
    found = {m.name: m for m in report.metrics["both"]}
    weights = [5 / 7, 2 / 7] if by_size else [0.5, 0.5]
    values = [first["acc"].value, second["acc"].value]
    assert values[0] != values[1]
    assert found["acc"].value == pytest.approx(sum(w * v for w, v in zip(weights, values)), abs=1e-12)
    assert found["acc_norm"].value == pytest.approx(
        (5 * first["acc_norm"].value + 2 * second["acc_norm"].value) / 7
    )
    errors = [first["acc"].error, second["acc"].error]
    assert errors[0] is not None
    assert errors[1] is not None
    if by_size:
        # The error of one task with all rows, by the variance within its two parts.
        variance = sum(n * e * e * (n - 1) for n, e in zip(sizes, errors)) / (7 - 2)
        assert found["acc"].error == pytest.approx(math.sqrt(variance / 7), abs=1e-12)
    else:
        assert found["acc"].error == pytest.approx(math.hypot(*errors) / 2, abs=1e-12)
    table = report.to_arrow().to_pydict()
    assert table["task"] == ["one"] * 10 + ["two"] * 4
    assert len(table["lm_eval_nats"]) == 14


def test_members_change_fields_and_groups_hold_groups(home: Path) -> None:
    text = (
        "group: top\ndescription: 'Q '\ntask:\n- one\n- {task: two, description: 'R '}\n"
        "- group: inner\n  task: [{task: new, "
        + TASK.format(name="x", rows=home / "two.jsonl")
        .removeprefix("task: x\n")
        .replace("\n", ", ")
        .rstrip(", ")
        + "}]\n"
        "  aggregate_metric_list: {metric: acc}\n"
    )
    group = read_group(group_at(home, text))
    assert [t.name for t in group.tasks] == ["one", "two", "top::inner::new"]
    assert [t.items[0].contexts[0] for t in group.tasks] == ["Q a", "R a", "Q a"]
    assert [(g.name, len(g.tasks)) for g in group.walk()] == [("top", 3), ("top::inner", 1)]
    report = evaluate_group(pofx.fit(["a b"], pofx.NgramSpec(order=2)), group)
    assert report.metrics["top"] == ()
    assert [m.name for m in report.metrics["top::inner"]] == ["acc"]
    # A group in a file of its own, by name.
    (home / "other.yaml").write_text("group: other\ntask: [top]\n")
    assert [t.name for t in read_group(home / "other.yaml").tasks] == [t.name for t in group.tasks]


def test_a_file_of_blimp_and_its_task_are_the_same_strings(tmp_path: Path) -> None:
    task = read_task(write_tasks(tmp_path)["blimp"])
    lines = (tmp_path / "blimp-test.jsonl").read_text().splitlines()
    rows = task_of_items([Pair(r["sentence_good"], r["sentence_bad"]) for r in map(json.loads, lines)])
    assert [(i.contexts, i.continuations, i.gold) for i in task.items] == [
        (i.contexts, i.continuations, i.gold) for i in rows.items
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("group: x\ntask: [nothing]\n", "name of a task in a .yaml file"),
        ("group: x\ntask: []\n", "a list of tasks, got none"),
        ("group: x\ntask: [one, one]\n", "two named 'one'"),
        ("group: x\ntask: [x]\n", "do not hold each other"),
        ("group: x\ntask: [3]\n", "a name, or a mapping"),
        ("group: x\ntask: [coded]\n", "task without code"),
        (
            "group: x\ntask: [one]\naggregate_metric_list: [{metric: acc, filter_list: [a]}]\n",
            "without filters",
        ),
        ("group: x\ntask: [one]\nprocess_docs: f\n", "expected no such field"),
    ],
)
def test_other_groups_are_refused(home: Path, text: str, said: str) -> None:
    (home / "coded.yaml").write_text("task: coded\ndoc_to_text: !function a.b\n")
    with pytest.raises(BadSource, match=said):
        read_group(group_at(home, text))
