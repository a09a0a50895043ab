"""Scoring and sampling with a pretrained model: pofx, its peers, and the machine's limit, in one run.

    python3.11 -m venv .venv-peers && .venv-peers/bin/pip install -c constraints.txt -r bench/peers.txt
    python bench/score.py --tune           everything, over an hour on one core; peers at their best batch size
    python bench/score.py --task A         one task
    python bench/score.py --quick          small sizes: a look, not a result

Every tool is a process of its own with the same checkpoint (Hugging Face layout, float32), texts, x0 and number of
threads; they take turns, none runs while another does, and what counts is CPU seconds after loading and a warm-up.

    A  400 sentences of 3 to 60 tokens
    B  40 contexts of about 300 tokens, 10 answers of 1 to 12 tokens to each
    C  20 documents of 3,000 tokens read through windows of 1,024: moved by 512 (stride), or disjoint
    D  32 draws of 128 tokens after x0, EOS not treated as an end, so that all draw as many

A, B and C are cut into 5 slices, one a repetition, so that 5 repetitions do all of it once and the tools are compared
slice by slice. Numbers are log-probabilities without the EOS term, which no peer gives; `pofx.score`, which adds
it, has a row of its own. The limit is the operations that the task needs over what the machine's matrix products
reach in the same run (score_limit.py). minicons and lm-eval live in .venv-peers (bench/peers.txt), with the same
torch and transformers; nothing of theirs is patched. Missed goals are said at the end; the exit code is 0 all the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import score_accuracy
import score_limit
import score_memory
import score_start
import score_texts
from score_report import Verdicts, task_table, times
from score_run import Process, Row, Setting, Tool, in_turns, say

POFX = Tool("pofx", "score_pofx:Pofx")
BF16 = Tool("pofx bfloat16", "score_pofx:Bfloat16")
COMPLETE = Tool("pofx.score, EOS terms too", "score_pofx:Complete")
ALONE = Tool("pofx deterministic", "score_pofx:Alone")
LMEVAL = Tool("lm-eval", "score_peers:LMEval", True, (16, 4, 32))
MINICONS = Tool("minicons", "score_peers:Minicons", True, (4, 1, 16))
ONE = Tool("transformers, one by one", "score_peers:OneByOne")
PADDED = Tool("transformers, padded", "score_peers:Padded", False, (16, 4))
CACHE = Tool("transformers, hand-written cache", "score_peers:HandCache")
STRIDE = Tool("transformers, stride guide", "score_peers:Stride")
GENERATE = Tool("transformers.generate", "score_peers:Generate")
GEMM = Tool("gemm", "score_limit:Gemm")

TASKS = {
    "A": [POFX, BF16, COMPLETE, ALONE, LMEVAL, MINICONS, ONE, PADDED],
    "B": [POFX, BF16, replace(LMEVAL, batches=(1, 10)), replace(MINICONS, batches=(10, 1)), CACHE],
    "C": [POFX, BF16, STRIDE],
    "C-disjoint": [POFX, BF16, replace(LMEVAL, batches=(1, 4))],
    "D": [POFX, BF16, GENERATE],
}
TITLES = {
    "A": "sentences of 3 to 60 tokens",
    "B": "answers after contexts of about 300 tokens",
    "C": "documents of 3,000 tokens, windows of 1,024 moved by 512, x0 in front of each",
    "C-disjoint": "documents of 3,000 tokens, disjoint windows of 1,024",
    "D": "draws after x0",
}
WINDOWS = {"C": {"context": 1024, "stride": 512}, "C-disjoint": {"context": 1024, "stride": 1023}}
SOME = {"first": 1, "characters": 3000}  # of a long document
WARM = {"A": {"first": 8}, "B": {"first": 1}, "C": SOME, "C-disjoint": SOME, "D": {"draws": 4, "tokens": 4}}
TUNE = {"A": {"first": 96}, "B": {"first": 2}, "C-disjoint": {"first": 1}}
BEGINS = {"smollm2": "<|endoftext|>", "gemma3-270m": "<bos>"}
EVERYTHING = ("A", "B", "C", "D", "start", "accuracy", "memory")


def checkpoint_of(source: str) -> Path:
    """The Hugging Face directory that pofx itself reads: every tool is given this one."""
    if Path(source).is_dir():
        return Path(source)
    from pofx.models.pretrained.checkpoint.source import find_checkpoint

    return find_checkpoint(source)


def prepare(options, source: str, folder: Path) -> tuple[Setting, dict, score_texts.Cutter]:
    import pofx

    place = checkpoint_of(source)
    begin = options.begin if options.begin and source == options.model else BEGINS.get(source, "<bos>")
    cutter = score_texts.Cutter(place)
    cutter.id_of(begin)
    data = score_texts.make(cutter, pofx.builtin_documents(), options.sizes)
    path = folder / f"{abs(hash(source))}.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return Setting(source, place, begin, path, options.threads, options.peers_python), data, cutter


def paths_of(task: str, items: list, cutter: score_texts.Cutter, x0: int) -> list[tuple[list[int], int]]:
    """What is to be computed, by tokens: of each path all from `skip` on is scored."""
    out = []
    for item in items:
        if task == "A":
            out.append(([x0, *cutter.ids(item)], 1))
        elif task == "B":
            context = [x0, *cutter.ids(item["context"])]
            out += [(context + cutter.ids(a), len(context)) for a in item["answers"]]
        else:
            ids = cutter.ids(item)
            for lo, hi, fresh in score_texts.windows(len(ids), **WINDOWS[task]):
                out.append(([x0, *ids[lo:hi]], 1 + fresh - lo))
    return out


def count(
    task: str, rows: list[Row], data: dict, cutter, x0: int, shape: score_limit.Shape, reps: int
) -> float:
    """Operations of all repetitions together; writes what each did, tokens or answers, into the tools' answers."""
    if task == "D":
        for r in rows:
            for a in r.answers:
                a["units"] = a["tokens"]
        return reps * score_limit.drawn(shape, data["D"]["draws"], data["D"]["tokens"])
    total = 0.0
    for rep in range(reps):
        slices = data[task[0]]
        paths = paths_of(task, slices[rep % len(slices)], cutter, x0)
        tokens = sum(len(path) - skip for path, skip in paths)
        for r in rows:
            if rep < len(r.answers):
                a = r.answers[rep]
                if a.get("tokens", tokens) != tokens:
                    r.failed = f"scored {a['tokens']} tokens where {tokens} were to be scored"
                a["units"] = len(paths) if task == "B" else tokens
        total += score_limit.operations(shape, paths)
    return total


def speeds(setting: Setting, rows: int, reps: int) -> dict[str, dict[str, float]]:
    """GFLOP/s of body and head by dtype, medians."""
    process = Process(GEMM, setting)
    found = [process.ask(task="D", rows=rows)["gflops"] for _ in range(reps)]
    process.close()
    return {
        dtype: {part: statistics.median(f[dtype][part] for f in found) for part in found[0][dtype]}
        for dtype in found[0]
    }


def run_task(task: str, setting: Setting, data: dict, cutter, options, verdicts: Verdicts) -> dict:
    say(f"{task}: {TITLES[task]}")
    tools = [t for t in TASKS[task] if not options.tools or any(o in t.name for o in options.tools)]
    if not score_limit.bfloat16_products():
        say("bfloat16 left out: this processor has no such products")
        tools = [t for t in tools if t is not BF16]
    shape = score_limit.read_shape(setting.checkpoint)
    x0 = cutter.id_of(setting.begin)
    before = speeds(setting, 512 if task != "D" else data["D"]["draws"], 2)
    tune = TUNE.get(task) if options.tune else None
    rows = in_turns(task, tools, setting, WINDOWS.get(task, {}), options.reps, WARM[task], tune)
    after = speeds(setting, 512 if task != "D" else data["D"]["draws"], 2)
    gflops = {d: {p: (before[d][p] + after[d][p]) / 2 for p in before[d]} for d in before}
    operations = count(task, rows, data, cutter, x0, shape, options.reps)
    limit = {d: operations / (g["body"] * 1e9) for d, g in gflops.items()}
    print(f"## {task}: {TITLES[task]}\n")
    note = ""
    if task == "C-disjoint":
        note = "lm-eval puts x0 before the first window only, one token of context before the others: another number"
    task_table(rows, "answers" if task == "B" else "tokens", limit, note)
    products = "; ".join(
        f"{d} {g['body']:.0f} GFLOP/s (unpacked {g['body plain']:.0f}; head {g['head']:.0f})"
        for d, g in gflops.items()
    )
    print(f"Limit: {operations / options.reps / 1e9:,.0f} GFLOP a repetition at {products}\n")
    if rows[0].tool is POFX:
        judge(task, rows, limit["float32"], gflops["float32"], verdicts)
    return {
        "gflops": gflops,
        "operations": operations,
        "tools": {
            r.tool.name: {"batch": r.batch, "ready": r.ready, "failed": r.failed, "answers": r.answers}
            for r in rows
        },
    }


def judge(task: str, rows: list[Row], seconds: float, gflops: dict[str, float], verdicts: Verdicts) -> None:
    bf16 = next((r for r in rows if r.tool is BF16), None)
    if task == "A":
        verdicts.speed(task, rows, "lm-eval", 1.5)
        verdicts.speed(task, rows, "minicons", 3)
    elif task == "B":
        verdicts.speed(task, rows, "lm-eval", 12)
        verdicts.speed(task, rows, "minicons", 12)
        verdicts.speed(task, rows, CACHE.name, 1.5)
    else:
        for r in rows:
            if not r.tool.name.startswith("pofx"):
                verdicts.speed(task, rows, r.tool.name, 1)
    if task in ("A", "C", "C-disjoint"):
        verdicts.limit(task, rows[0], seconds, gflops["body"] / gflops["body plain"], 0.8)
    if task in ("A", "B") and bf16 and bf16.ok and rows[0].ok:
        gain = 1 / times(rows[0], bf16)
        verdicts.check(gain >= 1.8, f"{task}: bfloat16 {gain:.2f} times as fast as our float32 (goal 1.8)")
    verdicts.memory(task, rows)


def run_accuracy(options, folder: Path, verdicts: Verdicts) -> dict:
    sources = dict.fromkeys([options.model, *(BEGINS if options.model in BEGINS else ())])
    out = {}
    for source in sources:
        try:
            setting, _, _ = prepare(options, source, folder)
        except Exception as error:  # not installed, in whatever way
            print(f"accuracy: {source} left out: {error}\n")
            continue
        short = [POFX, BF16, LMEVAL, MINICONS, ONE, PADDED]
        out[source] = {
            "A": score_accuracy.compare(f"{source}, sentences", "A", short, setting, {"first": 20}, verdicts),
            "C": score_accuracy.compare(
                f"{source}, one document by stride 512",
                "C",
                [POFX, BF16, STRIDE],
                setting,
                {"first": 1, **WINDOWS["C"]},
                verdicts,
            ),
        }
    return out


def memory_setting(options, folder: Path) -> Setting | None:
    """The model with the larger vocabulary, if it is there."""
    source = "gemma3-270m" if options.model in BEGINS else options.model
    try:
        return prepare(options, source, folder)[0]
    except Exception as error:  # not installed, in whatever way
        print(f"memory: {source} left out: {error}\n")
        return None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=(*EVERYTHING, "all"), nargs="+", default=["all"])
    parser.add_argument(
        "--model", default="smollm2", help="what pofx.load takes; peers read its converted directory"
    )
    parser.add_argument("--begin", help="x0, a token's text (default: the model's)")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tools", nargs="*", default=[], help="only tools whose name has one of these in it")
    parser.add_argument(
        "--tune", action="store_true", help="try the peers' batch sizes first, on a part of the task"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the contexts and documents of B and C")
    parser.add_argument("--quick", action="store_true", help="small sizes, 3 repetitions")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every repetition of every tool")
    home = Path(__file__).resolve().parent.parent
    parser.add_argument("--peers-python", type=Path, default=home / ".venv-peers" / "bin" / "python")
    options = parser.parse_args()
    whole = score_texts.Sizes()
    fewer = {
        k: max(whole.slices, round(getattr(whole, k) * options.share)) for k in ("contexts", "documents")
    }
    options.sizes = replace(whole, **fewer)
    if options.quick:
        options.sizes, options.reps = score_texts.QUICK, min(options.reps, 3)
    if options.tiny:
        options.sizes, options.reps = score_texts.TINY, 1
    if not options.peers_python.exists():
        parser.error(
            f"--peers-python: expected a Python with bench/peers.txt, found none at {options.peers_python}"
        )
    return options


def main() -> None:
    options = arguments()
    tasks = EVERYTHING if "all" in options.task else tuple(options.task)
    verdicts, raw = Verdicts(), {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        setting, data, cutter = prepare(options, options.model, folder)
        for task in tasks:
            if task in ("A", "B", "C", "D"):
                for kind in ("C", "C-disjoint") if task == "C" else (task,):
                    raw[kind] = run_task(kind, setting, data, cutter, options, verdicts)
            elif task == "start":
                raw[task] = score_start.measure(setting, options.reps, verdicts)
            elif task == "accuracy":
                raw[task] = run_accuracy(options, folder, verdicts)
            else:
                raw[task] = score_memory.measure(
                    memory_setting(options, folder), options.quick or options.tiny, verdicts
                )
            if options.json:  # after every task: an interrupted run keeps what it has
                options.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    verdicts.print()


if __name__ == "__main__":
    main()
