"""The same ARPA file as lmplz of KenLM on the same words, pruned or not. `make lmplz` builds the program."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pofx
from pofx.corpus.builtin import builtin_documents
from pofx.models.ngram.arpa_text import read_grams
from pofx.models.specs import NgramSpec
from pofx.vocab.words import WordVocab

ROOT = Path(__file__).parents[3]
LMPLZ = shutil.which("lmplz") or str(ROOT / ".venv-kenlm/bin/lmplz")
pytestmark = pytest.mark.skipif(
    not Path(LMPLZ).is_file(), reason="lmplz is not there; `make lmplz` builds it"
)

CASES = [
    (3, ()),
    (4, ()),
    (5, ()),
    (3, (0, 1)),
    (4, (0, 1, 1, 2)),
    (5, (0, 0, 1, 2, 3)),
    (3, (0, 3)),
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real text, some MB where POFX_LMPLZ_TEXT names a file, else the built-in documents."""
    path = tmp_path_factory.mktemp("lmplz") / "text.txt"
    given = os.environ.get("POFX_LMPLZ_TEXT")
    lines = Path(given).read_text("utf-8").splitlines() if given else builtin_documents()
    # Words are separated by single spaces, and none is a name of lmplz.
    cleaned = (" ".join(w for w in line.split() if w not in ("<s>", "</s>", "<unk>")) for line in lines)
    path.write_text("".join(f"{line}\n" for line in cleaned if line), "utf-8")
    return path


def _entries(path: Path) -> Iterator[tuple[tuple[str, ...], float, float]]:
    for tokens, logs, weights in read_grams(path).values():
        yield from zip(tokens, logs, weights)


@pytest.mark.parametrize(("order", "prune"), CASES, ids=str)
def test_every_number_is_that_of_lmplz(
    text: Path, order: int, prune: tuple[int, ...], tmp_path: Path
) -> None:
    command = [LMPLZ, "-o", str(order), "-S", "200M", "-T", str(tmp_path), "--text", str(text)]
    command += ["--arpa", str(tmp_path / "peer.arpa"), "--discount_fallback"]
    if prune:
        command += ["--prune", *map(str, prune)]
    subprocess.run(command, check=True, capture_output=True)
    lines = text.read_text("utf-8").splitlines()
    vocab = WordVocab([*sorted({w for line in lines for w in line.split(" ")}), None], end=True)
    lm = pofx.fit(lines, NgramSpec(order, vocab=vocab, prune=prune))
    pofx.write_arpa(lm, tmp_path / "own.arpa")
    peer = {gram: (p, weight) for gram, p, weight in _entries(tmp_path / "peer.arpa")}
    own = {gram: (p, weight) for gram, p, weight in _entries(tmp_path / "own.arpa")}
    assert peer.keys() == own.keys()
    never = (("<s>",),)  # x0 has no probability of its own, and lmplz writes 1
    off = max(abs(peer[g][0] - own[g][0]) for g in peer if g not in never)
    off_weight = max(abs(peer[g][1] - own[g][1]) for g in peer)
    assert off < 1e-5
    assert off_weight < 1e-5
