"""Time to a loss, and the loss in a time: n-gram, transformer and their interpolation on tiny-shakespeare.

    python bench/fit.py            three seeds of everything, about 20 minutes on one core
    python bench/fit.py --seeds 1  a third of it

The first 90 % is the training text, the last 10 % the validation text, all of whose characters are scored once;
losses are nats a character. Every contender runs alone in a process of its own, on one thread; times are CPU
seconds of the fit (imports apart). The baseline is GPT-2 from transformers at the size and settings of nanoGPT's
CPU recipe (4 layers, width 128, block 64, batch 12, 2,000 steps of AdamW), read with windows of 64 at stride 32,
the best of the protocols tried for it. xz and bz2 are yardsticks of what counting alone reaches.
"""

from __future__ import annotations

import argparse
import bz2
import json
import lzma
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

TARGET = 1.8736  # nanoGPT's CPU recipe, all of the validation text, block 64 at stride 32
MIXTURE_TARGET = 1.47  # its published GPU figure is 1.4697
NGRAM_TARGET = 1.52
# Passes over the training text, not seconds, so that a busy machine changes the times and not the losses.
SHORT = {"context": 32, "epochs": 0.142}  # 213 steps: enough for the transformer to pass TARGET
LONG = {"context": 128, "epochs": 1.0}  # of the transformer in the interpolation
CONTENDERS = ("ngram", "transformer", "interpolation", "gpt2")


def read(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    return text[:cut], text[cut:]


def nats_per_character(lm, text: str) -> float:
    return -math.fsum(lm.forward([lm.vocab.encode(text)]).logp[0].tolist()) / len(text)


def run_ngram(train: str, val: str, seed: int) -> dict:
    import pofx
    from pofx.models.ngram.model import fit_ngram

    vocab = pofx.CharVocab(train + val)
    spec = pofx.NgramSpec(order=7, vocab=vocab)
    ids = vocab.encode_array(train)
    clock = time.process_time()
    lm = fit_ngram([ids], spec, vocab)
    fitted = time.process_time() - clock
    clock = time.process_time()
    loss = nats_per_character(lm, val)
    return {"cpu": fitted, "loss": loss, "score_cpu": time.process_time() - clock}


def run_transformer(train: str, val: str, seed: int) -> dict:
    import torch

    import pofx

    torch.set_num_threads(1)
    vocab = pofx.CharVocab(train + val)
    spec = pofx.TransformerSpec(vocab=vocab, seed=seed, **SHORT)
    clock = time.process_time()
    lm = pofx.fit([train], spec, validation=[])
    fitted = time.process_time() - clock
    parameters = sum(p.numel() for p in lm.net.parameters())
    return {"cpu": fitted, "loss": nats_per_character(lm, val), "parameters": parameters}


def run_interpolation(train: str, val: str, seed: int) -> dict:
    """Weights by EM on 3 % of the training text that neither model saw; then the n-gram, not the transformer, may.

    The 3 % come from the middle: the play that the validation text goes on with begins in the last 5 %, and a
    transformer fitted without those is 0.15 nats worse on it.
    """
    import torch

    import pofx
    from pofx.transforms.interpolate import interpolation_weights

    torch.set_num_threads(1)
    vocab = pofx.CharVocab(train + val)
    a, b = int(len(train) * 0.5), int(len(train) * 0.53)
    shown, kept = [train[:a], train[b:]], train[a:b]
    clock = time.process_time()
    spec = pofx.TransformerSpec(vocab=vocab, seed=seed, **LONG)
    transformer = pofx.fit(shown, spec, validation=[])
    ngram_spec = pofx.NgramSpec(order=7, vocab=vocab)
    parts = [pofx.fit(shown, ngram_spec), transformer]
    weights = interpolation_weights(parts, [kept])
    lm = pofx.interpolate([pofx.fit([train], ngram_spec), transformer], weights.tolist())
    fitted = time.process_time() - clock
    return {
        "cpu": fitted,
        "loss": nats_per_character(lm, val),
        "weights": [round(float(w), 3) for w in weights],
        "transformer_loss": nats_per_character(transformer, val),
    }


def run_gpt2(train: str, val: str, seed: int) -> dict:
    """The plain loop, with nanoGPT's settings for a CPU."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    alphabet = {c: i for i, c in enumerate(sorted(set(train + val)))}
    ids = torch.tensor([alphabet[c] for c in train])
    held = torch.tensor([alphabet[c] for c in val])
    block, batch, steps, lr, low, warm = 64, 12, 2000, 1e-3, 1e-4, 100
    config = GPT2Config(
        vocab_size=len(alphabet),
        n_positions=block,
        n_embd=128,
        n_layer=4,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True)
    clock = time.process_time()
    for step in range(steps):
        warmth = (step + 1) / (warm + 1) if step < warm else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / (steps - warm)))
        for group in optimiser.param_groups:
            group["lr"] = lr * warmth if step < warm else low + cosine * (lr - low)
        start = torch.randint(len(ids) - block, (batch,))
        x = torch.stack([ids[i : i + block] for i in start])
        y = torch.stack([ids[i + 1 : i + 1 + block] for i in start])
        loss = torch.nn.functional.cross_entropy(model(x).logits.flatten(0, 1), y.flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    fitted = time.process_time() - clock
    model.eval()
    total, n = 0.0, 0
    with torch.inference_mode():
        for at in range(0, len(held) - 1, block // 2):
            window = held[at : at + block + 1]
            logp = torch.log_softmax(model(window[None, :-1]).logits[0], dim=-1)
            logp = logp.gather(1, window[1:, None])[:, 0]
            fresh = logp if at == 0 else logp[block // 2 :]
            total -= float(fresh.double().sum())
            n += len(fresh)
    assert n == len(held) - 1, (n, len(held))
    return {"cpu": fitted, "loss": total / n, "parameters": sum(p.numel() for p in model.parameters())}


def in_a_process(name: str, seed: int, data: Path) -> dict:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env["TOKENIZERS_PARALLELISM"] = "false"
    command = [sys.executable, __file__, "--one", name, "--seed", str(seed), "--data", str(data)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}, seed {seed}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def yardsticks(train: str, val: str) -> None:
    """Nats a character of general compressors: of the validation text alone, and after the training text."""
    for name, pack in (
        ("xz -9", lambda b: lzma.compress(b, preset=9)),
        ("bz2 -9", lambda b: bz2.compress(b, 9)),
    ):
        a, v = train.encode(), val.encode()
        alone, behind = len(pack(v)), len(pack(a + v)) - len(pack(a))
        per = 8 * math.log(2) / len(val)
        print(f"{name:34} {alone * per:8.4f} alone, {behind * per:.4f} after the training text")


def mean(rows: list[dict], key: str) -> float:
    return statistics.fmean(r[key] for r in rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument(
        "--data", type=Path, default=here.parent.parent / "shared" / "data" / "shakespeare.txt"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=CONTENDERS, nargs="*", default=CONTENDERS)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.data.is_file():
        raise SystemExit(f"{options.data}: expected tiny-shakespeare there; name it with --data")
    train, val = read(options.data)
    if options.one:
        print(json.dumps(globals()[f"run_{options.one}"](train, val, options.seed)))
        return
    print(f"{len(train):,} characters to fit, {len(val):,} to validate; one thread; {options.seeds} seeds\n")
    results: dict[str, list[dict]] = {name: [] for name in options.only}
    for seed in range(options.seeds):  # contenders take turns, so that a slow spell of the machine hits all
        for name in options.only:
            results[name].append(in_a_process(name, seed, options.data))
            r = results[name][-1]
            print(
                f"  seed {seed}  {name:14} {r['cpu']:8.2f} CPU s   {r['loss']:.4f} nats a character   {r}",
                flush=True,
            )
    print()
    for name, rows in results.items():
        spread = max(r["loss"] for r in rows) - min(r["loss"] for r in rows)
        print(
            f"{name:34} {mean(rows, 'loss'):8.4f} nats a character (spread {spread:.4f}) after {mean(rows, 'cpu'):.2f} CPU s"
        )
    yardsticks(train, val)
    print()
    verdicts(results)


def verdicts(results: dict[str, list[dict]]) -> None:
    def say(what: str, held: bool) -> None:
        print(f"{'reached' if held else 'MISSED '}  {what}")

    if rows := results.get("ngram"):
        loss, cpu = mean(rows, "loss"), mean(rows, "cpu")
        say(
            f"n-gram: {loss:.4f} ≤ {NGRAM_TARGET} with {cpu:.3f} ≤ 0.3 CPU s of fitting",
            loss <= NGRAM_TARGET and cpu <= 0.3,
        )
    base = results.get("gpt2")
    if base and (rows := results.get("transformer")):
        loss, ratio = mean(rows, "loss"), mean(base, "cpu") / mean(rows, "cpu")
        say(
            f"transformer: {loss:.4f} ≤ {TARGET} in 1/{ratio:.1f} of GPT-2's CPU time (goal 1/10)",
            loss <= TARGET and ratio >= 10,
        )
    if base and (rows := results.get("interpolation")):
        loss, cpu, limit = mean(rows, "loss"), mean(rows, "cpu"), mean(base, "cpu")
        say(
            f"interpolation: {loss:.4f} ≤ {MIXTURE_TARGET} within {cpu:.0f} of {limit:.0f} CPU s",
            loss <= MIXTURE_TARGET and cpu <= limit,
        )


if __name__ == "__main__":
    main()
