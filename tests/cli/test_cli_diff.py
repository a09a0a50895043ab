"""pofx diff as a person meets it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran

import pofx

LINES = ["the cat sat", "the dog ran", "a cat ran", "the cat ran", "a dog sat"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name, order in (("model", 3), ("other", 1)):
        pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=order)), tmp_path / name)
    pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "chars")
    (tmp_path / "t.txt").write_text("\n".join(LINES) + "\n")
    return tmp_path


def test_the_numbers_are_those_of_python(here: Path, run: Callable[..., Ran]) -> None:
    own = pofx.diff(pofx.load(here / "model"), pofx.load(here / "other"), LINES)
    ran = run("diff", "t.txt", "-m", "model", "-m", "other", "--json", "-o", "rows.csv")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["per_byte_nats"]["value"] == own.per_byte.value
    assert told["kl_nats_a_token"] == own.kl_a_token
    assert [p["difference"] for p in told["words"]] == [p.difference for p in own.words]
    with (here / "rows.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert [float(r["a_nats"]) for r in rows] == own.log_a.tolist()
    assert [float(r["kl_nats"]) for r in rows] == own.kl.tolist()


def test_a_text_that_one_model_cannot_spell_is_named_and_left_out(
    here: Path, run: Callable[..., Ran]
) -> None:
    (here / "t.txt").write_text("the cat\nça va\na dog\n")
    ran = run("diff", "t.txt", "-m", "model", "-m", "chars", "--json")
    assert ran.code == 1
    assert "t.txt:2" in ran.err
    told = json.loads(ran.out)
    assert told["texts"] == 2
    assert told["kl_nats_a_token"] is None


@pytest.mark.parametrize("names", [["-m", "model"], ["-m", "model", "-m", "other", "-m", "model"]])
def test_two_models_are_needed(here: Path, run: Callable[..., Ran], names: list[str]) -> None:
    ran = run("diff", "t.txt", *names)
    assert ran.code == 2
    assert "expected two models" in ran.err


def test_one_begin_is_for_models_without_x0_and_two_replace_it(
    here: Path, run: Callable[..., Ran], checkpoints: Path
) -> None:
    def begins(*options: str) -> list[str]:
        ran = run("diff", "t.txt", "-m", str(checkpoints / "plain"), "-m", "model", "--json", *options)
        assert ran.code == 0, ran.err
        return [t["begin"] for t in json.loads(ran.out)["terms"]]

    (_, own) = (t.begin for t in pofx.diff(*(pofx.load(here / n) for n in ("model", "other")), LINES).terms)
    assert begins("--begin", "<eos>") == ["<eos>", own]
    assert begins("--begin", "<bos>", "--begin", "") == ["<bos>", own]
    ran = run("diff", "t.txt", "-m", str(checkpoints / "plain"), "-m", "model")
    assert ran.code == 2
    assert ran.err.count("how texts begin is not known") == 1


def test_a_page_holds_the_texts_that_differ_most_under_both_models(
    here: Path, run: Callable[..., Ran]
) -> None:
    found = pofx.diff(pofx.load(here / "model"), pofx.load(here / "other"), LINES)
    ran = run("diff", "t.txt", "-m", "model", "-m", "other", "--most", "2", "--html", "page.html")
    assert ran.code == 0
    (data,) = re.findall(r'id="data">(.*?)</script>', (here / "page.html").read_text())
    blocks = [b for section in json.loads(data)["sections"] for b in section["blocks"]]
    (block,) = [b for b in blocks if b["kind"] == "comparisons"]
    assert [t["id"] for t in block["texts"]] == [f"t.txt:{i + 1}" for i in found.most(2)]
    for text, i in zip(block["texts"], found.most(2)):
        assert text["a"]["total_nats"] == pytest.approx(found.log_a[i], abs=1e-10)
        assert text["b"]["total_nats"] == pytest.approx(found.log_b[i], abs=1e-10)


def test_no_page_and_no_record_where_no_text_can_be_compared(here: Path, run: Callable[..., Ran]) -> None:
    (here / "t.txt").write_text("ça va\n")
    ran = run("diff", "t.txt", "-m", "model", "-m", "chars", "--html", "page.html")
    assert ran.code == 1
    assert "t.txt:1" in ran.err
    assert not (here / "page.html").exists()


def test_one_text_has_no_interval(here: Path, run: Callable[..., Ran]) -> None:
    (here / "t.txt").write_text("the cat\n")
    ran = run("diff", "t.txt", "-m", "model", "-m", "other")
    assert ran.code == 0
    assert ran.out.count("interval not known") == 3
    assert "inf" not in ran.out


def test_strings_are_compared_byte_by_byte(here: Path, run: Callable[..., Ran]) -> None:
    pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=2, vocab="bpe:265")), here / "pieces")
    exact = pofx.diff(pofx.load(here / "model"), pofx.bytewise(pofx.load(here / "pieces")), LINES)
    ran = run("diff", "t.txt", "-m", "model", "-m", "pieces", "--by", "bytes", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["kl_nats_a_token"] == exact.kl_a_token
    assert told["bounds_per_byte_nats"] is None
    beam = ["--by", "bytes", "--beam", "1"]
    ran = run("diff", "t.txt", "-m", "model", "-m", "pieces", *beam, "--json", "-o", "rows.csv")
    told = json.loads(ran.out)
    low, high = told["bounds_per_byte_nats"]
    assert low < exact.per_byte.value < high
    assert told["kl_nats_a_token"] is None
    with (here / "rows.csv").open() as f:
        rows = list(csv.DictReader(f))
    for row, difference in zip(rows, exact.differences):
        assert float(row["low_nats"]) <= difference <= float(row["high_nats"])
    shown = run("diff", "t.txt", "-m", "model", "-m", "pieces", *beam, "--html", "page.html")
    assert "nats a byte, all spellings" in shown.out
    assert "not known: some spellings are left out" in shown.out
    assert "Some spellings are left out" in (here / "page.html").read_text()
    ran = run("diff", "t.txt", "-m", "model", "-m", "pieces", "--beam", "1")
    assert ran.code == 2
    assert "--beam: expected only with --by bytes" in ran.err


def test_only_the_ids_of_texts_that_are_named_are_kept(here: Path, run: Callable[..., Ran]) -> None:
    (here / "t.txt").write_text("".join(f"{line} {k}\n" for k in range(60) for line in LINES))
    found = run("diff", "t.txt", "-m", "model", "-m", "other", "--most", "3", "--json")
    assert found.code == 0
    told = json.loads(found.out)
    lines = (here / "t.txt").read_text().splitlines()
    for place in told["words"]:
        line = lines[int(place["text"].split(":")[1]) - 1].encode()
        assert line[place["start"] : place["stop"]].decode().replace(" ", "␣") == place["spelled"]
