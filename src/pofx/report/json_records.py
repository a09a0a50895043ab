"""Records become plain data for --json. JSON has no number for −∞, which is written as the string "-inf"."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pofx.units import bits, bits_per_byte
from pofx.vocab.vocabulary import plain_text

if TYPE_CHECKING:
    from pofx.classification.evaluation import Evaluation
    from pofx.queries.conditioning.conditioned import Conditioned
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.findings import Audit
    from pofx.queries.marginal.marginal import Marginal
    from pofx.queries.next_unit.next import Next
    from pofx.queries.posterior import MixturePosterior
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored
    from pofx.queries.words.words import Word, Worded
    from pofx.vocab.vocabulary import Vocab


def dumps(record: Any) -> str:
    """Return one line of strict JSON; in ASCII where standard output or UTF-8 cannot spell the text."""
    values = plain(record)
    line = json.dumps(values, ensure_ascii=False, allow_nan=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(values, allow_nan=False)
    return line


def scored_record(scored: Scored, tokens: bool, top: bool = False) -> dict[str, Any]:
    """Return one text: its totals and terms, and where asked for, its tokens and the likeliest tokens at each position."""
    data = scored.text if isinstance(scored.text, bytes) else scored.text.encode("utf-8")
    total = scored.total if scored.terms.end else None
    out: dict[str, Any] = {
        "text": plain_text(scored.text),
        "total_nats": total,
        "prefix_nats": scored.prefix_total,
        "bits_per_byte": bits_per_byte(-(scored.prefix_total if total is None else total), len(data))
        if data
        else None,
        "terms": dataclasses.asdict(scored.terms),
    }
    if len(scored.given):
        out["given"] = plain_text(scored.given)
    if scored.low is not None:
        out["interval_nats"] = list(scored.interval if scored.terms.end else scored.prefix_interval)
    if tokens:
        names = [scored.vocab.show(int(i)) for i in scored.tokens] + ["EOS"] * scored.terms.end
        end = scored.vocab.end
        ids = [*map(int, scored.tokens), *([end] if scored.terms.end and end is not None else [])]
        out["tokens"] = [
            {
                "id": i,
                "token": name,
                "bytes": spelled(scored.vocab, i),
                "start": int(scored.spans[k][0]) if k < len(scored.spans) else len(data),
                "end": int(scored.spans[k][1]) if k < len(scored.spans) else len(data),
                "nats": float(scored.logp[k]),
                "seen": int(scored.seen[k]),
                **({"rank": int(scored.rank[k])} if scored.rank is not None else {}),
                **({"entropy_nats": float(scored.entropy[k])} if scored.entropy is not None else {}),
                **({"top": _likeliest(scored, k)} if top else {}),
            }
            for k, (i, name) in enumerate(zip(ids, names))
        ]
    return out


def _likeliest(scored: Scored, k: int) -> list[dict[str, Any]]:
    if scored.top_ids is None or scored.top_logp is None:
        raise AssertionError("ours: `Want` asked for the likeliest tokens")
    ids = [int(i) for i in scored.top_ids[k][: scored.vocab.size]]
    return [
        {"id": i, "token": scored.vocab.show(i), "bytes": spelled(scored.vocab, i), "nats": float(nats)}
        for i, nats in zip(ids, scored.top_logp[k])
    ]


def spelled(vocab: Vocab, i: int) -> str | None:
    """Return the bytes that a token spells, in base64; None for EOS and other control tokens, which spell nothing."""
    data = None if i == vocab.end else vocab.token_bytes[i]
    return None if data is None else in_base64(data)


def in_base64(data: bytes) -> str:
    """Return bytes in base64, since JSON has no type for bytes."""
    return base64.b64encode(data).decode("ascii")


def draw_record(draw: Draw) -> dict[str, Any]:
    """Return one draw."""
    return {
        "text": plain_text(draw.bytes),
        "bytes": in_base64(draw.bytes),
        "nats": draw.total,
        **({"warp": draw.warp, "model_nats": draw.own_total} if draw.warp else {}),
        "ended": draw.ended,
        "tokens": len(draw.tokens),
        "ids": [int(i) for i in draw.tokens],
        "terms": dataclasses.asdict(draw.terms),
    }


def next_record(following: Next) -> dict[str, Any]:
    """Return the distribution of what comes next: the top and the rest."""
    return {
        "given": plain_text(following.given),
        "unit": following.unit,
        "top": [
            {
                **({} if a.id is None else {"id": a.id}),
                following.unit: a.shown,
                "bytes": None if a.bytes is None else in_base64(a.bytes),
                "nats": a.logp,
                "p": math.exp(a.logp),
                "p_low": math.exp(a.low),
                "p_high": math.exp(a.high),
            }
            for a in following.top
        ],
        "rest": {
            **({} if following.n_rest is None else {f"{following.unit}s": following.n_rest}),
            "nats": following.rest,
            "p": math.exp(following.rest),
            "p_low": math.exp(following.rest_low),
            "p_high": math.exp(following.rest_high),
            "each_below": math.exp(following.others_below),
        },
        "entropy_nats": following.entropy,
        "entropy_interval_nats": [following.entropy_low, following.entropy_high],
        "calls": following.calls,
        "terms": dataclasses.asdict(following.terms),
    }


def marginal_record(found: Marginal) -> dict[str, Any]:
    """Return the sum over the tokenisations of one text."""
    return {
        "text": plain_text(found.text),
        "kind": found.kind,
        "total_nats": found.total,
        "lower_nats": found.lower,
        "estimate_nats": found.estimate,
        "interval_nats": list(found.interval),
        "se": found.se,
        "ess": found.ess,
        "canonical_nats": found.canonical,
        "gap_bits": found.gap_bits,
        "draws": found.draws,
        "found": found.found,
        "calls": found.calls,
        "terms": dataclasses.asdict(found.terms),
    }


def posterior_record(found: MixturePosterior, names: Sequence[str]) -> dict[str, Any]:
    """Return the posterior of the models for one text; `names` has the models in the order of the mixture."""
    bounds = found.intervals
    return {
        "text": plain_text(found.text),
        "total_nats": found.total,
        "best": names[found.best],
        "regret_nats": found.regret,
        "models": [
            {
                "model": name,
                "prior_nats": float(found.prior[c]),
                "evidence_nats": float(found.evidence[c]),
                "evidence_interval_nats": [float(found.low[c]), float(found.high[c])],
                "posterior_nats": float(found.posterior[c]),
                "posterior_interval_nats": [float(b) for b in bounds[c]],
                "posterior": math.exp(found.posterior[c]),
            }
            for c, name in enumerate(names)
        ],
        "path_nats": [[float(p) for p in row] for row in found.path],
        "terms": dataclasses.asdict(found.terms),
    }


def conditioned_record(found: Conditioned) -> dict[str, Any]:
    """Return the distribution of texts under a condition: evidence, outcomes, and the draws with their weights."""
    return {
        "on": found.on,
        **({"given": found.given} if len(found.given) else {}),
        "log_evidence_nats": found.log_evidence,
        "se_nats": found.se,
        "runs_nats": list(found.runs),
        "ess": found.ess,
        "method": found.method,
        "exact": found.exact,
        "max_tokens": found.max_tokens,
        "calls": found.calls,
        "outcomes": [{"text": o.bytes, "p": o.p, "se": o.se} for o in found.outcomes],
        "draws": [{**draw_record(d), "weight": float(w)} for d, w in zip(found.draws, found.weights)],
    }


def evaluation_summary(evaluation: Evaluation) -> dict[str, Any]:
    """Return the summary numbers of an evaluation."""
    return {
        "documents": evaluation.n,
        "accuracy": evaluation.accuracy,
        "log_loss_nats": evaluation.log_loss,
        "calibration_error": evaluation.calibration_error,
    }


def evaluation_record(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Any]:
    """Return a whole evaluation of a classifier; `names` has the classes in their order."""
    return {
        **evaluation_summary(evaluation),
        "calibration": [dataclasses.asdict(b) for b in evaluation.bins],
        "classes": list(names),
        "recall": [float(v) for v in evaluation.recall],
        "precision": [float(v) for v in evaluation.precision],
        "confusion": evaluation.confusion.tolist(),
    }


def words_record(worded: Worded) -> dict[str, Any]:
    """Return one text and a list of its words."""
    return {
        "text": plain_text(worded.text),
        "total_nats": worded.total,
        **({"given": plain_text(worded.given)} if len(worded.given) else {}),
        "terms": dataclasses.asdict(worded.terms),
        "words": [word_record(w) for w in worded.words],
    }


def word_record(word: Word) -> dict[str, Any]:
    """Return the cells of a word, by column name."""
    return {
        "index": word.index,
        "word": word.text,
        "form": word.form,
        "length": word.end - word.start,
        "start": word.start,
        "end": word.end,
        "start_byte": word.start_byte,
        "end_byte": word.end_byte,
        "surprisal_nats": word.surprisal,
        "surprisal_bits": bits(word.surprisal),
        "ending_nats": word.ending,
        "bounded": word.bounded,
        "entropy_nats": word.entropy,
        "tokens": word.tokens,
        "seen": word.seen,
    }


def audit_record(audit: Audit) -> dict[str, Any]:
    """Return a whole audit."""
    return {**dataclasses.asdict(audit), "failed": audit.failed}


def corpus_record(report: CorpusReport) -> dict[str, Any]:
    """Return a whole report on a corpus."""
    return {"verdict": report.verdict, **dataclasses.asdict(report)}


def plain(x: Any) -> Any:
    """Return a record as plain data: numpy's numbers as Python's, bytes as text, −∞ as "-inf", nan as None."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [plain(v) for v in x]
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, bytes):
        return plain_text(x)
    if isinstance(x, float) and not math.isfinite(x):
        return None if math.isnan(x) else ("inf" if x > 0 else "-inf")
    return x
