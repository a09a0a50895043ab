"""A classifier on disk: what is saved is loaded, and damage is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proverbs import (
    NAIVE,
    NEW,
    GenerativeClassifier,
    X,
    Y,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import pofx
from pofx.classification.files import CARD, load_joint
from pofx.classification.joint import Joint
from pofx.errors import BadSource, BadValue
from toy import ToyLM


class TestFiles:
    @pytest.mark.parametrize(
        "settings",
        [
            {"spec": pofx.NgramSpec(order=3)},
            {"spec": NAIVE, "length": "shared", "prior": {"en": 0.25, "fr": 0.75}, "power": 0.5},
            {"spec": pofx.NgramSpec(order=2, vocab="chars+bytes"), "prior": [0.0, 1.0]},
            {"spec": pofx.NgramSpec(order=4), "given": {"en": "E ", "fr": b"\xff"}, "prior": "uniform"},
            {"spec": pofx.NgramSpec(order=2, vocab=pofx.ByteVocab()), "background": 0.7},
            {"spec": pofx.NgramSpec(order=2, vocab="chars+bytes"), "background": 0.3, "length": "shared"},
        ],
    )
    def test_what_is_read_is_what_was_written(self, settings: dict[str, Any], tmp_path: Path) -> None:
        ours = GenerativeClassifier(**settings).fit(X, Y).fit_rejection(NEW)
        ours.save(tmp_path / "c")
        again = GenerativeClassifier.load(tmp_path / "c")
        np.testing.assert_array_equal(again.predict_log_proba(NEW), ours.predict_log_proba(NEW))
        np.testing.assert_array_equal(again.outlier_p(NEW), ours.outlier_p(NEW))
        assert again.classes_.tolist() == ours.classes_.tolist()
        assert again.length == ours.length
        assert again.given == ours.given
        assert clone(again).fit(X, Y).predict_log_proba(NEW) == pytest.approx(ours.predict_log_proba(NEW))
        assert again.with_prior("uniform").class_log_prior_.tolist() == pytest.approx(
            np.log([0.5, 0.5]).tolist()
        )
        assert not any(p.suffix in (".pkl", ".joblib") for p in tmp_path.rglob("*"))
        again.save(tmp_path / "c")  # replaced
        assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]

    def test_a_model_from_outside_is_named_not_copied(self, tmp_path: Path) -> None:
        lm = pofx.warp(pofx.fit(X, pofx.NgramSpec(order=3)), temperature=0.9)
        lm.fingerprint = "f" * 64
        ours = GenerativeClassifier(lm, given={"en": "the ", "fr": "le "}).fit(X, Y)
        ours.save(tmp_path / "c")
        assert [p.name for p in (tmp_path / "c").iterdir()] == [CARD]
        again = GenerativeClassifier.load(tmp_path / "c", lm=lm)
        assert again.spec is lm
        np.testing.assert_array_equal(again.predict_log_proba(NEW), ours.predict_log_proba(NEW))
        with pytest.raises(BadValue, match=r"got no model; name the model \(lm="):
            GenerativeClassifier.load(tmp_path / "c")
        with pytest.raises(BadValue, match="fingerprint"):
            GenerativeClassifier.load(tmp_path / "c", lm=ToyLM())

    def test_damage_is_seen(self, tmp_path: Path) -> None:
        home = tmp_path / "c"
        GenerativeClassifier(NAIVE).fit(X, Y).save(home)
        card = (home / CARD).read_bytes()
        for damaged in (card[:-40], b"[]", b"", b"\xff", card.replace(b'"own"', b'"own "'), b'{"format": 2}'):
            (home / CARD).write_bytes(damaged)
            with pytest.raises(BadSource) as e:
                GenerativeClassifier.load(home)
            assert "\n" not in str(e.value)
        (home / CARD).write_bytes(card)
        GenerativeClassifier.load(home)
        inner = home / "0001" / "pofx.json"
        kept = inner.read_bytes()
        inner.write_bytes((home / "0000" / "pofx.json").read_bytes())
        with pytest.raises(BadSource, match="0001"):
            GenerativeClassifier.load(home)
        inner.write_bytes(kept)
        for old, new in (("0000", "x"), ("0001", "0000"), ("x", "0001")):  # each whole, in the other's place
            (home / old).rename(home / new)
        with pytest.raises(BadSource, match="0000"):
            GenerativeClassifier.load(home)
        weights = home / "0000" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        with pytest.raises(BadSource):
            GenerativeClassifier.load(home)

    def test_a_card_that_is_sealed_but_wrong(self, tmp_path: Path) -> None:
        from pofx.classification import files

        home = tmp_path / "c"
        GenerativeClassifier(NAIVE).fit(X, Y).save(home)
        card = json.loads((home / CARD).read_text())
        del card["seal"]
        for name, value in (
            ("classes", {"type": "int", "values": ["x", "y"]}),
            ("classes", {"type": "object", "values": ["x", "y"]}),
            ("classes", {"type": "str", "values": ["x"]}),
            ("log_prior", "none"),
            ("models", "two"),
            ("models", 9),
            ("spec", {"family": "pickle"}),
            ("rejection", {"per": "byte"}),
        ):
            changed = {**card, name: value}
            (home / CARD).write_text(json.dumps({**changed, "seal": files.card_seal(changed)}))
            with pytest.raises(BadSource):
                load_joint(home)

    def test_places_that_are_no_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = GenerativeClassifier(NAIVE).fit(X, Y)
        (tmp_path / "file").write_text("mine")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        monkeypatch.chdir(tmp_path)
        for target in ("file", "full", "file/below", ".", "x" * 300):
            with pytest.raises(BadSource) as e:
                ours.save(target)
            assert "\n" not in str(e.value)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full"]
        with pytest.raises(BadSource, match="pofx classify train"):
            GenerativeClassifier.load("full")
        with pytest.raises(NotFittedError):
            GenerativeClassifier(NAIVE).save(tmp_path / "c")

    def test_more_than_a_card_holds(self, tmp_path: Path) -> None:
        ours = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b" * (1 << 20)}, prior="uniform").fit(
            [], []
        )
        with pytest.raises(BadValue, match="fewer or shorter"):
            ours.save(tmp_path / "c")
        assert not list(tmp_path.iterdir())

    def test_transformers(self, tmp_path: Path) -> None:
        pytest.importorskip("torch")
        spec = pofx.TransformerSpec(layers=1, width=8, heads=1, context=32, vocab="chars+bytes", epochs=1)
        for given in (None, {"en": "E ", "fr": "F "}):
            ours = GenerativeClassifier(spec, given=given).fit(X[90:120], Y[90:120])
            assert len(ours.joint_.lms) == (2 if given is None else 1)
            ours.save(tmp_path / "c")
            again = GenerativeClassifier.load(tmp_path / "c")
            np.testing.assert_allclose(again.predict_log_proba(NEW), ours.predict_log_proba(NEW), atol=1e-4)
            assert again.spec == replace(spec, vocab=again.spec.vocab)

    def test_labels_that_no_file_holds(self, tmp_path: Path) -> None:
        joint = Joint(((1, 2), (3, 4)), (ToyLM(), ToyLM()), None, np.ones(2), np.log([0.5, 0.5]))
        from pofx.classification.files import ClassifierSettings, save_joint

        with pytest.raises(BadValue, match="labels: expected strings"):
            save_joint(joint, ClassifierSettings(NAIVE), None, tmp_path / "c")
