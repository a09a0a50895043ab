"""`/v1/classify` and `/v1/infill` against the definitions, by enumeration, and against the verbs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import UsageError
from click.testing import CliRunner
from native_requests import answered, refused
from test_in_process import asked

import pofx
from enumerated import Pieces, complete, open_ended
from pofx.classification.files import ClassifierSettings, save_joint
from pofx.classification.joint import Joint
from pofx.classification.outliers import Rejection
from pofx.cli.main import pofx as cli
from pofx.cli.options.named_classifiers import load_classifier, named_classifiers
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.conditioning.infill import infill
from pofx.server.app import make_app
from pofx.server.classifiers.served import Classifiers
from pofx.server.table import Table
from served import Server
from toy import ToyLM, log_prefix, log_string

TEXTS = ["", "ab", "cba", "aaaa"]
# Labels of another type than text, as `pofx.Classifier` may have them.
LMS = (ToyLM(seed=1), ToyLM(seed=2), ToyLM(seed=3))


def toy_joint(given: tuple[str, ...] | None = None, power: float = 1.0) -> Joint:
    prior = np.log([0.5, 0.3, 0.2])
    lms = LMS if given is None else LMS[:1]
    return Joint((1, 2, 3), lms, given, np.array([5.0, 3.0, 2.0]), prior, power)


def begins_with(lm: LM, ids: list[int]) -> float:
    return math.exp(log_prefix(lm, ids))


def by_hand(joint: Joint, prior: list[float], text: str) -> list[float]:
    """P(label | text) by the definition: the joint probabilities of label and text, divided by their sum."""
    ids = [ord(c) - 97 for c in text]
    if joint.given is None:
        likelihoods = [math.exp(log_string(lm, ids)) for lm in joint.lms]
    else:
        behind = [[ord(c) - 97 for c in str(g)] for g in joint.given]
        before = [math.exp(log_string(joint.lms[0], [*b, *ids])) for b in behind]
        starts = [begins_with(joint.lms[0], b) for b in behind]
        likelihoods = [p / z for p, z in zip(before, starts)]
    both = [q * p**joint.power for q, p in zip(prior, likelihoods)]
    return [p / sum(both) for p in both]


@pytest.mark.parametrize("joint", [toy_joint(), toy_joint(("a", "b", "ca")), toy_joint(power=0.5)])
@pytest.mark.parametrize(
    ("prior", "shares"),
    [
        (None, [0.5, 0.3, 0.2]),
        ({"1": 1, "2": 1, "3": 2}, [0.25, 0.25, 0.5]),
        ("uniform", [1 / 3] * 3),
        ("empirical", [0.5, 0.3, 0.2]),
    ],
)
def test_the_posterior_is_that_of_the_definition(joint: Joint, prior: Any, shares: list[float]) -> None:
    app = make_app([("toy", joint.lms[0])], classifiers=[("letters", joint, None)])
    (found,) = asked(app, [{"texts": TEXTS, "prior": prior}], "/v1/classify")
    assert (found["classifier"], found["power"]) == ("letters", joint.power)
    for text, record in zip(TEXTS, found["posteriors"], strict=True):
        expected = by_hand(joint, shares, text)
        assert [c["posterior"] for c in record["classes"]] == pytest.approx(expected, rel=1e-9)
        assert list(record["posteriors"].values()) == pytest.approx(expected, rel=1e-9)
        assert record["label"] == 1 + int(np.argmax(expected)) and record["outlier_p"] is None
        joints = [c["prior_nats"] + joint.power * c["likelihood_nats"] for c in record["classes"]]
        total = float(np.logaddexp.reduce(joints))
        assert [j - total for j in joints] == pytest.approx([c["posterior_nats"] for c in record["classes"]])
        if joint.power == 1:
            assert record["log_evidence_nats"] == pytest.approx(total, abs=1e-9)


def test_a_prior_of_zero_is_log_0() -> None:
    app = make_app([("toy", LMS[0])], classifiers=[("letters", toy_joint(), None)])
    (found,) = asked(app, [{"texts": ["ab"], "prior": {"1": 1, "2": 0, "3": 0}}], "/v1/classify")
    one, two, _ = found["posteriors"][0]["classes"]
    assert (one["posterior"], two["posterior_nats"], two["impossible"]) == (1, None, True)


def test_outliers_are_told_under_the_prior_of_the_training_alone() -> None:
    held_out = Rejection(np.array([-2.0, -1.0, -0.5]), "byte")
    app = make_app([("toy", LMS[0])], classifiers=[("letters", toy_joint(), held_out)])
    bodies: list[dict[str, Any]] = [
        {"texts": ["ab"]},
        {"texts": ["ab"], "reject": 0.99},
        {"texts": ["ab"], "prior": "uniform"},
        {"texts": ["ab"], "prior": "uniform", "reject": 0.5},
    ]
    plain, rejected, other, both = asked(app, bodies, "/v1/classify")
    share = plain["posteriors"][0]["outlier_p"]
    assert 0 < share < 0.99 and plain["posteriors"][0]["rejected"] is None
    assert (rejected["posteriors"][0]["rejected"], rejected["posteriors"][0]["label"]) == (True, None)
    assert other["posteriors"][0]["outlier_p"] is None
    assert both["error"]["param"] == "reject"


def test_models_of_classifiers_take_turns_with_the_served_models() -> None:
    table = Table([("toy", LMS[0])])
    served = Classifiers([("letters", toy_joint(), None)], table).classifier(None)
    assert served.joint.lms[0] is table.model("toy").lm
    assert all(type(lm).__name__ == "SharedLM" for lm in served.joint.lms)


def test_the_answer_is_that_of_the_verb(server: Server, classifier_file: str) -> None:
    texts = ["the cat", "le chat", "é"]
    for options, fields in (
        ([], {}),
        (["--prior", "en=3,fr=1"], {"prior": {"en": 3, "fr": 1}}),
        (["--reject", "0.5"], {"reject": 0.5}),
    ):
        found = answered(server, "/v1/classify", texts=texts, **fields)
        for text, record in zip(texts, found["posteriors"], strict=True):
            arguments = ["classify", "predict", classifier_file, "--text", text, "--all-classes", "--json"]
            told = json.loads(CliRunner().invoke(cli, [*arguments, *options]).stdout)
            assert {k: record[k] for k in told} == told


def test_the_classifiers_are_listed(server: Server) -> None:
    got = server.get("/v1/classifiers").json()
    (found,) = got["classifiers"]
    assert (found["classifier"], found["models"], found["power"]) == ("languages", 2, 1.0)
    assert [c["label"] for c in found["classes"]] == ["en", "fr"]
    assert sum(c["prior"] for c in found["classes"]) == pytest.approx(1)
    assert "languages: classifies texts: en, fr" in server.banner


def test_what_is_asked_of_no_classifier_is_refused(server: Server) -> None:
    assert refused(server, "/v1/classify", 404, texts=["a"], classifier="x")["code"] == "classifier_not_found"
    error = refused(server, "/v1/classify", 400, texts=["a"], prior={"en": 1})
    assert error["param"] == "prior" and "'fr'" in error["message"]
    assert refused(server, "/v1/classify", 400, texts=["a"], prior={"en": 0, "fr": 0})["param"] == "prior"
    bare = make_app([("toy", LMS[0])])
    assert asked(bare, [{"texts": ["a"]}], "/v1/classify")[0]["error"]["code"] == "no_classifier"


@pytest.mark.parametrize("open_", [False, True])
def test_a_gap_is_filled_as_the_definition_says(open_: bool) -> None:
    lm = ToyLM(seed=6)
    fields: dict[str, Any] = {"given": "a", "suffix": "b", "max_tokens": 3, "n": 512, "open": open_}
    (found,) = asked(make_app([("toy", lm)]), [fields], "/v1/infill")
    list_all = open_ended if open_ else complete
    whole = list_all(lm, 5, lambda w: w.startswith(b"a") and w[1:].endswith(b"b"))
    truth = {w[1:-1]: p for w, p in whole.items()}
    total = math.fsum(truth.values())
    assert found["exact"] and found["method"] == "enumeration" and found["ess"] is None
    got = {o["text"].encode(): o["p"] for o in found["outcomes"]}
    assert got == pytest.approx({w: p / total for w, p in truth.items()}, rel=1e-9)
    before = begins_with(lm, [0])
    assert found["log_evidence_nats"] == pytest.approx(math.log(total / before), abs=1e-9)
    assert sum(d["weight"] for d in found["draws"]) == pytest.approx(1)
    assert all(d["text"].endswith("b") for d in found["draws"])


def test_tokens_may_span_the_ends_of_a_gap() -> None:
    lm = ToyLM(Pieces(b"a", b"b", b"c", b"ab", b"ca", b"bcb"), seed=6)
    fields: dict[str, Any] = {"given": "ca", "suffix": "bc", "max_tokens": 2, "n": 64}
    (found,) = asked(make_app([("toy", lm)]), [fields], "/v1/infill")
    expected = infill(lm, "ca", "bc", n=64, max_tokens=2)
    assert [(o["text"].encode(), o["p"]) for o in found["outcomes"]] == [
        (o.bytes, pytest.approx(o.p, rel=1e-9)) for o in expected.outcomes
    ]


def test_a_gap_is_filled_as_the_verb_does(server: Server) -> None:
    for name in ("own", "tiny"):
        fields: dict[str, Any] = {"given": "the ", "suffix": "t", "n": 16, "seed": 3, "max_tokens": 4}
        options = [
            "--given",
            "the ",
            "--suffix",
            "t",
            "-n",
            "16",
            "--seed",
            "3",
            "--max-tokens",
            "4",
            "--open",
        ]
        found = answered(server, "/v1/infill", model=name, open=True, **fields)
        told = json.loads(
            CliRunner().invoke(cli, ["infill", "-m", server.models[name], "--json", *options]).stdout
        )
        assert [o["text"] for o in found["outcomes"]] == [o["text"] for o in told["outcomes"]]
        assert [o["p"] for o in found["outcomes"]] == pytest.approx(
            [o["p"] for o in told["outcomes"]], abs=1e-5
        )
        assert found["ess"] == pytest.approx(told["ess"], rel=1e-4)
        assert found["log_evidence_nats"] == pytest.approx(told["log_evidence_nats"], abs=1e-4)


def test_a_gap_that_costs_too_much_is_refused(server: Server) -> None:
    error = refused(server, "/v1/infill", 413, suffix="t", n=512, max_tokens=4096)
    assert (error["code"], error["param"]) == ("too_many_tokens", "n")
    assert refused(server, "/v1/infill", 400, suffix="", n=8)["param"] == "suffix"
    assert refused(server, "/v1/infill", 400, n=8)["param"] == "suffix"
    assert refused(server, "/v1/infill", 422, model="mle", suffix="zz", n=8)["code"] == "impossible"


def test_a_classifier_without_models_conditions_a_served_one(
    tmp_path: Path, model_files: dict[str, str]
) -> None:
    lm, other = pofx.load(model_files["tiny"]), ToyLM()
    prior = np.log([0.5, 0.5])
    joint = Joint(("cats", "dogs"), (lm,), ("the cat ", "the dog "), np.array([1.0, 1.0]), prior)
    save_joint(joint, ClassifierSettings(None), None, tmp_path / "behind")
    loaded, _ = load_classifier(str(tmp_path / "behind"), [other, lm])
    assert loaded.lms == (lm,)
    with pytest.raises(BadValue, match="serve this model, too"):
        load_classifier(str(tmp_path / "behind"), [other])
    app = make_app([("toy", other), ("tiny", lm)], classifiers=[("behind", loaded, None)])
    (found,) = asked(app, [{"texts": ["sat"]}], "/v1/classify")
    expected = joint.posterior(["sat"]).log_p[0]
    got = [c["posterior_nats"] for c in found["posteriors"][0]["classes"]]
    assert got == pytest.approx(expected.tolist(), abs=1e-5)


def test_two_classifiers_of_one_name_are_refused() -> None:
    assert named_classifiers(["a=x/languages", "y/languages"]) == {
        "a": "x/languages",
        "languages": "y/languages",
    }
    with pytest.raises(UsageError, match="-c NAME=DIR"):
        named_classifiers(["x/languages", "y/languages"])
