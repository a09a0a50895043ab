"""Tasks of lm-eval, written for the tests: their YAML and their rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.vocab.vocabulary import Vocab

QUESTIONS = [
    {"q": "the cat sat on", "a": ["the mat", "a", "that the cat"], "label": 0, "who": "x"},
    {"q": "a cat at the", "a": ["hat", "the", "mat"], "label": 2, "who": "é"},
    {"q": "that ", "a": ["cat", " that", "at the"], "label": 1, "who": "the"},
    {"q": "the th", "a": ["e", "at", "é中"], "label": 0, "who": "a"},
    {"q": "", "a": ["the cat", "a the", "at"], "label": 1, "who": "b"},
    {"q": "the mat " * 20, "a": ["the", "that", "at"], "label": 2, "who": "c"},
]
SHOTS = [
    {"q": "the rat", "a": ["sat", "the"], "label": 0, "who": "r"},
    {"q": "a hat", "a": ["the", "at"], "label": 1, "who": "s"},
    {"q": "that", "a": ["mat", "that"], "label": 1, "who": "t"},
]
TEXTS = [{"text": "the cat sat on the mat"}, {"text": "that the  cat " * 12}, {"text": "é 中\nat"}]
BLANKS = [
    {"sentence": "the cat _ the mat", "options": ["at", "that"], "rest": "sat", "answer": "2"},
    {"sentence": "a _ sat", "options": ["the", "cat"], "rest": "on the", "answer": "1"},
]
# The fields of BLiMP's files, and sentences of the vocabulary of the tests.
BLIMP = [
    {
        "sentence_good": good,
        "sentence_bad": bad,
        "field": "syntax",
        "linguistics_term": "word_order",
        "UID": "order",
        "simple_LM_method": True,
        "one_prefix_method": False,
        "two_prefix_method": False,
        "lexically_identical": True,
        "pairID": str(k),
    }
    for k, (good, bad) in enumerate(
        [("the cat sat on the mat", "cat the sat on the mat"), ("a hat at the mat", "a hat the at mat")]
    )
]
_ALL = "metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}, {metric: acc_mutual_info}, {metric: exact_match}, {metric: brier_score}]\n"
_CHOICE = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: "{{a}}"\ndoc_to_target: label\n'
# By name: the YAML beside the data files and splits.
TASKS: dict[str, str] = {
    "plain": _CHOICE,
    "fields": "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: a\ndoc_to_target: label\n" + _ALL,
    "described": _CHOICE + 'description: "About {{who}}:\\n"\ngen_prefix: "So"\ntarget_delimiter: ""\n',
    "drawn": _CHOICE + "num_fewshot: 2\nfewshot_split: shots\n",
    "itself": _CHOICE + "num_fewshot: 2\n",
    "others": _CHOICE + "num_fewshot: 2\nfewshot_split: test\n",
    "first": _CHOICE
    + "num_fewshot: 2\nfewshot_config: {sampler: first_n, split: shots, doc_to_text: 'Q: {{q}}\\nA:'}\n",
    "named": _CHOICE
    + "num_fewshot: 1\nfewshot_config: {samples: [{q: the, a: [a, at], label: 1, who: u}]}\n",
    "text target": _CHOICE.replace("doc_to_target: label", 'doc_to_target: "{{a[label]}}"'),
    "several right": _CHOICE.replace("doc_to_target: label", 'doc_to_target: "{{[label, 0]}}"'),
    "fixed": 'output_type: multiple_choice\ndoc_to_text: "{{q}}?"\ndoc_to_choice: ["yes", "no", "at"]\ndoc_to_target: "{{label}}"\n',
    "last word": "output_type: loglikelihood\ndoc_to_text: \"{{text.split(' ')[:-1]|join(' ')}}\"\n"
    "doc_to_target: \"{{' '+text.split(' ')[-1]}}\"\n",
    "rolling": "output_type: loglikelihood_rolling\ndoc_to_text: \"\"\ndoc_to_target: \"{{text|regex_replace('  ', ' ')}}\"\n",
    "blanks": "output_type: multiple_choice\ndoc_to_text: \"{{{'1': 0, '2': 1}[answer]}}\"\ndoc_to_target: rest\n"
    "doc_to_choice: \"{{[sentence.replace('_', options[0]), sentence.replace('_', options[1])]}}\"\n",
}
# The template of lm-eval's tasks of BLiMP.
TASKS["blimp"] = (
    'output_type: multiple_choice\ndoc_to_text: ""\ndoc_to_target: 0\nnum_fewshot: 0\n'
    'doc_to_choice: "{{[sentence_good, sentence_bad]}}"\nshould_decontaminate: true\n'
    'doc_to_decontamination_query: "{{sentence_good}} {{sentence_bad}}"\n'
    "metric_list: [{metric: acc}]\nmetadata: {version: 1.0}\n"
)
# Groups of these tasks, of 6, 6 and 2 rows.
GROUPS = {
    "by size": "task: [plain, fields, blanks]\naggregate_metric_list: [{metric: acc, weight_by_size: true}, {metric: acc_norm}]\n",
    "alike": "num_fewshot: 1\ntask:\n- plain\n- {task: fields, num_fewshot: 0}\n- blimp\n"
    "aggregate_metric_list: [{metric: acc, aggregation: mean, filter_list: none, weight_by_size: false}]\n",
}
_ROWS = {"blimp": BLIMP, "last word": TEXTS[:1] + TEXTS[2:], "rolling": TEXTS, "blanks": BLANKS}


def write_tasks(home: Path) -> dict[str, Path]:
    """The file of each task."""
    home.mkdir(parents=True, exist_ok=True)
    out = {}
    for name, rest in TASKS.items():
        data = {"test": _ROWS.get(name, QUESTIONS), "shots": SHOTS}
        paths = {}
        for split, rows in data.items():
            path = home / f"{name}-{split}.jsonl"
            path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
            paths[split] = str(path)
        files = json.dumps(paths if name not in _ROWS else {"test": paths["test"]})
        out[name] = home / f"{name}.yaml"
        out[name].write_text(
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {files}}}\ntest_split: test\n{rest}",
            encoding="utf-8",
        )
    for name, rest in GROUPS.items():
        (home / f"{name}.yaml").write_text(f"group: {name}\n{rest}", encoding="utf-8")
    return out


def tables(rows: int) -> np.ndarray:
    """Three tables of logits, `[3, rows, rows]`."""
    return np.random.default_rng(0).normal(0, 1.5, (3, rows, rows))


class TableLM(LM):
    """Log p of the next token by the sum of three tables' rows: of the last token, of the one before, and of the first."""

    begin = Begin("none")
    window = LM.window

    def __init__(self, vocab: Vocab, found: np.ndarray, longest: int | None) -> None:
        self.vocab, self._tables, self.context = vocab, found, longest

    def _state(self, histories: np.ndarray) -> State:
        def law() -> np.ndarray:
            if (histories[:, 0] < 0).any():
                raise refuse_unconditional(self.begin)
            last, before, first = self._tables
            logits = last[histories[:, 2]] + first[histories[:, 0]]
            known = histories[:, 1] >= 0
            logits[known] += before[histories[known, 1]]
            top = logits.max(axis=1, keepdims=True)
            return logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))

        return State(law, histories, len(histories))

    def start(self, n: int) -> State:
        return self._state(np.full((n, 3), -1, dtype=np.int64))

    def extend(self, state: State, ids: Any) -> State:
        carry = np.array(state.carry)
        for token in np.asarray(ids, dtype=np.int64).T:
            carry = np.stack([np.where(carry[:, 0] < 0, token, carry[:, 0]), carry[:, 2], token], axis=1)
        return self._state(carry)
