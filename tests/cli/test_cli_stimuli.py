"""pofx stimuli as a person meets it: tables of every format, several models, and refusals."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import pofx
from pofx.cli.main import main

# The layout of Natural Stories, read by two people in another order, with a row that is no word.
ROWS = [
    {"item": "1", "zone": "2", "word": "dog", "RT": "310", "who": "b"},
    {"item": "1", "zone": "1", "word": "the", "RT": "280", "who": "b"},
    {"item": "1", "zone": "1", "word": "the", "RT": "295", "who": "a"},
    {"item": "1", "zone": "2", "word": "dog", "RT": "", "who": "a"},
    {"item": "1", "zone": "3", "word": "sat, down.", "RT": "0400", "who": "a"},
    {"item": "2", "zone": "1", "word": "a", "RT": "290", "who": "a"},
    {"item": "2", "zone": "2", "word": "", "RT": "1", "who": "a"},
    {"item": "2", "zone": "3", "word": "cat", "RT": "300", "who": "a"},
]
TEXTS = {"1": "the dog sat, down.", "2": "a cat"}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    texts = ["the cat sat.", "a dog ran.", "the dog sat down."]
    pofx.save(pofx.fit(texts, pofx.NgramSpec(order=4)), tmp_path / "m")
    pofx.save(pofx.fit(texts, pofx.NgramSpec(order=1)), tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_MODEL", str(tmp_path / "m"))
    with Path("in.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["stimuli", *arguments])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call


def cells(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as f:
        return list(csv.DictReader(f))


def test_every_row_comes_back_in_its_place_and_sums_are_those_of_score(run: Callable[..., Ran]) -> None:
    ran = run("in.csv", "-o", "out.csv")
    assert ran.code == 0, ran.err
    assert "2 texts by 'item'; word 'word'; order 'zone'" in ran.err
    rows = cells("out.csv")
    assert [{k: r[k] for k in ROWS[0]} for r in rows] == ROWS
    assert rows[6]["surprisal_nats"] == ""
    for item, text in TEXTS.items():
        once = {r["zone"]: r for r in rows if r["item"] == item and r["word"]}
        total = math.fsum(float(r["surprisal_nats"]) + float(r["ending_nats"]) for r in once.values())
        assert total == pytest.approx(-pofx.log_prob(pofx.load("m"), text), abs=1e-9)
    assert rows[0]["surprisal_nats"] == rows[3]["surprisal_nats"]


def test_every_format_holds_the_same_rows(run: Callable[..., Ran]) -> None:
    Path("in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    Path("in.json").write_text(json.dumps(ROWS))
    Path("in.tsv").write_text("\n".join("\t".join(r) for r in [list(ROWS[0]), *(r.values() for r in ROWS)]))
    pq.write_table(pa.Table.from_pylist(ROWS), "in.parquet")
    assert run("in.csv", "-o", "o.jsonl").code == 0
    want = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    for ending in ("jsonl", "json", "tsv", "parquet"):
        assert [json.loads(line) for line in run(f"in.{ending}", "--json").out.splitlines()] == want
    assert run("in.parquet", "-o", "o.parquet").code == 0
    assert pq.read_table("o.parquet").to_pylist() == want
    assert run("in.csv", "-o", "o.arrow").code == 0
    with pa.ipc.open_file("o.arrow") as file:
        assert file.read_all().to_pylist() == want
        assert b'"word"' in (file.schema.metadata or {})[b"pofx"]
    for compression in ("lz4", "uncompressed"):
        pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), "in.arrow", compression=compression)
        assert [json.loads(line) for line in run("in.arrow", "--json").out.splitlines()] == want
    about = [
        json.loads(v) for v in (pq.read_schema("o.parquet").metadata or {}).values() if v.startswith(b"{")
    ]
    assert any(a.get("columns", {}).get("word") == "word" for a in about)
    head, *lines = run("in.csv").out.splitlines()
    assert [dict(zip(head.split("\t"), x.split("\t")))["RT"] for x in lines] == [r["RT"] for r in ROWS]


def test_several_models_and_the_record(run: Callable[..., Ran]) -> None:
    ran = run("in.csv", "-m", "m", "-m", "small=one", "-o", "o.csv", "--record", "r.json", "--previous", "1")
    assert ran.code == 0, ran.err
    both = cells("o.csv")
    for name, model in (("m", "m"), ("small", "one")):
        assert run("in.csv", "-m", model, "-o", f"{name}.csv", "--previous", "1").code == 0
        for row, one in zip(both, cells(f"{name}.csv")):
            for column in ("surprisal_nats", "entropy_nats", "previous_1_surprisal_nats"):
                assert row[f"{name}_{column}"] == one[column]
    record: dict[str, Any] = json.loads(Path("r.json").read_text())
    assert [m["name"] for m in record["models"]] == ["m", "small"]
    assert record["models"][0]["terms"]["begin_known"] == "trained"
    assert record["columns"] == {"word": "word", "item": ["item"], "order": "zone", "given": None}


def test_a_prefix_in_a_column_and_words_without_spaces(run: Callable[..., Ran]) -> None:
    lm = pofx.load("m")
    Path("p.csv").write_text("item,word,before\n1,sat,the dog\n1,down.,the dog\n")
    rows = [json.loads(x) for x in run("p.csv", "--given-field", "before", "--json").out.splitlines()]
    total = math.fsum(r["surprisal_nats"] + r["ending_nats"] for r in rows)
    assert total == pytest.approx(-pofx.log_prob(lm, " sat down.", given="the dog"))
    Path("s.csv").write_text("item,word\n1,the\n1, do\n1,g\n")
    rows = [json.loads(x) for x in run("s.csv", "--join", "", "--json").out.splitlines()]
    assert [r["word"] for r in rows] == ["the", " do", "g"]
    total = math.fsum(r["surprisal_nats"] + r["ending_nats"] for r in rows)
    assert total == pytest.approx(-pofx.log_prob(lm, "the dog"))


def test_a_text_without_numbers(run: Callable[..., Ran]) -> None:
    texts = ["abc", "cab"]
    pofx.save(pofx.fit(texts, pofx.NgramSpec(order=2, vocab="chars")), "closed")
    Path("c.csv").write_text("item,word\n1,ab\n2,xy\n2,ab\n")
    ran = run("c.csv", "-m", "closed", "--json")
    assert ran.code == 1
    rows = [json.loads(x) for x in ran.out.splitlines()]
    assert [r["surprisal_nats"] is None for r in rows] == [False, True, True]
    assert rows[1]["error"]
    assert ran.err.startswith("pofx: warning: the text of row 2: ")


def test_a_table_of_the_texts(run: Callable[..., Ran]) -> None:
    Path("times.csv").write_text("item,zone,word,RT\n1,1,the,1\n1,3,sat,300\n")
    Path("texts.csv").write_text("item,zone,word\n1,1,the\n1,2,dog\n1,3,sat\n")
    ran = run("times.csv", "--json")
    assert "got 1 text without some word, such as the word at place 2 of the text of row 1" in ran.err
    alone = json.loads(ran.out.splitlines()[1])
    ran = run("times.csv", "--texts", "texts.csv", "--json")
    assert "warning" not in ran.err
    row = json.loads(ran.out.splitlines()[1])
    assert row["cumulative_nats"] + row["ending_nats"] == pytest.approx(
        -pofx.log_prob(pofx.load("m"), "the dog sat")
    )
    assert row["surprisal_nats"] != alone["surprisal_nats"]
    Path("other.csv").write_text("item,zone,wort\n1,1,the\n")
    ran = run("times.csv", "--texts", "other.csv")
    assert (ran.code, "other.csv: expected a column 'word', got none" in ran.err) == (2, True)


def test_frequencies_of_a_corpus(run: Callable[..., Ran]) -> None:
    Path("corpus.txt").write_text("The dog sat.\nThe cat.\n")
    assert run("in.csv", "--frequencies", "corpus.txt", "--previous", "1", "-o", "o.csv").code == 0
    rows = cells("o.csv")
    assert float(rows[1]["log_frequency"]) == pytest.approx(math.log(3 / 10))
    assert rows[0]["previous_1_log_frequency"] == rows[1]["log_frequency"]
    ran = run("in.csv", "--frequencies", "nowhere.txt")
    assert (ran.code, "nowhere.txt" in ran.err) == (2, True)


def test_punctuation_in_rows_of_its_own(run: Callable[..., Ran]) -> None:
    Path("p.csv").write_text('item,word\n1,the\n1,dog\n1,sat\n1,"."\n')
    lm = pofx.load("m")
    for options, text in (((), "the dog sat ."), (("--attach",), "the dog sat.")):
        ran = run("p.csv", *options, "--json")
        rows = [json.loads(x) for x in ran.out.splitlines()]
        total = math.fsum(r["surprisal_nats"] + r["ending_nats"] for r in rows)
        assert total == pytest.approx(-pofx.log_prob(lm, text))
        assert ("got 1 word after a space" in ran.err) == (not options)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("in.csv", "--word", "wort"), "--word: expected a column of the table, got 'wort'"),
        (("in.csv", "--item", "nr"), "--item: expected a column of the table, got 'nr'"),
        (("in.csv", "--order", "who"), "--order: expected a number in column 'who' of row 1, got 'b'"),
        (("in.csv", "--given-field", "x"), "--given-field: expected a column of the table, got 'x'"),
        (("in.csv", "--given", "a", "--given-field", "who"), "expected --given or --given-field, got both"),
        (("in.csv", "--join", "-"), "--join: expected white space"),
        (("in.csv", "--join", "", "--attach"), "--join: expected white space between words"),
        (("in.csv", "--json", "-o", "o.csv"), "-o: expected alone, got with --json"),
        (("in.csv", "-o", "o.txt"), "ends in .jsonl, .csv or .tsv"),
        (("in.csv", "-m", "m", "-m", "m"), "-m: expected models of different names"),
        (("in.txt",), "expected a table (csv, tsv, jsonl, json, parquet, arrow) with columns, got text"),
        (("-",), "stdin"),
        (("twice.csv",), "expected columns of different names, got 'word' twice"),
        (("ragged.csv",), "ragged.csv:3: expected 2 columns as in the header, got 3"),
        (("null.jsonl",), "null.jsonl:2: "),
        (
            ("empty.csv",),
            "expected a table (csv, tsv, jsonl, json, parquet, arrow) with columns, got no columns",
        ),
        (("head.csv",), "expected at least one row, got none"),
        (("broken.arrow",), "broken.arrow: expected a whole file of Arrow, got: "),
        (("nowhere.arrow",), "nowhere.arrow: expected a whole file of Arrow, got: No such file"),
    ],
)
def test_refusals_are_one_line_before_a_model_is_loaded(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    from pofx.cli.options.model import ModelOptions

    monkeypatch.setattr(ModelOptions, "load", lambda *_: pytest.fail("loaded a model"))
    Path("in.txt").write_text("the cat\n")
    Path("twice.csv").write_text("item,word,word\n1,a,b\n")
    Path("ragged.csv").write_text("item,word\n1,a\n1,b,c\n")
    Path("null.jsonl").write_text('{"item": 1, "word": "a"}\n{"item": 1, "word": null}\n')
    Path("empty.csv").write_text("")
    pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), "broken.arrow", compression="uncompressed")
    Path("broken.arrow").write_bytes(Path("broken.arrow").read_bytes()[:-40])
    Path("head.csv").write_text("item,word\n")
    ran = run(*arguments)
    assert ran.code == 2, ran.err
    assert says in ran.err
    assert ran.err.count("\n") == 1


def page_of(path: str) -> dict[str, Any]:
    raw = re.search(r'<script type="application/json" id="data">(.*?)</script>', Path(path).read_text(), re.S)
    assert raw is not None
    page: dict[str, Any] = json.loads(raw[1])
    return page


def test_a_page_has_means_charts_lines_and_texts(run: Callable[..., Ran]) -> None:
    lines = ["item,cond,word,roi,RT"]
    texts = {
        ("1", "a"): "the cat sat",
        ("1", "b"): "the dog sat",
        ("2", "a"): "a <i> ran",
        ("2", "b"): "a dog ran",
    }
    for (item, cond), text in texts.items():
        lines += [f"{item},{cond},{w},{'verb' if k == 2 else 'np'},300" for k, w in enumerate(text.split())]
    Path("t.csv").write_text("\n".join(lines) + "\n")
    ran = run("t.csv", "-m", "m", "-m", "one", "-o", "o.csv", "--html", "p.html")
    assert ran.code == 0, ran.err
    page = page_of("p.html")
    assert [s["title"] for s in page["sections"]] == [
        "Surprisals: m",
        "Surprisals: one",
        "A regression of the written table",
        "Texts: m",
        "Texts: one",
    ]
    means, *_, shown, _ = page["sections"]
    assert [b["kind"] for b in means["blocks"]] == ["amounts", "chart", "chart", "chart", "table"]
    assert "x0 <s> (trained)" in means["blocks"][0]["told"]
    rows = cells("o.csv")
    for chart, condition in zip(means["blocks"][1:3], "ab"):
        assert chart["series"]["title"] == f"Surprisal by region: {condition}"
        points = dict(chart["series"]["points"])
        for roi in ("np", "verb"):
            own = [float(r["m_surprisal_nats"]) for r in rows if (r["cond"], r["roi"]) == (condition, roi)]
            assert points[roi] == pytest.approx(math.fsum(own) / 2)
    assert means["blocks"][3]["series"]["title"] == "Difference by region: b − a"
    # A page has the minus sign of typesetting.
    assert not re.search(r"-\d", str([row[-1] for row in means["blocks"][4]["rows"]]))
    assert [t["words"]["text"] for t in shown["blocks"][0]["texts"]] == list(texts.values())
    assert [t["id"] for t in shown["blocks"][0]["texts"]] == ["1 a", "1 b", "2 a", "2 b"]
    for t in shown["blocks"][0]["texts"]:
        total = math.fsum(w["surprisal_nats"] for w in t["words"]["words"])
        assert total == pytest.approx(-t["words"]["total_nats"])
    assert "<i>" not in Path("p.html").read_text().split('id="data">')[1].split("</script>")[0]
    code = page["sections"][2]["blocks"]
    assert [b["label"] for b in code] == ["R", "Python"]
    assert "\n".join(["# Python", code[1]["text"]]) in ran.out


def test_the_columns_of_a_page_are_named_or_refused(run: Callable[..., Ran]) -> None:
    assert run("in.csv", "--html", "p.html", "--condition", "who", "--region", "word").code == 0
    blocks = page_of("p.html")["sections"][0]["blocks"]
    assert [name for name, _ in blocks[1]["series"]["points"]] == ["the", "dog"]
    assert not any(s["title"].startswith("A regression") for s in page_of("p.html")["sections"])
    assert "--region: expected a column" in run("in.csv", "--html", "q.html", "--region", "x").err


def test_a_column_of_the_table_with_the_name_of_a_further_one_gets_another(run: Callable[..., Ran]) -> None:
    lines = ["item,word,index,RT,surprisal_nats"]
    for i in range(6):
        lines += [
            f"{i},{w},{90 + k},{300 + 7 * i + 11 * k * k + 5 * (i % 3)},9"
            for k, w in enumerate(["the", "dog", "sat"])
        ]
    Path("t.csv").write_text("\n".join(lines) + "\n")
    ran = run("t.csv", "-o", "o.csv")
    assert "pofx: the column 'index' of the table is 'index_own' beside the new 'index'" in ran.err
    rows = cells("o.csv")
    assert [r["index"] for r in rows[:3]] == ["0", "1", "2"]
    assert [r["index_own"] for r in rows[:3]] == ["90", "91", "92"]
    assert [r["surprisal_nats_own"] for r in rows[:2]] == ["9", "9"]
    found = pofx.predictive_power(rows, "RT")
    assert found.baseline == ("index", "length")
    assert [m.predictors for m in found.models] == [("surprisal_nats",)]
    assert found.first_words == 6
    again = run("o.csv", "-o", "o2.csv")
    assert again.code == 0
    assert len(cells("o2.csv")[0]) == len(set(cells("o2.csv")[0]))
    assert cells("o2.csv")[1]["index_own_2"] == "1"


def test_lines_are_printed_beside_a_file_alone(run: Callable[..., Ran]) -> None:
    ran = run("in.csv", "-o", "o.csv")
    assert "# R\nlibrary(lme4)" in ran.out
    assert "smf.mixedlm('RT ~ surprisal_nats + index + length'" in ran.out
    assert run("in.csv", "-o", "o2.csv", "--quiet").out == ""
    assert "lme4" not in run("in.csv").out


def test_the_entropy_of_the_next_word_has_an_error(run: Callable[..., Ran]) -> None:
    Path("t.csv").write_text("item,word\n1,the\n1,dog\n2,do\n2,g\n")
    ran = run("t.csv", "--entropy", "words", "-n", "300", "--json")
    assert ran.code == 0, ran.err
    rows = [json.loads(x) for x in ran.out.splitlines()]
    # The texts begin with "the", "a" and "the", and few other words are left by the smoothing.
    assert rows[0]["word_entropy_nats"] > rows[0]["entropy_nats"]
    assert 0 < rows[0]["word_entropy_error_nats"] < rows[0]["word_entropy_nats"]
    assert rows[0]["word_entropy_nats"] == rows[2]["word_entropy_nats"]
    assert run("t.csv", "--entropy", "words", "-n", "300", "--json").out == ran.out
    split = run("t.csv", "--entropy", "words", "--join", "", "--json").out.splitlines()
    assert json.loads(split[3])["word_entropy_nats"] is None
    assert "word_entropy_nats" not in run("t.csv").out
