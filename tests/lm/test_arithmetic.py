"""The arithmetic of a run: what names it, and what is said where a run goes on under another one."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.arithmetic import Arithmetic, Engine, join_engines, list_differences
from pofx.cli.main import main
from pofx.errors import BadSource, Interrupted
from pofx.files.journal import Journal, open_journal
from pofx.files.journal_files import progress_of
from pofx.models.threads import engine_for
from toy import ToyLM

HERE = Arithmetic("cpu", "arm64", "NEON (numpy)", None, (("numpy", "2.4.6"),))
THERE = replace(HERE, instructions="SVE (numpy)")
SAID = "instruction set: SVE (numpy) there, NEON (numpy) here"


# What names it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"device": "cuda"}, "device: cuda there, cpu here"),
        ({"machine": "riscv64"}, "machine: riscv64 there, arm64 here"),
        ({"instructions": "SVE (numpy)"}, SAID),
        ({"threads": 2}, "threads: 2 there, nothing here"),
        ({"libraries": (("numpy", "2.0.0"),)}, "numpy: 2.0.0 there, 2.4.6 here"),
        (
            {"libraries": (("numpy", "2.4.6"), ("oneDNN", "3.12.0"))},
            "oneDNN: 3.12.0 there, nothing here",
        ),
        ({"machine": "a\nb\x1b[2K"}, "machine: a\\nb\\x1b[2K there, arm64 here"),
    ],
)
def test_each_part_that_differs_is_named(part: dict[str, object], said: str) -> None:
    assert list_differences([replace(HERE, **part).parts], HERE.parts) == (said,)  # type: ignore[arg-type]


def test_the_same_arithmetic_has_no_difference() -> None:
    assert list_differences([], HERE.parts) == ()
    assert list_differences([HERE.parts, HERE.parts], HERE.parts) == ()
    assert list_differences([HERE.parts, THERE.parts], HERE.parts) == (SAID,)


def test_it_is_the_same_through_json_and_from_call_to_call() -> None:
    once = Engine().arithmetic().parts
    assert json.loads(json.dumps(once)) == once == Engine().arithmetic().parts
    assert once["numpy"] == np.__version__


@pytest.mark.parametrize("sets", [{}, {"baseline": ["NEON"]}, {"baseline": [], "not found": ["SVE"]}])
def test_any_processor_has_a_name(monkeypatch: pytest.MonkeyPatch, sets: dict[str, list[str]]) -> None:
    monkeypatch.setattr(np, "show_config", lambda mode: {"SIMD Extensions": sets})
    assert (
        Engine().arithmetic().instructions
        == {True: "NEON (numpy)", False: "none (numpy)"}["NEON" in sets.get("baseline", [])]
    )
    monkeypatch.setattr(np, "show_config", lambda mode: None)
    assert Engine().arithmetic().instructions == "none (numpy)"


def test_a_model_in_numpy_imports_no_torch() -> None:
    code = (
        "import sys, pofx\n"
        "lm = pofx.fit(['ab', 'b'], pofx.NgramSpec(order=2))\n"
        "assert set(lm.engine.arithmetic().parts) == {'device', 'machine', 'instruction set', 'numpy'}\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_network_names_torch_and_its_threads_if_it_is_wide() -> None:
    torch = pytest.importorskip("torch")
    narrow, wide = engine_for(16).arithmetic().parts, engine_for(4096).arithmetic().parts
    assert "threads" not in narrow
    assert wide["threads"] == str(torch.get_num_threads())
    assert narrow["torch"] == torch.__version__
    assert f"{torch.backends.cpu.get_cpu_capability()} (torch)" in wide["instruction set"]


def test_a_mixture_computes_with_what_its_models_compute_with() -> None:
    a, b = ToyLM(seed=0), ToyLM(seed=1).with_info(engine=Engine(("torch",), "gpu", threaded=True))
    both = Engine(("torch",), "cpu | gpu", threaded=True)
    assert join_engines([a.engine, b.engine]) == both
    assert pofx.mixture([a, b]).engine == both
    assert pofx.interpolate([a, b], [1, 1]).engine == both
    assert pofx.windowed(pofx.bytewise(b), 50).engine == b.engine


# Rows -------------------------------------------------------------------------------------------------------------


def stopped(target: Path, arithmetic: Arithmetic, done: int) -> Journal:
    """A run that has done one row more."""
    journal = open_journal(target, {"m": 1}, arithmetic.parts, {"items": 0}, fresh=False)
    journal.append(b"%d\n" % done, {"items": done})
    journal.checkpoint()
    journal.close()
    return journal


def test_a_journal_keeps_every_arithmetic_of_its_rows(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    assert stopped(target, THERE, 1).other_arithmetic == ()
    assert stopped(target, THERE, 2).other_arithmetic == ()
    first = stopped(target, HERE, 3)
    assert first.other_arithmetic == (SAID,)
    assert first.saved.arithmetic == (THERE.parts, HERE.parts)
    # Said again by every run that goes on, whichever of the two it has.
    assert stopped(target, HERE, 4).other_arithmetic == (SAID,)
    assert len(stopped(target, THERE, 5).other_arithmetic) == 1
    last = open_journal(target, {"m": 1}, HERE.parts, {"items": 0}, fresh=False)
    assert last.saved.arithmetic == (THERE.parts, HERE.parts)
    last.finish(None)
    assert target.read_bytes() == b"1\n2\n3\n4\n5\n"
    anew = open_journal(target, {"m": 1}, THERE.parts, {"items": 0}, fresh=True)
    assert anew.other_arithmetic == ()
    anew.discard()


def test_a_row_is_computed_under_one_arithmetic(tmp_path: Path) -> None:
    """What was read of a text under other arithmetic is read again."""
    target = tmp_path / "o.jsonl"
    stopped(target, THERE, 1)
    journal = open_journal(target, {"m": 1}, THERE.parts, {"items": 0}, fresh=False)
    journal.tape.record("00" * 16, {"a": np.arange(3)})
    journal.tape.flush()
    journal.close()
    same = open_journal(target, {"m": 1}, THERE.parts, {"items": 0}, fresh=False)
    assert same.tape.left == 1
    same.close()
    other = open_journal(target, {"m": 1}, HERE.parts, {"items": 0}, fresh=False)
    assert other.tape.left == 0
    other.close()


@pytest.mark.parametrize("value", [None, {}, [1], [{"numpy": 2}], "x"])
def test_a_record_without_arithmetic_is_damaged(
    tmp_path: Path, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "o.jsonl"
    stopped(target, HERE, 1)
    monkeypatch.setattr(
        "pofx.files.journal_files.seal_of", lambda record: "sealed"
    )  # as if it had been written so
    record = json.loads(progress_of(target).read_bytes())
    progress_of(target).write_text(json.dumps({**record, "arithmetic": value, "seal": "sealed"}))
    with pytest.raises(BadSource, match="got a damaged file"):
        open_journal(target, {"m": 1}, HERE.parts, {"items": 0}, fresh=False)


def test_a_run_of_an_earlier_version_is_refused_by_name(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    stopped(target, HERE, 1)
    record = json.loads(progress_of(target).read_bytes())
    progress_of(target).write_text(json.dumps({**record, "format": 2}))
    with pytest.raises(BadSource, match=r"got format 2, of an earlier version of pofx; .*start over"):
        open_journal(target, {"m": 1}, HERE.parts, {"items": 0}, fresh=False)


# On the command line ----------------------------------------------------------------------------------------------

Run = Callable[..., tuple[object, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    pofx.save(pofx.fit(["the cat", "a cat"], pofx.NgramSpec(order=2)), tmp_path / "m")
    Path("in.txt").write_text("the cat\n" * 9000)  # two blocks

    def call(arithmetic: Arithmetic, *more: str, kill: bool = False) -> tuple[object, str]:
        append = Journal.append

        def appended(journal: Journal, *block: object) -> None:
            append(journal, *block)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Engine, "arithmetic", lambda self: arithmetic)
            if kill:
                patch.setattr(Journal, "append", appended)
            with pytest.raises(SystemExit) as e:
                main(["score", "in.txt", "-m", "m", "-o", "out.parquet", "--quiet", *more])
        return e.value.code, capsys.readouterr().err

    return call


@pytest.mark.thorough
def test_a_run_that_goes_on_elsewhere_says_so_even_if_quiet(run: Run) -> None:
    assert run(THERE, kill=True)[0] == 130
    code, err = run(HERE)
    assert code == 0
    lines = [line for line in err.splitlines() if "arithmetic" in line]
    assert len(lines) == 1
    assert lines[0].startswith("pofx: warning: ")
    assert SAID in lines[0]
    import pyarrow.parquet as pq

    kept = json.loads(pq.read_schema("out.parquet").metadata[b"pofx"])
    assert kept["arithmetic"] == [THERE.parts, HERE.parts]
    assert pq.read_metadata("out.parquet").num_rows == 9000
    # The same run again has nothing to do, and says of which arithmetic its file is.
    code, err = run(HERE)
    assert (code, SAID in err) == (0, True)


@pytest.mark.thorough
def test_a_run_that_goes_on_where_it_was_says_nothing(run: Run) -> None:
    assert run(HERE, kill=True)[0] == 130
    assert "arithmetic" not in run(HERE)[1]
    assert "arithmetic" not in run(HERE)[1]
    assert SAID not in run(THERE, "--overwrite")[1]


# Fits -------------------------------------------------------------------------------------------------------------


def test_a_fit_that_goes_on_elsewhere_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=2)
    file = tmp_path / "fit.safetensors"

    def sitting(arithmetic: Arithmetic, resume: bool, stop: int | None) -> None:
        def told(p: object) -> None:
            if p.step == stop:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        monkeypatch.setattr(Engine, "arithmetic", lambda self: arithmetic)
        pofx.fit(["aab", "ab"] * 20, spec, validation=["ab"], checkpoint=file, resume=resume, progress=told)

    with pytest.raises(Interrupted):
        sitting(THERE, False, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Interrupted):
            sitting(THERE, True, 4)
    with (
        pytest.warns(RuntimeWarning, match="goes on under other arithmetic") as heard,
        pytest.raises(Interrupted),
    ):
        sitting(HERE, True, 6)
    assert SAID in str(heard[0].message)
    # Of the sitting before last, too.
    with pytest.warns(RuntimeWarning, match="goes on under other arithmetic"):
        sitting(HERE, True, None)
