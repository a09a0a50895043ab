"""Tasks of lm-eval as files: which are read, which are refused, and that nothing in them runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lm_eval_tasks import QUESTIONS, TASKS, write_tasks

import pofx
from byte_toys import toy
from pofx.errors import BadSource, BadValue
from pofx.evaluation.items import ChoiceItem, Pair
from pofx.evaluation.lm_eval.prompts import read_task
from pofx.evaluation.lm_eval.report import evaluate_task
from pofx.evaluation.lm_eval.task import Task, TaskItem, task_of_items
from pofx.evaluation.lm_eval.task_file import read_task_file
from pofx.queries.scoring.lm_eval_requests import Requests
from toy import ToyLM

_TASK = "task: t\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {rows}}}}}\ntest_split: test\noutput_type: multiple_choice\n"
_REST = 'doc_to_text: "{{q}}"\ndoc_to_choice: "{{a}}"\ndoc_to_target: label\n'


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(q) + "\n" for q in QUESTIONS[:2]))
    return path


def written(home: Path, text: str) -> Path:
    path = home / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def task_at(home: Path, rows: Path, rest: str = _REST) -> Path:
    return written(home, _TASK.format(rows=rows) + rest)


def test_a_description_examples_and_a_row_are_joined(tmp_path: Path) -> None:
    files = write_tasks(tmp_path)
    first = read_task(files["first"]).items[0]
    assert first.contexts[0] == "Q: the rat\\nA: sat\n\nQ: a hat\\nA: at\n\nthe cat sat on"
    assert first.continuations == (" the mat", " a", " that the cat")
    assert first.gold == (0,)
    described = read_task(files["described"]).items[0]
    # The delimiter of this task is empty.
    assert described.contexts[0] == "About x:\nthe cat sat onSo"
    blanks = read_task(files["blanks"]).items[0]
    assert blanks.contexts == ("the cat at the mat", "the cat that the mat")
    assert blanks.gold == (1,)


def test_an_included_file_stands_below_the_task(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "base.yaml").write_text(_TASK.format(rows=rows) + _REST)
    found = read_task_file(written(tmp_path, "include: base.yaml\ntask: above\nnum_fewshot: 1\n"))
    assert (found.name, found.shots, found.prompt.text) == ("above", 1, "{{q}}")
    (tmp_path / "base.yaml").write_text("include: task.yaml\n")
    with pytest.raises(BadSource, match="do not include each other"):
        read_task_file(tmp_path / "task.yaml")


@pytest.mark.parametrize("array", [False, True])
def test_rows_have_every_field_of_the_split(tmp_path: Path, array: bool) -> None:
    rows = [{"q": "a\u2028", "a": ["b", "c"], "label": 0}, {"q": "b", "a": ["c", "d"], "label": 1, "n": 1}]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows) if array else "\n".join(json.dumps(r, ensure_ascii=False) for r in rows))
    rest = _REST.replace("{{q}}", "{{q}}{{n}}")
    assert [i.contexts[0] for i in read_task(task_at(tmp_path, path, rest)).items] == ["a\u2028None", "b1"]
    path.write_text(json.dumps({"data": [{**r, "n": x} for r, x in zip(rows, (1, 2.5))]}))
    text = _TASK.format(rows=path).replace("data_files", "field: data, data_files") + rest
    assert [i.contexts[0] for i in read_task(written(tmp_path, text)).items] == ["a\u20281.0", "b2.5"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_REST.replace('"{{q}}"', "!function os.system"), "task without code, got !function os.system"),
        ("doc_to_text: !!python/object/apply:os.system [ls]\n", "task in YAML"),
        ("process_docs: x\n" + _REST, "process_docs: expected no such field"),
        ("process_results: x\n" + _REST, "process_results: expected no such field"),
        ("custom_dataset: x\n" + _REST, "custom_dataset: expected no such field"),
        ("output_type: generate_until\n" + _REST, "output_type"),
        ("group: x\n" + _REST, "a group of tasks"),
        ("dataset_path: allenai/ai2_arc\n" + _REST, "json with local data_files"),
        ("dataset_kwargs: {data_files: {test: 'https://a.b/c.json'}}\n" + _REST, "a file on this machine"),
        ("dataset_kwargs: {data_files: {test: nowhere.json}}\n" + _REST, "nowhere.json"),
        ("test_split: other\n" + _REST, "data_files of the split 'other'"),
        ("num_fewshot: -1\n" + _REST, "num_fewshot"),
        ("num_fewshot: 3\n" + _REST, "expected 3 examples"),
        ("metric_list: [{metric: f1}]\n" + _REST, "metric_list: expected one of acc"),
        ("metric_list: [{metric: acc, aggregation: median}]\n" + _REST, "aggregation mean of acc"),
        (_REST.replace("{{q}}", "{{nothing}}"), "row 0: doc_to_text"),
        (_REST.replace("{{q}}", "{{q"), "doc_to_text"),
        (_REST.replace("{{a}}", "{{q}}"), "doc_to_choice: expected a list of strings"),
        ("doc_to_text: q\ndoc_to_choice: a\ndoc_to_target: null\n", "doc_to_target"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + _REST, "expected no such field"),
    ],
)
def test_other_tasks_are_refused(tmp_path: Path, rows: Path, text: str, said: str) -> None:
    # The last of two values of a key stands in YAML.
    with pytest.raises(BadSource, match=said.replace("(", r"\(")):
        read_task(written(tmp_path, _TASK.format(rows=rows) + text))


def test_aliases_of_aliases_are_counted(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 9)]
    with pytest.raises(BadSource, match="more than 65,536 values"):
        read_task(written(tmp_path, "\n".join(lines)))
    with pytest.raises(BadSource, match="YAML"):
        read_task(written(tmp_path, "[" * 100_000))


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ a.append('x') }}",
        "{{ 'x' * 10 ** 10 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_reaches_nothing(
    tmp_path: Path, rows: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pofx.evaluation.lm_eval.templates.SECONDS", 1.0)
    monkeypatch.setattr("pofx.evaluation.lm_eval.templates.MEMORY", 1 << 28)
    with pytest.raises(BadSource, match=r"task\.yaml"):
        read_task(task_at(tmp_path, rows, _REST.replace("{{q}}", template)))


def test_questions_and_pairs_are_tasks_of_lm_eval() -> None:
    task = task_of_items([ChoiceItem("a ", ("b", "c"), 1, "one")])
    assert task.items == (TaskItem("one", ("a ", "a "), (" b", " c"), ("b", "c"), (1,)),)
    pair = task_of_items([Pair("x", "y", "p")])
    assert pair.metrics == ("acc",)
    assert pair.items[0].contexts == ("", "")
    assert pair.questions() == [ChoiceItem("", (" x", " y"), 0, "p")]
    with pytest.raises(BadValue, match="one right choice"):
        Task(
            "t", "multiple_choice", (TaskItem("0", ("", ""), ("a", "b"), ("a", "b"), (0, 1)),), ("acc",)
        ).questions()
    with pytest.raises(BadValue, match="multiple_choice"):
        Task("t", "loglikelihood", (TaskItem("0", ("a",), ("b",)),), ("acc",)).questions()


def test_metrics_by_hand_over_a_toy() -> None:
    lm = ToyLM()
    items = (
        TaskItem("0", ("ab", "ab"), ("c", "ca"), ("c", "ca"), (0,), ("c", "ca")),
        TaskItem("1", ("", ""), ("b", "aba"), ("b", "aba"), (1,), ("b", "aba")),
    )
    names = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score")
    report = evaluate_task(lm, Task("t", "multiple_choice", items, names))
    hand = [
        np.array([pofx.prefix_log_prob(lm, c, x) for x, c in zip(i.contexts, i.continuations)]) for i in items
    ]
    alone = [np.array([pofx.prefix_log_prob(lm, c) for c in i.alone]) for i in items]
    sizes = [np.array([1.0, 2.0]), np.array([1.0, 3.0])]
    for scores, x, y in zip(report.scores, hand, alone):
        np.testing.assert_allclose(scores.log_p, x, atol=1e-12)
        np.testing.assert_allclose(scores.own, x, atol=1e-12)  # type: ignore[arg-type]
        np.testing.assert_allclose(scores.alone, y, atol=1e-12)  # type: ignore[arg-type]
    gold = [i.gold[0] for i in items]
    right = {
        "acc": [int(np.argmax(x)) for x in hand],
        "acc_norm": [int(np.argmax(x / n)) for x, n in zip(hand, sizes)],
        "acc_mutual_info": [int(np.argmax(x - y)) for x, y in zip(hand, alone)],
    }
    found = {m.name: m for m in report.metrics}
    for name, places in right.items():
        assert found[name].value == np.mean([p == g for p, g in zip(places, gold)])
    p = [np.exp(x) / np.exp(x).sum() for x in hand]
    brier = np.mean([((q - np.eye(2)[g]) ** 2).sum() for q, g in zip(p, gold)])
    assert found["brier_score"].value == pytest.approx(brier, abs=1e-12)
    assert report.changes == 0
    assert report.right.tolist() == [p == g for p, g in zip(right["acc"], gold)]
    assert report.to_arrow().num_rows == 4


def test_windows_of_a_text_count_each_token_once() -> None:
    lm = ToyLM()
    asked = Requests(lm)
    asked._longest = 3
    text = "abcabcab"
    ids = [lm.vocab.size, *lm.vocab.encode(text)]
    found = asked.rolling(text)
    assert [r.path for r in found] == [tuple(ids[0:4]), tuple(ids[3:7]), tuple(ids[5:9])]
    assert [r.counted for r in found] == [3, 3, 2]


def test_the_tasks_of_the_tests_are_read_without_lm_eval(tmp_path: Path) -> None:
    files = write_tasks(tmp_path)
    assert {n: len(read_task(files[n]).items) for n in ("plain", "rolling", "blanks")} == {
        "plain": len(QUESTIONS),
        "rolling": 3,
        "blanks": 2,
    }
    assert set(files) == set(TASKS)


def test_a_token_across_the_join_gives_lm_eval_another_string_than_it_names() -> None:
    lm = toy()
    asked = Requests(lm)
    # "ab" and "aba" are tokens: "ab" + "a" together is one token, of which nothing is left after the one token of "ab".
    with pytest.raises(BadValue, match="lm-eval stops"):
        asked.pair("ab", "a")
    # Together "aba", "ba"; alone "a". lm-eval scores "ba" after "a", in place of "baba" after "a".
    request = asked.pair("a", "baba")
    ids = [i for text in ("a", "ba") for i in lm.vocab.encode(text)]
    assert request.across
    assert list(request.path) == [lm.vocab.size, *ids]
    task = Task(
        "t", "multiple_choice", (TaskItem("0", ("a", "a"), ("baba", "b"), ("baba", "b"), (0,)),), ("acc",)
    )
    with pytest.raises(BadValue, match="lm-eval stops"):
        evaluate_task(lm, task)
    choices = ("baba", "é")
    items = (TaskItem("0", ("a", "a"), ("baba", "é"), choices, (0,)),)
    report = evaluate_task(lm, Task("t", "multiple_choice", items, ("acc",)))
    (scores,) = report.scores
    assert scores.own is not None
    wrong = pofx.prefix_log_prob(lm, "ba", "a", boundary="token")
    assert scores.log_p[0] == pytest.approx(wrong, abs=1e-12)
    # The sum over every spelling of "ababa", less that of "a".
    assert scores.own[0] == pytest.approx(pofx.prefix_log_prob(lm, "baba", "a", boundary="exact"), abs=1e-12)
    assert abs(scores.log_p[0] - scores.own[0]) > 0.1
    assert report.across >= 1
