"""Whatever a model answers: the terms that a panel shows add up to the total that it shows, and each lies beside its number."""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from looking import fixed, score, settle
from playwright.sync_api import Locator, Page, Route, expect

SEEDS = range(4)
SIZES = (0.0004, 0.02, 3.0, 400.0)


def units(shown: str) -> int:
    """A number with three decimals, in units of its last digit."""
    whole, _, decimals = shown.replace("−", "-").replace(",", "").replace("+", "").strip().partition(".")
    assert len(decimals) == 3, shown
    return int(whole + decimals)


def column(rows: Locator, k: int) -> list[int]:
    return [units(x) for x in rows.locator(f"td:nth-child({k})").all_inner_texts()]


def nats(source: random.Random) -> float:
    """The log-probability of a token: of any size, so that roundings go either way."""
    return -source.choice(SIZES) * source.random()


def scored(text: str, source: random.Random) -> dict[str, Any]:
    """A record of the text, cut at random into tokens of one to three bytes, each with a random log-probability."""
    data = text.encode()
    tokens: list[dict[str, Any]] = []
    at = 0
    while at < len(data):
        end = min(len(data), at + source.randint(1, 3))
        spelled = base64.b64encode(data[at:end]).decode()
        own = {"id": end, "token": f"t{end}", "bytes": spelled, "start": at, "end": end, "seen": 1}
        tokens.append({**own, "nats": nats(source), "rank": 1, "entropy_nats": 1.0, "top": []})
        at = end
    eos = {"id": 0, "token": "EOS", "bytes": None, "start": at, "end": at, "seen": 1, "rank": 1}
    tokens.append({**eos, "nats": nats(source), "entropy_nats": 1.0, "top": []})
    total = sum(t["nats"] for t in tokens)
    terms = {"bytes": len(data), "given_bytes": 0, "end": True, "tokens": len(tokens) - 1, "kind": "exact"}
    record = {"total_nats": total, "prefix_nats": total - tokens[-1]["nats"], "bits_per_byte": 1.0}
    return {"text": text, **record, "terms": terms, "tokens": tokens}


def answer(made: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Route], None]:
    """A server that answers with what is made of the question."""
    return lambda route: route.fulfill(json=made(route.request.post_data_json))


def words(source: random.Random) -> str:
    return " ".join("".join(source.choices("abcé", k=source.randint(1, 6))) for _ in range(24))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_chain_rule_and_the_tokens_of_a_unit(page: Page, seed: int) -> None:
    settle(page)
    source = random.Random(seed)
    record = scored(words(source), source)
    page.route("**/v1/score", answer(lambda _: {"scores": [record]}))
    page.get_by_role("textbox", name="Text", exact=True).fill(record["text"])
    score(page)
    head = page.locator(".total b").first
    expect(head).to_have_text(fixed(record["total_nats"]))
    total = units(head.inner_text())
    page.locator("details", has_text="The chain rule").evaluate("(e) => { e.open = true; }")
    rows = page.locator(".chain tbody tr")
    expect(rows).to_have_count(len(record["tokens"]))
    terms, sums = column(rows, 4), column(rows, 5)
    assert sum(terms) == total == sums[-1] == units(page.locator(".chain tfoot td.n").inner_text())
    exact = 0.0
    for k, token in enumerate(record["tokens"]):
        exact += token["nats"]
        assert sums[k] == sum(terms[: k + 1])
        assert abs(terms[k] - 1000 * token["nats"]) < 1 + 1e-6 and abs(sums[k] - 1000 * exact) < 1 + 1e-6
    # A unit of several tokens: an é of which each token has a half.
    page.get_by_label("by", exact=True).select_option("tokens")
    several = page.locator(".tokens [role=option]").filter(has_text="é")
    seen = 0
    for unit in several.all()[:12]:
        unit.click()
        detail = page.get_by_role("group", name="The chosen token")
        if detail.get_by_role("table").count():
            named = detail.locator(".name small").inner_text().rpartition(" ")[2]
            assert sum(column(detail.locator("tbody tr"), 3)) == units(named)
            seen += 1
    assert seen


@pytest.mark.parametrize("seed", SEEDS)
def test_two_models(page: Page, seed: int) -> None:
    settle(page)
    source = random.Random(seed)
    text = words(source)
    both = {"english": scored(text, source), "french": scored(text, source)}
    page.route("**/v1/score", answer(lambda asked: {"scores": [both[asked["model"]]]}))
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    page.get_by_label("english against").select_option("french")
    page.get_by_role("button", name="Compare").click()
    head = page.locator(".comparison .total")
    expect(head).to_be_visible()
    first, second, delta = (
        units(x) for x in head.inner_text().removesuffix(" nats").replace("=", "+").split(" + ")
    )
    assert first == units(fixed(both["english"]["total_nats"])) and first + second == delta
    for by in ("words", "tokens"):
        page.get_by_label("regions by").select_option(by)
        rows = page.locator(".comparison section").first.locator("tbody tr")
        a, b, difference = (column(rows, k) for k in (2, 3, 5))
        assert [x - y for x, y in zip(a, b, strict=True)] == difference
        assert (sum(a), -sum(b), sum(difference)) == (first, second, delta)
    bayes = page.get_by_role("table", name="Bayes' rule").locator("tbody tr:not(.sum)")
    for prior in ("0.5", "0.07"):
        page.get_by_label("Prior of english").fill(prior)
        log_prior, evidence, joint = (column(bayes, k) for k in (2, 3, 4))
        assert [p + e for p, e in zip(log_prior, evidence, strict=True)] == joint


def begun(source: random.Random, k: int) -> dict[str, Any]:
    first, rest = nats(source), sum(nats(source) for _ in range(9))
    row = {"name": f"<{k}>", "id": k, "role": "BOS", "current": k == 0, "first": "T", "first_nats": first}
    return {**row, "rest_nats": rest, "total_nats": first + rest, "prefix_nats": first + rest}


@pytest.mark.parametrize("seed", SEEDS)
def test_beginnings(page: Page, seed: int) -> None:
    settle(page)
    source = random.Random(seed)
    rows = [begun(source, k) for k in range(20)]
    page.route("**/v1/begins", answer(lambda asked: {**asked, "begins": rows}))
    page.get_by_role("tab", name="Beginnings").click()
    page.get_by_role("button", name="Try each x0").click()
    shown = page.get_by_role("tabpanel").get_by_role("table").locator("tbody tr")
    expect(shown).to_have_count(20)
    first, rest, total = (column(shown, k) for k in (3, 5, 6))
    assert [f + r for f, r in zip(first, rest, strict=True)] == total
    assert total == [units(fixed(row["total_nats"])) for row in rows]
    change = [units(x) for x in shown.locator("td:nth-child(7)").all_inner_texts()[1:]]
    assert change == [t - total[0] for t in total[1:]]


@pytest.mark.parametrize("seed", SEEDS)
def test_classes(page: Page, seed: int) -> None:
    settle(page)
    source = random.Random(seed)
    weights = [source.random() for _ in range(6)]
    priors = [math.log(w / sum(weights)) for w in weights]
    evidence = [-40 + nats(source) / 40 for _ in weights]
    joints = [p + e for p, e in zip(priors, evidence, strict=True)]
    total = max(joints) + math.log(sum(math.exp(j - max(joints)) for j in joints))
    classes = [
        {"label": f"l{k}", "prior_nats": p, "likelihood_nats": e, "posterior_nats": j - total, "posterior": 0}
        for k, (p, e, j) in enumerate(zip(priors, evidence, joints, strict=True))
    ]
    found = {"text": "x", "label": "l0", "posterior": 1, "log_evidence_nats": total, "outlier_p": None}
    record = {**found, "rejected": None, "posteriors": {}, "classes": classes}
    page.route("**/v1/classify", answer(lambda _: {"classifier": "c", "power": 1, "posteriors": [record]}))
    page.get_by_role("tab", name="Classes").click()
    page.get_by_role("button", name="Classify").click()
    panel = page.get_by_role("tabpanel")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(6)
    for moved in (None, "0.3", "1"):
        if moved:
            panel.get_by_role("slider", name="Prior of l2").fill(moved)
        terms = [rows.nth(k).locator("td").all_inner_texts() for k in range(6)]
        finite = [[units(x) for x in row] for row in terms if "−∞" not in row]
        assert finite and all(p + e + t == posterior for p, e, t, posterior in finite)
        assert len({t for _, _, t, _ in finite}) == 1
        if moved is None:
            assert [row[3] for row in finite] == [units(fixed(c["posterior_nats"])) for c in classes]
