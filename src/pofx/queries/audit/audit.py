"""An audit of a model as a joint distribution over strings: a finding for each check, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pofx.errors import BadValue, NoLaw
from pofx.lm.model import LM
from pofx.lm.scorer import Scorer
from pofx.queries.audit import agreement, trial_texts
from pofx.queries.audit.begin.candidates import choose_candidate, try_candidates
from pofx.queries.audit.begin.finding import x0_finding
from pofx.queries.audit.begin.openings import begin_finding
from pofx.queries.audit.canonical import canonical_finding
from pofx.queries.audit.distribution_statistics import (
    DistributionStatistics,
    collect_statistics,
    has_begin,
    log_distributions,
    worst_sum_error,
)
from pofx.queries.audit.endings import end_findings
from pofx.queries.audit.held_out import HeldOut, choose_documents
from pofx.queries.audit.judge import judge
from pofx.queries.audit.leak import leak_finding
from pofx.queries.audit.own_sampler import own_sampler_finding
from pofx.queries.audit.precision import precision_finding
from pofx.queries.audit.roundtrip import roundtrip_finding
from pofx.queries.audit.scorer.audit import audit_scorer
from pofx.queries.audit.termination import measure_survival, termination_finding
from pofx.queries.findings import Audit, BeginCandidate, Check, Finding, Measure
from pofx.transforms.given import Given
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from pofx.values import check_whole_number


def audit(
    lm: LM | Scorer, texts: Sequence[str | bytes] | None = None, seed: int = 0, coarse: LM | None = None
) -> Audit:
    """Audit whether p(x) = p(x1|x0) · … · p(EOS|x0,x) holds for a model: a `Finding` for each check, and a verdict.

    The checks of a model are these. Next-token distributions sum to 1. log p (nats) is the same in one pass, token by
    token, in any batch, and as drawn. p(x1|x0) predicts the beginnings of documents better than the model's average
    next-token distribution does (bits). EOS is likelier where documents end (bits). P(length > L) falls (Du et al. 2023
    treat texts that never end). No mass leaks to control tokens. The vocabulary spells texts faithfully.

    A `Scorer` shows no distributions. The audit of a scorer checks that the probabilities of different next tokens, and of
    different strings of one length, sum to at most 1. Random text must cost its entropy: a lower cost means that tokens
    were read before they were scored. A number must not change with the text after its token, nor when the text is scored
    again. Numbers of bytes and numbers of tokens must not be mixed.

    A pretrained model is tried with every candidate for x0. The audit chooses the x0 after which first tokens are predicted
    best; it does not choose by log p of whole texts. A model without x0 is audited with the candidate that was found
    trained, if there is such a candidate, and `Audit.begin` names the candidate. `Audit.endings` lists the control tokens
    that end texts.

    Args:
        lm: The model, or a `Scorer`.
        texts: Whole documents that the model was not fitted on; None for the built-in documents. At most 200 documents of
            at most 1,000 tokens are read, and the finding "p(x1) is trained" says what was left out. With the built-in
            documents, the checks of openings and endings cannot fail a model fitted here, whose texts may be of another
            kind.
        seed: Seed of the audit. The same seed gives the same audit, with one exception: the draws of a slow model stop
            after 8 s, so its P(length > L) may be of a smaller L.
        coarse: The same model in another precision (`load(…, dtype="bfloat16")`), to be compared with `lm`.

    Returns:
        The findings and the verdict: "improper", else "conditional" (no x0, or p(x1) not learned), else "prefix-only" (no
        EOS, or EOS not learned), else "joint". The verdict of a scorer is "improper" or "scores-only".

    Raises:
        BadValue: `texts` is one text, or the model's distributions do not have the shape `[n, vocab.size]`.

    Right: `audit(lm, held_out).verdict`. Wrong: `audit(lm, training_texts)`, which flatters a model that memorised them; and
    `audit(lm, "a text")`, since one string is no sample.
    """
    seed = check_whole_number("seed", seed)
    if isinstance(lm, Scorer):
        if coarse is not None:
            raise BadValue("expected None for a scorer, got a model", "leave coarse out", argument="coarse")
        return audit_scorer(lm, texts, seed)
    held = choose_documents(lm, texts, seed)
    try:
        return _audited(lm, texts, seed, coarse, held)
    except NoLaw as e:
        why = f"A next-token distribution has entries that are no numbers, so it has no probabilities: {e.subject}."
        finding = Finding(Check.ROWS, "fail", math.inf, None, Measure.PROBABILITY, why)
        return Audit("improper", why, None, (finding,), len(held.paths), seed)


def _audited(
    lm: LM, texts: Sequence[str | bytes] | None, seed: int, coarse: LM | None, held: HeldOut
) -> Audit:
    """Run all checks of a model whose numbers are finite or −∞; else raise `NoLaw`."""
    average = collect_statistics(lm, held.paths, seed) if held.paths else None
    model, tried = _with_x0(lm, held, average, seed)
    if model is not lm and average is not None:
        lm, average = model, collect_statistics(model, held.paths, seed)
    has_x0 = has_begin(lm)
    free = 0 if has_x0 else 1
    opening = None if has_x0 else trial_texts.choose_opening(lm, held)
    prefix = np.array([] if opening is None else [opening], dtype=np.int64)
    source = lm if opening is None else Given(lm, [opening], lm.vocab.decode([opening]))
    start = source.start(1)
    if np.shape(start.logp) != (1, lm.vocab.size):
        raise BadValue(
            f"expected distributions of {lm.vocab.size} outcomes (vocab.size), got {np.shape(start.logp)[1:]}",
            "give the model a vocabulary of its own outcomes",
        )
    draws, drawn = trial_texts.draw_texts(source, prefix, seed)
    noise = trial_texts.make_noise(lm, prefix, seed)
    others = collect_statistics(lm, [*trial_texts.without_end(lm, draws), *noise], seed)
    surveys = [others] if average is None else [average, others]
    worst = max([worst_sum_error(log_distributions(start)), *(s.worst for s in surveys)])
    compared = [*trial_texts.cut_heads(lm, held), *draws, *noise]
    plain = lm.forward(compared, skip=free).logp
    if tried:
        begin, evidence = x0_finding(tried, lm.begin)
    else:
        begin, evidence = begin_finding(lm, held.paths, average, has_x0)
    complete = [p for p, is_whole in zip(held.paths, held.whole) if is_whole]
    ends, endings = end_findings(lm, complete, free, average)
    if texts is None and lm.begin.known == "trained":
        begin, ends = _of_another_kind(begin), [_of_another_kind(f) for f in ends]
    alive = None if lm.vocab.end is None else measure_survival(lm, start, not has_x0, seed)
    where = "" if opening is None else f" after {lm.vocab.show(opening)!r}"
    findings = [
        agreement.rows_finding(lm, worst, 1 + sum(s.rows for s in surveys)),
        agreement.forward_finding(
            lm, compared, plain, free, trial_texts.make_long_text(lm, held, prefix, seed)
        ),
        agreement.batch_finding(lm, compared, plain, free, seed),
        agreement.values_finding(lm, *trial_texts.make_branches(lm, seed)),
        agreement.draws_finding(lm, draws, drawn, len(prefix)),
        own_sampler_finding(lm, held.paths, seed),
        agreement.strings_finding(lm) if has_x0 else None,
        None if coarse is None else precision_finding(lm, coarse, compared, plain, free),
        _with_note(begin, held),
        *ends,
        termination_finding(alive, where),
        leak_finding(lm, average or others),
        canonical_finding(lm, draws, len(prefix)),
        roundtrip_finding(lm.vocab, held),
    ]
    found = tuple(f for f in findings if f is not None)
    verdict, reason = judge(lm, found, evidence, alive, tried)
    return Audit(verdict, reason, evidence, found, len(held.paths), seed, tried, endings)


def _with_x0(
    lm: LM, held: HeldOut, average: DistributionStatistics | None, seed: int
) -> tuple[LM, tuple[BeginCandidate, ...]]:
    """Return a pretrained model with the x0 that the evidence supports, and every candidate for x0."""
    core = lm.bare()
    if core is None or not lm.vocab.control.candidates or not held.paths:
        return lm, ()
    tried = try_candidates(core, lm.begin, held, None if average is None else average.mean, seed)
    best = choose_candidate(tried) if lm.begin.known == "none" else None
    if best is None or best.id is None:
        return lm, tried
    chosen = tuple(replace(c, current=c is best) for c in tried)
    return windowed(with_begin(core, best.id), lm.context), chosen


def _with_note(finding: Finding, held: HeldOut) -> Finding:
    return replace(finding, why=f"{finding.why} Read: {held.note}.")


def _of_another_kind(finding: Finding) -> Finding:
    """Turn a failure on the built-in documents into a warning, for a model whose training texts stood after its x0.

    A model of "abc" and "abd" does not predict how English documentation begins, and is joint nevertheless.
    """
    if finding.verdict != "fail" or finding.value is None:
        return finding
    why = (
        f"{finding.why} But these are the built-in documents, and the model may be of texts of another kind; "
        "audit it on held-out texts of its own (texts, --test)."
    )
    return replace(finding, verdict="warn", why=why)
