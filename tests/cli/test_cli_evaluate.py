"""pofx evaluate as a person meets it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran

import pofx
from pofx.evaluation.choices import evaluate_choices
from pofx.evaluation.items import ChoiceItem, Pair
from pofx.evaluation.pairs import evaluate_pairs

LINES = ["the cat sat", "the dog ran", "a cat ran", "the cat ran", "a dog sat"]
ITEMS = [
    ChoiceItem("the", ("cat", "ran"), 0, group="noun"),
    ChoiceItem("the cat", ("dog", "sat"), 1, group="verb"),
    ChoiceItem("a", ("sat", "dog", "cat"), 2, group="noun"),
]
PAIRS = [Pair("the cat sat", "cat the sat", group="order"), Pair("a dog ran", "a ran dog", group="order")]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name, order in (("model", 3), ("other", 1)):
        pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=order)), tmp_path / name)
    rows = [{"context": i.context, "choices": i.choices, "label": i.label, "kind": i.group} for i in ITEMS]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with (tmp_path / "q.csv").open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["context", "choices", "label", "kind"])
        writer.writerows([r["context"], json.dumps(r["choices"]), r["label"], r["kind"]] for r in rows)
    blimp = [{"sentence_good": p.good, "sentence_bad": p.bad, "UID": p.group} for p in PAIRS]
    (tmp_path / "blimp.jsonl").write_text("".join(json.dumps(r) + "\n" for r in blimp))
    return tmp_path


@pytest.mark.parametrize("file", ["q.jsonl", "q.csv"])
def test_questions_have_the_numbers_of_python(here: Path, run: Callable[..., Ran], file: str) -> None:
    own = evaluate_choices(pofx.load(here / "model"), ITEMS)
    ran = run("evaluate", file, "-m", "model", "--group-field", "kind", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert {name: r["right"] for name, r in told["rules"].items()} == {r.rule: r.right for r in own.rules}
    assert told["log_loss_nats"] == own.calibration.log_loss
    assert told["groups"] == {k: {"right": r, "n": n} for k, (r, n) in own.groups().items()}
    assert told["terms"]["begin_known"] == "trained"


def test_pairs_of_blimp_and_a_second_model(here: Path, run: Callable[..., Ran]) -> None:
    own = [evaluate_pairs(pofx.load(here / name), PAIRS) for name in ("model", "other")]
    ran = run("evaluate", "blimp.jsonl", "-m", "model", "--against", "other", "--json", "-o", "rows.csv")
    assert ran.code == 0
    first, second, both = map(json.loads, ran.out.splitlines())
    assert [first["right"], second["right"]] == [r.whole.right for r in own]
    assert first["groups"][0]["group"] == "order"
    assert both["only_first"] == int((own[0].right & ~own[1].right).sum())
    with (here / "rows.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert [r["model"] for r in rows] == ["model", "model", "other", "other"]
    assert [float(r["margin_nats"]) for r in rows] == [x for r in own for x in r.margins()]
    shown = run("evaluate", "blimp.jsonl", "-m", "model", "--against", "other")
    for word in ("pairs", "mean margin", "EOS", "model less other", "McNemar", "x0 <s>"):
        assert word in shown.out


def test_rows_of_questions_can_be_written(here: Path, run: Callable[..., Ran]) -> None:
    assert run("evaluate", "q.jsonl", "-m", "model", "-o", "rows.jsonl").code == 0
    rows = [json.loads(line) for line in (here / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == sum(len(i.choices) for i in ITEMS)
    assert [r["text"] for r in rows if r["right"]] == [i.choices[i.label] for i in ITEMS]


def test_bad_rows_are_named_and_the_others_counted(here: Path, run: Callable[..., Ran]) -> None:
    with (here / "q.jsonl").open("a") as f:
        f.write(
            '{"context": "a", "choices": ["b"], "label": 0}\n{"context": 3, "choices": ["b", "c"], "label": 0}\n'
        )
    ran = run("evaluate", "q.jsonl", "-m", "model", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["items"] == len(ITEMS)
    assert "q.jsonl:4: choices: expected two or more different choices" in ran.err
    assert "q.jsonl:5" in ran.err


def test_a_task_of_lm_eval_and_its_numbers(here: Path, run: Callable[..., Ran]) -> None:
    (here / "task.yaml").write_text(
        "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: {test: q.jsonl}}\ntest_split: test\n"
        "output_type: multiple_choice\ndoc_to_text: context\ndoc_to_choice: choices\ndoc_to_target: label\n"
    )
    lm = pofx.load(here / "model")
    own = evaluate_choices(lm, ITEMS)
    log_p = [s.values("log-p", False) for s in own.items]
    # lm-eval divides by characters, and here a character is a byte.
    right = own.rules[0].right, own.rules[1].right
    for file in ("task.yaml", "q.jsonl"):
        ran = run(
            "evaluate", file, "-m", "model", "--as", "lm-eval", "--json", "-o", "rows.csv", "--overwrite"
        )
        assert ran.code == 0, ran.err
        metrics = json.loads(ran.out)["metrics"]
        assert (metrics["acc"]["value"], metrics["acc_norm"]["value"]) == tuple(r / len(ITEMS) for r in right)
        with (here / "rows.csv").open() as f:
            rows = list(csv.DictReader(f))
        assert [float(r["lm_eval_nats"]) for r in rows] == pytest.approx([x for k in log_p for x in k])  # type: ignore[union-attr]
    plain = run("evaluate", "task.yaml", "-m", "model", "--json")
    assert json.loads(plain.out)["rules"]["log-p"]["right"] == own.rules[0].right
    shown = run("evaluate", "task.yaml", "-m", "model", "--as", "lm-eval", "--against", "other")
    for word in ("task         mine", "lm-eval", "acc_norm", "answers", "McNemar"):
        assert word in shown.out
    assert run("evaluate", "blimp.jsonl", "-m", "model", "--as", "lm-eval").code == 0


def page_of(path: Path) -> dict[str, Any]:
    raw = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S)
    assert raw is not None
    return dict(json.loads(raw[1]))


def test_a_page_of_questions_has_the_numbers_of_the_reports(here: Path, run: Callable[..., Ran]) -> None:
    own, other = (evaluate_choices(pofx.load(here / name), ITEMS) for name in ("model", "other"))
    ran = run(
        "evaluate",
        "q.jsonl",
        "-m",
        "model",
        "--against",
        "other",
        "--group-field",
        "kind",
        "--html",
        "p.html",
    )
    assert ran.code == 0
    page = page_of(here / "p.html")
    assert [m["fingerprint"] for m in page["made"]["models"]] == [
        pofx.load(here / name).fingerprint for name in ("model", "other")
    ]
    sections = {s["title"]: s["blocks"] for s in page["sections"]}
    (accuracy, groups), (calibration,) = sections["Accuracy: model"], sections["Calibration: model"]
    assert [(a["name"], a["share"]) for a in accuracy["amounts"]] == [(r.rule, r.accuracy) for r in own.rules]
    assert [row[0] for row in groups["rows"]] == ["noun", "verb"]
    assert [a["share"] for a in calibration["amounts"]] == [b.accuracy for b in own.calibration.bins]
    assert sum(own.right != other.right) > 0
    differing = sections["model and other"][1]["rows"]
    assert [row[0] for row in differing] == [
        f"q.jsonl:{k + 1}" for k in (own.right != other.right).nonzero()[0]
    ]
    wrong = sections["Wrong answers, the most certain first: model"][0]["rows"]
    assert len(wrong) == sum(~own.right)


def test_pages_of_pairs_and_of_a_task(here: Path, run: Callable[..., Ran]) -> None:
    own, other = (evaluate_pairs(pofx.load(here / name), PAIRS) for name in ("model", "other"))
    assert run("evaluate", "blimp.jsonl", "-m", "model", "--against", "other", "--html", "p.html").code == 0
    sections = {s["title"]: s["blocks"] for s in page_of(here / "p.html")["sections"]}
    assert [a["share"] for a in sections["Accuracy: model"][0]["amounts"]] == [g.accuracy for g in own.groups]
    assert len(sections["model and other"][1]["rows"]) == sum(own.right != other.right) > 0
    assert run("evaluate", "q.jsonl", "-m", "model", "--as", "lm-eval", "--html", "t.html").code == 0
    (section,) = page_of(here / "t.html")["sections"]
    assert [row[0] for row in section["blocks"][0]["rows"]] == ["acc", "acc_norm"]
    assert section["blocks"][-1]["text"] == "No answer differs."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["a.jsonl"],
            "expected fields 'context' and 'choices' and 'label', or 'good' and 'bad', got only 'a'",
        ),
        (["nowhere.jsonl"], "expected a file"),
        (["-"], "--items: expected with standard input"),
        (["q.jsonl", "--begins"], "--begins: expected only with pairs"),
        (["blimp.jsonl", "--between", "x"], "--between: expected only with choices"),
        (["q.jsonl", "--items", "pairs"], "good"),
        (["q.jsonl", "--as", "lm-eval", "--eos"], "--eos: expected without --as"),
        (["task.yaml", "--items", "pairs"], "--items: expected only with rows"),
        (["task.yaml", "q.jsonl"], "expected one task of lm-eval, got 2 files"),
        (["q.jsonl", "-o", "q.jsonl"], "q.jsonl"),
    ],
)
def test_refusals_say_what_to_do(
    here: Path, run: Callable[..., Ran], arguments: list[str], said: str
) -> None:
    (here / "a.jsonl").write_text('{"a": 1}\n')
    (here / "task.yaml").write_text(
        "dataset_path: json\ndataset_kwargs: {data_files: q.jsonl}\ntest_split: train\noutput_type: multiple_choice\n"
        "doc_to_text: context\ndoc_to_choice: choices\ndoc_to_target: label\n"
    )
    ran = run("evaluate", *arguments, "-m", "model")
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


def test_a_group_of_tasks(here: Path, run: Callable[..., Ran]) -> None:
    for name in ("first", "second"):
        (here / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: q.jsonl}}}}\ntest_split: test\n"
            "output_type: multiple_choice\ndoc_to_text: '{{context}}'\ndoc_to_choice: '{{choices}}'\n"
            "doc_to_target: label\n"
        )
    means = "aggregate_metric_list: [{metric: acc}]"
    (here / "group.yaml").write_text(f"group: both\ntask: [first, second]\n{means}\n")
    ran = run("evaluate", "group.yaml", "-m", "model", "--as", "lm-eval", "--json", "-o", "rows.csv")
    assert ran.code == 0, ran.err
    *tasks, group = [json.loads(line) for line in ran.out.splitlines()]
    assert [t["task"] for t in tasks] == ["first", "second"]
    assert group["group"] == "both"
    assert group["metrics"]["acc"]["value"] == tasks[0]["metrics"]["acc"]["value"]
    with (here / "rows.csv").open() as f:
        assert {r["task"] for r in csv.DictReader(f)} == {"first", "second"}
    shown = run("evaluate", "group.yaml", "-m", "model", "--as", "lm-eval", "--html", "g.html")
    assert "group        both, 2 tasks" in shown.out
    titles = [s["title"] for s in page_of(here / "g.html")["sections"]]
    assert titles == ["Group both", "Task first", "Task second"]
    questions = run("evaluate", "group.yaml", "-m", "model", "--json")
    assert set(json.loads(questions.out)["groups"]) == {"first", "second"}
