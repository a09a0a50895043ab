"""What an audit says of ARPA files: laws that do not sum to 1, mass that spells no text, and a joint distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main
from pofx.errors import NotText
from pofx.queries.findings import Audit
from pofx.report import verdicts

TEXTS = ["a b", "b", "a a", "b a b", "a", "b b", "a b a", "b a", "a a b", "b b b"]
SUMS = {"</s>": 0.3, "a": 0.36, "b": 0.3, "<unk>": 0.04}
CLOSED = {"</s>": 0.3, "a": 0.4, "b": 0.3}
LACKING = {"</s>": 0.3, "a": 0.36, "b": 0.3}  # 0.96: as an ARPA file whose <unk> was cut out
BOTH = {"</s>": 0.3, "a": 0.36, "b": 0.2, "<unk>": 0.04}


def written(path: Path, law: Mapping[str, float]) -> Path:
    lines = "".join(f"{math.log10(p):.10f}\t{word}\n" for word, p in law.items())
    path.write_text(f"\\data\\\nngram 1={len(law) + 1}\n\n\\1-grams:\n-99\t<s>\n{lines}\n\\end\\\n")
    return path


def audited(tmp_path: Path, law: Mapping[str, float], texts: Sequence[str] = TEXTS) -> Audit:
    return pofx.audit(pofx.load(written(tmp_path / "m.arpa", law)), texts)


def why(found: Audit, check: str) -> str:
    return next(f.why for f in found.findings if f.check == check)


def test_three_things_are_told_apart(tmp_path: Path) -> None:
    closed, leaking, lacking, both = (audited(tmp_path, law) for law in (CLOSED, SUMS, LACKING, BOTH))
    assert [a.verdict for a in (closed, leaking, lacking, both)] == ["joint", "joint", "improper", "improper"]
    assert "<unk>" not in closed.reason
    assert "0.04 of the mass of a token is on <unk> and spells no text" in leaking.reason
    assert lacking.reason.startswith("rows sum to 1 fails: found 0.04 probability")
    assert both.reason.startswith("rows sum to 1 fails: found 0.1 probability")
    leak = next(f for f in leaking.findings if f.check == "leak")
    assert (leak.verdict, leak.value) == ("warn", pytest.approx(0.04, abs=1e-6))


def test_sequences_that_spell_no_text_are_no_texts(tmp_path: Path) -> None:
    """Three outcomes beside EOS: Σ 3^n of up to 5 tokens is 364, of two words Σ 2^n is 63."""
    said = why(audited(tmp_path, SUMS), "strings sum to 1")
    # Σ_{n ≤ 5} (0.7^n − 0.66^n) · 0.3: sequences with the class, less those without.
    mass = sum((0.7**n - 0.66**n) * 0.3 for n in range(6))
    assert (
        f"364 sequences of up to 5 tokens and EOS (63 texts, and 301 with control tokens, of mass {mass:.3g}"
        in said
    )
    # Two outcomes beside EOS: Σ 2^n of up to 9 tokens.
    assert "All 1,023 texts of up to 9 tokens" in why(audited(tmp_path, CLOSED), "strings sum to 1")


@pytest.mark.parametrize("texts", [["zz"], ["zz", "yy b"]])
def test_texts_that_the_vocabulary_does_not_spell_are_refused(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(NotText, match="expected at least one text that this vocabulary spells"):
        audited(tmp_path, SUMS, texts)


@pytest.mark.parametrize("texts", [["a"], ["a", "zz"], ["a b", "b", "a a"], TEXTS])
def test_few_documents_are_said_without_nan(
    tmp_path: Path, texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = audited(tmp_path, SUMS, texts)
    assert found.begin is not None
    assert "nan" not in verdicts.begin_evidence(found.begin)
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    page = tmp_path / "page.html"
    with pytest.raises(SystemExit):
        main(
            [
                "audit",
                "-m",
                str(tmp_path / "m.arpa"),
                "--test",
                str(tmp_path / "texts.txt"),
                "--html",
                str(page),
            ]
        )
    out = " ".join(capsys.readouterr().out.split())
    assert " nan" not in out
    assert " nan" not in page.read_text(encoding="utf-8")
    known = [t for t in texts if set(t.split()) <= {"a", "b"}]
    assert f"{len(known)} document" in out
    if len(known) < 8:
        assert f"Too few documents ({len(known)}, at least 8 needed)" in out
