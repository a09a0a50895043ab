"""The audit of a scorer: each planted fault is found by the check that is meant for it, and an honest twin passes."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from outside_toys import CHARACTERS, Adaptive, HashedCache, TokenModel, ideograms, proverbs

import pofx
from pofx.errors import BadValue, NotText
from pofx.queries.audit.agreement import forward_finding
from pofx.queries.findings import Audit, Check, Finding

LETTERS = Adaptive.alphabet


def find(a: Audit, check: Check) -> Finding:
    return next(f for f in a.findings if f.check == check)


def red(a: Audit) -> set[str]:
    return {f.check for f in a.findings if f.verdict == "fail"}


def audit(score: Callable[[str], list[float]], **more: object) -> Audit:
    return pofx.audit(pofx.from_callable(score=score, **more), proverbs())  # type: ignore[call-overload]


def uniform(text: str) -> list[float]:
    return [-math.log(len(LETTERS))] * len(text)


# The three kinds of the contest -------------------------------------------------------------------------------


def test_a_cache_in_few_buckets_sums_to_277() -> None:
    cache = HashedCache(24)
    scorer = pofx.from_callable(score=cache.score, unit="character", alphabet=CHARACTERS)
    a = pofx.audit(scorer, ideograms(20, seed=2))
    found = find(a, Check.NEXT_SUMS)
    assert (a.verdict, found.verdict) == ("improper", "fail")
    assert found.value == pytest.approx(277, abs=1)
    assert "all 278 next tokens" in found.why
    assert "each of these is 5.63 nats lower" in found.why
    assert a.reason.startswith("next tokens sum to at most 1 fails.")


@pytest.mark.thorough
def test_the_same_cache_as_an_lm_by_ids() -> None:
    """It shows whole distributions, and the check of those finds the same sum."""
    cache = HashedCache(24)
    lm = pofx.from_callable(cache.next_logprobs, pofx.CharVocab(CHARACTERS, end=False))
    rows = find(pofx.audit(lm, ideograms(8, seed=2)), Check.ROWS)
    assert rows.verdict == "fail"
    assert rows.value == pytest.approx(276, abs=1)


def test_the_same_counts_normalised_sum_to_one() -> None:
    scorer = pofx.from_callable(score=HashedCache(None).score, unit="character", alphabet=CHARACTERS)
    a = pofx.audit(scorer, ideograms(20, seed=2))
    assert (a.verdict, red(a)) == ("scores-only", set())
    assert {f.verdict for f in a.findings} == {"pass"}
    assert find(a, Check.NEXT_SUMS).value == pytest.approx(1, abs=1e-9)


def test_a_model_that_counts_a_letter_before_it_scores_it() -> None:
    a = audit(Adaptive(peeks=True).score)
    found = find(a, Check.FRESH)
    assert (a.verdict, found.verdict) == ("improper", "fail")
    assert found.value > 1_000
    assert "the letters were read before they were scored" in found.why
    assert Check.CAUSAL not in red(a)


def test_the_same_model_that_counts_afterwards() -> None:
    a = audit(Adaptive(peeks=False).score)
    assert (a.verdict, {f.verdict for f in a.findings}) == ("scores-only", {"pass"})


def test_a_mixture_of_a_token_and_its_first_byte() -> None:
    a = audit(TokenModel(bytes=True).score)
    found = find(a, Check.UNITS)
    assert (a.verdict, found.verdict) == ("improper", "fail")
    assert found.value > 100
    assert "bytes and tokens are mixed" in found.why
    assert find(a, Check.FRESH).verdict == "pass"


def test_the_same_tokens_alone() -> None:
    model = TokenModel(bytes=False)
    a = audit(model.score, pieces=model.pieces, unit="token")
    assert (a.verdict, {f.verdict for f in a.findings}) == ("scores-only", {"pass"})


# One fault at a time ------------------------------------------------------------------------------------------


def two_passes(text: str) -> list[float]:
    """Counts of the whole text, the same for each of its letters."""
    counts = Counter(text)
    return [math.log((counts[c] + 0.1) / (len(text) + 0.1 * len(LETTERS))) for c in text]


def looks_ahead(text: str) -> list[float]:
    """A letter before a space is likelier."""
    return [s - (0.0 if b == " " else 0.5) for s, b in zip(uniform(text), text[1:] + "a")]


def in_chunks(text: str) -> list[float]:
    """Counts of all blocks of 32 letters up to this one, the letters to come among them: trained, then scored."""
    out = []
    for at in range(0, len(text), 32):
        counts = Counter(text[: at + 32])
        total = counts.total() + 0.1 * len(LETTERS)
        out += [math.log((counts[c] + 0.1) / total) for c in text[at : at + 32]]
    return out


def by_the_mean(text: str) -> list[float]:
    """One number a text: the mean, as if it were the sum."""
    return [float(np.mean(uniform(text)))] if text else []


@pytest.mark.parametrize(
    ("score", "check"),
    [
        (two_passes, Check.CAUSAL),
        (looks_ahead, Check.CAUSAL),
        (in_chunks, Check.CAUSAL),
        (by_the_mean, Check.STRING_SUMS),
    ],
)
def test_faults_of_a_number(score: Callable[[str], list[float]], check: Check) -> None:
    assert check in red(audit(score))


def test_a_scorer_that_learns_from_one_question_for_the_next() -> None:
    seen: Counter[str] = Counter()

    def score(text: str) -> list[float]:
        out = [math.log((seen[c] + 1) / (seen.total() + len(LETTERS))) for c in text]
        seen.update(text)
        return out

    found = find(audit(score), Check.REPEATS)
    assert found.verdict == "fail"
    assert "the scorer has learned from the text" in found.why


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize(("off", "verdict"), [(1e-9, "pass"), (1e-3, "warn"), (0.1, "fail")])
def test_numbers_that_depend_on_the_company_or_the_time(size: int, off: float, verdict: str) -> None:
    """A server that computes in batches is off by its rounding, and no more."""
    asked: list[int] = []

    def score(texts: Sequence[str]) -> list[np.ndarray]:
        asked.append(len(texts))
        other = len(asked) > 8 and len(texts) == size
        return [np.array(uniform(t)) - off * other for t in texts]

    a = pofx.audit(pofx.Scorer("batches", score), proverbs())
    assert find(a, Check.REPEATS).verdict == verdict


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"unit": "byte", "score": lambda text: uniform(text)[::2]}, "bytes has"),
        ({"pieces": lambda text: text.split(), "score": uniform}, "a number must be of one piece"),
        ({"pieces": lambda text: ["?"] * len(text), "score": uniform}, "and not this text"),
        ({"score": lambda text: [-3.0] * (2 * len(text))}, "some numbers are of nothing"),
    ],
)
def test_numbers_that_are_not_one_a_piece(more: dict, why: str) -> None:
    found = find(audit(**more), Check.UNITS)
    assert found.verdict == "fail"
    assert why in found.why


def test_positive_and_missing_numbers() -> None:
    above = find(audit(lambda text: [0.5] * len(text)), Check.NEXT_SUMS)
    assert (above.verdict, above.value) == ("fail", pytest.approx(math.exp(0.5)))
    a = audit(lambda text: [math.nan] * len(text))
    assert (a.verdict, len(a.findings)) == ("improper", 1)
    assert "no numbers" in a.reason or "numbers, got nan" in a.reason


def test_an_alphabet_that_loses_mass_is_a_warning() -> None:
    a = audit(lambda text: [s - 0.5 for s in uniform(text)], alphabet=LETTERS, unit="character")
    found = find(a, Check.NEXT_SUMS)
    assert (found.verdict, a.verdict) == ("warn", "scores-only")
    assert found.value == pytest.approx(math.exp(-0.5))
    assert "some mass is on nothing" in found.why


def test_a_large_alphabet_is_estimated() -> None:
    tokens = [a + b + c for a in LETTERS for b in LETTERS for c in LETTERS]

    def score(text: str, excess: float = 0.0) -> list[float]:
        return [excess - math.log(len(tokens))] * (len(text) // 3)

    texts = ["the cat sat on the mat and the dog lay on the rug"[:48]] * 8
    honest, twice = (
        find(
            pofx.audit(pofx.from_callable(score=lambda t, e=e: score(t, e), alphabet=tokens), texts),
            Check.NEXT_SUMS,
        )
        for e in (0.0, math.log(2))
    )
    assert (honest.verdict, twice.verdict) == ("pass", "fail")
    assert twice.value == pytest.approx(2, rel=0.01)
    assert "scaled up" in twice.why


def test_the_number_of_eos_is_an_outcome_like_others() -> None:
    n = len(LETTERS) + 1
    honest = audit(lambda text: [-math.log(n)] * (len(text) + 1), ends=True, alphabet=LETTERS)
    assert find(honest, Check.NEXT_SUMS).value == pytest.approx(1)
    assert honest.verdict == "scores-only"
    extra = audit(lambda text: [*uniform(text), -1.0], ends=True, alphabet=LETTERS)
    assert find(extra, Check.NEXT_SUMS).value == pytest.approx(1 + math.exp(-1))
    assert Check.NEXT_SUMS in red(extra)


# Its own sampler ----------------------------------------------------------------------------------------------


def drawing(p: np.ndarray) -> Callable[[str, int, int], list[str]]:
    return lambda prefix, n, seed: [*np.random.default_rng([seed, len(prefix)]).choice(list(LETTERS), n, p=p)]


def test_the_sampler_of_a_scorer() -> None:
    p = np.arange(1, len(LETTERS) + 1) / sum(range(1, len(LETTERS) + 1))
    logs = dict(zip(LETTERS, np.log(p)))
    cold = p**2 / (p**2).sum()

    def score(text: str) -> list[float]:
        return [float(logs[c]) for c in text]

    own, other = (
        find(audit(score, alphabet=LETTERS, sample=drawing(q)), Check.OWN_SAMPLER) for q in (p, cold)
    )
    assert (own.verdict, other.verdict) == ("pass", "fail")
    assert own.value > 0.01 > other.value


@pytest.mark.parametrize("power", [pytest.param(1, marks=pytest.mark.thorough), 2])
def test_the_sampler_of_an_lm(power: int) -> None:
    p = np.array([0.5, 0.3, 0.2])

    def sample(prefix: list[int], n: int, seed: int) -> list[int]:
        q = p**power / (p**power).sum()
        return np.random.default_rng([seed, len(prefix)]).choice(3, n, p=q).tolist()

    lm = pofx.from_callable(lambda ids: np.log(p), token_bytes=[b"a", b"b", None], end=2, sample=sample)
    a = pofx.audit(lm, ["ab", "a", "baab", ""] * 5)
    assert find(a, Check.OWN_SAMPLER).verdict == ("pass" if power == 1 else "fail")
    assert a.verdict == ("joint" if power == 1 else "improper")


@pytest.mark.parametrize("peeks", [False, True])
def test_scores_are_held_against_the_distributions_before_the_token(peeks: bool) -> None:
    """The distribution after a prefix knows nothing of the next letter, and a score that has counted it is another number."""
    model, vocab = Adaptive(peeks), pofx.CharVocab(LETTERS, end=False)
    honest = Adaptive(peeks=False)

    def law(ids: list[int]) -> list[float]:
        before = vocab.decode(ids).decode()
        return [honest.score(before + c)[-1] for c in vocab.characters]

    lm = pofx.from_callable(law, vocab, score=model.score)
    found = forward_finding(
        lm, paths := [vocab.encode(t[:20]) for t in proverbs()[:2]], lm.forward(paths).logp, 0
    )
    assert found.verdict == ("fail" if peeks else "pass")


@pytest.mark.thorough
def test_a_function_of_ids_that_remembers_what_it_was_asked() -> None:
    seen = np.ones(3)

    def law(ids: list[int]) -> np.ndarray:
        for i in ids[-1:]:
            seen[i] += 1
        return np.log(seen / seen.sum())

    lm = pofx.from_callable(law, token_bytes=[b"a", b"b", None], end=2)
    a = pofx.audit(lm, ["ab", "a", "baab", ""] * 5)
    assert a.verdict == "improper"
    assert {Check.VALUES, Check.FORWARD} & red(a)


# What is asked ------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_audit() -> None:
    scorer = pofx.from_callable(score=uniform)
    one, two, other = (pofx.audit(scorer, proverbs(), seed) for seed in (0, 0, 1))
    assert one == two != other


def test_refusals() -> None:
    scorer = pofx.from_callable(score=uniform, alphabet=LETTERS)
    with pytest.raises(BadValue, match="texts: expected a list of texts"):
        pofx.audit(scorer, "a text")
    with pytest.raises(NotText, match="expected at least one text of the scorer's alphabet, got none of 1"):
        pofx.audit(scorer, ["ÄÖÜ"])
    with pytest.raises(BadValue, match="coarse: expected None for a scorer"):
        pofx.audit(scorer, proverbs(), coarse=pofx.from_callable(len, pofx.ByteVocab()))
    short = pofx.Scorer("short", lambda texts: [])
    with pytest.raises(BadValue, match="score: expected a list of numbers for each of 1 texts"):
        pofx.audit(short, proverbs())


def test_a_query_of_a_scorer_says_that_audit_alone_takes_one() -> None:
    scorer = pofx.from_callable(score=uniform, name="uniform")
    with pytest.raises(AttributeError, match="expected an LM, got the scorer 'uniform', .*pofx.audit"):
        pofx.score(scorer, ["a"])  # type: ignore[arg-type]
    assert copy.copy(scorer).name == "uniform"
