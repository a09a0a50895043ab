"""Distributions over strings, of a pretrained model: bytes beside genlm-bytes, words beside minicons, in one run.

    python3.11 -m venv .venv-peers && .venv-peers/bin/pip install -c constraints.txt -r bench/peers.txt
    python bench/strings.py --json strings.json      everything
    python bench/strings.py --task words             one task: single, batch or words
    python bench/strings.py --quick                  small sizes: a look, not a result

Every tool is a process of its own with the same checkpoint (Hugging Face layout, float32), texts, x0 and number of
threads; they take turns, none runs while another does, and what counts is CPU seconds after loading and a warm-up.

    single   a prefix of 200 bytes a repetition, log P(prefix) by beams of 1, 2, 3, 5 and 10
    batch    the same of 16 prefixes of 100 bytes, side by side: pofx.score of all, genlm-bytes by asyncio.gather
    words    2,000 words in sentences, cut into 5 slices, one a repetition

Bytes: `pofx.score(pofx.bytewise(lm, beam=K), texts)` beside `logZ` of genlm-bytes' beams (strings_genlm.py says how
it is set): with every hypothesis kept that fits in the beam, its default; with the threshold of its README; and with
the log-probabilities of the text's own tokens cached in advance. The same K is not the same work: a hypothesis of
genlm-bytes is a token still open, which it closes when the next byte is read. So a row says two things: how many
times as long it took as pofx at the same K, and as the fastest pofx whose excess is no larger. Missed goals are said
at the end; the exit code is 0 all the same.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import strings_bytes
import strings_texts
import strings_words
from score import BEGINS, checkpoint_of
from score_report import Verdicts
from score_run import Setting
from score_texts import Cutter

TITLES = {
    "single": "one prefix of {0.single_bytes} bytes",
    "batch": "{0.batch} prefixes of {0.batch_bytes} bytes",
}


def prepare(options, folder: Path) -> tuple[Setting, dict]:
    import pofx

    place = checkpoint_of(options.model)
    begin = options.begin or BEGINS.get(options.model, "<bos>")
    cutter = Cutter(place)
    cutter.id_of(begin)
    data = strings_texts.make(cutter, pofx.builtin_documents(), options.sizes)
    path = folder / "texts.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return Setting(options.model, place, begin, path, options.threads, options.peers_python), data


def run_bytes(task: str, setting: Setting, data: dict, options, verdicts: Verdicts) -> dict:
    found = strings_bytes.run(task, setting, data, options.beams, options.reps, options.tools)
    strings_bytes.show(TITLES[task].format(options.sizes), found["points"], verdicts)
    return {**found, "points": [asdict(p) for p in found["points"]]}


def run_words(setting: Setting, data: dict, options, verdicts: Verdicts) -> dict:
    rows = strings_words.run(setting, data, options.reps, options.tune)
    strings_words.show(rows, verdicts)
    return {r.tool.name: {"batch": r.batch, "failed": r.failed, "answers": r.answers} for r in rows}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=("single", "batch", "words", "all"), nargs="+", default=["all"])
    parser.add_argument("--model", default="smollm2", help="what pofx.load takes; peers read its directory")
    parser.add_argument("--begin", help="x0, a token's text (default: the model's)")
    parser.add_argument("--beams", type=int, nargs="+", default=list(strings_bytes.BEAMS), metavar="K")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--tools", nargs="*", default=[], help="ways to use genlm-bytes: those with one of these"
    )
    parser.add_argument("--tune", action="store_true", help="try minicons' batch sizes first, on a part")
    parser.add_argument("--share", type=float, default=1.0, help="of the bytes of a prefix and of the words")
    parser.add_argument("--quick", action="store_true", help="small sizes, 2 repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every repetition of every tool")
    home = Path(__file__).resolve().parent.parent
    parser.add_argument("--peers-python", type=Path, default=home / ".venv-peers" / "bin" / "python")
    options = parser.parse_args()
    whole = strings_texts.Sizes()
    options.sizes = replace(
        whole,
        single_bytes=max(20, round(whole.single_bytes * options.share)),
        batch_bytes=max(20, round(whole.batch_bytes * options.share)),
        words=max(50, round(whole.words * options.share)),
    )
    if options.quick:
        options.sizes, options.reps = strings_texts.QUICK, min(options.reps, 2)
    if not options.peers_python.exists():
        parser.error(
            f"--peers-python: expected a Python with bench/peers.txt, found none at {options.peers_python}"
        )
    return options


def main() -> None:
    options = arguments()
    tasks = ("single", "batch", "words") if "all" in options.task else tuple(options.task)
    verdicts, raw = Verdicts(), {}
    with tempfile.TemporaryDirectory() as temporary:
        setting, data = prepare(options, Path(temporary))
        for task in tasks:
            if task == "words":
                raw[task] = run_words(setting, data, options, verdicts)
            else:
                raw[task] = run_bytes(task, setting, data, options, verdicts)
            if options.json:  # after every task: an interrupted run keeps what it has
                options.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    verdicts.print()


if __name__ == "__main__":
    main()
