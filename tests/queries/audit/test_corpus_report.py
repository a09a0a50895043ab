"""What maximum likelihood assumes of a corpus: each check against its definition, and against planted breaches."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import pofx
from pofx.algorithms.statistics.clusters import (
    Groups,
    bootstrap_mean,
    design_effect,
    intraclass_correlation,
    mean_size,
)
from pofx.algorithms.statistics.permutation import p_value, paired_p_value
from pofx.algorithms.statistics.shingles import jaccard, minima, shingles
from pofx.cli.commands.corpus import command
from pofx.corpus.documents import Document
from pofx.queries.corpus_audit.duplicates import count_crossing, largest_groups
from pofx.queries.corpus_audit.exchangeability import (
    LEVEL,
    choose_runs,
    hashed_vectors,
    order_finding,
    order_test,
)
from pofx.queries.corpus_audit.fragments import common_length, join_table, looks_broken
from pofx.queries.corpus_audit.near_duplicates import ALIKE, group_exact_copies, group_near_copies
from pofx.queries.corpus_audit.neighbours import STRENGTHS, cache_gain, choose_neighbour_pairs
from pofx.queries.corpus_audit.record import Corpus, CorpusReport
from toy import ToyLM, log_string

WORDS = [
    *(
        "the",
        "river",
        "ran",
        "past",
        "an",
        "old",
        "mill",
        "where",
        "nobody",
        "had",
        "lived",
        "since",
        "winter",
    ),
    *("and", "every", "door", "stood", "open", "to", "rain", "so", "children", "played", "inside", "until"),
    *("their", "mothers", "called", "them", "home", "across", "fields", "of", "barley"),
]


def documents(n: int, seed: int, words: int = 30) -> list[str]:
    """Independent documents, each a sentence of random words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)).capitalize() + "." for _ in range(n)]


def corpus(some: list[str], held_out: float = 0.0, source: list[int] | None = None) -> Corpus:
    n = len(some)
    places = np.zeros(n, dtype=np.int64) if source is None else np.array(source)
    aside = np.random.default_rng(3).random(n) < held_out
    names = tuple(map(str, range(int(places.max()) + 1)))
    return Corpus(tuple(some), tuple(map(str, range(n))), places, aside, names)


def finding(report: CorpusReport, check: str) -> pofx.Finding:
    return next(f for f in report.findings if f.check == check)


# ------------------------------------------------------------------------------------------- permutation tests


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    follows = np.arange(12) > 0
    found = [order_test(rng.normal(size=(12, 3)), follows, 19, rng)[2] for _ in range(1000)]
    cells = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)
    assert cells[0] == 0  # never 0: the order that was found is one of the orders
    chi = float(np.sum((cells[1:] - 50) ** 2 / 50))
    assert chi < 19 + 4 * math.sqrt(38)


def test_paired_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(1)
    found = [paired_p_value(rng.normal(size=(8, 8)), 19, rng)[2] for _ in range(1000)]
    cells = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)
    chi = float(np.sum((cells[1:] - 50) ** 2 / 50))
    assert cells[0] == 0
    assert chi < 19 + 4 * math.sqrt(38)


def test_ties_count_against_the_finding() -> None:
    assert p_value(1.0, np.ones(9)) == 1.0
    assert p_value(1.0, np.zeros(9)) == 0.1
    assert order_test(np.ones((5, 2)), np.arange(5) > 0, 19, np.random.default_rng(0))[2] == 1.0


def test_documents_that_drift_are_not_exchangeable_and_shuffled_ones_are() -> None:
    rng = np.random.default_rng(2)
    drift = [" ".join(rng.choice(WORDS[i // 8 : i // 8 + 16], 12)) for i in range(120)]
    assert order_finding(corpus(drift), 0).verdict == "fail"
    mixed = [drift[i] for i in rng.permutation(120)]
    fair = order_finding(corpus(mixed), 0)
    assert fair.verdict == "pass"
    assert fair.value is not None
    assert fair.value > LEVEL


def test_neighbours_across_files_are_none() -> None:
    two = corpus(documents(6, 0), source=[0, 0, 0, 1, 1, 1])
    assert two.follows.tolist() == [False, True, True, False, True, True]
    assert order_finding(two, 0).value is None  # too few


def test_a_large_corpus_is_tested_on_runs() -> None:
    some = documents(5000, 4, words=2)
    assert order_finding(corpus(some), 0).verdict == "pass"
    at, follows = choose_runs(corpus(some), np.random.default_rng(0))
    assert len(at) == len(set(at.tolist())) == 4096
    assert follows.sum() == 4096 - 64
    assert all(at[k] == at[k - 1] + 1 for k in np.flatnonzero(follows))
    # What only neighbours within a run share is still seen.
    twins = [t for pair in zip(some[:2500], some[:2500]) for t in pair]
    assert order_finding(corpus(twins), 0).verdict == "fail"


def test_hashed_vectors_keep_inner_products() -> None:
    some = [*documents(30, 5), "", "x"]
    vectors = hashed_vectors(some)
    assert vectors.shape == (32, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(hashed_vectors(["same"] * 4), 0)


# ------------------------------------------------------------------------------------------------- duplicates


def brute_shingles(text: str) -> set[str]:
    plain = " ".join(text.casefold().split()).ljust(5, "\0")
    return {plain[i : i + 5] for i in range(len(plain) - 4)}


def test_shingles_are_the_substrings() -> None:
    some = ["Time  flies", "", "ab", "abcde", "Ünïcödé 漢字漢字漢字", *documents(20, 6)]
    flat = list(shingles(some))
    assert len(flat) == 1
    hashes, offsets = flat[0]
    named: dict[str, int] = {}
    for k, text in enumerate(some):
        plain = " ".join(text.casefold().split()).ljust(5, "\0")
        mine = hashes[int(offsets[k]) : int(offsets[k + 1])]
        assert len(mine) == len(plain) - 4
        for i, h in enumerate(mine.tolist()):
            assert named.setdefault(plain[i : i + 5], h) == h
    assert len(set(named.values())) == len(named)


def test_minima_estimate_the_jaccard_similarity() -> None:
    some = documents(2, 7, words=60)
    words = some[0].split()
    for cut in (0, 10, 30, 60):
        other = " ".join([*words[cut:], *some[1].split()[:cut]])
        exact = len(brute_shingles(some[0]) & brute_shingles(other)) / len(
            brute_shingles(some[0]) | brute_shingles(other)
        )
        assert jaccard(some[0], other) == pytest.approx(exact)
        rows = minima([some[0], other], 2000)
        assert (rows[0] == rows[1]).mean() == pytest.approx(exact, abs=5 * 0.5 / math.sqrt(2000))


def edited(text: str, changes: int, rng: np.random.Generator) -> str:
    words = text.split()
    for k in rng.integers(len(words), size=changes):
        words[k] = "zebra"
    return " ".join(words)


def test_near_groups_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(8)
    some = documents(60, 9, words=40)
    some += [edited(t, changes, rng) for t in some[:20] for changes in (1, 2, 6, 12)]
    some += [some[3], "", "", "a", "A"]
    groups = Groups(len(some))
    for i, j in itertools.combinations(range(len(some)), 2):
        if some[i] == some[j] or jaccard(some[i], some[j]) >= ALIKE:
            groups.join(i, j)
    expected = groups.labels()
    assert len(np.unique(expected)) < len(some) - 20
    assert group_near_copies(some).tolist() == expected.tolist()
    assert group_near_copies([]).tolist() == []


def test_a_crowd_of_copies_is_one_group() -> None:
    base = documents(1, 10, words=200)[0]
    some = [f"{base} {k}" for k in range(300)] + documents(5, 11)
    assert group_near_copies(some).tolist() == [0] * 300 + [300, 301, 302, 303, 304]


def test_copies_across_the_split_are_counted_on_the_held_out_side() -> None:
    groups = group_exact_copies(["a", "b", "a", "c", "c", "b", "b"])
    assert groups.tolist() == [0, 1, 0, 3, 3, 1, 1]
    held_out = np.array([False, False, True, True, True, False, True])
    assert count_crossing(groups, held_out) == 2  # the third a, the last b; both c are held out
    assert [g.tolist() for g in largest_groups(groups, 2)] == [[1, 5, 6], [0, 2]]


# --------------------------------------------------------------------------------------------------- clusters


def test_intraclass_correlation_of_known_cases() -> None:
    assert intraclass_correlation(np.array([1.0, 1, 5, 5]), np.array([0, 0, 1, 1])) == 1.0
    assert intraclass_correlation(np.array([1.0, 5, 1, 5]), np.array([0, 0, 1, 1])) == 0.0
    assert intraclass_correlation(np.arange(4.0), np.arange(4)) == 0.0
    rng = np.random.default_rng(12)
    labels = np.repeat(np.arange(2000), 5)
    values = rng.normal(size=2000)[labels] * math.sqrt(0.3) + rng.normal(size=10000) * math.sqrt(0.7)
    assert intraclass_correlation(values, labels) == pytest.approx(0.3, abs=0.03)


def test_the_design_effect_is_the_ratio_of_variances() -> None:
    rng = np.random.default_rng(13)
    labels = np.repeat(np.arange(8), [1, 1, 2, 3, 5, 8, 13, 7])
    rho = 0.4
    means = [
        (rng.normal(size=8)[labels] * math.sqrt(rho) + rng.normal(size=40) * math.sqrt(1 - rho)).mean()
        for _ in range(20000)
    ]
    assert 40 * np.var(means) == pytest.approx(design_effect(labels, rho), rel=0.05)
    assert mean_size(np.arange(5)) == 1.0
    assert design_effect(np.zeros(10, dtype=np.int64), 1.0) == 10.0


def test_the_interval_covers_the_mean_where_documents_depend() -> None:
    rng = np.random.default_rng(14)
    labels = np.repeat(np.arange(40), 10)
    inside = {"clusters": 0, "documents": 0}
    for _ in range(100):
        values = rng.normal(size=40)[labels] + 0.3 * rng.normal(size=400)
        for name, groups in (("clusters", labels), ("documents", np.arange(400))):
            low, high = bootstrap_mean(values, groups, 0.95, 300, rng)
            inside[name] += low <= 0 <= high
    assert inside["clusters"] >= 85
    assert inside["documents"] <= 65


def test_groups_join() -> None:
    groups = Groups(5)
    groups.join(3, 1)
    groups.join(4, 3)
    assert groups.labels().tolist() == [0, 1, 2, 1, 1]
    assert groups.together(1, 4)
    assert not groups.together(0, 1)


# -------------------------------------------------------------------------------------------------- neighbours


def cached_row(
    lm: ToyLM, before: tuple[int, ...], prefix: tuple[int, ...], mu: float, context: int
) -> np.ndarray:
    """The law that `cache_gain` speaks of, outcome by outcome."""
    row = np.exp(lm.row(prefix))
    pad = (lm.vocab.size,) * context
    seen, mine = [*pad, *before], [*pad, *prefix][-context:]
    counts = np.zeros(lm.vocab.size)
    for i, v in enumerate(before):
        if seen[i : i + context] == mine:
            counts[v] += 1
    return (counts + mu * row) / (counts.sum() + mu)


def test_the_gain_of_a_neighbour_is_one_of_distributions() -> None:
    lm = ToyLM(seed=4)
    end = lm.vocab.end
    assert end is not None
    befores = [(0, 1, 2, 0, 1, 2, 0, 1), (1, 1, 1, 1), ()]
    behind = [(0, 1, 2, 0, 1), (2, 2), (), (1, 1, 1, 1, 1)]
    paths = [np.array([*y, end]) for y in behind]
    logp = [lm.forward([p]).logp[0] for p in paths]
    for k, x in enumerate(befores):
        gain = cache_gain(lm, [np.array(x, dtype=np.int64)], paths, logp)[0]
        for j, y in enumerate(behind):
            each = []
            for mu in STRENGTHS:
                total = 0.0
                for i, v in enumerate([*y, end]):
                    row = cached_row(lm, x, y[:i], mu, 4)
                    assert row.sum() == pytest.approx(1, abs=1e-12)
                    total += math.log(row[v])
                each.append(math.exp(total))
            plain = math.exp(log_string(lm, y))
            exact = math.log(0.5 * plain + 0.5 * sum(each) / len(each)) - math.log(plain)
            assert gain[j] == pytest.approx(exact, abs=1e-10), (k, j)
            assert gain[j] >= -math.log(2) - 1e-12


def test_the_gain_sees_what_neighbours_share() -> None:
    rng = np.random.default_rng(15)
    some = []
    for _ in range(60):
        name = "".join(rng.choice(list("bcdfgklmnprst"), 9))
        some += [f"A letter from {name} came.", f"Nobody answered {name} for years."]
    report = pofx.corpus_report(some, held_out=0.4)
    found = finding(report, "neighbours say nothing")
    assert found.verdict == "fail"
    assert found.value is not None
    assert found.value > 0.3
    order = rng.permutation(len(some))
    fair = pofx.corpus_report([some[i] for i in order], held_out=0.4)
    assert finding(fair, "neighbours say nothing").verdict == "pass"


def test_pairs_are_disjoint_neighbours_of_one_file() -> None:
    some = corpus(documents(40, 16), held_out=0.5, source=[0] * 20 + [1] * 20)
    pairs = choose_neighbour_pairs(some, 100, 0, True)
    used = [*pairs.tolist(), *(pairs - 1).tolist()]
    assert len(pairs) >= 5
    assert len(set(used)) == len(used)
    assert all(some.held_out[i] and some.source[i] == some.source[i - 1] for i in pairs)
    assert len(choose_neighbour_pairs(some, 3, 0, True)) == 3


# ----------------------------------------------------------------------------------------------------- mid-way


def test_form_needs_both_sides_of_a_join() -> None:
    some = ["It was late", "and it rained.", "and nobody came.", "The end", "Ǆ", "", "), he said", "12"]
    assert looks_broken(corpus(some)).tolist() == [False, True, False, False, False, False, False, False]
    assert looks_broken(corpus(some[:2], source=[0, 1])).tolist() == [False, False]


def test_common_lengths() -> None:
    assert common_length(tuple("x" * n for n in range(60, 80))) == (1 / 20, 64, "characters")
    assert common_length(tuple(["y" * 100] * 6 + ["short"] * 4)) == (0.6, 100, "characters")
    words = tuple(" ".join(["ab" * (k % 3 + 1)] * 70) for k in range(9))
    assert common_length(words)[1:] == (70, "words")


def test_joins_are_probabilities() -> None:
    lm = pofx.fit(documents(20, 17), pofx.NgramSpec(order=3))
    table = join_table(lm, ["the riv", ""], ["er ran", ""])
    assert table[:, 1] == pytest.approx([0, 0], abs=1e-12)
    ways = [pofx.prefix_log_prob(lm, "er ran", given="the riv" + gap) for gap in ("", " ", "\n")]
    assert table[0, 0] == pytest.approx(np.logaddexp.reduce(ways) - math.log(3))


def test_pieces_cut_by_length_fail_and_whole_documents_pass() -> None:
    whole = documents(80, 18)
    assert finding(pofx.corpus_report(whole), "documents start at x0").verdict == "pass"
    running = " ".join(whole)
    pieces = [running[i : i + 90] for i in range(0, len(running), 90)]
    report = pofx.corpus_report(pieces, held_out=0.4)
    found = finding(report, "documents start at x0")
    assert found.verdict == "fail"
    assert "90 characters long" in found.why
    assert report.midway
    assert report.verdict == "fail"


# ----------------------------------------------------------------------------------------------- the whole of it


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    report = pofx.corpus_report(["Only one."])
    assert finding(report, "effective number").why.startswith("1 document in 1 group of copies; ")
    assert "over 1 document in 1 group of copies" in finding(report, "L(θ)").why
    two = pofx.corpus_report(["It was late", "and it rained."])
    assert finding(two, "documents start at x0").why.startswith("1 document begins in lower case")


def test_what_is_measured_is_said_as_it_was_found() -> None:
    some = documents(30, 23)
    for held_out, words in (
        (documents(5, 24), "is prediction, not memory"),
        ([some[3]], "is memory, not prediction"),
    ):
        report = pofx.corpus_report(some, held_out=held_out)
        assert words in finding(report, "copies across the split").why


def test_within_a_single_cluster_nothing_is_known_of_clusters() -> None:
    found = finding(pofx.corpus_report(documents(60, 25), clusters=["a"] * 60), "effective number")
    assert found.verdict == "warn"
    assert "single one" in found.why


def test_shuffled_corpora_have_uniform_p_values() -> None:
    """The whole of the test of order, on texts: 200 corpora whose order is random."""
    some = documents(40, 26, words=6) + [d.upper() for d in documents(40, 27, words=12)]
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        texts = [some[i] for i in rng.permutation(len(some))[:30]]
        found.append(order_test(hashed_vectors(texts), np.arange(30) > 0, 199, rng)[2])
    cells = np.histogram(found, 10, (1 / 400, 1 + 1 / 400))[0]  # 20 of the 200 values that p can have in each
    assert float(np.sum((cells - 20) ** 2 / 20)) < 9 + 4 * math.sqrt(18)


def test_independent_documents_pass() -> None:
    report = pofx.corpus_report(documents(200, 19), seed=1)
    assert [f.verdict for f in report.findings] == ["pass"] * 8
    assert report.verdict == "pass"
    assert report.effective == report.documents == 200
    assert report.loss.low < report.loss.value < report.loss.high
    assert report == pofx.corpus_report(documents(200, 19), seed=1)


def test_loss_is_the_mean_of_log_p() -> None:
    some = documents(50, 20)
    lm = pofx.fit(documents(50, 21), pofx.NgramSpec(order=3))
    report = pofx.corpus_report(some, lm)
    assert report.loss.value == pytest.approx(-np.mean([pofx.log_prob(lm, t) for t in some]))
    assert report.loss.n == 50
    assert pofx.corpus_report(some, lm, scored=7).loss.n == 7
    test = documents(9, 22)
    listed = pofx.corpus_report(some, lm, held_out=test)
    assert listed.loss.value == pytest.approx(-np.mean([pofx.log_prob(lm, t) for t in test]))
    assert (listed.documents, listed.held_out) == (59, 9)


def test_copies_are_found_and_named() -> None:
    some = documents(90, 23)
    rng = np.random.default_rng(0)
    report = pofx.corpus_report([*some, *some[:10]], held_out=[edited(t, 1, rng) for t in some[:4]])
    assert finding(report, "exact duplicates").value == pytest.approx(10 / 104)
    assert finding(report, "near-duplicates").value == pytest.approx(4 / 104)
    across_split = finding(report, "copies across the split")
    assert (across_split.value, across_split.verdict) == (1.0, "fail")
    assert report.copies[0] == ("1", "91", "held-out 1")
    # n / Σ m² / n with 4 groups of three, 6 of two, 80 of one.
    assert report.effective == pytest.approx(104 / ((4 * 9 + 6 * 4 + 80) / 104))


def test_clusters_are_files_or_labels() -> None:
    rng = np.random.default_rng(24)
    sizes = rng.integers(3, 40, 20)
    some = [
        Document(t, f"{k}:{i}", f"f{k}", i)
        for k, s in enumerate(sizes)
        for i, t in enumerate(documents(10, 100 + k, int(s)))
    ]
    report = pofx.corpus_report(some, held_out=0.3)
    assert report.loss.clusters == 20
    assert report.loss.rho > 0.8
    assert finding(report, "effective number").verdict == "fail"
    assert report.effective < 30
    plain = [d.text for d in some]
    again = pofx.corpus_report(plain, held_out=0.3, clusters=[d.source for d in some])
    assert (again.loss.rho, again.effective) == (report.loss.rho, report.effective)
    alone = pofx.corpus_report(plain, held_out=0.3)
    assert alone.loss.high - alone.loss.low < report.loss.high - report.loss.low


def test_impossible_documents_have_no_mean() -> None:
    lm = pofx.fit(["ab", "ba"], pofx.NgramSpec(order=2, smoothing="mle"))
    report = pofx.corpus_report(["ab", "ba", "xx"] * 9, lm)
    assert report.loss.value == math.inf
    assert finding(report, "L(θ)").verdict == "fail"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pofx.corpus_report([]), pofx.BadSource, ["at least one document", "none"]),
        (lambda: pofx.corpus_report("a text"), pofx.BadValue, ["iterable of texts", "one text"]),
        (lambda: pofx.corpus_report(["a"], held_out=2), pofx.BadValue, ["held_out", "at most 1", "2"]),
        (lambda: pofx.corpus_report(["a"], clusters=[1, 2]), pofx.BadValue, ["each of 1", "found 2"]),
        (lambda: pofx.corpus_report(["a"], scored=0), pofx.BadValue, ["at least 1", "found 0"]),
        (lambda: pofx.corpus_report(["\ud800"]), pofx.NotText, ["lone surrogate"]),
        (
            lambda: pofx.corpus_report(["ab"], pofx.fit(["ab"], pofx.NgramSpec(begin=False))),
            pofx.NoBOS,
            ["L(θ)", "p(x1 | x0)"],
        ),
        (
            lambda: pofx.corpus_report(["ab"], pofx.fit(["ab"], pofx.NgramSpec(end=False))),
            pofx.NoEOS,
            ["L(θ)", "p(EOS"],
        ),
    ],
)
def test_refusals(call: object, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        call()  # type: ignore[operator]
    assert all(w in str(raised.value) for w in words)
    assert "\n" not in str(raised.value)


def test_odd_corpora_have_a_report() -> None:
    for some in ([""], ["", "", ""], ["x"] * 40, [b"\xff\xfe", b"ok"], ["\x1b[31mred"] * 2, ["a" * 100_000]):
        report = pofx.corpus_report(some)
        assert len(report.findings) == 8
        assert report.documents == len(some)


# ---------------------------------------------------------------------------------------------------------- CLI


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_verb(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    some = documents(60, 25)
    train.write_text("".join(json.dumps({"text": t, "by": i // 6}) + "\n" for i, t in enumerate(some)))
    test.write_text("".join(json.dumps({"text": t, "by": "x"}) + "\n" for t in some[:2]))
    code, out = run(str(train))
    assert code == 0
    assert "60 documents" in out
    assert "order does not matter" in out
    code, out = run(str(train), "--test", str(test), "--cluster", "by", "--json")
    record = json.loads(out)
    assert (code, record["held_out"], record["verdict"]) == (0, 2, "fail")
    assert record["loss"]["clusters"] == 1
    assert {f["check"]: f["value"] for f in record["findings"]}["copies across the split"] == 1.0
    assert run(str(train), "--test", str(test), "--strict")[0] == 1
    assert run(str(train), "--strict")[0] == 0
    pofx.save(pofx.fit(some, pofx.NgramSpec(order=2)), tmp_path / "model")
    code, out = run(str(train), "-m", str(tmp_path / "model"), "--scored", "5")
    assert "the model (x0" in " ".join(out.split())
    assert run(str(train), "--context", "9")[0] == 2
    assert run(str(train), "--test", str(test), "--held-out", "0.1")[0] == 2


def test_documents_without_the_field_are_clusters_by_themselves(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"text": t, **({"by": "x"} if i < 4 else {})} for i, t in enumerate(documents(12, 28))]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run(str(file), "--cluster", "by", "--held-out", "0", "--json")[1]
    found = {f["check"]: f["why"] for f in json.loads(told)["findings"]}
    assert found["effective number"].startswith("12 documents in 9 clusters; ")
    with pytest.raises(
        pofx.BadSource, match="expected a field 'nobody' in any of the first 12 rows, found only 'text', 'by'"
    ):
        run(str(file), "--cluster", "nobody")


def test_texts_cannot_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("\x1b[31mred\n" * 30)
    assert "\x1b[31m" not in run(str(file))[1]
