"""What other tools print, term by term: their formulas written out by hand, on a model that can be enumerated."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import pofx
from pofx.cli.commands.scoring.score import PEERS as OFFERED
from pofx.cli.main import main
from pofx.errors import BadValue, NoEOS, TooLong
from pofx.lm.model import LM
from pofx.queries.scoring.peer_rules import PEERS
from pofx.queries.scoring.peers import PeerScore, as_peer
from pofx.transforms.deterministic import deterministic
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.vocab.control_tokens import ControlTokens
from toy import ToyLM, ToyVocab, log_prefix

END, BEGIN = 3, 4


class Marked(ToyVocab):
    """a, b, c, then </s> and <s>, as the tokenizer of a pretrained model has them."""

    def __init__(
        self, before: Sequence[int] = (), after: Sequence[int] = (), bos: bool = True, end: bool = True
    ) -> None:
        self.size, self.end = 5, END if end else None
        self.token_bytes = (b"a", b"b", b"c", None, None)
        candidates = ((("bos", BEGIN),) if bos else ()) + ((("eos", END),) if end else ())
        self.control = ControlTokens({"</s>": END, "<s>": BEGIN}, candidates, tuple(before), tuple(after))


def core(**marks: object) -> ToyLM:
    return ToyLM(Marked(**marks), begin=False, memory=9)  # type: ignore[arg-type]


PLAIN = core()
ADDS_BOS = core(before=[BEGIN])
ADDS_BOTH = core(before=[BEGIN], after=[END])
TEXT, IDS = "abca", [0, 1, 2, 0]


def behind(lm: LM, front: Sequence[int], path: Sequence[int]) -> list[float]:
    """log p of each token of the path, after the front and all before it; one look-up each."""
    return [log_prefix(lm, [i], [*front, *path[:k]]) for k, i in enumerate(path)]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# (peer, model) -> the formula
FORMULAS: dict[tuple[str, str], Callable[[], float]] = {
    ("minicons", "plain"): lambda: mean(behind(PLAIN, IDS[:1], IDS[1:])),
    ("minicons", "adds bos"): lambda: mean(behind(PLAIN, [BEGIN], IDS)),
    ("minicons", "adds both"): lambda: mean(behind(PLAIN, [BEGIN], [*IDS, END])),
    ("lm-eval", "plain"): lambda: sum(behind(PLAIN, [BEGIN], IDS)),
    ("lm-eval", "adds bos"): lambda: sum(behind(PLAIN, [BEGIN], IDS)),
    ("lm-eval", "no bos"): lambda: sum(behind(PLAIN, [END], IDS)),
    ("lmppl", "plain"): lambda: math.exp(-mean(behind(PLAIN, IDS[:1], IDS[1:]))),
    ("lmppl", "adds bos"): lambda: math.exp(-mean(behind(PLAIN, [BEGIN], IDS))),
    ("lm-scorer", "plain"): lambda: sum(behind(PLAIN, [BEGIN], [*IDS, END])),
}
MODELS: dict[str, LM] = {
    "plain": PLAIN,
    "adds bos": ADDS_BOS,
    "adds both": ADDS_BOTH,
    "no bos": core(bos=False),
}


@pytest.mark.parametrize(("peer", "model"), FORMULAS)
def test_the_formula_of_each_tool(peer: str, model: str) -> None:
    expected = FORMULAS[peer, model]()
    lm = MODELS[model]
    found = as_peer(lm, TEXT, peer)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert (found.peer, found.unit) == (peer, PEERS[peer].unit)
    # Whatever x0 and window pofx itself puts around the model: the tool has its own.
    for around in (
        with_begin(lm, BEGIN),
        windowed(with_begin(lm, END), 8),
        deterministic(with_begin(lm, BEGIN)),
    ):
        assert as_peer(around, TEXT, peer).value == pytest.approx(expected, abs=1e-12)


def rebuilt(score: PeerScore) -> float:
    """The number from its terms alone."""
    values = [t.nats for t in score.terms if t.counted]
    assert None not in values
    total = math.fsum(values)  # type: ignore[arg-type]
    if score.unit.startswith("perplexity"):
        return math.exp(-total / len(values))
    return {"nats a token": total / len(values), "nats": total, "log10": total / math.log(10)}[score.unit]


@pytest.mark.parametrize("peer", ["minicons", "lm-eval", "lmppl", "lm-scorer"])
@pytest.mark.parametrize("model", ["plain", "adds bos"])
def test_the_terms_make_the_number(peer: str, model: str) -> None:
    found = as_peer(MODELS[model], TEXT, peer)
    assert found.value == pytest.approx(rebuilt(found), abs=1e-12)
    assert [t.token for t in found.terms] == ["a", "b", "c", "a", "</s>"]
    assert [t.id for t in found.terms] == [*IDS, END]
    dropped = peer in ("minicons", "lmppl") and model == "plain"
    assert (found.terms[0].nats is None) == dropped
    assert [t.counted for t in found.terms] == [not dropped, True, True, True, peer == "lm-scorer"]
    assert ("the first token is dropped" in found.note) == dropped
    assert ("after <s>" in found.note) == (not dropped)


def test_one_token_behind_nothing_is_a_mean_of_nothing() -> None:
    assert math.isnan(as_peer(PLAIN, "a", "minicons").value)
    assert math.isnan(as_peer(PLAIN, "a", "lmppl").value)
    assert as_peer(ADDS_BOS, "a", "minicons").value == pytest.approx(log_prefix(PLAIN, [0], [BEGIN]))


def test_an_empty_text() -> None:
    assert as_peer(PLAIN, "", "lm-scorer").value == pytest.approx(log_prefix(PLAIN, [END], [BEGIN]))
    for peer in ("minicons", "lm-eval", "lmppl"):
        with pytest.raises(BadValue, match="stops at an empty text"):
            as_peer(PLAIN, "", peer)


@pytest.mark.parametrize("model", ["plain", "adds bos", "own"])
def test_chunks_of_llama_perplexity(model: str) -> None:
    """Chunks of 6 tokens: positions 4 and 5 of each are scored, the tail is not; BOS takes the first place."""
    lm = ToyLM(memory=9) if model == "own" else MODELS[model]
    ids = [0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0, 2, 2]
    text = lm.vocab.decode(ids)
    own = model == "own"
    stream: list[int] = [*([] if model == "plain" else [BEGIN]), *ids]
    expected = []
    for lo in (0, 6):
        chunk = stream[lo : lo + 6]
        front = chunk[:1] if model == "plain" else [BEGIN]
        for j in (4, 5):
            past = [*front, *chunk[1:j]]
            expected.append(log_prefix(lm, [chunk[j]], past[1:] if own else past))
    found = as_peer(lm, text, "llama-perplexity", chunk=6)
    assert found.value == pytest.approx(math.exp(-mean(expected)), abs=1e-12)
    assert sum(t.counted for t in found.terms) == 4
    assert [t.id for t in found.terms] == ids
    with pytest.raises(BadValue, match="at least 12 tokens"):
        as_peer(lm, lm.vocab.decode(ids[:10]), "llama-perplexity", chunk=6)
    with pytest.raises(BadValue, match="at least 1,024 tokens"):
        as_peer(lm, text, "llama-perplexity")


def test_a_model_of_ones_own_stands_behind_its_x0() -> None:
    lm = ToyLM(memory=9)
    logp = pofx.score(lm, [TEXT])[0].logp.tolist()
    assert as_peer(lm, TEXT, "minicons").value == pytest.approx(mean(logp[:-1]))
    assert as_peer(lm, TEXT, "lm-eval").value == pytest.approx(sum(logp[:-1]))
    assert as_peer(lm, TEXT, "lmppl").value == pytest.approx(math.exp(-mean(logp[:-1])))
    assert as_peer(lm, TEXT, "lm-scorer").value == pytest.approx(sum(logp))
    kenlm = as_peer(lm, TEXT, "kenlm")
    assert kenlm.value == pytest.approx(sum(logp) / math.log(10))
    assert rebuilt(kenlm) == pytest.approx(kenlm.value)
    assert "after <s>, EOS included" in kenlm.note


def test_a_model_of_ones_own_without_x0() -> None:
    lm = ToyLM(begin=False, memory=9)
    assert as_peer(lm, TEXT, "minicons").value == pytest.approx(mean(behind(lm, IDS[:1], IDS[1:])))
    assert as_peer(lm, TEXT, "lm-eval").value == pytest.approx(sum(behind(lm, [3], IDS)))  # EOS for BOS
    for peer, said in (("lm-scorer", "declares no BOS"), ("kenlm", "expects an n-gram with x0")):
        with pytest.raises(BadValue, match=said):
            as_peer(lm, TEXT, peer)


def test_the_value_of_kenlm_by_hand(tmp_path: Path) -> None:
    """log10 p(a b </s> | <s>) in an ARPA file, by adding up three of its numbers."""
    arpa = (
        "\\data\\\nngram 1=4\nngram 2=3\n\n\\1-grams:\n-99\t<s>\t-0.3\n-0.7\t</s>\n-0.5\ta\t-0.2\n-0.6\tb\t-0.1\n\n"
        "\\2-grams:\n-0.25\t<s> a\n-0.35\ta b\n-0.15\tb </s>\n\n\\end\\\n"
    )
    (tmp_path / "toy.arpa").write_text(arpa)
    lm = pofx.read_arpa(tmp_path / "toy.arpa")
    assert as_peer(lm, "a b", "kenlm").value == pytest.approx(-0.25 - 0.35 - 0.15, abs=1e-6)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(BadValue, match="expected one of minicons"):
        as_peer(PLAIN, TEXT, "kenml")
    with pytest.raises(NoEOS, match="lm-scorer puts EOS"):
        as_peer(core(end=False), TEXT, "lm-scorer")
    with pytest.raises(NoEOS, match="kenlm puts EOS"):
        as_peer(ToyLM(ToyVocab(end=False)), TEXT, "kenlm")
    with pytest.raises(BadValue, match="declares no BOS"):
        as_peer(core(bos=False, end=False), TEXT, "lm-eval")
    short = core()
    short.context = 3
    assert as_peer(short, "abc", "lm-eval").value == as_peer(PLAIN, "abc", "lm-eval").value
    with pytest.raises(TooLong, match="here of 3 tokens, got 5"):
        as_peer(short, "abca", "lm-scorer")


def test_no_end_shows_no_end() -> None:
    assert [t.token for t in as_peer(core(end=False), TEXT, "lm-eval").terms] == list(TEXT)


def test_probability_zero() -> None:
    lm = pofx.fit(["ab", "ab", "ba"], pofx.NgramSpec(order=2, smoothing="mle"))
    assert as_peer(lm, "aa", "lm-eval").value == -math.inf
    assert as_peer(lm, "aa", "lmppl").value == math.inf


@pytest.mark.parametrize(
    ("model", "front"), [("plain", []), ("adds bos", [BEGIN]), ("own", [])], ids=["plain", "adds bos", "own"]
)
def test_a_text_after_a_context(model: str, front: list[int]) -> None:
    lm = ToyLM(memory=9) if model == "own" else MODELS[model]
    found = as_peer(lm, "ca", "lm-eval", given="ab")
    expected = behind(lm, [*front, 0, 1], [2, 0])
    assert [t.nats for t in found.terms] == pytest.approx(expected, abs=1e-12)
    assert found.value == pytest.approx(sum(expected), abs=1e-12)
    assert all(t.counted for t in found.terms)
    assert "spans the join" not in found.note
    for peer in ("minicons", "lmppl", "lm-scorer", "llama-perplexity", "kenlm"):
        with pytest.raises(BadValue, match="only lm-eval takes one"):
            as_peer(lm, "ca", peer, given="ab")
    with pytest.raises(BadValue, match="reads no bytes"):
        as_peer(lm, "ca", "lm-eval", given=b"ab")


def test_a_token_across_the_join_is_told() -> None:
    lm = pofx.fit(["the cat sat", "the cats sat"] * 4, pofx.NgramSpec(order=2, vocab="bpe:262"))
    whole, alone = (list(lm.vocab.encode(t)) for t in ("the cat sat", "the c"))
    assert whole[: len(alone)] != alone
    found = as_peer(lm, "at sat", "lm-eval", given="the c")
    assert [t.id for t in found.terms] == whole[len(alone) :]
    assert "a token spans the join" in found.note


# ---------------------------------------------------------------------------------------------------- command line


def test_on_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    lm = pofx.fit(["the cat", "a dog", "the end"] * 3, pofx.NgramSpec(order=3, vocab="chars"))
    pofx.save(lm, "m")
    assert tuple(PEERS) == OFFERED

    def run(*arguments: str, model: str = "m") -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["score", "-m", model, *arguments])
        return (int(ended.value.code or 0), *capsys.readouterr())

    value = as_peer(lm, "the cat", "minicons").value
    code, out, err = run("--text", "the cat", "--as", "minicons")
    assert (code, err) == (0, "")
    assert f"minicons: {value:.6f} nats a token" in out
    assert f"pofx: log p(x) = {pofx.log_prob(lm, 'the cat'):.3f} nats" in out
    assert out.count(" yes") == 7
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run("--text", "the cat", "--as", "minicons", "--json")
    record = json.loads(out)
    assert record["value"] == value
    assert [t["counted"] for t in record["terms"]] == [True] * 7 + [False]
    Path("a.txt").write_text("the cat\nΩ\na dog\n", encoding="utf-8")
    code, out, err = run("a.txt", "--as", "lmppl")
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a.txt:1", "a.txt:2", "a.txt:3"]
    assert out.splitlines()[1] == "a.txt:2\t"
    assert float(out.split()[1]) == pytest.approx(as_peer(lm, "the cat", "lmppl").value, rel=1e-5)
    assert "a.txt:2: expected one of the" in err
    code, out, _ = run("a.txt", "--as", "lmppl", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert ["error" in r for r in found] == [False, True, False]
    code, _, err = run("--text", "a", "--as", "llama-perplexity")
    assert code == 2
    assert "the tool stops at this one" in err
    code, out, _ = run("--text", "the cat " * 20, "--as", "lm-eval")
    assert "hidden" in out
    assert run("--text", "a", "--as", "gpt")[0] == 2
    code, out, _ = run("--text", "cat", "--given", "the ", "--as", "lm-eval")
    assert code == 0
    assert f"lm-eval: {as_peer(lm, 'cat', 'lm-eval', given='the ').value:.6f} nats" in out
    (own,) = pofx.score(lm, ["cat"], "the ")
    assert f"pofx: log P(text | context) = {own.prefix_total:.3f} nats" in out
    Path("rows.jsonl").write_text('{"text": "cat", "before": "the "}\n{"text": "dog", "before": "a "}\n')
    code, out, _ = run("rows.jsonl", "--given-field", "before", "--as", "lm-eval", "--json")
    assert code == 0
    assert [json.loads(line)["value"] for line in out.splitlines()] == [
        as_peer(lm, t, "lm-eval", given=g).value for t, g in (("cat", "the "), ("dog", "a "))
    ]
    assert run("--text", "a", "--given", "b", "--as", "lm-eval", "--boundary", "token")[0] == 2
    pofx.save(pofx.fit(["the cat"] * 3, pofx.NgramSpec(order=3, begin=False)), "m2")
    code, out, _ = run("--text", "the cat", "--as", "minicons", model="m2")
    assert code == 0
    assert "pofx: no log p(x): " in out
