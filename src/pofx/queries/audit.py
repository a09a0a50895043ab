"""Is this model the joint distribution it claims to be? One finding a check, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm import LM
from pofx.queries import agreement
from pofx.queries.aliveness import LEAK, Alive, alive_finding, measure_alive
from pofx.queries.endings import end_findings, leak_finding
from pofx.queries.findings import Audit, BeginEvidence, Finding, Verdict
from pofx.queries.held_out import HeldOut, choose, longest_path
from pofx.queries.openings import CHECK as BEGIN
from pofx.queries.openings import FEWEST, begin_finding
from pofx.queries.roundtrip import roundtrip_finding
from pofx.queries.sample import draw_paths
from pofx.queries.survey import has_begin, law, off_one, survey
from pofx.trace import Ints
from pofx.transforms.given import Given

# Documents, draws and random sequences on which the ways to compute log p are compared: 28 texts, each also
# alone.
DOCUMENTS, DRAWS, NOISE = 12, 12, 4
# Any of these failing makes p improper, whatever else holds.
SUMS = (
    "rows sum to 1",
    "extend = forward",
    "batch invariance",
    "states are values",
    "draws are scored as drawn",
    "strings sum to 1",
    "leak",
)


def audit(lm: LM, texts: Sequence[str | bytes] | None = None, seed: int = 0) -> Audit:
    """Evidence that p(x) = p(x1|x0) · … · p(EOS|x0,x) holds for a model: a `Finding` a check, and a verdict.

    Checked: laws sum to 1; one pass, token by token, in any batch and as drawn, log p is the same (nats);
    p(x1|x0) beats the model's average law on how documents begin (bits); EOS stands where they end (bits);
    P(length > L) falls; no mass leaks to control tokens; the vocabulary spells texts faithfully. See Du et
    al. 2023 for texts that never end.

    texts: documents the model was not fitted on, whole ones; None takes the built-in ones, on which a model fitted
    here can pass, but not fail, what is asked of openings and endings: it may be of another kind. At most 200 of at
    most 1,000 tokens are read; what was left out is said under "p(x1) is trained". The same seed, the same
    audit, but that a slow model is followed to a smaller L: its draws get 8 s.
    verdict: "improper", else "conditional" (no x0, or p(x1) not learned), else "prefix-only" (no EOS, or not
    learned), else "joint". `BadValue` for a text in place of a list, or laws that are not `[n, vocab.size]`.

    Right: `audit(lm, held_out).verdict`. Wrong: `audit(lm, training_texts)`, which flatters memory, and
    `audit(lm, "a text")`, one string is no sample.
    """
    if seed < 0:
        raise BadValue(f"seed: expected a whole number from 0 on, found {seed}")
    held = choose(lm, texts, seed)
    begun = has_begin(lm)
    free = 0 if begun else 1
    opening = None if begun else _opening(lm, held)
    behind = np.array([] if opening is None else [opening], dtype=np.int64)
    source = lm if opening is None else Given(lm, [opening], lm.vocab.decode([opening]))
    start = source.start(1)
    if np.shape(start.logp) != (1, lm.vocab.size):
        raise BadValue(
            f"expected laws of {lm.vocab.size} outcomes (vocab.size), found {np.shape(start.logp)[1:]}"
        )
    draws, drawn = _draws(source, behind, seed)
    noise = _noise(lm, behind, seed)
    average = survey(lm, held.paths, seed) if held.paths else None
    others = survey(lm, [*(_without_end(lm, d) for d in draws), *noise], seed)
    surveys = [others] if average is None else [average, others]
    worst = max([off_one(law(start)), *(s.worst for s in surveys)])
    compared = [*_short(lm, held), *draws, *noise]
    begin, evidence = begin_finding(lm, held.paths, average, begun)
    whole = [p for p, complete in zip(held.paths, held.whole) if complete]
    ends = end_findings(lm, whole, free, average)
    if texts is None and lm.begin.known == "trained":
        begin, ends = _of_another_kind(begin), [_of_another_kind(f) for f in ends]
    alive = None if lm.vocab.end is None else measure_alive(lm, start, not begun, seed)
    where = "" if opening is None else f" behind {lm.vocab.show(opening)!r}"
    findings = [
        agreement.rows_finding(lm, worst, 1 + sum(s.rows for s in surveys)),
        agreement.forward_finding(lm, compared, free),
        agreement.batch_finding(lm, compared, free, seed),
        agreement.values_finding(lm, *_branches(lm, seed)),
        agreement.draws_finding(lm, draws, drawn, len(behind)),
        agreement.strings_finding(lm) if begun else None,
        _with_note(begin, held),
        *ends,
        alive_finding(lm, alive, where),
        leak_finding(lm, average or others),
        roundtrip_finding(lm.vocab, held),
    ]
    found = tuple(f for f in findings if f is not None)
    verdict, reason = _judge(lm, found, evidence, alive)
    return Audit(verdict, reason, evidence, found, len(held.paths), seed)


def _opening(lm: LM, held: HeldOut) -> int:
    """Where there is no x0: the commonest first token of the documents, to stand before all that is drawn."""
    first = Counter(int(p[0]) for p in held.paths if len(p))
    return first.most_common(1)[0][0] if first else int(_letters(lm)[0])


def _letters(lm: LM) -> Ints:
    return np.array([i for i, b in enumerate(lm.vocab.token_bytes) if b is not None], dtype=np.int64)


def _draws(source: LM, behind: Ints, seed: int) -> tuple[list[Ints], list[NDArray[np.float64]]]:
    """Draws as `sample` makes them, EOS included, behind what they are conditioned on; and their log p, a token."""
    most = min(64, (longest_path(source) or 65) - len(behind))
    rows = draw_paths(source, DRAWS, max(most, 1), np.random.default_rng([seed, 5]))
    paths = [np.concatenate([behind, ids]).astype(np.int64) for ids, _ in rows]
    return paths, [np.array(logp) for _, logp in rows]


def _noise(lm: LM, behind: Ints, seed: int) -> list[Ints]:
    """Sequences that no text looks like: laws must sum to 1 behind them too."""
    rng, letters = np.random.default_rng([seed, 6]), _letters(lm)
    return [np.concatenate([behind, rng.choice(letters, 3)]).astype(np.int64) for _ in range(NOISE)]


def _branches(lm: LM, seed: int) -> tuple[Ints, Ints]:
    """Three prefixes of one token, and two ways for each to go on."""
    rng, letters = np.random.default_rng([seed, 7]), _letters(lm)
    return rng.choice(letters, (3, 1)), rng.choice(letters, (3, 2))


def _without_end(lm: LM, path: Ints) -> Ints:
    return path[:-1] if len(path) and path[-1] == lm.vocab.end else path


def _short(lm: LM, held: HeldOut) -> list[Ints]:
    """The heads of some documents; with EOS where that is all of one."""
    out = []
    for path, whole in list(zip(held.paths, held.whole))[:DOCUMENTS]:
        most = min(agreement.LONGEST, longest_path(lm) or agreement.LONGEST)
        if whole and lm.vocab.end is not None and len(path) < most:
            out.append(np.append(path, lm.vocab.end))
        elif len(path):
            out.append(path[:most])
    return out


def _judge(
    lm: LM, findings: Sequence[Finding], begin: BeginEvidence | None, alive: Alive | None
) -> tuple[Verdict, str]:
    """The verdict, and the evidence that decided it."""
    by = {f.check: f for f in findings}
    for check in SUMS:
        f = by.get(check)
        if f is not None and f.verdict == "fail":
            return (
                "improper",
                f"{check} fails: found {_number(f.value)} {f.unit}, allowed {_number(f.bound)}. {f.why}",
            )
    never = 0.0 if alive is None or alive.never is None else alive.never
    if LEAK < never < 1 - 1e-9:
        return (
            "improper",
            f"a text never ends with probability {never:.6g}, exactly, so p sums to {1 - never:.6g}.",
        )
    if begin is None:
        return "conditional", "there is no x0, so p(x1) does not exist: only p(y|x) for an x that you name."
    opening, ending = by[BEGIN], by["EOS ends texts"]
    if opening.verdict == "fail" or (
        opening.verdict == "warn" and begin.known == "assumed" and begin.n < FEWEST
    ):
        return "conditional", f"p(x1|{begin.text}) is not known to be trained: {opening.why}"
    if lm.vocab.end is None:
        return (
            "prefix-only",
            "there is no EOS, so no text is ever complete: only prefix probabilities P(x) exist.",
        )
    if ending.verdict == "fail" or never >= 1 - 1e-9:
        return "prefix-only", f"EOS was not learned: {ending.why}"
    parts = [
        f"x0 gains {_number(opening.value)} bits a first token ({begin.known})"
        if opening.verdict == "pass"
        else f"x0 is {begin.known} (taken at its word)",
        f"EOS is {_number(ending.value)} bits likelier where texts end"
        if ending.verdict == "pass"
        else "EOS is there",
        f"laws sum to 1 up to {_number(by['rows sum to 1'].value)}",
    ]
    return "joint", f"{parts[0]}, {parts[1]}, and {parts[2]}."


def _with_note(finding: Finding, held: HeldOut) -> Finding:
    return replace(finding, why=f"{finding.why} Read: {held.note}.")


def _of_another_kind(finding: Finding) -> Finding:
    """What the built-in documents hold against a model that was trained behind its x0: they may not be its kind.

    A model of "abc" and "abd" knows nothing of how English documentation begins, and is joint all the same.
    """
    if finding.verdict != "fail" or finding.value is None:
        return finding
    why = (
        f"{finding.why} But these are the built-in documents, and the model may be of texts of another kind; "
        "audit it on held-out texts of its own (texts, --texts)."
    )
    return replace(finding, verdict="warn", why=why)


def _number(x: float | None) -> str:
    return "nothing" if x is None else f"{x:.3g}"
